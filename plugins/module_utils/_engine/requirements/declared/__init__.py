# SPDX-License-Identifier: GPL-3.0-or-later
"""The declared tier: what the files of a source, and the notebook itself, say that it needs. One format a file."""
