# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy ``prebuilt``: an image that the user gives, checked where and as notebooks will run in it."""

from __future__ import annotations

import os
import re

from ...values.errors import EngineError
from ...values.resolution import Resolution
from ...values.unprivileged import PLACES, SEALED, UNPRIVILEGED, pod_security, variables
from ..buildlog import BuildLog
from ..image.base import BaseImage, by_digest, digest_in
from ..image.recipes import check
from ..image.strategy import namespace_of
from ..key import content_key
from ..openshift import base_images
from ..strategy import Context, Detection, Plan
from .attempts import Attempts
from .following import Ended
from .jobs import JobStrategy, job

# Grows when an image that passed before could fail now.
RECIPE = 1
_HOME, _SCRATCH = "/work", "/tmp"  # noqa: S108 (in the pod)
# What every image is checked for says which modules are there; this, whether the user of a run can use them.
_TRUST = """
import os, subprocess, sys
for path in sys.argv[1].split(os.pathsep):
    os.makedirs(path, mode=0o700, exist_ok=True)
for path in sys.path:
    # Python takes a directory that it may not read for an empty one.
    if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK):
        sys.exit(f"error: {path}: Permission denied for UID {os.getuid()}")
status = subprocess.call(sys.argv[2:])
if status:
    sys.exit(status)
import ipykernel, papermill
""".strip()
_IDLE = {"packages": (), "labels": {}, "containerfile": None, "multi_stage": False}
_IDLE_BUILD = {"settings_config_map": None, "settings_secret": None, "builder_image": None}
# Words of a failure, the code that it has, and what it means for the image.
_SIGNS = tuple(
    (re.compile(pattern, re.IGNORECASE), code, sentence)
    for pattern, code, sentence in (
        (
            r"exec format error|no match for platform",
            "image_unfit",
            "is made for another kind of machine than the node ({words}): name one for the node's architecture, or choose the"
            " node with build.node_selector",
        ),
        (
            r"python3\W.*(?:not found|no such file)",
            "image_unfit",
            "has no python3 on its PATH ({words}): name one that has Python",
        ),
        (
            r"permission ?denied|permissionerror|errno 13\b|read-only file system|errno 30\b",
            "permission_denied",
            f"does not serve a user whom it does not know, such as UID {UNPRIVILEGED} in group 0 ({{words}}): let group 0 read"
            " what runs notebooks (chgrp -R 0, chmod -R g=u), and write below the home directory or /tmp only",
        ),
        (
            r"cannot be imported|ModuleNotFoundError|ImportError",
            "image_unfit",
            "cannot run these notebooks ({words}): install what is missing into it, or choose a strategy that builds upon it, such"
            " as buildah",
        ),
    )
)


class PrebuiltStrategy(JobStrategy):
    """Runs the checks in the image itself, in a pod as a validation has it; a ConfigMap keeps that they passed."""

    name = "prebuilt"
    # Nothing is installed, so that only who says so gets it.
    rank = -1
    pushes = False

    def plan(self, context: Context, resolution: Resolution) -> Plan:
        """Return the check that a resolution needs: the image's digest, and all that is looked for in it, are the key."""
        imports = resolution.top_level_imports()
        digest = digest_in(context.base) or self.base(context).digest
        wanted = {"digest": digest, "check": check(imports, context.image.tests)}
        return Plan(content_key(self.name, RECIPE, wanted, (), ()), resolution.requirements, imports)

    def target(self, context: Context, key: str) -> str:
        """Return the image itself: nothing is pushed."""
        return self.base(context).reference

    def files(self, context: Context, plan: Plan) -> dict[str, bytes]:
        """Return nothing: a check sees no files."""
        return {}

    def manifest(self, context: Context, plan: Plan, name: str, files: dict[str, bytes]) -> dict:
        """Return the Job: one container of the image under the conditions of a validation."""
        build, home = context.build, variables(_HOME)
        places = os.pathsep.join(home[name] for name in PLACES)
        container = {
            "name": "check",
            "image": self.target(context, plan.key),
            "command": ["python3", "-c", _TRUST, places, *check(plan.imports, context.image.tests)],
            "env": [{"name": name, "value": value} for name, value in home.items()],
            "workingDir": _HOME,
            "securityContext": SEALED,
            "volumeMounts": [{"name": "work", "mountPath": _HOME}, {"name": "scratch", "mountPath": _SCRATCH}],
            **({"resources": build.resources} if build.resources else {}),
        }
        gives_uid = context.cluster.discovery.is_openshift() is True
        return job(
            context, plan, name,
            {
                "containers": [container],
                "securityContext": pod_security(gives_uid),
                "volumes": [{"name": volume, "emptyDir": {}} for volume in ("work", "scratch")],
            },
        )  # fmt: skip

    def digest(self, ended: Ended) -> str | None:
        """As the Job names the image."""
        return digest_in(_image(ended.run))

    def _detect(self, context: Context) -> Detection:
        idle = [f"image.{name}" for name, unset in _IDLE.items() if getattr(context.image, name) != unset]
        idle += [f"build.{name}" for name, unset in _IDLE_BUILD.items() if getattr(context.build, name) != unset]
        idle += ["push_secret"] if context.push_secret else []
        idle += ["source.url"] if context.git else []
        if idle:
            return Detection(
                False, f"it takes the image as it is, so leave out {', '.join(idle)}, or choose a strategy that builds."
            )
        return self._offers(context.cluster)

    def _inspect(self, context: Context, reference: str) -> BaseImage:
        digest = digest_in(reference)
        if digest:
            return BaseImage(by_digest(reference, digest), digest)
        if context.cluster.discovery.serves("image.openshift.io"):
            return base_images.inspect(context.cluster, namespace_of(context), reference)
        try:
            return super()._inspect(context, reference)
        except EngineError as error:
            raise EngineError(
                f"{error.message.rstrip('.')}; or name the image by its digest, for which no registry is asked from here.",
                error.code,
            ) from None

    def _follow(self, attempts: Attempts, run: dict, ours: bool, log: BuildLog) -> Ended:
        try:
            return super()._follow(attempts, run, ours, log)
        except EngineError as error:
            raise _told(error, _image(run)) from None

    def _failure(self, ended: Ended, log: BuildLog) -> EngineError:
        return _told(super()._failure(ended, log), _image(ended.run))


def _image(run: dict) -> str:
    return run["spec"]["template"]["spec"]["containers"][0]["image"]


def _told(error: EngineError, image: str) -> EngineError:
    """Return what a failed check means for the image; a failure that says nothing about it stays as it is."""
    words = error.message.partition(": ")[2].removeprefix("container check: ").rstrip(".")
    for pattern, code, sentence in _SIGNS:
        if pattern.search(words):
            return EngineError(f"The image {image} {sentence.format(words=words)}.", code)
    if error.code == "builder_image_unavailable":
        return EngineError(
            f"The image {image} cannot be pulled ({words}): correct base, or give the service account a pull secret for its"
            " registry.",
            "image_unavailable",
        )
    if error.code == "build_failed":
        return EngineError(f"The image {image} did not pass its checks: {words}.", "image_unfit")
    return error
