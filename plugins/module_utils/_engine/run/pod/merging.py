# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user says of pods beside what we say: everything is added, and what would replace something of ours is refused."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

from ...values import repository
from ...values.errors import EngineError
from ...values.unprivileged import variables
from . import manifests
from .options import PodOptions, PodSource, ResultsClaim

_OURS = frozenset({*variables(""), "JOB_COMPLETION_INDEX"})
_OPEN = ("https://", "http://", "git://")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # Kubernetes, "Object Names and IDs", DNS subdomain names


def require_mergeable(options: PodOptions, given: Iterable[str]) -> None:
    """Raise EngineError where the pod of a user replaces something of ours, or of itself. given: variables set elsewhere."""
    _require_variables(options, set(given))
    names = _names(options.volumes, "pod.volumes", "volumes")
    for name in names:
        if name in manifests.VOLUMES:
            raise EngineError(
                f"pod.volumes names a volume {name}, as one of the collection is named: give it another name."
            )
    places: set[str] = set()
    for mount in options.volume_mounts:
        path = posixpath.normpath(str(mount.get("mountPath") or ""))
        if mount.get("name") not in names:
            raise EngineError(
                f"pod.volume_mounts names the volume {mount.get('name')!r}, which pod.volumes does not hold: add it there."
            )
        if not path.startswith("/") or path == "/":
            raise EngineError(f"pod.volume_mounts has the mountPath {mount.get('mountPath')!r}: give an absolute path.")
        if path in places:
            raise EngineError(f"pod.volume_mounts mounts twice at {path}: give each mount a path of its own.")
        for ours in manifests.PLACES:
            if f"{path}/".startswith(f"{ours}/") or ours.startswith(f"{path}/"):
                raise EngineError(
                    f"pod.volume_mounts mounts at {path}, where {ours} of the collection is: give another path."
                )
        places.add(path)


def _require_variables(options: PodOptions, given: set[str]) -> None:
    for name in _names(options.env, "pod.env", "variables"):
        if name in _OURS:
            raise EngineError(f"pod.env sets {name}, which the collection sets itself: leave it out.")
        if name in given:
            raise EngineError(
                f"{name} is set by pod.env, and by environment_variables or pass_variables too: set it in one place."
            )
    for name in options.credentials:
        _require_name(name, "pod.credentials")
        if options.credentials.count(name) > 1:
            raise EngineError(f"pod.credentials names the Secret {name} twice: name it once.")


def _names(entries: tuple[dict, ...], option: str, what: str) -> list[str]:
    names = [entry.get("name") for entry in entries]
    for name in names:
        if not isinstance(name, str) or not name:
            raise EngineError(f"{option} has an entry without a name: give {what} in the form of the Kubernetes API.")
        if names.count(name) > 1:
            raise EngineError(f"{option} has two {what} named {name}: give each a name of its own.")
    return names


def require_source(source: PodSource) -> None:
    """Raise EngineError for a source that pods cannot, or must not, be told."""
    if source.url and source.claim:
        raise EngineError("source names a url and a claim: give one of them.")
    if not source.url:
        if source.claim:
            _require_name(source.claim, "source.claim")
            repository.require_below(source.path, "source.path")
        for name in ("ref", "secret", "image"):
            if getattr(source, name) and source.claim:
                raise EngineError(f"source.{name} is about a repository, and source names a claim: leave it out.")
        return
    repository.require_sound(source.url, source.ref, source.path)
    if not source.secret and not source.url.startswith(_OPEN):
        raise EngineError(
            f"source.url is {source.url!r}, and ssh needs a key: name a Secret that has ssh-privatekey and known_hosts as source.secret."
        )
    if source.secret:
        _require_name(source.secret, "source.secret")
        if source.url.startswith(("http://", "git://")):
            raise EngineError(
                f"source.url is {source.url!r}, and source.secret would go over the network unencrypted: give an https or ssh address."
            )


def require_results(results: ResultsClaim, secrets: Iterable[str]) -> None:
    """Raise EngineError for results that pods cannot, or must not, leave on a claim."""
    _require_name(results.claim, "results.claim")
    repository.require_below(results.path, "results.path")
    if any(True for _name in secrets):
        raise EngineError(
            "results.claim keeps what notebooks write as it is, and the values of pass_variables are to be hidden: use"
            " results.bucket, or leave one of them out."
        )


def _require_name(name: str, option: str) -> None:
    if not _NAME.fullmatch(name):
        raise EngineError(f"{option} names {name!r}: give the name of an object of the namespace.")
