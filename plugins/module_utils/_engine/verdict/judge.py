# SPDX-License-Identifier: GPL-3.0-or-later
"""From the raw results of a run, a failed build or a refusal to the verdict on a notebook."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from ..notebook.outputs import source, source_cells
from ..values.environment import Build
from ..values.execution import CellResult, RunResult
from ..values.resolution import Resolution
from ..values.verdict import CellVerdict, Comparison, Verdict
from .installs import uncovered
from .missing import Missing, error_text, explain, module_of
from .policies import Policies
from .sanitize import clean, shorten
from .taxonomy import Entry, by_reason, entry, recognise

_CAUSE = 500  # characters
_TRACEBACK = 4000


def judge(
    result: RunResult,
    *,
    executed: dict | None = None,
    policies: Policies | None = None,
    comparison: Comparison | None = None,
    resolution: Resolution | None = None,
    distribution_of: Callable[[str], str | None] = lambda module: None,
    secrets: Sequence[str] = (),
) -> Verdict:
    """Return the verdict on one run.

    executed: the executed notebook's JSON; without it the policies that look at outputs cannot act.
    comparison: with the golden notebook, where there is one. resolution: what the notebook was found to need.
    distribution_of: from an import name to the distribution that is likely to provide it.
    secrets: values that must not be shown. All texts of the verdict are sanitised.
    """
    if result.reason != "completed":
        return _failed_run(result, resolution, distribution_of, secrets)
    sources = {index: source(cell) for index, cell in source_cells(executed)} if executed else {}
    failed, harmless = uncovered(result.install_failures, sources, resolution)
    findings = [
        (
            "runtime_install_failed",
            f"The installation in cell {item.cell} failed, though the notebook went on: {item.message}",
            item.cell,
        )
        for item in failed
    ]
    if executed:
        broken = (policies or Policies()).violations(executed, result, resolution)
        findings += [(item.code, item.message, item.cell) for item in broken]
    if comparison and comparison.result != "matched":
        differs = f"{comparison.mismatched_cells} of {comparison.total_cells} cells differ from {comparison.golden}"
        first = comparison.diffs[0] if comparison.diffs else None
        findings.append(
            (
                "golden_mismatch",
                f"{differs}; the first: {first.message}" if first else f"{differs}.",
                first.cell if first else None,
            )
        )
    warnings = [*(resolution.warnings if resolution else ()), *harmless, *result.warnings]
    base = _verdict(result, resolution, secrets, comparison)
    if not findings:
        return dataclasses.replace(base, status="succeeded", warnings=_clean_all(warnings, secrets))
    code, message, cell = findings[0]
    more = [f"Also: {text}" for _unused, text, _unused in findings[1:]]
    return _with(base, entry(code), message, secrets, cell=cell, warnings=(*warnings, *more))


def refuse(notebook: str, code: str, message: str, *, secrets: Sequence[str] = ()) -> Verdict:
    """Return the verdict on a notebook that is refused before anything is built or run."""
    return _with(Verdict(notebook=notebook, status="failed"), entry(code), message, secrets)


def from_build(
    notebook: str, build: Build, *, resolution: Resolution | None = None, secrets: Sequence[str] = ()
) -> Verdict:
    """Return the verdict on a notebook whose environment could not be made.

    resolution: tells where the requirement line stands that the message names. The installer's own words decide where the build names no code of the table.
    """
    row = (
        entry(build.reason)
        if build.reason
        else recognise("\n".join(build.log_tail)) or entry("dependency_install_failed")
    )
    if build.phase == "Cancelled" and not build.reason:
        row = entry("interrupted")
    message = _placed(build.message or row.cause, resolution)
    told = [line for line in build.log_tail if line.strip()][-3:]
    words = () if build.message or not told else (f"The log ends with: {' / '.join(told)}",)
    verdict = Verdict(notebook=notebook, status="failed")
    return _with(verdict, row, message, secrets, warnings=words)


def _placed(message: str, resolution: Resolution | None) -> str:
    """Return the message of a build with the place of the line that it names, as ``(line 'six==99')``."""
    for item in resolution.provenance if resolution else ():
        at = f"{item.file}:{item.line}" if item.file and item.line else item.file
        at = f"cell {item.cell}" if item.cell is not None and not at else at
        if at:
            message = message.replace(f"(line '{item.requirement}')", f"(line '{item.requirement}' of {at})")
    return message


def _failed_run(
    result: RunResult, resolution: Resolution | None, distribution_of: Callable, secrets: Sequence[str]
) -> Verdict:
    base = _verdict(result, resolution, secrets, None)
    text = error_text(result.error)
    warnings = (*(resolution.warnings if resolution else ()), *result.warnings)
    installs = [f"The installation in cell {item.cell} failed: {item.message}" for item in result.install_failures]
    at = f"Cell {result.cell}" if result.cell is not None else "The notebook"
    if result.reason in ("cell_error", "display_error"):
        module = module_of(text)
        if module:
            missing = explain(module, distribution_of)
            return _missing(base, missing, text, at, resolution, secrets, (*installs, *warnings))
        row = _recognised(text, result) or by_reason(result.reason)
        return _with(
            base,
            row,
            f"{at} fails with {text or 'an error'}",
            secrets,
            cell=result.cell,
            warnings=(*installs, *warnings),
        )
    row = by_reason(result.reason)
    message = result.message or row.cause
    if text and text not in message:
        message = f"{message.rstrip('.')}: {text}"
    message = message if result.cell is None or at in message else f"{at}: {message}"
    tail = [f"The log ends with: {' / '.join(result.log_tail[-3:])}"] if result.log_tail else []
    advice = (*row.advice, *(f"Look further with: {command}" for command in result.commands))
    return _with(base, row, message, secrets, advice=advice, cell=result.cell, warnings=(*installs, *tail, *warnings))


def _recognised(text: str, result: RunResult) -> Entry | None:
    """Return the row that an error's text means; a missing file may be a program, which the traceback tells."""
    row = recognise(text)
    traceback = "\n".join(result.error.traceback) if result.error else ""
    if row and row.code == "data_missing" and "_execute_child" in traceback:
        return entry("system_package_missing")
    return row


def _missing(base: Verdict, missing: Missing, text: str, at: str, resolution, secrets, warnings) -> Verdict:
    """Return the verdict on a run that misses a module: its name, what provides it, and the lines to add."""
    found = {"cell": base.cell, "warnings": warnings}
    top = missing.module.partition(".")[0]
    if missing.state == "stdlib":
        advice = (
            f"{top} belongs to the standard library, but not to that of this Python: use a version that has it.",
            f"Or change the notebook to do without {top}.",
        )
        message = f"{at} imports {missing.module}, which this version or build of Python does not have ({text})."
        return _with(base, entry("python_unsupported"), message, secrets, advice=advice, module=missing.module, **found)
    if missing.state == "lacking":
        advice = (
            f"Pin the version of {missing.distribution or top} that the notebook was written for, such as the line "
            f"{missing.distribution or top}==VERSION in {_file(resolution)}.",
            f"Or change the notebook: the {missing.distribution or top} installed has no {missing.module}.",
        )
        message = (
            f"{at} imports {missing.module}, which the installed {missing.distribution or top} does not have ({text})."
        )
        return _with(
            base, entry("incompatible_version"), message, secrets, advice=advice, module=missing.module, **found
        )
    line = missing.distribution or top
    guess = f"likely from the distribution {line}" if missing.distribution else f"and nothing known provides {top}"
    message = f"{at} imports {missing.module}, which is not in the environment; {guess} ({text})."
    advice = (
        f"Declare it: add the line {line} to {_file(resolution)}.",
        "Or find needs from imports: set generate: true in the task (on the command line -e generate=true).",
        f"Or install it inline: add a first cell with %pip install {line}",
    )
    if not missing.distribution:
        advice = (f"If {top} is a file of yours, keep it in the source beside the notebook.", *advice)
    details = {"module": missing.module, "distribution": missing.distribution}
    return _with(base, entry("missing_module"), message, secrets, advice=advice, **details, **found)


def _file(resolution: Resolution | None) -> str:
    """Return the requirements file that the user already has, else the one to make."""
    files = [
        item.file for item in (resolution.provenance if resolution else ()) if item.file and item.tier == "declared"
    ]
    return files[0] if files else "requirements.txt beside the notebook"


def _verdict(
    result: RunResult, resolution: Resolution | None, secrets: Sequence[str], comparison: Comparison | None
) -> Verdict:
    return Verdict(
        notebook=result.notebook,
        status="failed",
        cell=None if result.reason == "completed" else result.cell,
        cells=tuple(_cell(cell, secrets) for cell in result.cells),
        comparison=_clean_comparison(comparison, secrets),
        tier=resolution.tier if resolution else None,
        requirements=resolution.requirements if resolution else (),
        duration=result.duration,
        attempts=1,
        executed=result.executed,
    )


def _with(
    verdict: Verdict, row: Entry, message: str, secrets: Sequence[str], *, advice=None, warnings=(), **fields
) -> Verdict:
    """Return the verdict as failed for the reason of a row of the table, with sanitised texts."""
    return dataclasses.replace(
        verdict,
        status="failed",
        code=row.code,
        category=row.category,
        retryable=row.retryable,
        cause=shorten(" ".join(clean(message, secrets).split()), _CAUSE),
        advice=_clean_all(advice or row.advice, secrets),
        warnings=_clean_all(warnings, secrets),
        **fields,
    )


def _cell(cell: CellResult, secrets: Sequence[str]) -> CellVerdict:
    error = cell.error
    trace = shorten(clean("\n".join(error.traceback), secrets), _TRACEBACK) if error else ""
    return CellVerdict(
        index=cell.index,
        type=cell.type,
        status=cell.status,
        duration=cell.duration,
        error=shorten(clean(error_text(error), secrets), _CAUSE) if error else None,
        traceback=tuple(trace.splitlines()),
    )


def _clean_comparison(comparison: Comparison | None, secrets: Sequence[str]) -> Comparison | None:
    if comparison is None:
        return None
    texts = ("message", "expected", "actual", "diff")
    cleaned = tuple(
        dataclasses.replace(
            diff, **{name: clean(value, secrets) for name in texts if (value := getattr(diff, name)) is not None}
        )
        for diff in comparison.diffs
    )
    return dataclasses.replace(comparison, diffs=cleaned)


def _clean_all(texts: Sequence[str], secrets: Sequence[str]) -> tuple[str, ...]:
    return tuple(shorten(clean(text, secrets), _CAUSE) for text in texts)
