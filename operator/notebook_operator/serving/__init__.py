# SPDX-License-Identifier: GPL-3.0-or-later
"""The models that a job names."""
