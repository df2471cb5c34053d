# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notebook must keep to besides running to its end."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..notebook.outputs import source, source_cells, stream, tags, terminal_text
from ..values.base import Value
from ..values.errors import EngineError
from ..values.execution import RunResult
from ..values.resolution import Resolution
from .expected import ExpectedOutput, check_expected
from .sanitize import shorten
from .silent import silent_failures

# As warnings.showwarning prints it: "path:line: Category: message".
_WARNING = re.compile(r"^.*?:\d+: ((?:[A-Za-z_]\w*\.)*\w*Warning): ?(.*)$", re.MULTILINE)
# What the kernel says of itself, and progress bars, are no complaint of the notebook's.
_KERNEL_LINE = re.compile(
    r"^\[?(?:\w+ )?\[?IPKernelApp\]?.*|^\d+\.\d\ds - (?:Debugger warning|Note: Debugging|to python to disable).*"
)
_BAR_LINE = re.compile(r"\d{1,3}%\|.*\||(?<!\d)\d{1,15}(?:it|B) ?\[\d+:\d\d")


@dataclass(frozen=True)
class Violation:
    """One policy that is not kept to; message: one sentence."""

    code: str
    message: str
    cell: int | None = None


@dataclass(frozen=True)
class Policies(Value):
    """fail_on_warnings: Python warnings that cells show. fail_on_stderr: anything that cells write to stderr.

    strict: both of these and detect_silent_failures; every installation in the notebook succeeds, every code cell runs,
    and the requirements leave no warning and nothing unresolved.
    expected_outputs: what given cells must show.
    detect_silent_failures: None or NaN where a value is shown as a result.
    """

    fail_on_warnings: bool = False
    fail_on_stderr: bool = False
    strict: bool = False
    detect_silent_failures: bool = False
    expected_outputs: tuple[ExpectedOutput, ...] = ()

    @classmethod
    def from_options(cls, options: dict | None) -> Policies:
        """Make the value of what the user gave; raises EngineError for what is unknown or cannot be meant."""
        known = [field.name for field in dataclasses.fields(cls)]
        given = {name: value for name, value in (options or {}).items() if value is not None}
        for name, value in given.items():
            if name not in known:
                raise EngineError(f"There is no policy {name}: use {', '.join(known)}.")
            if name != "expected_outputs" and not isinstance(value, bool):
                raise EngineError(f"The policy {name} must be true or false, not {value!r}.")
        expected = given.pop("expected_outputs", ())
        if not isinstance(expected, (list, tuple)):
            raise EngineError(
                "The policy expected_outputs must be a list of dictionaries, each with a cell and its checks."
            )
        return cls(
            **given,
            expected_outputs=tuple(ExpectedOutput.from_options(item, number) for number, item in enumerate(expected)),
        )

    def violations(self, executed: dict, result: RunResult, resolution: Resolution | None) -> list[Violation]:
        """Return what a completed run does not keep to, the most telling first."""
        cells = [(index, cell) for index, cell in source_cells(executed) if cell.get("cell_type") == "code"]
        found = list(check_expected(self.expected_outputs, cells))
        found = [Violation("expected_output_mismatch", message, cell) for cell, message in found]
        named = {cell for expected in self.expected_outputs for cell, _unused in expected.find(cells)}
        if self.detect_silent_failures or self.strict:
            code = "silent_failure" if self.detect_silent_failures else "strict_mode_violation"
            found += [Violation(code, message, cell) for cell, message in silent_failures(cells, named)]
        found += self._complaints(cells)
        if self.strict:
            found += _strict(cells, result, resolution)
        return found

    def _complaints(self, cells: list[tuple[int, dict]]) -> Iterator[Violation]:
        for index, cell in cells:
            text = terminal_text(stream(cell, "stderr"))
            warning = _WARNING.search(text)
            if warning and (self.fail_on_warnings or self.strict):
                code = "warnings_found" if self.fail_on_warnings else "strict_mode_violation"
                yield Violation(
                    code, f"Cell {index} shows a {warning.group(1)}: {shorten(warning.group(2), 200)}", index
                )
            complaint = _complaint(text)
            if complaint and (self.fail_on_stderr or self.strict and not warning):
                code = "stderr_found" if self.fail_on_stderr else "strict_mode_violation"
                yield Violation(code, f"Cell {index} writes to stderr: {shorten(complaint, 200)}", index)


def _complaint(text: str) -> str | None:
    """Return the first line of stderr that is a complaint of the notebook's."""
    lines = (line.strip() for line in text.splitlines())
    return next((line for line in lines if line and not _KERNEL_LINE.match(line) and not _BAR_LINE.search(line)), None)


def _strict(cells: list[tuple[int, dict]], result: RunResult, resolution: Resolution | None) -> Iterator[Violation]:
    code = "strict_mode_violation"
    for failure in result.install_failures:
        yield Violation(
            code, f"The installation in cell {failure.cell} failed: {shorten(failure.message, 200)}", failure.cell
        )
    status = {cell.index: cell.status for cell in result.cells}
    for index, cell in cells:
        if status.get(index) == "Skipped" and has_code(source(cell)):
            why = "is tagged skip-execution" if "skip-execution" in tags(cell) else "was never run"
            yield Violation(code, f"Cell {index} {why}.", index)
    for need in resolution.unresolved if resolution else ():
        yield Violation(code, f"The requirement {need.name} is not resolved: {need.reason}", need.cell)
    for warning in resolution.warnings if resolution else ():
        yield Violation(code, f"The requirements have a warning: {warning}")


def has_code(text: str) -> bool:
    """Whether a cell's source holds more than comments and blank lines."""
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError):
        return bool(text.strip())
