# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytecode, compiled once for each distribution and shared by all environments that hold it.

A run cannot write into its environment, so without bytecode every start would compile everything it imports again.
Files are made as unchecked hash-based ones (PEP 552): they hold no time stamp and no place, so that they fit every copy
of the same source. The store belongs to the caller; a run that has another user cannot put anything into it.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
import time

_COMPILE = """
import json, multiprocessing, os, py_compile, sys
MODE = py_compile.PycInvalidationMode.UNCHECKED_HASH
def compile_one(path):
    try:
        py_compile.compile(path, doraise=True, invalidation_mode=MODE)
    except Exception:
        pass  # such a file is not importable: that is its importer's affair
with open(sys.argv[1]) as stream:
    paths = json.load(stream)
workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
if workers < 2 or len(paths) < 50:
    for path in paths:
        compile_one(path)
else:
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        pool.map(compile_one, paths, chunksize=20)
"""
# Test suites are half of what large distributions hold, and no notebook imports them.
_SKIPPED = {"tests", "test"}


class BytecodeStore:
    """Compiled files below ``<cache_dir>/bytecode/<cache tag>/<distribution's content>``.

    share: how a file gets from the store to an environment and back (``os.link`` or ``shutil.copyfile``).
    """

    def __init__(self, cache_dir: str, tag: str, share):
        self._top = os.path.join(cache_dir, "bytecode")
        self._root = os.path.join(self._top, tag)
        self._tag = tag
        self._share = share

    def fill(self, site: str, scratch: str, run) -> None:
        """Put bytecode beside the sources of every distribution in site, a site-packages directory.

        scratch: a directory of ours. run: starts the base interpreter with the arguments given and waits for it.
        """
        missing, sources = {}, []
        for record in _records(site):
            kept = os.path.join(self._root, record.digest) if record.digest else None
            if kept and self._spread(kept, site):
                continue
            sources += record.paths
            if kept:
                missing[kept] = record.paths
        if sources:
            job = os.path.join(scratch, "compile.json")
            with open(job, "w", encoding="utf-8") as stream:
                json.dump([os.path.join(site, path) for path in sources], stream)
            run(["-I", "-S", "-c", _COMPILE, job])
        for kept, paths in missing.items():
            self._keep(kept, paths, site)

    def prune(self, max_age: float) -> None:
        """Remove what no environment took for max_age seconds."""
        oldest = time.time() - max_age
        with contextlib.suppress(OSError):
            for tag in os.scandir(self._top):
                for entry in os.scandir(tag.path):
                    if entry.stat().st_mtime < oldest:
                        shutil.rmtree(entry.path, ignore_errors=True)

    def _spread(self, kept: str, site: str) -> bool:
        if not os.path.isdir(kept):
            return False
        for directory, _directories, files in os.walk(kept):
            target = os.path.join(site, os.path.relpath(directory, kept))
            if files:
                os.makedirs(target, exist_ok=True)
            for name in files:
                with contextlib.suppress(FileExistsError):
                    self._share(os.path.join(directory, name), os.path.join(target, name))
        with contextlib.suppress(OSError):
            os.utime(kept)
        return True

    def _keep(self, kept: str, paths: list[str], site: str) -> None:
        part = f"{kept}.{os.getpid()}"
        try:
            os.makedirs(part)
            for path in paths:
                directory, name = os.path.split(path)
                compiled = os.path.join(directory, "__pycache__", f"{name[:-3]}.{self._tag}.pyc")
                if os.path.exists(os.path.join(site, compiled)):
                    os.makedirs(os.path.join(part, directory, "__pycache__"), exist_ok=True)
                    self._share(os.path.join(site, compiled), os.path.join(part, compiled))
            os.rename(part, kept)
        except OSError:  # another build was first, or there is no room: the environment has its bytecode all the same
            pass
        finally:
            shutil.rmtree(part, ignore_errors=True)


class _Record:
    """The Python sources of one installed distribution; digest is None where its RECORD lacks hashes."""

    def __init__(self, path: str):
        self.paths, hashes = [], []
        with open(path, encoding="utf-8", newline="") as stream:
            for row in csv.reader(stream):
                if len(row) < 2 or not row[0].endswith(".py") or row[0].startswith(("..", "/")):
                    continue
                if _SKIPPED.isdisjoint(row[0].split("/")[:-1]):
                    self.paths.append(row[0])
                    hashes.append(row[1])
        whole = "\n".join(f"{name} {value}" for name, value in sorted(zip(self.paths, hashes, strict=True)))
        self.digest = hashlib.sha256(whole.encode()).hexdigest()[:32] if hashes and all(hashes) else None


def _records(site: str):
    for name in sorted(os.listdir(site)):
        place = os.path.join(site, name, "RECORD")
        if name.endswith(".dist-info") and os.path.isfile(place):
            record = _Record(place)
            if record.paths:
                yield record
