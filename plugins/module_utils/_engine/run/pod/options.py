# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may say of the pods that notebooks run in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PodOptions:
    """Fields of a pod, by the names and in the form of the Kubernetes API; they are added to ours and replace none.

    env, env_from, volumes, volume_mounts: of the notebook's container. credentials: Secrets whose entries are its variables.
    queue: of Kueue, which then decides when pods begin.
    patience: seconds that a pod may be held up, by an image that cannot be pulled say, before it is given up.
    on_cancel: ``delete`` or ``leave`` what runs when the caller is interrupted; the next call takes up what was left.
    """

    resources: dict = field(default_factory=dict)
    service_account: str | None = None
    node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: tuple[dict, ...] = ()
    affinity: dict = field(default_factory=dict)
    priority_class: str | None = None
    runtime_class: str | None = None
    image_pull_secrets: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    env: tuple[dict, ...] = ()
    env_from: tuple[dict, ...] = ()
    credentials: tuple[str, ...] = ()
    volumes: tuple[dict, ...] = ()
    volume_mounts: tuple[dict, ...] = ()
    queue: str | None = None
    patience: float = 60.0
    on_cancel: str = "delete"

    @classmethod
    def of(cls, options: dict) -> PodOptions:
        """Make the value from the option ``pod`` of the module: lists as tuples, what is None as the default."""
        given = {name: value for name, value in options.items() if value is not None}
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


@dataclass(frozen=True)
class PodSource:
    """Where pods have the source from, in place of the ConfigMaps that the caller packs: a repository, or a claim.

    url, ref: of a git repository, and its branch, tag or commit; None = the default branch. path: the directory in it, or on
    the claim, that is the root of the notebooks. secret: name of a Secret of the namespace with the credentials.
    image: that git is taken from; None = the one of the notebook. claim: name of a PersistentVolumeClaim.
    """

    url: str | None = None
    ref: str | None = None
    path: str = ""
    secret: str | None = None
    image: str | None = None
    claim: str | None = None


@dataclass(frozen=True)
class ResultsClaim:
    """Where pods leave their results too: the name of a PersistentVolumeClaim, and a directory on it."""

    claim: str
    path: str = ""
