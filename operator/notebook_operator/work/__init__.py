# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of one job, from its source to its verdict."""
