# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user may say of the pods that notebooks run in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PodOptions:
    """Fields of a pod, by the names and in the form of the Kubernetes API; they are added to ours and replace none.

    env_from, volumes, volume_mounts: of the notebook's container. queue: of Kueue, which then decides when pods begin.
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
    env_from: tuple[dict, ...] = ()
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
