# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts in, report files out."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ..values.errors import EngineError
from ..values.model import ModelVerdict
from ..values.verdict import Verdict
from . import contents, document, junit, pages
from .files import Directory, refusal

FORMATS = ("json", "junit", "html")
_FILES = {"json": "report.json", "junit": "junit.xml", "html": "index.html"}
TITLE = "Notebook validation"


def write(
    verdicts: Sequence[Verdict],
    directory: str | Path,
    *,
    title: str = TITLE,
    source: dict | None = None,
    formats: Sequence[str] = FORMATS,
    models: Sequence[ModelVerdict] = (),
    check: bool = False,
) -> dict:
    """Write the report of some verdicts into a directory, which is made where it is missing.

    The same verdicts give the same bytes, and a directory that holds their report already is not touched; that a
    later run found the work done (``cached``) does not make a report differ. Files of an earlier report that this one
    lacks are removed; files of others are never touched. check: only say what would happen.

    source: ``url``, ``ref``, ``commit`` and ``path`` of where the notebooks came from, each optional.
    models: verdicts on models, as ``contents.read_models`` returns them.
    Returns ``paths`` by format, ``changed``, and ``diff`` with the overview ``before`` and ``after``.
    Raises EngineError for a directory that cannot be used, an unknown format, and HTML where nbconvert is missing.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown or not formats:
        raise EngineError(f"There is no report format {', '.join(unknown) or 'given'}: use {', '.join(FORMATS)}.")
    root = Path(directory).absolute()
    title = title.strip() or TITLE
    entries = contents.entries(verdicts)
    source = contents.clean_source(source)
    fingerprint = _fingerprint()
    wanted = _wanted(entries, title, source, [name for name in FORMATS if name in formats], fingerprint, models)
    overview = document.overview(entries, models)
    state = _digest(
        [
            title,
            source,
            fingerprint,
            sorted(wanted),
            [entry.work() for entry in entries],
            [contents.lasting(one) for one in models],
        ]
    )
    try:
        target = Directory(root)
        before = target.overview
        changed = not (target.state == state and target.intact(wanted))
        if changed:
            target.check_foreign(wanted)
        if changed and not check:
            changed = _write(target, wanted, state, overview)
    except OSError as error:
        raise refusal(root, error) from None
    paths = {name: str(root / _FILES[name]) for name in FORMATS if name in formats}
    return {"paths": paths, "changed": changed, "diff": {"before": before, "after": overview if changed else before}}


def _write(target: Directory, wanted: dict[str, tuple[str, Callable[[], bytes]]], state: str, overview: str) -> bool:
    if any(path.endswith(".html") for path in wanted):
        pages.require()
    stale = {
        path: make for path, (made_from, make) in wanted.items() if not (made_from and target.fresh(path, made_from))
    }
    target.begin(wanted)
    for path, make in stale.items():
        target.write(path, make())
    target.finish(state, overview, {path: made_from for path, (made_from, _unused) in wanted.items()})
    return target.changed


def _wanted(
    entries, title: str, source: dict, formats: list[str], fingerprint: str, models: Sequence[ModelVerdict]
) -> dict[str, tuple[str, Callable[[], bytes]]]:
    """Return by path what each file is made from (empty: made anew each time) and the function that makes it."""
    html = "html" in formats
    wanted = {}
    if "json" in formats:
        wanted[_FILES["json"]] = ("", lambda: document.render(entries, title, source, html, models))
    if "junit" in formats:
        wanted[_FILES["junit"]] = ("", lambda: junit.render(entries, title, source, models))
    if html:
        site = pages.Site(title, source)
        for entry in entries:
            made_from = _digest([title, fingerprint, entry.work()])
            wanted[entry.page] = (made_from, lambda entry=entry: site.notebook(entry))
            if entry.copy:
                wanted[entry.copy] = (str(entry.digest), entry.executed.read_bytes)
        # Last, so that it never links to a page that is not there yet.
        wanted[_FILES["html"]] = ("", lambda: site.index(entries, models))
    return wanted


def _digest(value) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _fingerprint() -> str:
    """Digest of the code that makes the files, so that pages of an earlier version are not kept."""
    package = __name__.rpartition(".")[0]
    modules = sorted(name for name in sys.modules if name.startswith(f"{package}."))
    sources = [
        sys.modules[name].__loader__.get_source(name)
        for name in modules
        if hasattr(sys.modules[name].__loader__, "get_source")
    ]
    return _digest(sources)
