# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role has written for the hub: settings, profiles and Secrets, read once and checked before anything starts."""

from __future__ import annotations

import json
import re
import string
from pathlib import Path

# Not resolved: a ConfigMap that changes is another directory behind the same name.
PLACE = Path(__file__).parent.parent
NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
MOUNT = "/home/jovyan"  # where servers find their volume
SIZE = re.compile(r"[0-9]+(\.[0-9]+)?([KMGT]i?)?")

_RESOURCES = {"cpu_guarantee": float, "cpu_limit": float, "mem_guarantee": SIZE, "mem_limit": SIZE}
_PLACEMENT = {"node_selector": dict, "tolerations": list}
# What each part of hub.json can have; None leaves it to whoever reads the part.
_HUB = {
    "name": NAME,
    "namespace": NAME,
    "base_url": str,
    "public_url": str,
    "proxy_api_url": str,
    "hub_connect_url": str,
    "database": {"kind": str, "host": str, "port": int, "name": str, "user": str, "path": str},
    "admin_users": list,
    "users": list,
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
    "buckets": {
        "enabled": bool,
        "storage_class": str,
        "max_size": str,
        "max_objects": int,
        "retain": bool,
        "shared": list,
        "endpoint_url": str,
        "region": str,
        "ca_config_map": str,
        "ca_key": str,
        "wait": float,
    },
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
        "active_servers": int,
        "concurrent_starts": int,
        "priority_class": str,
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
    "shutdown_timeout": int,
    "server_timeout": int,
    **_RESOURCES,
    **_PLACEMENT,
}
_CHOICES = {
    ("database", "kind"): ("postgresql", "sqlite"),
    ("storage", "name_scheme"): ("safe", "escape"),
    ("spawn", "pull_policy"): ("Always", "IfNotPresent", "Never"),
    ("storage", "access_modes"): ("ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany", "ReadWriteOncePod"),
}
# What KubeSpawner puts into texts: these are of one user, those of all.
_OF_USERS = {
    "username", "user_server", "userid", "unescaped_username", "safe_username", "safe_user_server", "escaped_username",
    "escaped_user_server",
}  # fmt: skip
_OF_ALL = {
    "servername", "unescaped_servername", "safe_servername", "escaped_servername", "hubnamespace", "namespace", "pod_name", "pvc_name",
}  # fmt: skip
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
        for one in given if isinstance(given, list) else [given]:
            if one and one not in choices:
                raise SettingsError(f"hub.json: {part}.{option} is {one!r}: give one of {', '.join(choices)}.")
    for part, shape in _HUB.items():
        if isinstance(shape, dict) or shape is None:
            found[part] = found.get(part) or {}
    _storage(found["storage"])
    if found["spawn"].get("uid") == 0:
        raise SettingsError("hub.json: spawn.uid is 0: servers do not run as root, give another or leave it out.")
    found["profiles"] = _profiles(load(directory / "profiles.json"), found)
    return found


def placeholders(text: str) -> set[str] | None:
    """What KubeSpawner is to put into a text, by name; None where it could not."""
    try:
        found = {name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name is not None}
    except ValueError:
        return None
    return found if found <= _OF_USERS | _OF_ALL else None


def _storage(storage: dict) -> None:
    """Raise SettingsError where no server could be started with this storage, or two users would have one volume."""
    template = storage.get("name_template") or "{username}"
    if not (placeholders(template) or set()) & _OF_USERS:
        raise SettingsError(
            f"hub.json: storage.name_template is {template!r}: name the volume of each user with {{username}} in it."
        )
    if not (storage.get("mount_path") or "/").startswith("/"):
        raise SettingsError(f"hub.json: storage.mount_path is {storage['mount_path']!r}: begin it with a slash.")
    volumes, paths = ["home"], [storage.get("mount_path") or MOUNT]
    for volume in storage.get("extra_volumes") or []:
        name = volume.get("name") if isinstance(volume, dict) else None
        if not name or name in volumes:
            raise SettingsError(f"hub.json: storage.extra_volumes has {volume!r}: give each a name of its own.")
        volumes.append(name)
    for one in storage.get("extra_mounts") or []:
        name, path = (one.get("name"), one.get("mountPath")) if isinstance(one, dict) else (None, None)
        if name not in volumes or not path or path in paths:
            raise SettingsError(
                f"hub.json: storage.extra_mounts has {one!r}: give each the name of a volume, and a mountPath of its own."
            )
        paths.append(path)


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
