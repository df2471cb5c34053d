# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job asks, and what is refused of it."""
