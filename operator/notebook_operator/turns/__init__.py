# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose turn it is: jobs that are seen, wait, are worked on, and rest."""
