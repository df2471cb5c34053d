# SPDX-License-Identifier: GPL-3.0-or-later
"""podFailurePolicy of a Job, and how sets of indexes are written."""

from __future__ import annotations

from collections.abc import Iterable


def failure_action(job: dict, pod: dict) -> tuple[str, str]:
    """What the first matching rule says about a failed pod (`Count` where none does), with the reason in words."""
    rules = (job["spec"].get("podFailurePolicy") or {}).get("rules") or []
    for number, rule in enumerate(rules):
        if found := _match(rule, pod):
            return rule["action"], f"{found} matching {rule['action']} rule at index {number}"
    return "Count", ""


def _match(rule: dict, pod: dict) -> str:
    status, metadata = pod.get("status") or {}, pod["metadata"]
    where = f"pod {metadata['namespace']}/{metadata['name']}"
    if codes := rule.get("onExitCodes"):
        for entry in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
            ended = (entry.get("state") or {}).get("terminated")
            if not ended or ended["exitCode"] == 0 or codes.get("containerName") not in (None, entry["name"]):
                continue
            if (ended["exitCode"] in codes["values"]) == (codes["operator"] == "In"):
                return f"Container {entry['name']} for {where} failed with exit code {ended['exitCode']}"
    for pattern in rule.get("onPodConditions") or []:
        for condition in status.get("conditions") or []:
            if condition["type"] == pattern["type"] and condition["status"] == pattern.get("status", "True"):
                return f"Pod {metadata['namespace']}/{metadata['name']} has condition {condition['type']}"
    return ""


def format_indexes(indexes: Iterable[int]) -> str:
    """`0,2-4`: runs of three or more are joined by a dash, as in status.completedIndexes."""
    parts: list[str] = []
    run: list[int] = []
    for index in [*sorted(indexes), None]:
        if run and (index is None or index != run[-1] + 1):
            joined = f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run))
            parts.append(joined)
            run = []
        if index is not None:
            run.append(index)
    return ",".join(parts)
