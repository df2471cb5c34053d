# SPDX-License-Identifier: GPL-3.0-or-later
"""Under which user a process runs: a random high UID with group 0 where we are root, else the caller's own."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import contextlib
import os
import random
import stat
import subprocess
from dataclasses import dataclass

from .program import descendants

# The range that OpenShift gives to projects begins here: no account of a machine lies in it.
LOWEST, COUNT = 1_000_000_000, 1_000_000_000
UID_MAP = "/proc/self/uid_map"
CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID = 0, 1, 5, 6, 7


@dataclass(frozen=True)
class Identity:
    """Who a process is. uid None: the caller. groups: supplementary groups, beside group 0."""

    uid: int | None = None
    groups: tuple[int, ...] = ()

    def popen_arguments(self) -> dict:
        """Return the arguments that make subprocess.Popen start a process as this identity.

        A process that leaves UID 0 for another loses its permitted, effective and ambient capabilities.
        """
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": 0, "extra_groups": list(self.groups)}

    def own(self, path: str, group: int = 0) -> None:
        """Give a file to this identity."""
        if self.uid is not None:
            os.chown(path, self.uid, group, follow_symlinks=False)


def can_drop() -> bool:
    """Tell whether this process may become somebody else and come back to clean up."""
    if os.geteuid() != 0:
        return False
    wanted = (CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL, CAP_SETGID, CAP_SETUID)
    with contextlib.suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
        held = next((int(line.split()[1], 16) for line in file if line.startswith("CapEff:")), 0)
        return all(held >> capability & 1 for capability in wanted)
    return True


class Identities:
    """Hands out identities that no other live process has."""

    def __init__(self) -> None:
        self.dropping = can_drop()
        self._given: set[int] = set()
        self._low, self._high = _mapped_range()

    def new(self, *groups: int) -> Identity:
        """Return an identity for one process; the caller's own where we cannot drop."""
        return Identity(self.number(), groups) if self.dropping else Identity()

    def number(self) -> int:
        """Return a number that is neither a UID nor a GID in use."""
        taken = self._given | live_uids()
        while True:
            number = random.SystemRandom().randrange(self._low, self._high)
            if number not in taken:
                self._given.add(number)
                return number


def _mapped_range() -> tuple[int, int]:
    """Return the UIDs to choose from: in a user namespace only those that are mapped exist."""
    with contextlib.suppress(OSError), open(UID_MAP, encoding="ascii") as file:
        extents = [(int(first), int(first) + int(count)) for first, _outside, count in map(str.split, file)]
        if extents and not any(low <= LOWEST and high >= LOWEST + COUNT for low, high in extents):
            low, high = max(extents, key=lambda extent: extent[1] - extent[0])
            return (low + high) // 2, high
    return LOWEST, LOWEST + COUNT


def live_uids() -> set[int]:
    """Return the UIDs of all processes that can be seen."""
    found = set()
    for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if entry.isdigit():
            with contextlib.suppress(OSError):
                found.add(os.stat(f"/proc/{entry}").st_uid)
    return found


def kill_everything_of(identity: Identity) -> None:
    """Kill all processes of a dropped identity at once: with ``kill -1`` no process can fork its way out.

    Those that came to us as the reaper of our descendants are buried; a child of ours that somebody else
    waits for must be waited for before.
    """
    if identity.uid is None:
        return
    subprocess.run(
        ["/bin/sh", "-c", "kill -9 -1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
        check=False,
        **identity.popen_arguments(),
    )
    while found := [pid for pid in descendants(os.getpid()) if _owner(pid) == identity.uid]:
        for pid in found:
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)


def _owner(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.stat(f"/proc/{pid}").st_uid
    return None


def closed_directory(path: str) -> str | None:
    """Return the first directory on the way to a file that a UID with group 0 cannot pass, None where all are open.

    Follows the symbolic links of the file, as an interpreter's start does.
    """
    for _unused in range(40):
        path = os.path.abspath(path)
        parts = path.split("/")[1:-1]
        for depth in range(len(parts) + 1):
            directory = "/" + "/".join(parts[:depth])
            status = os.stat(directory)
            open_bits = stat.S_IXOTH if status.st_gid else stat.S_IXGRP
            if not status.st_mode & open_bits:
                return directory
        if not os.path.islink(path):
            return None
        path = os.path.join(os.path.dirname(path), os.readlink(path))
    return None
