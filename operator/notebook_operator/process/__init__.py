# SPDX-License-Identifier: GPL-3.0-or-later
"""What any process of an operator needs: election, logs, probes and metrics."""
