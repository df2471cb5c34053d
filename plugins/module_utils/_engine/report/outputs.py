# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells of an executed notebook as safe HTML: nbconvert's renderers, then the sanitizer, within bounds."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re

from . import sanitize, style

_TEXT = 20_000  # characters of one text output, of one source
_RICH = 200_000  # characters of one HTML output
_IMAGE = 4_000_000  # characters of one image in base64
_PAGE = 6_000_000  # characters of a page, after which cells are left out
_OUTPUTS = 60  # outputs of one cell
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]")


class Renderer:
    """Render cells; one for a page, since the page as a whole is bounded.

    Raises ImportError where nbconvert is not installed.
    """

    def __init__(self, language: str):
        from nbconvert.filters.ansi import ansi2html
        from nbconvert.filters.highlight import Highlight2HTML
        from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

        self._ansi2html = ansi2html
        self._highlight = Highlight2HTML(pygments_lexer=language)
        self._markdown, self._markdown_renderer = MarkdownWithMath, IPythonRenderer
        self._room = _PAGE

    @property
    def full(self) -> bool:
        """Say whether the page has reached its size."""
        return self._room <= 0

    def source(self, text: str) -> str:
        """Return source code, highlighted."""
        return self._count(self._highlight(_bounded(text)))

    def markdown(self, text: str, attachments: dict | None = None) -> str:
        """Return Markdown as HTML; what its author wrote as HTML is sanitised like any output."""
        return self._count(self._prose(text, attachments))

    def _prose(self, text: str, attachments: dict | None = None) -> str:
        renderer = self._markdown_renderer(escape=False, exclude_anchor_links=True, attachments=attachments or {})
        try:
            shown = self._markdown(renderer=renderer).render(_bounded(text))
        except Exception:  # a missing attachment, or text that the parser does not survive
            return self._pre(text)
        return sanitize.prose(shown)

    def outputs(self, outputs: list, error: str | None) -> list[str]:
        """Return the outputs of a cell. error: the cleaned traceback to show in place of the kernel's own."""
        shown = []
        for output in _joined(outputs)[:_OUTPUTS]:
            if self.full:
                shown.append(_note("More outputs are in the executed notebook."))
                break
            shown.append(self._count(self._output(output, error)))
        if len(outputs) > _OUTPUTS:
            shown.append(_note(f"{len(outputs) - _OUTPUTS} more outputs are in the executed notebook."))
        return shown

    def _output(self, output: dict, error: str | None) -> str:
        kind = output.get("output_type")
        if kind == "stream":
            return self._pre(text_of(output.get("text")), "stderr" if output.get("name") == "stderr" else "")
        if kind == "error":
            return self._pre(
                error or "\n".join(_texts(output.get("traceback"))) or f"{output.get('ename')}: {output.get('evalue')}",
                "error",
            )
        data = output.get("data")
        return self._bundle(data) if isinstance(data, dict) else ""

    def _bundle(self, data: dict) -> str:
        """Show the richest form that can be shown without running anything."""
        if "text/html" in data:
            shown = self._rich(text_of(data["text/html"]))
            if shown:
                return shown
        for mime in _IMAGES:
            if mime in data:
                return _image(mime, re.sub(r"\s", "", text_of(data[mime])))
        if "image/svg+xml" in data:
            return _image(
                "image/svg+xml", base64.b64encode(text_of(data["image/svg+xml"]).encode("utf-8", "replace")).decode()
            )
        if "text/markdown" in data:
            return f'<div class="prose">{self._prose(text_of(data["text/markdown"]))}</div>'
        if "application/json" in data:
            return self._pre(json.dumps(data["application/json"], indent=2, ensure_ascii=False))
        scripted = [mime for mime in data if mime.startswith("application/") or mime == "text/html"]
        note = _note(f"{scripted[0]} runs a script and is not shown here.") if scripted else ""
        for mime in ("text/plain", "text/latex", *data):
            if mime in data and mime not in scripted:
                return note + self._pre(text_of(data[mime]))
        return note

    def _rich(self, text: str) -> str:
        body, sheet = sanitize.rich(text[:_RICH])
        if not sanitize.shows_something(body):
            return ""
        # Colours that an author chose were chosen for a white page.
        paper = " paper" if re.search(r"(?:color|background)\s*[:=]", body + sheet) else ""
        cut = (
            _note(f"The first {_RICH:,} of {len(text):,} characters; the rest is in the executed notebook.")
            if len(text) > _RICH
            else ""
        )
        root = f'<template shadowrootmode="open"><style>{style.RICH}{sheet}</style>{body}</template>'
        return f'<div class="rich{paper}"><div>{root}</div></div>{cut}'

    def _pre(self, text: str, kind: str = "") -> str:
        shown = self._ansi2html(_bounded(_overwritten(text)))
        return f'<pre class="text {kind}">{shown}</pre>' if shown else ""

    def _count(self, shown: str) -> str:
        self._room -= len(shown)
        return shown


def _image(mime: str, data: str) -> str:
    if len(data) > _IMAGE:
        return _note(f"An image of {len(data) * 3 // 4 // 1024:,} KiB is in the executed notebook.")
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return _note("An image that is not valid base64.")
    return f'<img class="plot" src="data:{mime};base64,{data}" alt="Image output">'


def _overwritten(text: str) -> str:
    """Leave out what a carriage return wrote over: the earlier states of a progress bar."""
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _note(text: str) -> str:
    return f'<p class="note">{html.escape(text)}</p>'


def _bounded(text: str) -> str:
    """Keep the beginning and the end of a long text: the end says how it ended."""
    text = _CONTROL.sub("", text)
    if len(text) <= _TEXT:
        return text
    tail = _TEXT // 4
    left_out = len(text) - _TEXT
    return f"{text[: _TEXT - tail]}\n\n… {left_out:,} characters left out here; they are in the executed notebook …\n\n{text[-tail:]}"


def _joined(outputs: list) -> list[dict]:
    """Join what one stream wrote in pieces."""
    joined: list[dict] = []
    for output in outputs:
        if not isinstance(output, dict):
            continue
        last = joined[-1] if joined else {}
        if output.get("output_type") == last.get("output_type") == "stream" and output.get("name") == last.get("name"):
            joined[-1] = {**last, "text": text_of(last.get("text")) + text_of(output.get("text"))}
        else:
            joined.append(output)
    return joined


def text_of(value) -> str:
    """Return a multi-line string of nbformat: a string, or a list of strings."""
    return "".join(_texts(value)) if isinstance(value, list) else str(value if value is not None else "")


def _texts(value) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
