# SPDX-License-Identifier: GPL-3.0-or-later
"""Dates and times in outputs: which of them follow the clock, and which are data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

_DAY = r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
_MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[AaPp][Mm]\b)?"
_ZONE = r"(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})(?![\w:]))?"

# The forms of date and time that are recognised; each alternative stands at a word boundary.
STAMP = "|".join(
    (
        rf"\d{{4}}-\d{{2}}-\d{{2}}(?:[T ]{_CLOCK}{_ZONE})?",  # ISO 8601, str(datetime), logging
        rf"\d{{4}}/\d{{2}}/\d{{2}}(?:,? {_CLOCK}{_ZONE})?",
        rf"\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{4}},? {_CLOCK}",  # locale's %x %X
        rf"{_DAY},? {_MONTH} +\d{{1,2}} {_CLOCK}(?: [A-Z]{{3,5}})? \d{{4}}",  # time.ctime(), date(1)
        rf"(?:{_DAY}, )?\d{{1,2}} {_MONTH},? \d{{4}}(?:,? {_CLOCK}{_ZONE})?",  # RFC 5322
        rf"{_MONTH} \d{{1,2}}, \d{{4}}(?:,? (?:at )?{_CLOCK}{_ZONE})?",
        r"datetime\.date(?:time)?\(\d{4}, \d+, \d+(?:, \d+)*(?:, [^()]*(?:\([^()]*\)[^()]*)*)?\)",
        r"1[4-9]\d{8}(?:\.\d+|\d{3}|\d{9})?(?![\d.])",  # time.time(), time.time_ns(), milliseconds since 1970
        r"\d{2}:\d{2}:\d{2}(?:[.,]\d+)?",  # a clock of its own
    )
)
_ISO = re.compile(r"(\d{4})[-/](\d{2})[-/](\d{2})(?:,?[T ](\d{1,2}):(\d{2}))?")
_CLOCK_ONLY = re.compile(r"(\d{2}):\d{2}:\d{2}(?:[.,]\d+)?")

_EPOCH = re.compile(r"(\d{10})(?:\.\d+|\d{3}|\d{9})?")

# Clocks of two runs may stand in different time zones, and a run may pass midnight.
_SLACK = timedelta(hours=26)


@dataclass(frozen=True)
class RunTimes:
    """When the golden and the executed notebook ran, None where their metadata do not tell."""

    golden: datetime | None = None
    executed: datetime | None = None

    def same(self, golden: str, executed: str) -> bool:
        """Whether two different stamps can be the same clock, read at two runs.

        Date and time in tables are data: a stamp that can be read as ISO must have moved with the clock where both
        times of run are known; a date without a time must be that of the run where only the executed one is.
        A clock of its own between 00:00 and 01:00 on both sides is a duration, not a time of day.
        """
        clocks = _CLOCK_ONLY.fullmatch(golden), _CLOCK_ONLY.fullmatch(executed)
        if all(clocks):
            return any(clock.group(1) != "00" for clock in clocks if clock)
        if is_number(golden, executed):
            return self._same_epoch(golden, executed)
        before, after = _read(golden), _read(executed)
        if before is None or after is None or self.executed is None:
            return _shape(golden) == _shape(executed)
        if self.golden is not None:
            return abs((after[0] - before[0]) - (self.executed - self.golden)) <= _SLACK
        return (before[1] and after[1]) or abs(after[0] - self.executed) <= _SLACK

    def _same_epoch(self, golden: str, executed: str) -> bool:
        """Whether two numbers are the clock since 1970 at two runs; whole ones only where the time of the run tells."""
        if len(golden.partition(".")[0]) != len(executed.partition(".")[0]):
            return False
        if self.executed is None:
            return "." in golden and "." in executed
        return abs(int(executed[:10]) - self.executed.timestamp()) <= _SLACK.total_seconds()


def is_number(*stamps: str) -> bool:
    """Whether stamps are written as plain numbers: seconds, milliseconds or nanoseconds since 1970."""
    return all(_EPOCH.fullmatch(stamp) for stamp in stamps)


def run_time(notebook: dict) -> datetime | None:
    """Return when the notebook was executed (UTC), from what papermill or the cells' execution timing recorded."""
    metadata = notebook.get("metadata")
    papermill = metadata.get("papermill") if isinstance(metadata, dict) else None
    texts = [papermill.get("start_time") if isinstance(papermill, dict) else None]
    for cell in notebook.get("cells") or []:
        timing = (cell.get("metadata") or {}).get("execution") if isinstance(cell, dict) else None
        texts.append(timing.get("iopub.execute_input") if isinstance(timing, dict) else None)
    for text in texts:
        try:
            found = datetime.fromisoformat(text.replace("Z", "+00:00")) if isinstance(text, str) else None
        except ValueError:
            continue
        if found is not None:
            return found if found.tzinfo else found.replace(tzinfo=timezone.utc)
    return None


def _read(stamp: str) -> tuple[datetime, bool] | None:
    """Return (time, whether it has a time of day other than midnight) of an ISO stamp, else None."""
    match = _ISO.match(stamp)
    if not match:
        return None
    year, month, day, hour, minute = (int(part or 0) for part in match.groups())
    try:
        return datetime(year, month, day, hour, minute, tzinfo=timezone.utc), not re.search(
            r"\d[T ]00:00(:00)?\b|^[\d/-]+$", stamp
        )
    except ValueError:
        return None


def _shape(stamp: str) -> str:
    """Return the kind of a stamp, so that a date never passes for a time of day."""
    words = re.sub(r"[A-Za-z]{3,}", "a", stamp)
    return " ".join(re.sub(r"[.,]\d+|\d+", "", words).split())
