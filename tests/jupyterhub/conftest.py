# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the hub have in common is beside them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
