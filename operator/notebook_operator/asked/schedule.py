# SPDX-License-Identifier: GPL-3.0-or-later
"""The times at which a job is validated anew: a cron expression in a time zone."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from cronsim import CronSim, CronSimError

_LONGEST = 100  # characters of an expression
_FIELDS = 5


def check(spec: dict) -> None:
    """Refuse what is said of time in a job's spec where it cannot be meant. Raises EngineError."""
    if "schedule" in spec:
        following(spec, 0.0)
        if "ttlSecondsAfterFinished" in spec:
            raise EngineError(
                "ttlSecondsAfterFinished would delete a job that its schedule validates again: leave one of them out."
            )
    elif "timeZone" in spec:
        raise EngineError("timeZone is that of a schedule, and there is none: give schedule, or leave timeZone out.")


def following(spec: dict, moment: float) -> float:
    """Return the first time of the schedule after a moment, both in seconds since 1970. Raises EngineError."""
    return _next(spec, moment, reverse=False)


def latest(spec: dict, moment: float) -> float:
    """Return the last time of the schedule that is not after a moment. Raises EngineError."""
    return _next(spec, moment + 1, reverse=True)


def _next(spec: dict, moment: float, *, reverse: bool) -> float:
    expression, zone = spec["schedule"], _zone(spec.get("timeZone", "UTC"))
    if len(expression) > _LONGEST or len(expression.split()) != _FIELDS:
        raise EngineError(
            f"schedule is {expression[:_LONGEST]!r}: give the five fields of cron, such as '0 6 * * 1-5' (minute, hour, day of"
            " the month, month, day of the week)."
        )
    try:
        return next(CronSim(expression, datetime.fromtimestamp(int(moment), zone), reverse=reverse)).timestamp()
    except (CronSimError, ValueError, AssertionError) as error:
        field = str(error).removeprefix("Bad ") if isinstance(error, CronSimError) else "one of them"
        raise EngineError(f"schedule is {expression!r}, whose {field} is not a field of cron: correct it.") from None
    except StopIteration:
        raise EngineError(f"schedule is {expression!r}, a time that never comes: correct it.") from None


def _zone(name: str) -> ZoneInfo | timezone:
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise EngineError(
            f"timeZone is {name[:_LONGEST]!r}: give a name of the IANA time zone database, such as Europe/Prague."
        ) from None
