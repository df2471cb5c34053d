# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher's end of one runner: a program.py in an environment that is fed with one task after the other."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Callable

from . import program, workspace
from .identity import Identity, kill_everything_of

LONGEST_LINE = 64 * 1024**2


class WorkerEnded(Exception):
    """The runner ended before it answered. message: its last words."""


class OutOfTime(Exception):
    """The runner did not answer in time."""


class Cancelled(Exception):
    """The launcher was told to stop."""


class Worker:
    """A program.py that serves. Its imports are paid once, while the first kernel starts."""

    def __init__(self, python: str, program_file: str, directory: str, identity: Identity) -> None:
        self.python, self.identity, self.directory = python, identity, directory
        os.mkdir(directory, 0o700)
        environment = workspace.base_environment(python, os.path.join(directory, "home"))
        workspace.give_tree(directory, identity)
        self._log = directory + ".log"
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [python, program_file, "--serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=directory,
                env=environment,
                start_new_session=True,
                **identity.popen_arguments(),
            )
        self._buffer = b""

    def ask(self, task: dict, deadline: float | None, wake: int, heard: Callable[[dict], None]) -> dict:
        """Give a task and return the event that ends it; ``heard`` is called for each event before.

        deadline: of time.monotonic. wake: a descriptor that becomes readable when all shall stop.
        Raises WorkerEnded, OutOfTime, Cancelled.
        """
        try:
            self.process.stdin.write(json.dumps(task).encode() + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise WorkerEnded(self.last_words()) from error
        while True:
            event = self._read(deadline, wake)
            if event.get("event") in ("done", "failed"):
                return event
            heard(event)

    def _read(self, deadline: float | None, wake: int) -> dict:
        while b"\n" not in self._buffer:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                raise OutOfTime
            ready = select.select([self.process.stdout, wake], [], [], left)[0]
            if wake in ready:
                raise Cancelled
            if ready:
                data = os.read(self.process.stdout.fileno(), 1 << 16)
                if not data or len(self._buffer) > LONGEST_LINE:
                    raise WorkerEnded(self.last_words())
                self._buffer += data
        line, _unused, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def last_words(self) -> str:
        """Return the last lines of what the runner wrote to stderr."""
        return "\n".join(program.tail(self._log)[-5:])

    def close(self) -> None:
        """Kill the runner and what it started; remove its directory."""
        self.process.kill()
        self.process.wait()
        kill_everything_of(self.identity)
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
        workspace.remove_tree(self.directory)
