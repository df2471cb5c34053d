# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies ``s2i`` and ``docker``: images of OpenShift's own builds, a tag for each content key."""

from __future__ import annotations

import dataclasses
import tempfile

from ...cluster.apply import apply
from ...cluster.deadline import Deadline
from ...cluster.removal import remove
from ...values.environment import Environment
from ...values.errors import EngineError
from ..buildlog import BuildLog
from ..image.base import BaseImage
from ..image.context import BuildContext
from ..image.recipes import check, containerfile, scripts
from ..image.strategy import ImageStrategy, namespace_of
from ..strategy import Context, Detection, Plan
from .base_images import inspect
from .builds import CONFIGS, TAGS, Builds
from .claim import claimed
from .manifests import build_config, config_name, stream, tag_of
from .s2i import PATIENCE, Task, bring_about

_UNLIMITED = 86400.0


class _OpenShiftStrategy(ImageStrategy):
    """What both have in common."""

    def _detect(self, context: Context) -> Detection:
        for group in ("build.openshift.io", "image.openshift.io"):
            if context.cluster.discovery.serves(group) is False:
                return Detection(False, f"the cluster has no {group}, so it is no OpenShift.")
        return Detection(True, "builds of OpenShift")

    def find(self, context: Context, key: str) -> Environment | None:
        """Return the image that the key's tag stands for."""
        found = context.cluster.find(TAGS.path(namespace_of(context), tag_of(key)))
        image = (found or {}).get("image") or {}
        if not image.get("dockerImageReference"):
            return None
        return Environment(
            kind="image", reference=image["dockerImageReference"], digest=image["metadata"]["name"], key=key,
            cached=True, strategy=self.name, python="python3",
        )  # fmt: skip

    def create(self, context: Context, plan: Plan, log: BuildLog, replace: bool = False) -> Environment:
        """Build, unless another run is at it: then its build is followed, and its image is ours too."""
        cluster, namespace = context.cluster, namespace_of(context)
        if not replace and (found := self.find(context, plan.key)):
            return found
        deadline = Deadline.after(_UNLIMITED if context.timeout is None else context.timeout)
        base = self.base(context)
        self._require(base, plan.details["context"])
        for manifest in (stream(namespace), self._config(context, plan, base)):
            apply(cluster, manifest, deadline=deadline)
        name = config_name(plan.key)
        others = claimed(Builds(cluster, namespace, deadline, PATIENCE), name)
        if others is None:
            self._build(context, plan, base, log, deadline)
        else:
            log.say(f"another run builds it: {others['metadata']['name']}")
            self._bring_about(context, log, deadline, "waited", name, build=others["metadata"]["name"])
        made = self.find(context, plan.key)
        if made is None:
            raise EngineError(
                f"The build ended, but the tag {tag_of(plan.key)} is not in {namespace}.", "image_output_invalid"
            )
        return dataclasses.replace(made, cached=others is not None)

    def delete(self, context: Context, key: str) -> bool:
        """Remove the tag, and the BuildConfig with its builds."""
        cluster, namespace = context.cluster, namespace_of(context)
        cluster.delete(TAGS.path(namespace, tag_of(key)))
        remove(cluster, CONFIGS, Deadline.after(60), name=config_name(key), namespace=namespace, waiting=False)
        return True

    def _config(self, context: Context, plan: Plan, base: BaseImage) -> dict:
        return build_config(
            namespace_of(context), plan.key, self.name, base, plan.requirements, check(plan.imports), context.timeout
        )

    def _build(self, context: Context, plan: Plan, base: BaseImage, log: BuildLog, deadline: Deadline) -> None:
        with tempfile.TemporaryDirectory() as directory:
            self._complete(base, plan.details["context"]).write(directory)
            # What the tag stood for does not count: it is gone, or to be replaced.
            self._bring_about(context, log, deadline, "built", config_name(plan.key), source=directory, fresh=True)

    def _bring_about(
        self, context: Context, log: BuildLog, deadline: Deadline, state: str, config: str, **more
    ) -> None:
        task = Task(
            state, config, namespace=namespace_of(context), timeout=deadline.left(), retryable=self._retryable, **more
        )
        build = bring_about(context.cluster, task, log).build
        log.build = build.name
        log.stages.update(build.stages or {})

    def _inspect(self, context: Context, reference: str) -> BaseImage:
        return inspect(context.cluster, namespace_of(context), reference)

    def _require(self, base: BaseImage, context: BuildContext) -> None:
        """Raise EngineError where the strategy cannot build this upon this base."""

    def _complete(self, base: BaseImage, context: BuildContext) -> BuildContext:
        """Return the context with what the strategy adds."""
        raise NotImplementedError


class DockerStrategy(_OpenShiftStrategy):
    """A Docker build of OpenShift with a Containerfile of ours; it suits any base."""

    name = "docker"
    rank = 20

    def _complete(self, base: BaseImage, context: BuildContext) -> BuildContext:
        return dataclasses.replace(context, files={**context.files, "Dockerfile": containerfile(base, context)})


class S2iStrategy(_OpenShiftStrategy):
    """A source build of OpenShift: with the base's own scripts where it is an S2I builder image, else with ours."""

    name = "s2i"
    rank = 30

    def _require(self, base: BaseImage, context: BuildContext) -> None:
        if base.is_builder and len(context.steps) > 1:
            raise EngineError(
                "An S2I builder image installs one list of requirements, and lines with hashes need two: choose the strategy"
                " docker, or leave the hashes out.",
                "requirements_invalid",
            )

    def _complete(self, base: BaseImage, context: BuildContext) -> BuildContext:
        return context if base.is_builder else dataclasses.replace(context, files={**context.files, **scripts(context)})
