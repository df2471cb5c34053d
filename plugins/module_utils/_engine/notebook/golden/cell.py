# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the outputs of one cell with those of its partner."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

from ...values.verdict import CellDiff
from ..outputs import bundle, is_json, joined, outputs, stream, terminal_text
from .images import RASTER, as_png, difference
from .options import GoldenOptions
from .text import Texts

_LONGEST = 2000  # characters of a text shown
_STREAMS = ("stdout", "stderr")
# A widget's view only names its model by a random id.
_REFERENCE = "application/vnd.jupyter.widget-view+json"


@dataclass(frozen=True)
class Output:
    """One output and its data by MIME type; kind is ``stdout``, ``stderr`` or an output type of nbformat."""

    kind: str
    data: dict

    @property
    def name(self) -> str:
        """What it is called in messages."""
        return self.kind if self.kind in (*_STREAMS, "error") else f"{self.kind} ({', '.join(self.data)})"


@dataclass(frozen=True)
class Shown:
    """All that a cell shows and that is to be compared."""

    streams: tuple[Output, ...]
    results: tuple[Output, ...]

    def texts(self) -> list[str]:
        """Return the texts that the user's patterns apply to, in a fixed order."""
        return [
            item for output in (*self.streams, *self.results) for mime, item in output.data.items() if _is_text(mime)
        ]

    def with_texts(self, texts: Iterator[str]) -> Shown:
        """Return the same with as many texts taken from the iterator as ``texts()`` gave."""

        def taken(group: tuple[Output, ...]) -> tuple[Output, ...]:
            return tuple(
                Output(out.kind, {mime: next(texts) if _is_text(mime) else item for mime, item in out.data.items()})
                for out in group
            )

        return Shown(taken(self.streams), taken(self.results))


def shown(cell: dict, options: GoldenOptions) -> Shown:
    """Return what a cell shows, without what the options ignore."""
    ignored = set(options.ignore_outputs)
    streams = [Output(name, {name: stream(cell, name)}) for name in _STREAMS if name not in ignored]
    results = []
    for output in outputs(cell):
        kind = output.get("output_type")
        if kind in ("display_data", "execute_result"):
            data = {mime: item for mime, item in bundle(output).items() if mime not in ignored}
        elif kind == "error":
            # The traceback holds paths, line numbers and counts of the interpreter at hand.
            data = {"error": f"{joined(output.get('ename'))}: {joined(output.get('evalue'))}"}
        else:
            continue
        if kind not in ignored and data:
            results.append(Output(kind, data))
    return Shown(tuple(out for out in streams if out.data[out.kind].strip()), tuple(results))


def compare_outputs(golden: Shown, executed: Shown, how: Texts) -> list[CellDiff]:
    """Return the differences of two cells; ``cell`` is 0 in each, the caller knows the index."""
    before = {out.kind: out.data[out.kind] for out in golden.streams}
    after = {out.kind: out.data[out.kind] for out in executed.streams}
    diffs = [_text(before.get(name, ""), after.get(name, ""), name, how) for name in _STREAMS]
    for left, right in zip_longest(golden.results, executed.results):
        if left is None or right is None:
            diffs.append(_lone(left, right))
            continue
        for mime in (*left.data, *(mime for mime in right.data if mime not in left.data)):
            diffs.append(_datum(left, right, mime, how))
    return [diff for diff in diffs if diff]


def _lone(golden: Output | None, executed: Output | None) -> CellDiff:
    if executed is None:
        mime, text = _preview(golden)
        return CellDiff(0, "missing_output", f"The output {golden.name} is missing.", mime=mime, expected=text)
    mime, text = _preview(executed)
    return CellDiff(
        0, "extra_output", f"The output {executed.name} is not in the golden notebook.", mime=mime, actual=text
    )


def _preview(output: Output) -> tuple[str, str]:
    mime = "text/plain" if "text/plain" in output.data else next(iter(output.data))
    item = output.data[mime]
    return mime, _bounded(item if isinstance(item, str) else json.dumps(item, sort_keys=True))


def _datum(golden: Output, executed: Output, mime: str, how: Texts) -> CellDiff | None:
    if mime not in executed.data or mime not in golden.data:
        present, kind, state = (
            (golden, "missing_output", "no longer has")
            if mime in golden.data
            else (executed, "extra_output", "also has")
        )
        _unused, text = _preview(Output(present.kind, {mime: present.data[mime]}))
        texts = {"expected" if present is golden else "actual": text}
        return CellDiff(0, kind, f"The output {executed.kind} {state} {mime}.", mime=mime, **texts)
    before, after = golden.data[mime], executed.data[mime]
    if mime == _REFERENCE or (before == after and not is_json(mime)):
        return None
    if mime in RASTER:
        return _image(before, after, mime, how)
    if is_json(mime):
        place = _json_difference(before, after, how, "$")
        if place is None:
            return None
        texts = (json.dumps(item, indent=1, sort_keys=True, ensure_ascii=False) for item in (before, after))
        return _mismatch(mime, f"{mime} differs at {place}", *texts, how)
    return _text(before, after, mime, how)


def _image(before: str, after: str, mime: str, how: Texts) -> CellDiff | None:
    reason = difference(before, after, how.options.image_tolerance)
    if reason is None:
        return None
    images = {"expected_image": as_png(before, mime), "actual_image": as_png(after, mime)}
    return CellDiff(0, "output_mismatch", f"{mime} differs: {reason}.", mime=mime, **images)


def _text(before: str, after: str, mime: str, how: Texts) -> CellDiff | None:
    if before == after:
        return None
    left, right = how.normalise(before, mime), how.normalise(after, mime)
    if how.equal(left, right, lines="/" not in mime):
        return None
    if mime == "text/html":
        stripped = _readable(left), _readable(right)
        if not how.equal(*stripped):
            left, right = stripped
        before, after = _readable(before), _readable(after)
    return _mismatch(mime, f"{mime} differs", before, after, how, left, right)


def _mismatch(
    mime: str, what: str, before: str, after: str, how: Texts, left: str | None = None, right: str | None = None
) -> CellDiff:
    diff = how.diff(before if left is None else left, after if right is None else right)
    gone = next((line[1:] for line in diff.splitlines()[3:] if line.startswith("-")), None)
    new = next((line[1:] for line in diff.splitlines()[3:] if line.startswith("+")), None)
    parts = [
        f"{word} {' '.join(line.split())[:80]!r}"
        for word, line in (("expected", gone), ("found", new))
        if line is not None
    ]
    message = f"{what}: {', '.join(parts)}." if parts else f"{what}."
    shown_texts = {"expected": _bounded(terminal_text(before)), "actual": _bounded(terminal_text(after))}
    return CellDiff(0, "output_mismatch", message, mime=mime, diff=diff, **shown_texts)


def _json_difference(golden: object, executed: object, how: Texts, place: str) -> str | None:
    """Return the place of the first difference of two JSON values, as a JSONPath, or None."""
    if isinstance(golden, dict) and isinstance(executed, dict):
        for key in (*golden, *(key for key in executed if key not in golden)):
            if key not in golden or key not in executed:
                return f"{place}.{key}"
            found = _json_difference(golden[key], executed[key], how, f"{place}.{key}")
            if found:
                return found
        return None
    if isinstance(golden, list) and isinstance(executed, list):
        for number, (left, right) in enumerate(zip(golden, executed, strict=False)):
            found = _json_difference(left, right, how, f"{place}[{number}]")
            if found:
                return found
        return None if len(golden) == len(executed) else f"{place}[{min(len(golden), len(executed))}]"
    return None if _same_leaf(golden, executed, how) else place


def _same_leaf(golden: object, executed: object, how: Texts) -> bool:
    if isinstance(golden, bool) or isinstance(executed, bool):
        return golden is executed
    if isinstance(golden, (int, float)) and isinstance(executed, (int, float)):
        return how.same_number(repr(golden), repr(executed))
    if isinstance(golden, str) and isinstance(executed, str):
        mime = "application/json"
        return how.equal(how.normalise(golden, mime), how.normalise(executed, mime), lines=True)
    return golden == executed


def _readable(markup: str) -> str:
    """Return HTML as text, a line a row, for people to read the difference."""
    text = re.sub(r"(?is)<(style|script)\b.*?</\1>", "", markup)
    text = re.sub(r"\s*\n\s*", " ", text)
    text = re.sub(r"(?i)</t[dh]>", " | ", text)
    text = re.sub(r"(?i)</(?:tr|p|div|li|h\d|table)>|<br ?/?>", "\n", text)
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return "\n".join(line for line in (" ".join(line.split()) for line in text.splitlines()) if line)


def _bounded(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\n... {len(text) - _LONGEST} more characters"


def _is_text(mime: str) -> bool:
    return not is_json(mime) and mime not in RASTER
