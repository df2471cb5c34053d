# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts of earlier runs, found again by the content of the work."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from ..values.errors import EngineError
from ..values.verdict import Verdict

# Raised when the runner or the judgement changes so that an old verdict no longer stands for a new one.
RECIPE = "1"
_VERDICT = "verdict.json"
EXECUTED = "executed.ipynb"


def work_key(**parts) -> str:
    """Return the content key of one run: sha256 over everything that can change its verdict, as canonical JSON."""
    text = json.dumps({"recipe": RECIPE, **parts}, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


class Memory:
    """Verdicts and executed notebooks below ``<cache_dir>/verdicts``, one directory a work key.

    A directory appears by one rename when the verdict is known, so a killed run leaves nothing that counts.
    """

    def __init__(self, cache_dir: str, days: int):
        """days: after which a verdict that nobody asked for is forgotten. Writes nothing."""
        self._root = Path(cache_dir) / "verdicts"
        self._days = days

    def open(self) -> None:
        """Get ready to keep verdicts, and remove what is forgotten. Raises EngineError where that cannot be written."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineError(
                f"The cache directory {self._root.parent} cannot be written ({error.strerror}): give another cache_dir."
            ) from error
        for entry in os.scandir(self._root):
            with contextlib.suppress(OSError):
                if self._is_old(entry.stat().st_mtime, 1 if entry.name.startswith(".run-") else self._days):
                    shutil.rmtree(entry.path)

    def find(self, key: str) -> Verdict | None:
        """Return the verdict kept under key, marked as cached, or None; finding it makes it young again."""
        path = self._root / key
        try:
            if self._is_old(path.stat().st_mtime, self._days):
                return None
            verdict = Verdict.from_dict(json.loads((path / _VERDICT).read_text(encoding="utf-8")))
            os.utime(path)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        executed = path / EXECUTED
        return replace(verdict, cached=True, executed=str(executed) if executed.exists() else None)

    def workspace(self) -> str:
        """Return a new directory for the output of one run, on the same file system as the memory."""
        return tempfile.mkdtemp(prefix=".run-", dir=self._root)

    def keep(self, key: str, verdict: Verdict, workspace: str) -> Verdict:
        """Keep the verdict with the executed notebook of its workspace; return it with the place it has now."""
        target = self._root / key
        Path(workspace, _VERDICT).write_text(json.dumps(verdict.as_dict()), encoding="utf-8")
        with contextlib.suppress(OSError):
            shutil.rmtree(target)
        try:
            os.rename(workspace, target)
        except OSError:  # the same work ended at the same moment in another call: either result serves
            shutil.rmtree(workspace, ignore_errors=True)
        executed = target / EXECUTED
        return replace(verdict, executed=str(executed) if executed.exists() else None)

    @staticmethod
    def _is_old(moment: float, days: int) -> bool:
        return time.time() - moment > days * 86400
