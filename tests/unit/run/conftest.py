# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the run room's tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from run_support import bench, python, reachable  # noqa: E402

__all__ = ["bench", "python", "reachable"]
