# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking the results of one pod over, from the log of the container that the notebook never was in."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os

from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.logs import follow, read
from ..results import LARGEST_NOTEBOOK, Corrupt
from .manifests import DELIVERY

_READINGS = 3  # of a log whose answers break off
_WORDS = 500  # characters
_FILES = ("results.json", "executed.ipynb")


def receive(cluster: Cluster, path: str, directory: str, deadline: Deadline, ended, *, at_once: bool) -> dict[str, str]:
    """Write the files that a pod delivers below directory; return the SHA-256 of each, and as ``trouble`` what it complains of.

    path: of the pod. at_once: its container has ended, and its log is small. ended: asks whether it has, where it is not.
    Raises Corrupt where a file is not whole, ClusterError, OSError.
    """
    for _number in range(_READINGS if at_once else 1):
        receiver = _Receiver(directory, at_once)
        with contextlib.closing(receiver), contextlib.suppress(_Arrived):
            if at_once:
                read(cluster, f"{path}/log", receiver.take, deadline, container=DELIVERY)
            else:
                follow(cluster, f"{path}/log", receiver.take, deadline, container=DELIVERY, ended=ended)
        if receiver.complete:
            return receiver.whole
    raise Corrupt("the results did not arrive whole")


class _Arrived(Exception):
    """All is there: the end of a log that is followed comes up to five seconds later (kubelet, ``stateCheckPeriod``)."""


class _Receiver:
    """Takes line after line: a line of JSON begins a file, or ends all; a line of base64 is content."""

    def __init__(self, directory: str, at_once: bool):
        self._directory, self._at_once = directory, at_once
        self._file, self._wanted, self._found, self._size = None, {}, hashlib.sha256(), 0
        self.whole: dict[str, str] = {}
        self.complete = False

    def take(self, line: str) -> None:
        try:
            if line.startswith("{"):
                self._begin(json.loads(line))
                return
            data = base64.b64decode(line, validate=True)
        except (binascii.Error, ValueError):
            raise Corrupt("a line of the results is neither base64 nor JSON") from None
        self._size += len(data)
        if self._file is None or self._size > LARGEST_NOTEBOOK:
            raise Corrupt("the results hold more than they said")
        self._found.update(data)
        self._file.write(data)

    def close(self) -> None:
        """End the file under way."""
        if self._file:
            self._file.close()
            self._file = None

    def _begin(self, told: dict) -> None:
        self._end()
        if told.get("end"):
            self.complete = self.whole.keys() == set(_FILES)
            self.whole["trouble"] = str(told.get("trouble") or "")[:_WORDS]
            if not self._at_once:
                raise _Arrived
            return
        if told.get("file") not in _FILES:
            raise Corrupt("the results name a file that was not asked for")
        self._wanted, self._found, self._size = told, hashlib.sha256(), 0
        self._file = open(os.path.join(self._directory, told["file"]), "wb")  # noqa: SIM115

    def _end(self) -> None:
        if self._file is None:
            return
        self.close()
        if self._found.hexdigest() != self._wanted["sha256"]:
            raise Corrupt(f"{self._wanted['file']} does not match its checksum")
        self.whole[self._wanted["file"]] = self._found.hexdigest()
