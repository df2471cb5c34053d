# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notebook may ask for: the lists of whoever runs the operator, and the ranges of a namespace of OpenShift."""

from __future__ import annotations

from dataclasses import replace

from .question import Question
from .refusal import Refusal
from .settings import PREFIX, Settings, matches

UIDS = "openshift.io/sa.scc.uid-range"
GROUPS = "openshift.io/sa.scc.supplemental-groups"
_USER, _GROUP = 1000, 100  # of the images that Jupyter publishes


def permitted(asked: Question, settings: Settings, ranges: dict[str, str] | None) -> Question:
    """Return the question with the ids that the pod gets.

    ranges: the annotations of the namespace on OpenShift, where ids that are not given are left to the platform; None elsewhere.
    Raises Refusal.
    """
    for what, text, allowed, setting in (
        ("image", asked.image_text, settings.allowed_images, "IMAGES"),
        ("service account", asked.account, settings.allowed_service_accounts, "SERVICE_ACCOUNTS"),
        ("domain", asked.domain, settings.allowed_domains, "DOMAINS"),
    ):
        if not matches(text, allowed):
            raise _not_allowed(f"The {what} {text}", f"ALLOWED_{setting}", ", ".join(allowed))
    if ranges is None:
        asked = replace(
            asked,
            user=_USER if asked.user is None else asked.user,
            group=_GROUP if asked.group is None else asked.group,
            files_group=_GROUP if asked.files_group is None else asked.files_group,
        )
    if asked.user == 0:
        raise Refusal("NotAllowed", "The user 0 is root: give another with securityContext.runAsUser.")
    for what, number, allowed, setting in (
        ("user", asked.user, settings.allowed_users, "USERS"),
        ("group", asked.group, settings.allowed_groups, "GROUPS"),
        ("group of files", asked.files_group, settings.allowed_groups, "GROUPS"),
    ):
        if number is not None and not _within(number, allowed):
            raise _not_allowed(f"The {what} {number}", f"ALLOWED_{setting}", _written(allowed))
    if ranges is not None:
        # The constraint restricted-v2 leaves the primary group free (OpenShift, "Managing security context constraints").
        _require(asked.user, "runAsUser", UIDS, ranges, asked.namespace)
        _require(asked.files_group, "fsGroup", GROUPS, ranges, asked.namespace)
    return asked


def _require(number: int | None, field: str, note: str, ranges: dict[str, str], namespace: str) -> None:
    if number is None:
        return
    text = ranges.get(note, "")
    if not _within(number, _range(text)):
        known = f"{text} ({note})" if text else f"not known, since it has no annotation {note}"
        raise Refusal(
            "OutsideRange",
            f"securityContext.{field} is {number}, and the range of the namespace {namespace} is {known}: "
            "leave the field out, or have the namespace given a range that holds it.",
        )


def _range(text: str) -> tuple[tuple[int, int], ...]:
    """Read ``first/size`` or ``first-last``; the first of several counts, as it does for the constraint."""
    first, sign, second = text.split(",")[0].replace("-", "/-").partition("/")
    if not (first.isdigit() and sign and second.lstrip("-").isdigit()):
        return ()
    start = int(first)
    return ((start, int(second[1:]) if second.startswith("-") else start + int(second) - 1),)


def _within(number: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= number <= last for first, last in ranges)


def _written(ranges: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def _not_allowed(what: str, setting: str, allowed: str) -> Refusal:
    return Refusal("NotAllowed", f"{what} is not allowed here: {PREFIX}{setting} has {allowed or 'none'}.")
