# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts to report, and the directory to report into."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import samples


@pytest.fixture
def verdicts(tmp_path):
    return samples.everything(tmp_path / "executed")


@pytest.fixture
def target(tmp_path):
    return tmp_path / "reports"
