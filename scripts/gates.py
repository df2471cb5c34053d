# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets one by one, stop at the first that fails, and say what passed and how long it took."""

from __future__ import annotations

import subprocess
import sys
import time


def main() -> int:
    make, *gates = sys.argv[1:]
    lines: list[str] = []
    start = time.monotonic()
    failed = ""
    for gate in gates:
        if failed:
            lines.append(f"  {gate:<14} not run")
            continue
        print(f"\n=== make {gate}", flush=True)
        begun = time.monotonic()
        status = subprocess.run([make, "--no-print-directory", gate], check=False).returncode
        failed = gate if status else ""
        lines.append(f"  {gate:<14} {'FAILED' if status else 'passed'} {time.monotonic() - begun:6.1f} s")
    print("\n=== Gates", *lines, sep="\n")
    total = f"{time.monotonic() - start:.0f} s"
    if failed:
        print(f"\nmake test: FAILED at `make {failed}` after {total}", flush=True)
        return 1
    print(f"\nmake test: all {len(gates)} gates passed in {total}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
