# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies of this collection that build images in a cluster, in the order in which ``auto`` looks at them."""

from __future__ import annotations

from .openshift.environments import DockerStrategy, S2iStrategy
from .pods.buildah import BuildahStrategy
from .pods.shipwright import ShipwrightStrategy
from .pods.tekton import TektonStrategy

BUILDERS = (S2iStrategy, DockerStrategy, BuildahStrategy, ShipwrightStrategy, TektonStrategy)
