# SPDX-License-Identifier: GPL-3.0-or-later
"""Named images that build upon each other: in which order, and what is wrong with how they are described."""

from __future__ import annotations

import re

SUFFIX = "-notebook"
# RFC 1123, as Kubernetes takes it for labels and names; what carries the name as a label's value allows 63 characters.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LENGTH = 63
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")  # distribution reference grammar
_UPON = ("base", "parent", "containerfile")
_DEFAULTS = {"tag": "latest", "state": "present", "requirements": [], "requirements_files": []}


def arranged(images: list[dict]) -> tuple[list[dict], list[str]]:
    """Return the images in full, each parent before its children, and what is wrong with them, a sentence each.

    images: each with ``name``, and one of ``base``, ``parent`` and ``containerfile``. Names and parents come back with the ending ``-notebook``.
    Where something is wrong, the images come back in the order in which they were given.
    """
    full = [_full(image) for image in images]
    named = {image["name"]: image for image in full}
    faults = [fault for image in full for fault in _faults(image, named)]
    names = [image["name"] for image in full]
    faults += [
        f"There is more than one image {name}: give each a name of its own." for name in named if names.count(name) > 1
    ]
    return (full, faults) if faults else _sorted(full)


def _full(image: dict) -> dict:
    given = {key: value for key, value in image.items() if value is not None}
    parent = given.get("parent") or None
    return {**_DEFAULTS, **given, "name": _named(given["name"]), "parent": _named(parent) if parent else None}


def _named(name: str) -> str:
    return name if name.endswith(SUFFIX) else name + SUFFIX


def _faults(image: dict, named: dict[str, dict]):
    name, parent = image["name"], image["parent"]
    if not _NAME.fullmatch(name) or len(name) > _LENGTH:
        yield (
            f"{name} is no name of an image: take at most {_LENGTH} lower-case letters, digits and '-', of which the last"
            f" {len(SUFFIX)} are {SUFFIX}."
        )
    if not _TAG.fullmatch(str(image["tag"])):
        yield f"The image {name} has the tag {image['tag']}, which is none: take letters, digits, '_', '.' and '-'."
    if image["state"] == "absent":
        return
    given = [field for field in _UPON if image.get(field)]
    if len(given) > 1:
        yield f"The image {name} has {' and '.join(given)}: give one of them, for each says what it is built upon."
    if not given:
        yield f"The image {name} is built upon nothing: give it a base, as parent another of the images, or a containerfile."
    if parent and parent not in named:
        yield f"The image {name} has the parent {parent}, which is not among the images: add it, or correct its name."
    elif parent and named[parent]["state"] == "absent":
        yield f"The image {name} has the parent {parent}, which is to be absent: keep it, or give {name} a base."


def _sorted(images: list[dict]) -> tuple[list[dict], list[str]]:
    """Return them in the order of their chains; what is left over is upon a circle."""
    ready, left = [], list(images)
    while left:
        done = {image["name"] for image in ready}
        now = [image for image in left if not image["parent"] or image["parent"] in done or image["state"] == "absent"]
        if not now:
            names = ", ".join(image["name"] for image in left)
            return images, [f"No order of building has each parent before its children ({names}): break the circle."]
        ready += now
        left = [image for image in left if image not in now]
    return ready, []
