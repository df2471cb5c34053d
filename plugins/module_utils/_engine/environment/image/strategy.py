# SPDX-License-Identifier: GPL-3.0-or-later
"""What all strategies that make images have in common: what goes in, and the key over it."""

from __future__ import annotations

import abc
from collections.abc import Callable

from ...values.resolution import Resolution
from ..key import content_key
from ..lines import parse_all
from ..strategy import Context, Detection, Plan, Strategy
from ..venv_build import RUNNER
from .base import BaseImage, digest_in, is_image
from .context import compose
from .recipes import RECIPE


class ImageStrategy(Strategy):
    """Plans an image upon an image; how the base is looked up, and how an image is built, differ.

    retryable: whether a failure of this code may pass on another try.
    """

    community = False

    def __init__(self, retryable: Callable[[str], bool] = lambda _code: False):
        self._retryable = retryable
        self._bases: dict[str, BaseImage] = {}

    def detect(self, context: Context) -> Detection:
        """Available where base names an image, and the cluster has what builds it."""
        if not is_image(context.base):
            return Detection(
                False, "base names no image to build upon, such as registry.example.com/team/notebook:2026."
            )
        if context.cluster is None:
            return Detection(False, "no cluster is named (kubeconfig, or host and api_key).")
        return self._detect(context)

    def plan(self, context: Context, resolution: Resolution) -> Plan:
        """Return the image that a resolution needs. A tag of the base is looked up once, its digest is part of the key."""
        lines = parse_all(resolution.requirements, context.source)
        prepared, digest = compose(lines, RUNNER), digest_in(context.base) or self.base(context).digest
        return Plan(
            key=content_key(self.name, RECIPE, {"digest": digest}, lines, RUNNER),
            requirements=resolution.requirements,
            imports=resolution.top_level_imports(),
            details={"context": prepared},
        )

    def base(self, context: Context) -> BaseImage:
        """Return the base as it is now, looked up once in a call. Raises EngineError (``builder_image_unavailable``)."""
        if context.base not in self._bases:
            self._bases[context.base] = self._inspect(context, context.base)
        return self._bases[context.base]

    @abc.abstractmethod
    def _detect(self, context: Context) -> Detection:
        """Tell whether the cluster, which is there, has what the strategy needs."""

    @abc.abstractmethod
    def _inspect(self, context: Context, reference: str) -> BaseImage:
        """Look an image up."""


def namespace_of(context: Context) -> str:
    """Return the namespace that images are made in."""
    return context.namespace or context.cluster.namespace
