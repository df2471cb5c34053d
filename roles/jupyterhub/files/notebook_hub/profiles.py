# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may start what: read again at each start and each form, so that a change needs no restart."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from pathlib import Path

from tornado import web

from .servers import OVERRIDDEN, claimed, override
from .settings import PLACE, SettingsError, check, load

LINES = "tcuser_profile_mappings"
_GRANT = {"profile": str, "users": list, "groups": list}


@dataclass
class Access:
    """What access.json and lines `user:profile` or `@group:profile` say; what of it grants nothing is in `unclear`."""

    open: set[str] = field(default_factory=set)
    users: set[tuple[str, str]] = field(default_factory=set)
    groups: set[tuple[str, str]] = field(default_factory=set)
    unclear: list[str] = field(default_factory=list)

    def allows(self, profile: str, user: str, groups: set[str]) -> bool:
        return (
            profile in self.open
            or (user, profile) in self.users
            or any((group, profile) in self.groups for group in groups)
        )


def read_access(known: set[str], place: Path | None = None) -> Access:
    """Raises SettingsError where access.json is not what it should be; one bad line of the other file is left out."""
    directory = (place or PLACE) / "access"
    found = load(directory / "access.json")
    check("access.json", found, {"open": list, "grants": list})
    access = Access(open=set(found.get("open") or []))
    named = set(access.open)
    for grant in found.get("grants") or []:
        if not isinstance(grant, dict) or not grant.get("profile"):
            raise SettingsError("access.json: each of grants needs a profile: add it.")
        check(f"access.json: grant of {grant['profile']}", grant, _GRANT)
        named.add(grant["profile"])
        access.users |= {(str(user).lower(), grant["profile"]) for user in grant.get("users") or []}
        access.groups |= {(group, grant["profile"]) for group in grant.get("groups") or []}
    for number, who, profile in _lines(directory / LINES, access.unclear):
        if profile not in known:
            access.unclear.append(f"{LINES}, line {number}: there is no profile {profile}")
        if who.startswith("@"):
            access.groups.add((who[1:].strip(), profile))
        else:
            access.users.add((who.lower(), profile))  # as the hub writes names
    access.unclear += [f"access.json: there is no profile {name}" for name in sorted(named - known)]
    return access


def _lines(path: Path, unclear: list[str]):
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    for number, line in enumerate(text.splitlines(), 1):
        line = line.partition("#")[0].strip()
        who, _colon, profile = (part.strip() for part in line.rpartition(":"))
        if line and not (who.lstrip("@ ") and profile):
            unclear.append(f"{path.name}, line {number}: it is neither user:profile nor @group:profile")
        elif line:
            yield number, who, profile


class Profiles:
    """The profiles of one hub, as KubeSpawner asks for them."""

    def __init__(self, settings: dict, place: Path | None = None):
        self._profiles, self._settings, self._place = settings["profiles"], settings, place

    def granted(self, spawner) -> list[dict]:
        """The profiles that the spawner's user may start now. Raises HTTPError where that is none, or nobody can tell."""
        try:
            access = read_access({profile["name"] for profile in self._profiles}, self._place)
        except SettingsError as error:
            spawner.log.error("Nobody can start a server: %s", error)
            raise web.HTTPError(
                503, f"Who may start what cannot be read; an administrator corrects it: {error}"
            ) from None
        for line in access.unclear:
            spawner.log.warning("Not granted: %s; correct it.", line)
        user, groups = spawner.user.name, {group.name for group in spawner.user.groups}
        found = [profile for profile in self._profiles if access.allows(profile["name"], user, groups)]
        if not found:
            raise web.HTTPError(403, f"No profile is granted to {user}: ask an administrator for one.")
        return found

    def listed(self, spawner) -> list[dict]:
        """The same as KubeSpawner's profile_list, with one default."""
        granted = self.granted(spawner)
        chosen = default(granted)
        return [self._entry(profile, profile is chosen) for profile in granted]

    def _entry(self, profile: dict, chosen: bool) -> dict:
        entry = {
            "slug": profile["name"],
            "display_name": profile.get("display_name") or profile["name"],
            "description": profile.get("description") or "",
            "kubespawner_override": override(profile, self._settings),
        }
        if chosen:
            entry["default"] = True
        if images := profile.get("images"):
            choices = {
                image["name"]: {
                    "display_name": image.get("display_name") or image["name"],
                    "kubespawner_override": {"image": image["image"]},
                }
                for image in images
            }
            entry["profile_options"] = {"image": {"display_name": "Image", "choices": choices}}
        return entry

    def admit(self, spawner) -> None:
        """Let a start go on with a profile that is granted, the default where none is chosen; else HTTPError with the reason."""
        granted, options = self.granted(spawner), spawner.user_options or {}
        user, wanted = spawner.user.name, options.get("profile")
        profile = next((one for one in granted if one["name"] == wanted), None) if wanted else default(granted)
        if profile is None:
            spawner.log.warning("Refused: %s wants the profile %s, which is not granted.", user, wanted)
            names = ", ".join(one["name"] for one in granted)
            raise web.HTTPError(
                403, f"The profile {wanted} is not granted to {user}: choose of {names}, or ask an administrator."
            )
        if strange := set(options) - {"profile", "image"}:
            raise web.HTTPError(
                400,
                f"Nobody knows {', '.join(sorted(strange))}: start a server with a profile, and an image of those it offers.",
            )
        image = options.get("image")
        if image and image not in [one["name"] for one in profile.get("images") or []]:
            raise web.HTTPError(403, f"The profile {profile['name']} has no image {image}: choose one that it has.")
        claimed(spawner)
        # In the database too: a hub that starts anew knows what runs, and the culler whose limit counts.
        spawner.user_options = {**options, "profile": profile["name"]}
        _kept(spawner, spawner.user_options)


def default(granted: list[dict]) -> dict:
    """What is started where nothing is chosen."""
    return next((profile for profile in granted if profile.get("default")), granted[0])


def forgotten(spawner) -> None:
    """When a server has ended or was refused: the hub would take its choice for that of a start without one."""
    _kept(spawner, {})


def _kept(spawner, options: dict) -> None:
    """Written at once: the end of any other request takes back what is not."""
    spawner.orm_spawner.user_options = options
    spawner.db.commit()


def unmarked(spawner) -> None:
    """Take back what the profile of an earlier start has left in the spawner, which lives as long as the hub."""
    if not hasattr(spawner, "before_profiles"):
        spawner.before_profiles = {name: copy.deepcopy(getattr(spawner, name)) for name in OVERRIDDEN}
    for name, value in spawner.before_profiles.items():
        setattr(spawner, name, copy.deepcopy(value))
