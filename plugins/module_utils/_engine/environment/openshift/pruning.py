# SPDX-License-Identifier: GPL-3.0-or-later
"""Which environments of a namespace nobody needs any more, from the image streams and BuildConfigs in it."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ...cluster.objects import KEY, is_ours
from .manifests import STREAM, config_name

_KEY = re.compile(r"[0-9a-f]{32}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NAMED = "notebook-image"  # app.kubernetes.io/component of the image streams with names


def stale(
    streams: list[dict],
    configs: list[dict],
    *,
    keep: int | None,
    max_age: float,
    min_age: float,
    used: str = "",
    removed: tuple[str, ...] = (),
    now: datetime | None = None,
) -> list[str]:
    """Return the keys of the environments that may go, the oldest first.

    streams, configs: the ImageStreams and our BuildConfigs of the namespace. keep: how many of the last images of each named
    stream keep their environment; None = no environment goes for being old. removed: named streams that are not to be any
    more, whose environments go. max_age: seconds after which an environment goes that was never an image of a named stream,
    or whose build never made one; 0 = never. min_age: seconds that every environment has.
    used: text in which every digest counts as in use, such as that of pods.

    What any image stream shows now stays, whoever made it.
    """
    now = now or datetime.now(timezone.utc)
    others = [one for one in streams if one["metadata"]["name"] not in (STREAM, *removed)]
    in_use = set(_DIGEST.findall(used)) | {digest for one in others for digest in _shown(one, keep or 1)}
    past = _past(streams, removed, keep)
    found, tagged = [], set()
    for key, made, digests in _environments(streams):
        tagged.add(key)
        age = (now - made).total_seconds()
        if digests & in_use or age < min_age:
            continue
        if digests & past or (max_age and age > max_age):
            found.append((made, key))
    for config in configs:
        key, made = (
            (config["metadata"].get("labels") or {}).get(KEY, ""),
            _time(config["metadata"]["creationTimestamp"]),
        )
        of_ours = is_ours(config) and config["metadata"]["name"] == config_name(key) and key not in tagged
        if of_ours and max_age and (now - made).total_seconds() > max(max_age, min_age):
            found.append((made, key))
    return [key for _made, key in sorted(found)]


def _environments(streams: list[dict]):
    """Yield key, time of making and digests of each environment."""
    for one in streams:
        if one["metadata"]["name"] == STREAM and is_ours(one):
            for tag in (one.get("status") or {}).get("tags") or ():
                if _KEY.fullmatch(tag["tag"]) and tag.get("items"):
                    yield tag["tag"], _time(tag["items"][0]["created"]), {item["image"] for item in tag["items"]}


def _past(streams: list[dict], removed: tuple[str, ...], keep: int | None) -> set[str]:
    """Return what our named streams showed once; of those that are removed, what they show now too."""
    ours = [
        one for one in streams
        if is_ours(one) and one["metadata"]["labels"].get("app.kubernetes.io/component") == NAMED
        and (keep is not None or one["metadata"]["name"] in removed)
    ]  # fmt: skip
    return {digest for one in ours for digest in _shown(one, None)}


def _shown(stream: dict, count: int | None) -> set[str]:
    """Return the last digests of each tag of a stream, count of them or all."""
    tags = (stream.get("status") or {}).get("tags") or ()
    shown = {item["image"] for tag in tags for item in (tag.get("items") or ())[:count]}
    # What a tag has just been pointed at may not be in the status yet.
    wanted = ((tag.get("from") or {}).get("name", "") for tag in (stream.get("spec") or {}).get("tags") or ())
    return shown | {digest for name in wanted for digest in _DIGEST.findall(name)}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
