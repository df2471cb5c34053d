# SPDX-License-Identifier: GPL-3.0-or-later
"""What all strategies that make images have in common: what goes in, and the key over it."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable

from ...values.resolution import Resolution
from ..key import content_key, tree_digest
from ..lines import Line, parse_all
from ..strategy import Context, Detection, ImageOptions, Plan, Strategy
from ..venv_build import RUNNER
from . import own, wheels
from .base import BaseImage, digest_in, is_image
from .checkout import Checkout
from .context import BuildContext, compose
from .lint import lint
from .recipes import RECIPE, containerfile, last_stage, require_sound


class ImageStrategy(Strategy):
    """Plans an image upon an image; how the base is looked up, and how an image is built, differ.

    retryable: whether a failure of this code may pass on another try. lacks: options of ``image`` that it cannot follow.
    """

    community = False
    lacks: tuple[str, ...] = ()

    def __init__(self, retryable: Callable[[str], bool] = lambda _code: False):
        self._retryable = retryable
        self._bases: dict[str, BaseImage] = {}
        self._owns: dict[tuple[str, str], own.OwnFile] = {}
        self._trees: dict[str, str] = {}

    def detect(self, context: Context) -> Detection:
        """Available where there is an image to build upon, and the cluster has what builds it."""
        lacking = [name for name in self.lacks if getattr(context.image, name)]
        if lacking:
            return Detection(
                False, f"it cannot follow image.{lacking[0]}: choose docker, tekton, shipwright or buildah."
            )
        if not context.image.containerfile and not is_image(context.base):
            return Detection(
                False, "base names no image to build upon, such as registry.example.com/team/notebook:2026."
            )
        if context.cluster is None:
            return Detection(False, "no cluster is named (kubeconfig, or host and api_key).")
        require_sound(context.image)
        found = self._detect(context)
        if not found.available or not context.image.containerfile:
            return found
        if context.base:
            return Detection(False, "image.containerfile says itself what it builds upon: leave base out.")
        if context.image.multi_stage:
            return Detection(
                False, "a Containerfile of yours has the stages that it wants: leave image.multi_stage out."
            )
        self._own(context)  # what is wrong with it is told at once
        return found

    def plan(self, context: Context, resolution: Resolution) -> Plan:
        """Return the image that a resolution needs. A tag of the base is looked up once, its digest is part of the key."""
        lines, checkout = self.read(context, resolution)
        inputs = {**self._upon(context), **_options(context.image), **(checkout.identity if checkout else {})}
        file = self._own(context)
        return Plan(
            key=content_key(self.name, RECIPE, inputs, lines, RUNNER),
            requirements=resolution.requirements,
            imports=resolution.top_level_imports(),
            details={"context": self._prepared(context, lines), "checkout": checkout},
            warnings=lint(file) if file else (),
            commit=checkout.commit if checkout else None,
        )

    def read(self, context: Context, resolution: Resolution) -> tuple[tuple[Line, ...], Checkout | None]:
        """Return the requirement lines, and the commit of a repository where they draw on one that the cluster fetches."""
        return parse_all(resolution.requirements, context.source), None

    def base(self, context: Context) -> BaseImage:
        """Return the base as it is now, looked up once in a call. Raises EngineError (``builder_image_unavailable``)."""
        file = self._own(context)
        return self._look_up(context, file.base if file else context.base)

    def containerised(self, context: Context, base: BaseImage, prepared: BuildContext, name: str) -> BuildContext:
        """Return the context with the Containerfile under that name; the source goes along with a user's own."""
        file = self._own(context)
        if file is None:
            text = containerfile(base, prepared, context.image)
        else:
            added = last_stage(base, prepared, context.image, file)
            text = file.completed(lambda image: self._look_up(context, image).reference, added)
        return dataclasses.replace(prepared, files={**prepared.files, name: text})

    def _prepared(self, context: Context, lines: tuple[Line, ...]) -> BuildContext:
        """Return what a build sees but for its Containerfile."""
        prepared = compose(lines, RUNNER)
        if context.image.multi_stage:
            prepared = wheels.with_program(prepared)
        return own.with_source(prepared, context.source) if self._own(context) else prepared

    def _upon(self, context: Context) -> dict:
        """Return what is built upon, for the key: a digest, or the user's own file with all that it may copy."""
        file = self._own(context)
        if file is None:
            return {"digest": digest_in(context.base) or self.base(context).digest}
        images = {image: digest_in(image) or self._look_up(context, image).digest for image in file.images}
        return {"images": images, "containerfile": file.name, "source": self._tree(context), "text": file.text}

    def _tree(self, context: Context) -> str:
        """Return the digest of the source, which is read once in a call."""
        if context.source not in self._trees:
            self._trees[context.source] = tree_digest(context.source)
        return self._trees[context.source]

    def _own(self, context: Context) -> own.OwnFile | None:
        name = context.image.containerfile
        if not name:
            return None
        place = (context.source, name)
        if place not in self._owns:
            self._owns[place] = own.read(*place)
        return self._owns[place]

    def _look_up(self, context: Context, reference: str) -> BaseImage:
        if reference not in self._bases:
            self._bases[reference] = self._inspect(context, reference)
        return self._bases[reference]

    @abc.abstractmethod
    def _detect(self, context: Context) -> Detection:
        """Tell whether the cluster, which is there, has what the strategy needs."""

    @abc.abstractmethod
    def _inspect(self, context: Context, reference: str) -> BaseImage:
        """Look an image up."""


def _options(options: ImageOptions) -> dict:
    """Return what counts of the options for the key; nothing where nothing is said."""
    given = {
        "packages": sorted(options.packages), "labels": options.labels, "tests": list(options.tests),
        "multi_stage": options.multi_stage,
    }  # fmt: skip
    return {name: value for name, value in given.items() if value}


def namespace_of(context: Context) -> str:
    """Return the namespace that images are made in."""
    return context.namespace or context.cluster.namespace
