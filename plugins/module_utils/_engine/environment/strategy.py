# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of everything that can make an environment."""

from __future__ import annotations

import abc
import os
from dataclasses import dataclass, field

from ..cluster.client import Cluster
from ..cluster.deadline import Deadline
from ..values.environment import Build, Environment
from ..values.resolution import Resolution
from ..values.stop import Stop
from .buildlog import BuildLog

_UNLIMITED = 86400.0  # seconds


@dataclass(frozen=True)
class GitSource:
    """A repository that the cluster fetches itself.

    ref: branch, tag or commit; None = the default branch. context_dir: the directory in it that counts. secret: name of the
    Secret in the namespace that holds the credentials (types ``kubernetes.io/basic-auth``, ``kubernetes.io/ssh-auth``).
    """

    url: str
    ref: str | None = None
    context_dir: str | None = None
    secret: str | None = None


@dataclass(frozen=True)
class ImageOptions:
    """What an image holds beside the requirements; all of it is part of the content key.

    packages: of the image's own package manager (apt, dnf, microdnf, apk). labels: of the image. tests: commands of a shell
    that have to succeed in the image before it is pushed. containerfile: path of the user's own, relative to the source.
    multi_stage: build wheels in a stage of their own, so that what only the build needs stays out.
    """

    packages: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    tests: tuple[str, ...] = ()
    containerfile: str | None = None
    multi_stage: bool = False


@dataclass(frozen=True)
class BuildOptions:
    """How a build in a cluster goes about its work; nothing of it is part of the content key.

    settings_config_map, settings_secret: objects whose entries ``pip.conf``, ``ca-bundle.crt``, ``http_proxy``,
    ``https_proxy`` and ``no_proxy`` hold during the build, and never get into the image. resources: as of a container.
    builder_image: has buildah, for the strategies that need one. keep_complete, keep_failed: builds of a key that are kept.
    """

    service_account: str | None = None
    resources: dict = field(default_factory=dict)
    node_selector: dict[str, str] = field(default_factory=dict)
    settings_config_map: str | None = None
    settings_secret: str | None = None
    builder_image: str | None = None
    keep_complete: int = 1
    keep_failed: int = 2


@dataclass(frozen=True)
class Context:
    """What holds for all environments of one call.

    cache_dir: directory below which a strategy may keep files.
    source: directory that paths in requirement lines are relative to.
    base: what to build upon: an interpreter (path or version) or an image; None = the strategy's own choice.
    installer: ``auto``, ``uv`` or ``pip``. timeout: seconds for one build; None = no limit.
    max_size, max_age: bytes and seconds of unused environments to keep; None = no limit.
    cluster: where images are made, None without one. namespace: there; None = that of the connection.
    shared_namespace: a further one whose images are taken, and never made.
    git: the source, where the cluster fetches it. repository: where images are pushed to, without a tag, for strategies that
    push to a registry. push_secret: name of the Secret (``kubernetes.io/dockerconfigjson``) for it. image, build: see there.
    stop: cancels what was begun here in the cluster, from another thread; nothing is begun any more.
    """

    cache_dir: str
    source: str = field(default_factory=os.getcwd)
    base: str | None = None
    installer: str = "auto"
    timeout: float | None = None
    max_size: int | None = None
    max_age: float | None = None
    cluster: Cluster | None = None
    namespace: str | None = None
    shared_namespace: str | None = None
    git: GitSource | None = None
    repository: str | None = None
    push_secret: str | None = None
    image: ImageOptions = ImageOptions()
    build: BuildOptions = BuildOptions()
    stop: Stop = field(default_factory=Stop)

    def deadline(self) -> Deadline:
        """Return when a build that begins now has to have ended; without a limit that is a day away."""
        return Deadline.after(_UNLIMITED if self.timeout is None else self.timeout)


@dataclass(frozen=True)
class Detection:
    """Whether a strategy can work here, and why (not): one sentence."""

    available: bool
    why: str


@dataclass(frozen=True)
class Plan:
    """One environment to be: a pure function of a resolution and its context.

    key: content key; equal for everything that may share the environment, fit for a file name.
    requirements: the lines as the resolution has them. imports: top-level import names that must be importable
    afterwards, with the distribution expected to provide each.
    details: the strategy's own, for its ``create``. warnings: sentences for the user. commit: of the repository that the
    environment is made from, None where none counts.
    """

    key: str
    requirements: tuple[str, ...]
    imports: dict = field(default_factory=dict)
    details: dict = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    commit: str | None = None


class Strategy(abc.ABC):
    """One way to make environments.

    name: what users write in ``strategy``; for one of another collection the FQCN of its module.
    rank: ``auto`` takes the available strategy of the highest rank, and none below 0.
    community: comes from elsewhere; ``auto`` takes it only where the user allows it by name.

    Failures that the user can act on are raised as EngineError, with a code of the taxonomy.
    """

    name: str
    rank: int = 0
    community: bool = True

    @abc.abstractmethod
    def detect(self, context: Context) -> Detection:
        """Tell whether this strategy can work here. Changes nothing."""

    @abc.abstractmethod
    def plan(self, context: Context, resolution: Resolution) -> Plan:
        """Return what to make for a resolution. Changes nothing; equal needs give equal keys."""

    @abc.abstractmethod
    def find(self, context: Context, key: str) -> Environment | None:
        """Return the complete environment of that key (``cached`` set), or None. Its ``reference`` is what to run in."""

    @abc.abstractmethod
    def create(self, context: Context, plan: Plan, log: BuildLog, replace: bool = False) -> Environment:
        """Make the environment and wait for it; call ``log`` with each line as it is written.

        Two calls for one key at once make one build: the later one waits and returns the first one's with ``cached``.
        On any exception, KeyboardInterrupt among them, nothing is left that ``find`` would return.
        replace: make it anew even though it exists.
        """

    @abc.abstractmethod
    def delete(self, context: Context, key: str) -> bool:
        """Remove an environment that nobody uses; tell whether it is gone."""

    def verify(self, context: Context, environment: Environment) -> str | None:
        """Return what is wrong with a found environment in one sentence, None where it is sound."""
        return None if self.find(context, environment.key) else f"The environment {environment.key} is gone."

    def status(self, context: Context, key: str) -> Build | None:
        """Return how the last build of a key stands, None where none is known."""
        environment = self.find(context, key)
        return Build(name=key, phase="Complete", log=self.log_path(context, key)) if environment else None

    def log_path(self, context: Context, key: str) -> str:
        """Return the file that keeps the log of the last build of a key."""
        return os.path.join(context.cache_dir, "builds", f"{key}.log")

    def prune(self, context: Context, keep: tuple[str, ...]) -> list[str]:
        """Remove what is beyond the context's limits, save the keys in keep and what is in use; return the keys."""
        return []
