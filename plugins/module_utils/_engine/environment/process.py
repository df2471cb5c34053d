# SPDX-License-Identifier: GPL-3.0-or-later
"""A child process whose output is read line by line, and that never outlives its parent."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import time

from ..values.errors import EngineError

_PR_SET_PDEATHSIG = 1  # prctl(2)
_TICK = 0.2  # seconds until a child that ended, and left its output open to a grandchild, is noticed


def stream(argv: list[str], on_line, *, env: dict, cwd: str, deadline: float | None = None) -> int:
    """Run a command, call on_line with each line of its stdout and stderr, return its exit status.

    The command runs in a session of its own; its whole process group is killed when it ends, at the deadline
    (``time.monotonic`` seconds), when this process dies, and on any exception, an interruption among them.
    Raises EngineError with ``build_timeout`` at the deadline.
    """
    child = subprocess.Popen(
        argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, preexec_fn=_dies_with_parent(),
    )  # fmt: skip
    try:
        rest = b""
        for data in _chunks(child, deadline):
            *lines, rest = (rest + data.replace(b"\r", b"\n")).split(b"\n")
            for line in lines:
                on_line(line.decode("utf-8", "replace"))
        if rest:
            on_line(rest.decode("utf-8", "replace"))
    finally:
        _end(child)
    return child.returncode


def _chunks(child: subprocess.Popen, deadline: float | None):
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while selector.select(_left(child, deadline)) or not _ended(child):
            if selector.select(0):
                data = os.read(child.stdout.fileno(), 65536)
                if not data:
                    break
                yield data
    while not _ended(child):
        time.sleep(min(0.01, _left(child, deadline)))


def _left(child: subprocess.Popen, deadline: float | None) -> float:
    left = _TICK if deadline is None else min(_TICK, deadline - time.monotonic())
    if left <= 0:
        raise EngineError(f"{os.path.basename(child.args[0])} did not end in time.", code="build_timeout")
    return left


def _ended(child: subprocess.Popen) -> bool:
    # Not reaped yet: its process group keeps its number until the group has been killed.
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(child: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.stdout.close()
    child.wait()


def _dies_with_parent():
    """Return what a child calls before its program starts; the library is loaded here, not between fork and exec."""
    try:
        prctl = ctypes.CDLL(None).prctl
    except (OSError, AttributeError):  # not Linux
        return None
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
