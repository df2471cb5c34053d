# SPDX-License-Identifier: GPL-3.0-or-later
"""What all operators of this directory have in common; it imports none of them."""
