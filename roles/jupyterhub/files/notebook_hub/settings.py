# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role has written for the hub: settings, profiles and Secrets, read once and checked before anything starts."""

from __future__ import annotations

import json
import re
from pathlib import Path

# Not resolved: a ConfigMap that changes is another directory behind the same name.
PLACE = Path(__file__).parent.parent
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
SIZE = re.compile(r"[0-9]+(\.[0-9]+)?([KMGT]i?)?")

_RESOURCES = {"cpu_guarantee": float, "cpu_limit": float, "mem_guarantee": SIZE, "mem_limit": SIZE}
_PLACEMENT = {"node_selector": dict, "tolerations": list}
# What each part of hub.json can have; None leaves it to whoever reads the part.
_HUB = {
    "name": NAME,
    "namespace": NAME,
    "base_url": str,
    "public_host": str,
    "proxy_api_url": str,
    "hub_connect_url": str,
    "database": {"kind": str, "host": str, "port": int, "name": str, "user": str, "path": str},
    "admin_users": list,
    "login": None,
    "storage": {
        "class": str,
        "size": SIZE,
        "access_modes": list,
        "name_scheme": str,
        "name_template": str,
        "mount_path": str,
        "extra_volumes": list,
        "extra_mounts": list,
        "user_modules": bool,
        "retain": bool,
    },
    "placement": _PLACEMENT,
    "resources": _RESOURCES,
    "culling": dict.fromkeys(
        ("server_after", "server_interval", "max_age", "kernel_after", "kernel_interval", "server_shutdown_after"), int
    ),
    "buckets": None,
    "spawn": {
        "image": str,
        "start_timeout": int,
        "http_timeout": int,
        "service_account": str,
        "pull_secrets": list,
        "pull_policy": str,
        "command": list,
        "port": int,
        "uid": int,
        "gid": int,
        "fs_gid": int,
        "environment": dict,
    },
}
_PROFILE = {
    "name": NAME,
    "display_name": str,
    "description": str,
    "default": bool,
    "image": str,
    "images": list,
    "gpu": {"resource": str, "count": int},
    "environment": dict,
    "kernel_timeout": int,
    "server_timeout": int,
    **_RESOURCES,
    **_PLACEMENT,
}
_CHOICES = {
    ("database", "kind"): ("postgresql", "sqlite"),
    ("storage", "name_scheme"): ("safe", "escape"),
    ("spawn", "pull_policy"): ("Always", "IfNotPresent", "Never"),
}
_WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
}


class SettingsError(Exception):
    """One sentence on what of the settings is wrong, where, and what to do."""


def read(place: Path | None = None) -> dict:
    """hub.json, with what it leaves out as empty parts, and the profiles under `profiles`. Raises SettingsError."""
    directory = (place or PLACE) / "settings"
    found = load(directory / "hub.json")
    check("hub.json", found, _HUB)
    for name in ("name", "namespace"):
        if not found.get(name):
            raise SettingsError(f"hub.json has no {name}: add it.")
    for (part, option), choices in _CHOICES.items():
        given = (found.get(part) or {}).get(option)
        if given and given not in choices:
            raise SettingsError(f"hub.json: {part}.{option} is {given!r}: give one of {', '.join(choices)}.")
    for part, shape in _HUB.items():
        if isinstance(shape, dict) or shape is None:
            found[part] = found.get(part) or {}
    found["profiles"] = _profiles(load(directory / "profiles.json"), found)
    return found


def secret(key: str, place: Path | None = None) -> str:
    """What the Secret has under a key; empty where it does not have it."""
    try:
        return ((place or PLACE) / "secrets" / key).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def load(path: Path) -> dict:
    """A file of JSON that is a mapping. Raises SettingsError."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path.name} cannot be read ({error.strerror}): run the role again.") from None
    except ValueError as error:
        raise SettingsError(f"{path.name} is not JSON ({error}): correct it.") from None
    if not isinstance(found, dict):
        raise SettingsError(f"{path.name} is not a mapping: correct it.")
    return found


def check(where: str, found: dict, shape: dict) -> None:
    """Raise SettingsError at the first value that is not of its shape, or that nobody reads."""
    for name, value in found.items():
        if name not in shape:
            raise SettingsError(f"{where}: nobody reads {name}: remove it, or write one of {', '.join(shape)}.")
        wanted = shape[name]
        if value is None or wanted is None:
            continue
        if isinstance(wanted, dict):
            if not isinstance(value, dict):
                raise SettingsError(f"{where}: {name} is {value!r}: give a mapping.")
            check(f"{where}: {name}", value, wanted)
        elif not _fits(value, wanted):
            raise SettingsError(f"{where}: {name} is {value!r}: give {_words(wanted)}.")


def _fits(value, wanted) -> bool:
    if isinstance(wanted, re.Pattern):
        return isinstance(value, str) and (not value or bool(wanted.fullmatch(value)))
    if wanted in (int, float):
        kinds = (int,) if wanted is int else (int, float)
        return isinstance(value, kinds) and not isinstance(value, bool) and value >= 0
    return isinstance(value, wanted)


def _words(wanted) -> str:
    if wanted is NAME:
        return "small letters, digits and dashes"
    return "a size such as 4G" if wanted is SIZE else _WORDS[wanted]


def _profiles(found: dict, hub: dict) -> list[dict]:
    check("profiles.json", found, {"profiles": list})
    profiles = found.get("profiles") or []
    if not profiles:
        raise SettingsError("profiles.json has no profile: add one.")
    for number, profile in enumerate(profiles, 1):
        where = f"profiles.json: profile {number}"
        if not isinstance(profile, dict) or not profile.get("name"):
            raise SettingsError(f"{where} has no name: add it.")
        where = f"profiles.json: profile {profile['name']}"
        check(where, profile, _PROFILE)
        for image in profile.get("images") or []:
            if not isinstance(image, dict) or not image.get("name") or not image.get("image"):
                raise SettingsError(f"{where}: each of images needs name and image: add them.")
        if not (profile.get("image") or profile.get("images") or hub["spawn"].get("image")):
            raise SettingsError(f"{where} has neither image nor images: give it one.")
    names = [profile["name"] for profile in profiles]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError(f"profiles.json has two profiles {name}: rename one.")
    if sum(bool(profile.get("default")) for profile in profiles) > 1:
        raise SettingsError("profiles.json has more than one profile that is the default: leave one.")
    return profiles
