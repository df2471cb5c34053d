# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories, and the place for their checkouts."""
