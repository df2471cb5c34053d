# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that a build needs and others make: one that is missing is told before the build waits for it."""

from __future__ import annotations

from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.kinds import CONFIG_MAPS, SECRETS
from ...values.errors import EngineError
from ..image.checkout import Checkout
from ..strategy import BuildOptions

# Kubernetes API concepts, "Metadata-only fetches": what a Secret holds is not asked for.
_METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


def require(
    cluster: Cluster, namespace: str, build: BuildOptions, checkout: Checkout | None, deadline: Deadline
) -> None:
    """Raise EngineError (``cluster_not_found``) for an object that is named and missing.

    A pod that waits for one says nothing. What the account may not see is taken to be there.
    """
    wanted = (
        ("build.settings_config_map", CONFIG_MAPS, build.settings_config_map),
        ("build.settings_secret", SECRETS, build.settings_secret),
        ("source.secret", SECRETS, checkout.secret if checkout else None),
    )
    for option, resource, name in wanted:
        if name and not _is_there(cluster, resource.path(namespace, name), deadline):
            raise EngineError(
                f"There is no {resource.kind} {name} in the namespace {namespace}, which {option} names: create it, or correct"
                " the name.",
                "cluster_not_found",
            )


def _is_there(cluster: Cluster, path: str, deadline: Deadline) -> bool:
    try:
        cluster.request("GET", path, accept=_METADATA, deadline=deadline)
    except ClusterError as error:
        if error.status not in (403, 404):
            raise
        return error.status == 403
    return True
