# SPDX-License-Identifier: GPL-3.0-or-later
"""When a job is worked on: fields that say nothing of what is validated, and what its status has to do with them."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

from ..asked import schedule
from . import status

FIELDS = ("suspend", "schedule", "timeZone", "ttlSecondsAfterFinished")
TIMES = ("lastScheduleTime", "nextScheduleTime")
DIGEST = "specDigest"


def digest(spec: dict) -> str:
    """Return a key of all that a verdict depends on. What is wrong with the times makes the verdict, too."""
    try:
        schedule.check(spec)
        spec = {name: value for name, value in spec.items() if name not in FIELDS}
    except EngineError:
        spec = {name: value for name, value in spec.items() if name != "suspend"}
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]


def is_suspended(found: dict) -> bool:
    """Return whether nothing is to be started for the job."""
    return bool(found["spec"].get("suspend"))


def is_current(found: dict) -> bool:
    """Return whether the status is about the job as it is now."""
    return (found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"]


def is_over(found: dict) -> bool:
    """Return whether the status holds a verdict on the job; one on an older generation counts where nothing else changed."""
    told = found.get("status") or {}
    if is_current(found) or told.get(DIGEST) != digest(found["spec"]):
        return status.is_over(found)
    before = {**found["metadata"], "generation": told.get("observedGeneration")}
    return status.is_over({**found, "metadata": before})


def is_held(found: dict) -> bool:
    """Return whether the status says already that the job is suspended."""
    told = (found.get("status") or {}).get("conditions") or ()
    return any(one["reason"] == "Suspended" for one in told)


def may_run(found: dict) -> bool:
    """Return whether an operator that is gone may have left something that runs."""
    told = found.get("status") or {}
    return bool(told.get("phase")) and told["phase"] not in ("Succeeded", "Failed")


def has_changed(found: dict) -> bool:
    """Return whether something may run that an older generation asked for, and this one does not."""
    told = found.get("status") or {}
    return may_run(found) and not is_current(found) and told.get(DIGEST) != digest(found["spec"])


def seconds(time: str | None) -> float | None:
    """Return a time of Kubernetes in seconds since 1970."""
    return datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp() if time else None


def written(moment: float) -> str:
    """Return a time in seconds since 1970 as Kubernetes writes it."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def times(found: dict, now: float, *, due: bool = False) -> dict[str, str]:
    """Return lastScheduleTime and nextScheduleTime of the status, as far as there are any.

    due: the time that was next has come. A next time stands until then, unless the schedule may have changed.
    """
    spec, told = found["spec"], found.get("status") or {}
    if "schedule" not in spec or is_suspended(found):
        return {name: told[name] for name in TIMES[:1] if name in told}
    try:
        if due:
            last, following = schedule.latest(spec, now), schedule.following(spec, now)
            return {"lastScheduleTime": written(last), "nextScheduleTime": written(following)}
        known = {name: told[name] for name in TIMES if name in told}
        if "nextScheduleTime" in known and is_current(found):
            return known
        return {**known, "nextScheduleTime": written(schedule.following(spec, now))}
    except EngineError:
        return {}


def with_times(found: dict, changes: dict[str, str]) -> dict:
    """Return the job with these times in its status, and no others."""
    told = {name: value for name, value in (found.get("status") or {}).items() if name not in TIMES}
    return {**found, "status": {**told, **changes}}


def anew(found: dict, now: float) -> dict:
    """Return the job as one that has no verdict, since its time has come."""
    told = {name: value for name, value in (found.get("status") or {}).items() if name in ("conditions", *TIMES)}
    return with_times({**found, "status": told}, times(found, now, due=True))


def due(found: dict) -> float | None:
    """Return when a job with its verdict is to be validated anew, in seconds since 1970."""
    if "schedule" not in found["spec"] or is_suspended(found):
        return None
    return seconds((found.get("status") or {}).get("nextScheduleTime"))


def end(found: dict) -> float | None:
    """Return when a job with its verdict is to be deleted, in seconds since 1970."""
    after, completed = found["spec"].get("ttlSecondsAfterFinished"), (found.get("status") or {}).get("completionTime")
    return None if after is None or not completed or "schedule" in found["spec"] else seconds(completed) + after


def is_confirmed(found: dict, now: float) -> bool:
    """Return whether the status of a job with its verdict says all of the job as it is now."""
    told = found.get("status") or {}
    return is_current(found) and times(found, now) == {name: told[name] for name in TIMES if name in told}


def confirmed(found: dict, now: float) -> dict:
    """Return the status of a job with its verdict, said of the job as it is now."""
    told, generation = with_times(found, times(found, now))["status"], found["metadata"]["generation"]
    conditions = [{**one, "observedGeneration": generation} for one in told["conditions"]]
    return {**told, "observedGeneration": generation, "conditions": conditions}
