# SPDX-License-Identifier: GPL-3.0-or-later
"""The tests import the collection as installed: from ANSIBLE_COLLECTIONS_PATH, else from build/collections."""

from __future__ import annotations

import os
import sys
from pathlib import Path

INSTALLED = Path(__file__).resolve().parents[1] / "build" / "collections"


def trees() -> list[Path]:
    named = [Path(path) for path in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep) if path]
    return [*named, *(Path(path) for path in sys.path if path), INSTALLED]


tree = next((path for path in trees() if (path / "ansible_collections" / "mlops" / "notebooks").is_dir()), INSTALLED)
sys.path.insert(0, str(tree))
# For the processes that tests start.
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tree), os.environ.get("PYTHONPATH")]))
