# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of a job as files of a ConfigMap, which goes with the job."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.apply import put
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import CONFIG_MAPS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.objects import (
    is_owned_by,
    labels,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.removal import remove_this
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.report import contents, document, junit, pages
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.verdict import Verdict

from ..told.case import Case

_MOST = 900_000  # bytes of all files as they are sent; a ConfigMap may have 1 MiB
_PLAIN = 150_000  # bytes of a text that is not packed
_LARGEST = 8_000_000  # bytes of an executed notebook that is looked at
_TITLE = "Notebook validation"
_OMITTED = 20  # names in the status
_NAME = 240  # letters of the job's name


def keep(case: Case, verdicts: Sequence[Verdict]) -> dict | None:
    """Write the artifacts that a job asks for; return ``status.artifacts``, None where it asks for none.

    What does not fit, or cannot be written, is told by an event. Raises Stopped.
    """
    name = name_of(case.metadata["name"])
    try:
        found = case.cluster.find(CONFIG_MAPS.path(case.namespace, name)) if _concerned(case) else None
        ours = found is None or is_owned_by(found, case.metadata["uid"])
        if not case.question.formats:
            if found and ours:  # of an older spec
                remove_this(case.cluster, CONFIG_MAPS, found, Deadline.after(10))
            return None
        files = _Files()
        if not ours:
            files.omitted = list(case.question.formats)
            _warn(case, f"There is a ConfigMap {name} that is not of this job: remove it, or name the job otherwise.")
            return files.told(None)
        _fill(case, files, verdicts)
        case.record.check()
        put(case.cluster, _manifest(case, name, files), CONFIG_MAPS)
        return files.told(name)
    except ClusterError as error:
        _warn(case, f"The artifacts could not be written: {error.message}")
        return None


def name_of(job: str) -> str:
    """Return the name of the ConfigMap of a job's artifacts."""
    short = (
        job if len(job) <= _NAME else f"{job[: _NAME - 9].rstrip('.-')}-{hashlib.sha256(job.encode()).hexdigest()[:8]}"
    )
    return f"{short}-report"


class _Page(contents.Entry):
    """Its page names no copy of the executed notebook, which is an artifact of its own."""

    copy = None


class _Files:
    """What goes into the ConfigMap, as long as it fits. omitted: what does not."""

    def __init__(self):
        self.data: dict[str, str] = {}
        self.binary: dict[str, str] = {}
        self.omitted: list[str] = []
        self._left = _MOST

    def add(self, name: str, data: bytes) -> None:
        """Take a text, packed where it is large."""
        if len(data) <= min(_PLAIN, self._left):
            self.data[name] = data.decode()
            self._left -= len(data)
        elif not self._pack(f"{name}.gz", gzip.compress(data, mtime=0)):
            self.omitted.append(name)

    def add_all(self, name: str, files: Iterable[tuple[str, Callable[[], bytes]]]) -> None:
        """Take an archive of those files that fit, the first ones first."""
        taken, size = [], 0
        for path, make in files:
            data = make() if _sent(size) < self._left else None
            length = len(gzip.compress(data)) + 2 * tarfile.BLOCKSIZE if data is not None else 0
            if data is None or _sent(size + length) > self._left:
                self.omitted.append(path)
            else:
                taken.append((path, data))
                size += length
        if taken and not self._pack(name, _archive(taken)):
            self.omitted += [path for path, _data in taken]

    def told(self, name: str | None) -> dict:
        """Return ``status.artifacts``."""
        told = {
            "configMap": name,
            "files": sorted([*self.data, *self.binary]),
            "omitted": self.omitted[:_OMITTED],
            "omittedCount": len(self.omitted),
        }
        return {field: value for field, value in told.items() if value}

    def _pack(self, name: str, packed: bytes) -> bool:
        if _sent(len(packed)) > self._left:
            return False
        self.binary[name] = base64.b64encode(packed).decode()
        self._left -= _sent(len(packed))
        return True


def _fill(case: Case, files: _Files, verdicts: Sequence[Verdict]) -> None:
    formats, git = case.question.formats, case.question.repository
    entries = contents.entries([_bounded(one, files, formats) for one in verdicts])
    # The path of a file of this process helps nobody.
    entries = [replace(one, verdict=replace(one.verdict, executed=None)) for one in entries]
    source = contents.clean_source({"url": git.url, "ref": git.ref, "path": case.question.directory})
    if "junit" in formats:
        files.add("junit.xml", junit.render(entries, _TITLE, source))
    if "json" in formats:
        files.add("report.json", document.render(entries, _TITLE, source, False))
    if "executed" in formats:
        _add_executed(case, files, entries)
    if "html" in formats:
        _add_pages(case, files, entries, source)
    if files.omitted:
        shown = ", ".join(files.omitted[:3]) + (" ..." if len(files.omitted) > 3 else "")
        _warn(case, f"{len(files.omitted)} artifacts are left out, as they are too large or were not kept: {shown}.")


def _bounded(verdict: Verdict, files: _Files, formats: Sequence[str]) -> Verdict:
    """Return the verdict without an executed notebook that is too large to be looked at."""
    entry = contents.entries([verdict])[0]
    if entry.executed is None or entry.executed.stat().st_size <= _LARGEST:
        return verdict
    if "html" in formats:
        files.omitted.append(f"outputs of {verdict.notebook} in html")
    return replace(verdict, executed=None)


def _add_executed(case: Case, files: _Files, entries: Sequence[contents.Entry]) -> None:
    there = [one for one in entries if one.executed]
    # A verdict on what never began has none.
    files.omitted += [one.verdict.notebook for one in entries if not one.executed and one.verdict.cells]
    if case.question.many:
        files.add_all("executed.tar.gz", ((one.verdict.notebook, one.executed.read_bytes) for one in there))
    elif there:
        files.add("executed.ipynb", there[0].executed.read_bytes())


def _add_pages(case: Case, files: _Files, entries: Sequence[contents.Entry], source: dict) -> None:
    try:
        pages.require()
    except EngineError as error:
        files.omitted.append("html")
        _warn(case, error.message)
        return
    site = pages.Site(_TITLE, source)
    shown = [_Page(one.verdict, one.name, one.executed, one.digest) for one in entries]
    made = [
        ("index.html", lambda: site.index(shown)),
        *((one.page, lambda one=one: site.notebook(one)) for one in shown),
    ]
    files.add_all("html.tar.gz", made)


def _archive(files: Sequence[tuple[str, bytes]]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for path, data in files:
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return gzip.compress(stream.getvalue(), mtime=0)


def _sent(packed: int) -> int:
    """Return the bytes that base64 makes of so many."""
    return (packed + 2) // 3 * 4


def _manifest(case: Case, name: str, files: _Files) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": case.namespace,
            "labels": labels("report", case.metadata["uid"]),
            "ownerReferences": [case.record.owner],
        },
        "data": files.data,
        "binaryData": files.binary,
    }


def _concerned(case: Case) -> bool:
    """Return whether there may be a ConfigMap of artifacts, now or from an older spec."""
    return bool(case.question.formats or (case.found.get("status") or {}).get("artifacts"))


def _warn(case: Case, message: str) -> None:
    case.record.say("ArtifactsLeftOut", message, warning=True)
