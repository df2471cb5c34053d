# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies ``s2i`` and ``docker``: images of OpenShift's own builds, a tag for each content key."""

from __future__ import annotations

import dataclasses
import tempfile

from ...cluster.apply import apply
from ...cluster.deadline import Deadline
from ...cluster.objects import KEY
from ...cluster.removal import remove
from ...values.environment import Environment
from ...values.errors import EngineError
from ...values.resolution import Resolution
from ..buildlog import BuildLog
from ..image.base import BaseImage, configuration, digest_in
from ..image.checkout import Checkout, checkout, detached, draws_on_it, require_sound
from ..image.context import BuildContext
from ..image.recipes import check, scripts
from ..image.strategy import ImageStrategy, namespace_of
from ..lines import Line, parse_all
from ..strategy import Context, Detection, GitSource, Plan
from .base_images import inspect
from .builds import CONFIGS, TAGS, Builds
from .claim import claimed
from .inputs import Wanted
from .manifests import (
    build_config,
    config_name,
    docker_strategy,
    git_source,
    lists,
    source_strategy,
    stream,
    tag_of,
)
from .named import require
from .s2i import PATIENCE, Task, bring_about
from .wrapper import wrapped

_DESTINATION = (
    "io.openshift.s2i.destination"  # label: below which directory of the image a source build puts the source
)


class _OpenShiftStrategy(ImageStrategy):
    """What both have in common."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._checkouts: dict[GitSource, Checkout] = {}

    def _detect(self, context: Context) -> Detection:
        if context.repository or context.push_secret:
            return Detection(
                False,
                "its images go to the image stream notebook-environments; repository and push_secret are for tekton, buildah"
                " and shipwright.",
            )
        if context.build.builder_image:
            return Detection(False, "OpenShift builds with a builder of its own: leave build.builder_image out.")
        if min(context.build.keep_complete, context.build.keep_failed) < 1:
            # OpenShift removes what is beyond the limit the moment that it ends, before anybody has seen how.
            return Detection(False, "build.keep_complete and build.keep_failed must be at least 1 on OpenShift.")
        if context.git:
            require_sound(context.git)
            if context.image.containerfile:
                return Detection(
                    False,
                    "image.containerfile is read on this machine: clone the repository, and name the clone with source.path.",
                )
        return self._serves(context)

    def _serves(self, context: Context) -> Detection:
        """Tell whether the cluster has OpenShift's builds."""
        # An image that is only to be found may cost three requests: that the base was looked up says enough then.
        by_tag = context.base and not digest_in(context.base)
        if context.shared_namespace and by_tag and self._readable(context):
            return Detection(True, "images of OpenShift")
        for group in ("build.openshift.io", "image.openshift.io"):
            if context.cluster.discovery.serves(group) is False:
                return Detection(False, f"the cluster has no {group}, so it is no OpenShift.")
        return Detection(True, "builds of OpenShift")

    def _readable(self, context: Context) -> BaseImage | None:
        """Return the base, None where it cannot be read, which the plan says more of."""
        try:
            return self.base(context)
        except EngineError:
            return None

    def read(self, context: Context, resolution: Resolution) -> tuple[tuple[Line, ...], Checkout | None]:
        """Return the requirement lines, and the commit that they draw on: without one, any commit gives the same image."""
        if not context.git:
            return super().read(context, resolution)
        lines = parse_all(resolution.requirements, None)
        if not draws_on_it(lines):
            return lines, None
        self._require_paths(lines)
        if context.git not in self._checkouts:
            self._checkouts[context.git] = checkout(context.git)
        return detached(lines), self._checkouts[context.git]

    def find(self, context: Context, key: str) -> Environment | None:
        """Return the image that the key's tag stands for, in the namespace or else in the shared one."""
        for namespace in dict.fromkeys((namespace_of(context), context.shared_namespace)):
            image = self._tagged(context, namespace, key) if namespace else {}
            if image.get("dockerImageReference"):
                return Environment(
                    kind="image", reference=image["dockerImageReference"], digest=image["metadata"]["name"], key=key,
                    cached=True, strategy=self.name, python="python3",
                )  # fmt: skip
        return None

    def verify(self, context: Context, environment: Environment) -> str | None:
        """Return what is wrong: the tag is gone, or stands for an image that was not made for its key."""
        key, tag = environment.key, tag_of(environment.key)
        # The reference is REGISTRY/NAMESPACE/NAME@DIGEST.
        image = self._tagged(context, environment.reference.split("/")[-2], key)
        if not image:
            return f"The tag {tag} is gone."
        told = configuration(image.get("dockerImageMetadata") or {})["labels"].get(KEY)
        return (
            None if told == key else f"The tag {tag} stands for an image that was not made for its key ({KEY}: {told})."
        )

    def _tagged(self, context: Context, namespace: str, key: str) -> dict:
        """Return the image that the key's tag stands for in a namespace, {} where there is none."""
        return (context.cluster.find(TAGS.path(namespace, tag_of(key))) or {}).get("image") or {}

    def create(self, context: Context, plan: Plan, log: BuildLog, replace: bool = False) -> Environment:
        """Build, unless another run is at it: then its build is followed, and its image is ours too."""
        cluster, namespace = context.cluster, namespace_of(context)
        if not replace and (found := self.find(context, plan.key)):
            return found
        deadline = context.deadline()
        base = self.base(context)
        self._require(context, plan, base)
        require(cluster, namespace, context.build, plan.details["checkout"], deadline)
        self._prepare(context, plan, base, deadline)
        name = config_name(plan.key)
        others = claimed(Builds(cluster, namespace, deadline, PATIENCE), name)
        if others is None:
            self._build(context, plan, base, log, deadline)
        else:
            log.say(f"another run builds it: {others['metadata']['name']}")
            self._bring_about(context, plan, log, deadline, "waited", build=others["metadata"]["name"])
        made = self.find(context, plan.key)
        if made is None:
            raise EngineError(
                f"The build ended, but the tag {tag_of(plan.key)} is not in {namespace}.", "image_output_invalid"
            )
        return dataclasses.replace(made, cached=others is not None)

    def delete(self, context: Context, key: str) -> bool:
        """Remove the tag, and the BuildConfig with its builds and its lists."""
        cluster, namespace = context.cluster, namespace_of(context)
        cluster.delete(TAGS.path(namespace, tag_of(key)))
        remove(cluster, CONFIGS, Deadline.after(60), name=config_name(key), namespace=namespace, waiting=False)
        return True

    def _prepare(self, context: Context, plan: Plan, base: BaseImage, deadline: Deadline) -> None:
        """Have the objects be there that a build needs."""
        apply(context.cluster, stream(namespace_of(context)), deadline=deadline)
        source, files = self._fetched(context, plan, base) if plan.details["checkout"] else (None, {})
        config = build_config(
            context, plan, base, self._strategy(context, base), check(plan.imports, context.image.tests), source
        )
        made = apply(context.cluster, config, deadline=deadline).object
        if files:
            apply(context.cluster, lists(made, plan.key, files), deadline=deadline)

    def _build(self, context: Context, plan: Plan, base: BaseImage, log: BuildLog, deadline: Deadline) -> None:
        # What the tag stood for does not count: it is gone, or to be replaced.
        if fetched := plan.details["checkout"]:
            wanted = Wanted(commit=fetched.commit)
            self._bring_about(context, plan, log, deadline, "built", wanted=wanted, fresh=True)
            return
        with tempfile.TemporaryDirectory() as directory:
            self._complete(context, base, plan.details["context"]).write(directory)
            self._bring_about(context, plan, log, deadline, "built", source=directory, fresh=True)

    def _bring_about(self, context: Context, plan: Plan, log: BuildLog, deadline: Deadline, state: str, **more) -> None:
        task = Task(
            state, config_name(plan.key), namespace=namespace_of(context), timeout=deadline.left(),
            retryable=self._retryable, stop=context.stop, **more,
        )  # fmt: skip
        build = bring_about(context.cluster, task, log).build
        log.build = build.name
        log.stages.update(build.stages or {})

    def _inspect(self, context: Context, reference: str) -> BaseImage:
        return inspect(context.cluster, namespace_of(context), reference)

    def _require(self, context: Context, plan: Plan, base: BaseImage) -> None:
        """Raise EngineError where the strategy cannot build this upon this base."""

    def _require_paths(self, lines: tuple[Line, ...]) -> None:
        """Raise EngineError where the strategy cannot take these files of a repository."""

    def _strategy(self, context: Context, base: BaseImage) -> dict:
        """Return the strategy of the BuildConfig."""
        raise NotImplementedError

    def _fetched(self, context: Context, plan: Plan, base: BaseImage) -> tuple[dict, dict[str, str]]:
        """Return the source of the BuildConfig for a repository, and the files that go beside it: name -> text."""
        raise NotImplementedError

    def _complete(self, context: Context, base: BaseImage, prepared: BuildContext) -> BuildContext:
        """Return what is sent with what the strategy adds."""
        raise NotImplementedError


class DockerStrategy(_OpenShiftStrategy):
    """A Docker build of OpenShift with a Containerfile of ours; it suits any base."""

    name = "docker"
    rank = 20

    def _strategy(self, context: Context, base: BaseImage) -> dict:
        return docker_strategy(context.build)

    def _complete(self, context: Context, base: BaseImage, prepared: BuildContext) -> BuildContext:
        return self.containerised(context, base, prepared, "Dockerfile")

    def _fetched(self, context: Context, plan: Plan, base: BaseImage) -> tuple[dict, dict[str, str]]:
        # The lists stand where relative paths in them count from, under names that no repository has.
        renamed = plan.details["context"].renamed("notebook-environment-{}")
        text = self.containerised(context, base, renamed, "Dockerfile").files["Dockerfile"]
        return git_source(plan.details["checkout"], plan.key, ".", text), renamed.files


class S2iStrategy(_OpenShiftStrategy):
    """A source build of OpenShift: with the base's own scripts where it is an S2I builder image, else with ours."""

    name = "s2i"
    rank = 30
    lacks = ("packages", "containerfile", "multi_stage")

    def _serves(self, context: Context) -> Detection:
        """Tell it of a repository too: scripts beside those of the source and of the image cannot be given to a build."""
        found = super()._serves(context)
        if not (found.available and context.git):
            return found
        base = self._readable(context)
        if base and not base.is_builder:
            return Detection(
                False, "base is no S2I builder image, and a repository brings no scripts that install: docker does it."
            )
        if context.build.settings_config_map or context.build.settings_secret:
            return Detection(
                False, "the scripts of an S2I builder image do not read the build's settings: docker does it."
            )
        return found

    def _require(self, context: Context, plan: Plan, base: BaseImage) -> None:
        if plan.details["checkout"] and not base.is_builder:
            raise EngineError(
                "Requirement lines name files of the repository, which s2i takes upon S2I builder images only: choose the"
                " strategy docker.",
                "requirements_invalid",
            )
        if base.is_builder and len(plan.details["context"].steps) > 1:
            raise EngineError(
                "An S2I builder image installs one list of requirements, and lines with hashes need two: choose the strategy"
                " docker, or leave the hashes out.",
                "requirements_invalid",
            )

    def _require_paths(self, lines: tuple[Line, ...]) -> None:
        if any(line.path == "./requirements.txt" for line in lines):
            raise EngineError(
                "An S2I builder image installs one requirements.txt, and the requirement lines stand in the place of the"
                " repository's: choose the strategy docker, or give the lines of that file themselves.",
                "requirements_invalid",
            )

    def _strategy(self, context: Context, base: BaseImage) -> dict:
        return source_strategy(context.build, base)

    def _complete(self, context: Context, base: BaseImage, prepared: BuildContext) -> BuildContext:
        if not base.is_builder:
            added = scripts(prepared)
        elif context.build.settings_config_map or context.build.settings_secret:
            added = wrapped(base)
        else:
            added = {}
        return dataclasses.replace(prepared, files={**prepared.files, **added})

    def _fetched(self, context: Context, plan: Plan, base: BaseImage) -> tuple[dict, dict[str, str]]:
        directory = f"{base.labels.get(_DESTINATION, '/tmp')}/src"  # noqa: S108 (in the image that is built)
        return git_source(plan.details["checkout"], plan.key, directory), plan.details["context"].files
