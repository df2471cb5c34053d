# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes into a build of a BuildConfig, as data: the request, and the digest by which equal inputs are known."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field

from ...values.errors import EngineError

INPUTS = "notebooks.mlops.dev/inputs"  # annotation: digest of the inputs
REQUEST = "notebooks.mlops.dev/request"  # annotation: who asked, so that a lost answer can be resolved
# A build of a binary source takes no annotations; the message of its revision says the same.
_MESSAGE = re.compile(r"mlops\.notebooks inputs=([0-9a-f]{64}) request=([0-9a-f]+)")
_SPEC = ("source", "strategy", "output", "postCommit", "mountTrustedCA")


@dataclass(frozen=True)
class Wanted:
    """What the caller wants of one build, beside what the BuildConfig says.

    content: digest of a binary source, None without one.
    """

    env: dict[str, str] = field(default_factory=dict)
    build_args: dict[str, str] = field(default_factory=dict)
    no_cache: bool = False
    commit: str | None = None
    content: str | None = None


def check(config: dict, wanted: Wanted) -> None:
    """Raise EngineError (``invalid_input``) where OpenShift would refuse, or silently drop, what is wanted.

    Source: the API's BuildRequest and BinaryBuildRequestOptions.
    """
    name = config["metadata"]["name"]
    if wanted.build_args and "dockerStrategy" not in _strategies(config["spec"]):
        raise EngineError(f"BuildConfig {name} has no Docker strategy, which alone takes build_args: use env.")
    if wanted.no_cache and not {"dockerStrategy", "sourceStrategy"} & set(_strategies(config["spec"])):
        raise EngineError(f"BuildConfig {name} has no strategy that takes no_cache: leave it out.")
    lost = [option for option in ("env", "build_args", "no_cache") if getattr(wanted, option)]
    if wanted.content and lost:
        raise EngineError(
            f"OpenShift takes no {' and no '.join(lost)} with a binary source: set it in BuildConfig {name} instead."
        )


def digest(config: dict, wanted: Wanted) -> str:
    """Return the SHA-256 of all that makes one build of this BuildConfig differ from another.

    ``no_cache`` is left out: it says how to build, not what. So is the builder image, which is compared by itself.
    """
    spec = {name: part for name, part in config["spec"].items() if name in _SPEC}
    text = json.dumps(
        [spec, wanted.env, wanted.build_args, wanted.commit, wanted.content], sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(text.encode()).hexdigest()


def request(config: dict, wanted: Wanted, inputs: str, marker: str) -> dict:
    """Return the BuildRequest for an instantiation."""
    body = {
        "apiVersion": "build.openshift.io/v1",
        "kind": "BuildRequest",
        "metadata": {"name": config["metadata"]["name"], "annotations": {INPUTS: inputs, REQUEST: marker}},
        "triggeredBy": [{"message": "mlops.notebooks.s2i_build"}],
    }
    if wanted.env:
        body["env"] = _pairs(wanted.env)
    docker = {"buildArgs": _pairs(wanted.build_args)} if wanted.build_args else {}
    if "dockerStrategy" in _strategies(config["spec"]):
        docker |= {"noCache": True} if wanted.no_cache else {}
    elif wanted.no_cache:
        body["sourceStrategyOptions"] = {"incremental": False}
    if docker:
        body["dockerStrategyOptions"] = docker
    if wanted.commit:
        body["revision"] = {"type": "Git", "git": {"commit": wanted.commit}}
    return body


def binary_query(wanted: Wanted, inputs: str, marker: str) -> dict[str, str]:
    """Return the query of an instantiation with a binary source; its revision needs a commit to have a message."""
    message = f"mlops.notebooks inputs={inputs} request={marker}"
    return {"revision.commit": wanted.commit or wanted.content or "", "revision.message": message}


def inputs_of(build: dict) -> str | None:
    """Return the digest of the inputs that the build was started with; None for a build that others started."""
    told = _MESSAGE.fullmatch(_revision(build).get("message") or "")
    return (build["metadata"].get("annotations") or {}).get(INPUTS) or (told[1] if told else None)


def is_asked_by(build: dict, marker: str) -> bool:
    """Return whether the build carries the marker of this request."""
    told = _MESSAGE.fullmatch(_revision(build).get("message") or "")
    return marker in ((build["metadata"].get("annotations") or {}).get(REQUEST), told and told[2])


def builder_of(spec: dict) -> dict:
    """Return the reference of the builder image in a spec, {} where the strategy names none."""
    return next((part["from"] for part in _strategies(spec).values() if part.get("from")), {})


def commit_of(build: dict) -> str | None:
    """Return the commit that was built, as far as the build says."""
    return _revision(build).get("commit")


def _revision(build: dict) -> dict:
    return (build.get("spec", {}).get("revision") or {}).get("git") or {}


def _strategies(spec: dict) -> dict[str, dict]:
    return {name: part for name, part in (spec.get("strategy") or {}).items() if isinstance(part, dict)}


def _pairs(values: dict[str, str]) -> list[dict]:
    return [{"name": name, "value": value} for name, value in values.items()]
