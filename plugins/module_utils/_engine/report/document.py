# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as data: report.json, described by docs/report.schema.json."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..values.model import ModelVerdict
from .contents import Entry, lasting
from .summary import summarize

# Raised when a field is renamed, removed or changes its meaning; new fields do not raise it.
SCHEMA = 1


def render(
    entries: Sequence[Entry], title: str, source: dict, pages: bool, models: Sequence[ModelVerdict] = ()
) -> bytes:
    """Return report.json. pages: HTML is written too, so that ``page`` and ``executed`` name files beside it."""
    document = {
        "schema": SCHEMA,
        "title": title,
        "source": source,
        "summary": summarize([entry.verdict for entry in entries]),
        "verdicts": [_verdict(entry, pages) for entry in entries],
        "models": [lasting(model) for model in models],
    }
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def overview(entries: Sequence[Entry], models: Sequence[ModelVerdict] = ()) -> str:
    """Return one line a notebook and one a model, for people who compare two reports."""
    lines = []
    for entry in entries:
        verdict = entry.verdict
        cell = f" (cell {verdict.cell})" if verdict.cell is not None else ""
        lines.append(f"{verdict.status} {verdict.notebook}{f': {verdict.code}{cell}' if verdict.code else ''}\n")
    lines += [f"{model.status} model {model.title}{f': {model.code}' if model.code else ''}\n" for model in models]
    summary = summarize([entry.verdict for entry in entries])
    return f"{summary['total']} notebook{'' if summary['total'] == 1 else 's'}, {summary['failed']} failed\n" + "".join(
        lines
    )


def _verdict(entry: Entry, pages: bool) -> dict:
    plain = entry.verdict.as_dict()
    if pages:
        plain["executed"] = entry.copy
    return {**plain, "page": entry.page if pages else None}
