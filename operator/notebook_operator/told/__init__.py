# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of jobs: status, events, and aggregates."""
