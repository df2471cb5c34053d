# SPDX-License-Identifier: GPL-3.0-or-later
"""Run make targets, stop at the first that fails, and say what passed and how long it took.

Each argument is a step: one target, or lanes of targets that need one core each, which run side by side:
``molecule+contract,docs`` runs contract and then docs beside molecule.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time


class Gates:
    def __init__(self, make: str):
        self._make = make
        self._lock = threading.Lock()
        self.lines: dict[str, str] = {}
        self.failed = ""

    def run(self, step: str) -> None:
        """Run one step to its end."""
        lanes = [lane.split(",") for lane in step.split("+")]
        threads = [threading.Thread(target=self._lane, args=(lane, len(lanes) > 1)) for lane in lanes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self, gates: list[str], quiet: bool) -> None:
        for gate in gates:
            if self.failed:
                self.lines[gate] = "not run"
                continue
            begun = time.monotonic()
            status = self._shown_at_its_end(gate) if quiet else self._shown(gate)
            self.failed = gate if status else self.failed
            self.lines[gate] = f"{'FAILED' if status else 'passed'} {time.monotonic() - begun:6.1f} s"

    def _shown(self, gate: str) -> int:
        print(f"\n=== make {gate}", flush=True)
        return subprocess.run([self._make, "--no-print-directory", gate], check=False).returncode

    def _shown_at_its_end(self, gate: str) -> int:
        with tempfile.TemporaryFile() as output:
            command = [self._make, "--no-print-directory", gate]
            status = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
            output.seek(0)
            with self._lock:
                print(f"\n=== make {gate}", flush=True)
                sys.stdout.buffer.write(output.read())
                sys.stdout.flush()
        return status


def main() -> int:
    make, *steps = sys.argv[1:]
    gates = Gates(make)
    start = time.monotonic()
    for step in steps:
        gates.run(step)
    print("\n=== Gates", *(f"  {gate:<14} {line}" for gate, line in gates.lines.items()), sep="\n")
    total = f"{time.monotonic() - start:.0f} s"
    if gates.failed:
        print(f"\nmake test: FAILED at `make {gates.failed}` after {total}", flush=True)
        return 1
    print(f"\nmake test: all {len(gates.lines)} gates passed in {total}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
