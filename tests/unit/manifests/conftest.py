# SPDX-License-Identifier: GPL-3.0-or-later
"""What the strategies send to a server, word for word."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / "unit" / name) for name in ("cluster", "pod_builds", "manifests"))]
