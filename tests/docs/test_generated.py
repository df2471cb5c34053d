# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made from a source of truth is made from it as it stands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_readme_and_defaults_of_the_roles_say_what_their_argument_specs_say():
    done = subprocess.run([sys.executable, "scripts/role_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
