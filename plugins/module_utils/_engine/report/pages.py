# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report: a summary page, and a page a notebook. Opened from disk, they ask the network for nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import importlib.util
import re
from collections.abc import Sequence

from ..values.errors import EngineError
from ..values.model import ModelVerdict
from ..values.verdict import CellDiff, CellVerdict, Verdict
from . import difference, script, style, templates
from .contents import Entry
from .outputs import Renderer, text_of
from .summary import summarize

_COLUMNS = (
    ("status", "Status"),
    ("notebook", "Notebook"),
    ("code", "Code"),
    ("tier", "Tier"),
    ("environment", "Environment"),
    ("cached", "Cached"),
    ("time", "Time"),
)
_POLICY = "default-src 'none'; img-src data:; style-src {style}; {script}base-uri 'none'; form-action 'none'"
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+")


def require() -> None:
    """Raise EngineError where what renders notebooks is not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("nbconvert", "tinycss2")):
        raise EngineError(
            "The HTML report needs nbconvert, which this Python does not have: run 'pip install nbconvert' for the"
            " interpreter of the module (ansible_python_interpreter), or leave html out of formats.",
            code="missing_library",
        )


class Site:
    """Makes the pages of one report."""

    def __init__(self, title: str, source: dict):
        self._title = title
        self._source = source

    def index(self, entries: Sequence[Entry], models: Sequence[ModelVerdict] = ()) -> bytes:
        """Return the summary page."""
        summary = summarize([entry.verdict for entry in entries])
        sheet = style.COMMON + style.INDEX
        return _render(
            "index",
            policy=_POLICY.format(style=_source_hash(sheet), script=f"script-src {_source_hash(script.INDEX)}; "),
            style=_safe(sheet),
            script=_safe(script.INDEX),
            title=self._title,
            source=self._source,
            summary=summary,
            failed=summary["failed"] or any(model.status == "failed" for model in models),
            entries=entries,
            models=models,
            columns=_COLUMNS,
            longest=max((entry.verdict.duration for entry in entries), default=0),
        )

    def notebook(self, entry: Entry) -> bytes:
        """Return the page of one notebook: what failed, what to do, what differs, then the notebook itself."""
        verdict = entry.verdict
        document = entry.notebook()
        cells, left_out = _cells(document, verdict)
        directory, _unused, name = verdict.notebook.rpartition("/")
        return _render(
            "notebook",
            # Outputs bring inline styles of their own; without scripts and fetches these can only look like something.
            policy=_POLICY.format(style="'unsafe-inline'", script=""),
            style=_safe(style.COMMON + style.NOTEBOOK),
            title=self._title,
            verdict=verdict,
            failed=verdict.status != "succeeded",
            directory=f"{directory}/" if directory else "",
            name=name,
            copy=f"{entry.name}.ipynb" if entry.copy else None,
            cells=cells,
            left_out=left_out,
            anchors={cell["index"]: cell["anchor"] for cell in cells},
            failing=_failing(verdict, document, cells),
            cell_counts=_cell_counts(verdict),
            why_empty="The executed notebook cannot be read." if entry.executed else "The notebook was not run.",
        )


def _cells(document: dict | None, verdict: Verdict) -> tuple[list[dict], int]:
    """Return the cells to show, and how many are left out once the page has reached its size."""
    if document is None:
        return [], 0
    renderer = Renderer(_language(document))
    known = {cell.index: cell for cell in verdict.cells}
    shown: list[dict] = []
    source_cells = [cell for cell in document["cells"] if isinstance(cell, dict) and not _is_banner(cell)]
    for cell in source_cells:
        if renderer.full:
            break
        index = _source_index(cell)
        shown.append(_cell(cell, index, known.get(index), renderer))
    return shown, len(source_cells) - len(shown)


def _cell(cell: dict, index: int | None, judged: CellVerdict | None, renderer: Renderer) -> dict:
    markdown = cell.get("cell_type") == "markdown"
    source = text_of(cell.get("source"))
    code = cell.get("cell_type") == "code"
    outputs = cell.get("outputs") if code and isinstance(cell.get("outputs"), list) else []
    if markdown:
        shown = renderer.markdown(
            source, cell.get("attachments") if isinstance(cell.get("attachments"), dict) else None
        )
    else:
        shown = renderer.source(source) if code else f"<pre>{html.escape(source)}</pre>"
    return {
        "index": index,
        "label": "Parameters" if index is None else f"Cell {index}",
        "anchor": None if index is None else f"cell-{index}",
        "type": cell.get("cell_type"),
        "status": judged.status if judged and code else None,
        "duration": judged.duration if judged and code else None,
        "shown": _safe(shown),
        "outputs": [_safe(output) for output in renderer.outputs(outputs, _traceback(judged))],
    }


def _failing(verdict: Verdict, document: dict | None, cells: list[dict]) -> dict | None:
    """Return the failing cell for the top of the page, or None where none failed or its difference is shown anyway."""
    failures = [cell.index for cell in verdict.cells if cell.status == "Failure"]
    number = verdict.cell if verdict.cell is not None else next(iter(failures), None)
    differs = bool(verdict.comparison and verdict.comparison.diffs) and not failures
    if number is None or verdict.status == "succeeded" or differs:
        return None
    judged = next((cell for cell in verdict.cells if cell.index == number), None)
    sources = [
        text_of(cell.get("source"))
        for cell in (document or {}).get("cells", [])
        if isinstance(cell, dict) and _source_index(cell) == number
    ]
    return {
        "number": number,
        "source": _safe(Renderer(_language(document)).source(sources[0])) if sources else None,
        "error": _traceback(judged),
        "anchor": next((cell["anchor"] for cell in cells if cell["index"] == number), None),
    }


def _traceback(judged: CellVerdict | None) -> str | None:
    return ("\n".join(judged.traceback) or judged.error) if judged else None


def _source_index(cell: dict) -> int | None:
    """Return the cell's index in the source notebook; None for a cell that the run put in."""
    noted = (cell.get("metadata") or {}).get("mlops_notebooks") or {}
    index = noted.get("source_index") if isinstance(noted, dict) else None
    return index if isinstance(index, int) else None


def _is_banner(cell: dict) -> bool:
    """Say whether papermill put the cell in to point at an error, which the top of the page does."""
    tags = (cell.get("metadata") or {}).get("tags") or []
    return any(str(tag).startswith("papermill-error-cell") for tag in tags) and _source_index(cell) is None


def _language(document: dict | None) -> str:
    information = ((document or {}).get("metadata") or {}).get("language_info") or {}
    language = str(information.get("pygments_lexer") or information.get("name") or "python3")
    # The IPython lexer costs the import of IPython, which nbconvert does not bring along.
    return "python3" if language.startswith(("ipython", "python")) else language


def _cell_counts(verdict: Verdict) -> str:
    code = [cell.status for cell in verdict.cells if cell.type == "code"]
    words = (("Success", "passed"), ("Failure", "failed"), ("Skipped", "not run"))
    return ", ".join(f"{code.count(status)} {word}" for status, word in words if status in code)


@functools.cache
def _environment():
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.DictLoader(
            {
                "base": templates.BASE.lstrip(),
                "index": templates.INDEX.lstrip(),
                "notebook": templates.NOTEBOOK.lstrip(),
            }
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(duration=_duration, short=_short, words=_words, rows=_rows)
    environment.tests.update(
        weblink=lambda value: bool(re.match(r"https?://", value)),
        base64=lambda value: bool(value and _BASE64.fullmatch(value)),
    )
    return environment


def _render(template: str, **context) -> bytes:
    return _environment().get_template(template).render(**context).encode("utf-8", "replace")


def _safe(text: str):
    from markupsafe import Markup

    return Markup(text)


def _source_hash(text: str) -> str:
    """Return the CSP source that allows just this inline text (CSP level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _rows(diff: CellDiff) -> list[difference.Row]:
    return difference.rows(diff.expected, diff.actual)


def _words(entry: Entry) -> str:
    """Return what the filter looks through."""
    verdict = entry.verdict
    words = (
        verdict.notebook,
        verdict.cause,
        verdict.code,
        verdict.category,
        verdict.module,
        verdict.distribution,
        verdict.tier,
        verdict.environment,
    )
    return " ".join(word for word in (*words, *verdict.warnings) if word).lower()


def _short(key: str) -> str:
    """Return the beginning of a content key, without its algorithm."""
    return key.rpartition(":")[2][:10]


def _duration(seconds: float) -> str:
    if seconds <= 0:
        return "–"
    if seconds < 10:
        return f"{max(seconds, 0.01):.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
