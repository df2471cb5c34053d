# SPDX-License-Identifier: GPL-3.0-or-later
"""Score the ladder on small hand-labelled notebooks of odd installs and syntax (tests/notebooks/inline/cases.txt).

python benchmarks/requirements/cases.py [--misses]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "unit" / "requirements"))
from test_cases import read, score


def main() -> None:
    precision, recall, f1, misses = score()
    if "--misses" in sys.argv:
        print("\n".join(misses))
    print(f"{len(read())} cases  P {precision:.3f}  R {recall:.3f}  micro-F1 {f1:.3f}  not exact {len(misses)}")


if __name__ == "__main__":
    main()
