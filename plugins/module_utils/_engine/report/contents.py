# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report is made from: the verdicts, each with its place in the report and its executed notebook."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from ..values.errors import EngineError
from ..values.model import CHECKS, ModelVerdict
from ..values.verdict import Verdict

# A later run that finds the work done differs in these only: no reason to write a report again.
_VOLATILE = ("cached", "environment_cached", "executed")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_SOURCE_KEYS = ("url", "ref", "commit", "path")


@dataclass(frozen=True)
class Entry:
    """One verdict of the report.

    name: file name without suffix below ``notebooks/``. executed: the executed notebook, or None where there is none
    to read. digest: sha256 of its bytes.
    """

    verdict: Verdict
    name: str
    executed: Path | None
    digest: str | None

    @property
    def page(self) -> str:
        return f"notebooks/{self.name}.html"

    @property
    def copy(self) -> str | None:
        return f"notebooks/{self.name}.ipynb" if self.executed else None

    def work(self) -> list:
        """What the entry says, less what differs when the same work is found done."""
        plain = {key: value for key, value in self.verdict.as_dict().items() if key not in _VOLATILE}
        return [plain, self.digest]

    def notebook(self) -> dict | None:
        """Return the executed notebook as parsed JSON, or None where there is none or it is no notebook."""
        if not self.executed:
            return None
        try:
            document = json.loads(self.executed.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) and isinstance(document.get("cells"), list) else None

    def started(self) -> str | None:
        """Return when the first cell began, as the kernel's client noted it: ``2026-01-31T12:00:00``, UTC."""
        times = []
        for cell in (self.notebook() or {}).get("cells", []):
            metadata = cell.get("metadata") if isinstance(cell, dict) else None
            noted = metadata.get("execution") if isinstance(metadata, dict) else None
            times.append(str(noted.get("iopub.execute_input")) if isinstance(noted, dict) else "")
        return min((time[:19] for time in times if _TIME.match(time)), default=None)


def read_verdicts(items: Sequence[dict]) -> tuple[Verdict, ...]:
    """Make verdicts from plain dicts, as ``notebook_validation`` returns them.

    Raises EngineError that names the first item which is no verdict.
    """
    verdicts = []
    for number, item in enumerate(items):
        try:
            verdict = Verdict.from_dict(item)
        except (TypeError, AttributeError, KeyError, ValueError):
            verdict = None
        if verdict is None or not _sound(verdict):
            raise EngineError(
                f"verdicts[{number}] is no verdict: pass verdicts as notebook_validation returned them,"
                " each with notebook, status (succeeded or failed) and duration in seconds."
            )
        verdicts.append(verdict)
    return tuple(verdicts)


def _sound(verdict: Verdict) -> bool:
    numbers = (
        verdict.duration,
        verdict.attempts,
        verdict.cell,
        *(value for cell in verdict.cells for value in (cell.index, cell.duration)),
    )
    texts = (
        verdict.notebook,
        verdict.status,
        verdict.code,
        verdict.cause,
        verdict.tier,
        verdict.environment,
        verdict.executed,
    )
    return (
        all(number is None or isinstance(number, (int, float)) for number in numbers)
        and all(text is None or isinstance(text, str) for text in (*texts, *verdict.advice, *verdict.warnings))
        and bool(verdict.notebook)
        and verdict.status in ("succeeded", "failed")
        and verdict.duration is not None
    )


def read_models(items: Sequence[dict]) -> tuple[ModelVerdict, ...]:
    """Make verdicts on models from plain dicts, as ``model_validation`` returns them: failed first, then by name.

    Raises EngineError that names the first item which is none.
    """
    models = []
    for number, item in enumerate(items):
        try:
            model = ModelVerdict.from_dict(item)
            sound = all(isinstance(getattr(model.checks, name).message, str) for name in CHECKS)
        except (TypeError, AttributeError, KeyError, ValueError):
            sound = False
        if not sound or not _sound_model(model):
            raise EngineError(
                f"models[{number}] is no verdict on a model: pass models as model_validation returned them."
            )
        models.append(model)
    return tuple(sorted(models, key=lambda model: (model.status != "failed", model.title)))


def _sound_model(model: ModelVerdict) -> bool:
    texts = (model.code, model.cause, model.url, model.version, model.predicted)
    named = all(isinstance(text, str) for text in (model.name, model.namespace, model.platform, *model.advice))
    told = all(text is None or isinstance(text, str) for text in texts)
    return bool(named and told and model.name) and model.status in ("succeeded", "failed", "skipped")


def lasting(model: ModelVerdict) -> dict:
    """Return a verdict on a model less the time that it took, which is another each time and no reason to write anew."""
    return {name: value for name, value in model.as_dict().items() if name != "duration"}


def entries(verdicts: Sequence[Verdict]) -> tuple[Entry, ...]:
    """Give each verdict its place: failed first, then by path."""
    ordered = sorted(verdicts, key=lambda verdict: (verdict.status == "succeeded", verdict.notebook))
    seen: Counter = Counter()
    result = []
    for verdict in ordered:
        name = slug(verdict.notebook)
        seen[name] += 1
        path = Path(verdict.executed) if verdict.executed else None
        digest = _digest(path)
        unique = name if seen[name] == 1 else f"{name}-{seen[name]}"
        result.append(Entry(verdict, unique, path if digest else None, digest))
    return tuple(result)


def slug(notebook: str) -> str:
    """Return a file name for a notebook path: readable, safe on any file system, and its own for each path.

    ``sales/a b.ipynb`` becomes ``sales-a-b-`` and eight digits of the path's digest.
    """
    readable = re.sub(r"[^A-Za-z0-9_.]+", "-", notebook.removesuffix(".ipynb")).strip("-.")[-80:].strip("-.")
    return f"{readable or 'notebook'}-{hashlib.sha256(notebook.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def clean_source(source: dict | None) -> dict:
    """Return url, ref, commit and path of the source as text, without the credentials that a URL may carry."""
    chosen = {key: str(source[key]) for key in _SOURCE_KEYS if source and source.get(key)}
    if "://" in chosen.get("url", ""):
        parts = urlsplit(chosen["url"])
        chosen["url"] = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))
    return chosen


def _digest(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
            return digest.hexdigest()
    except OSError:
        return None
