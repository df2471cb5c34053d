# SPDX-License-Identifier: GPL-3.0-or-later
"""An event source of ansible-rulebook: verdicts of a namespace, each as it is written."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: verdicts
short_description: Receive the verdicts on notebooks that are written in a namespace
description:
  - Validations on a cluster keep the verdict on each notebook in a ConfigMap of the namespace. This source tells of each verdict
    that is written, once.
  - It holds one watch, which asks for metadata only. A watch that ends, a connection that breaks, a history that the server has
    forgotten (410), an overloaded server (429, with its C(Retry-After)) and one that is down for a while lose no verdict and double
    none. Credentials that are not accepted any more are read anew.
  - It ends, and ansible-rulebook with it, where the server refuses for good, such as without the right to list ConfigMaps.
  - The account needs C(list) and C(watch) on C(configmaps) in the namespace. Without C(watch) the source asks every few seconds.
  - Texts in which C({{), C({%) or C({#) would begin a template get a space between the two characters, since they come from
    notebooks, and Ansible evaluates the variables that an action hands to a playbook.
author: mlops.notebooks contributors (@mlops-notebooks)
requirements:
  - ansible-core >= 2.16
  - kubernetes (Python package)
  - kubernetes.core (collection)
options:
  namespace:
    description: Namespace of the verdicts; that of the context or of the pod where it is empty.
    type: str
  status:
    description: Which verdicts to tell of.
    type: str
    choices: [failed, succeeded, any]
    default: failed
  existing:
    description: Tell also of the verdicts that are there when the source starts.
    type: bool
    default: false
  kubeconfig:
    description:
      - Path of a kubeconfig, or its content.
      - This and the options below are those of P(kubernetes.core.k8s#module), with all others that it has for logging in. Each may be
        given as a variable E(K8S_AUTH_*) of the environment. Without any, the service account of the pod is used.
    type: raw
  context:
    description: Context of the kubeconfig.
    type: str
  host:
    description: URL of the API server.
    type: str
  api_key:
    description: Bearer token.
    type: str
  ca_cert:
    description: File of the certificate authority of the API server.
    type: path
  validate_certs:
    description: Verify the certificate of the API server; also called O(verify_ssl).
    type: bool
"""

EXAMPLES = r"""
- mlops.notebooks.verdicts:
    namespace: ml-checks

- mlops.notebooks.verdicts:
    namespace: ml-checks
    status: any
    existing: true
    kubeconfig: ~/.kube/team
"""

RETURN = r"""
notebook:
  description: What the verdict is about, and what it says.
  type: dict
  sample:
    namespace: ml-checks
    path: sales/forecast.ipynb
    status: failed
    code: missing_module
    category: dependency_install_failed
    cause: The notebook imports plotly, which is not in its environment.
    key: 0f3c9a52e1d84b7790c2a61be45d0f38
    verdict: notebook-verdict-0f3c9a52e1d84b7790c2a61be45d0f38
"""

import asyncio
import logging
import math
import re
import sys
import threading
from pathlib import Path
from typing import Any

from ansible.constants import COLLECTIONS_PATHS
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

# ansible-rulebook runs this file by its path. Ansible's own finder of collections would break the loading of its other plugins.
for place in (str(Path(__file__).absolute().parents[7]), *COLLECTIONS_PATHS):
    if place not in sys.path:
        sys.path.append(place)

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.connection import is_configured
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import CONFIG_MAPS
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.observe import observe
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._kubernetes import AUTH_SPEC, auth_options

logger = logging.getLogger(__name__)

SELECTOR = "app.kubernetes.io/managed-by=mlops.notebooks,app.kubernetes.io/component=verdict"
PREFIX = "notebooks.mlops.dev/"
SPEC = {
    "namespace": {"type": "str"},
    "status": {"type": "str", "choices": ["failed", "succeeded", "any"], "default": "failed"},
    "existing": {"type": "bool", "default": False},
}


async def main(queue: asyncio.Queue, args: dict[str, Any]) -> None:
    """Put an event for each verdict, until ansible-rulebook ends the source or the server refuses for good."""
    params = _checked(args)
    loop = asyncio.get_running_loop()
    ended, stopped = loop.create_future(), threading.Event()

    def tell(event: dict) -> None:
        # Waits while rules are busy: what is not taken yet is still to be heard from the server.
        asyncio.run_coroutine_threadsafe(queue.put(event), loop).result()

    def work() -> None:
        try:
            _follow(params, tell, stopped)
        except Exception as error:
            if not stopped.is_set():
                loop.call_soon_threadsafe(ended.set_exception, error)

    # A daemon, since a read of a quiet watch cannot be interrupted and must not hold up the end of the process.
    threading.Thread(target=work, name="verdicts", daemon=True).start()
    try:
        await ended
    finally:
        stopped.set()


def _checked(args: dict[str, Any]) -> dict[str, Any]:
    checked = ArgumentSpecValidator({**AUTH_SPEC, **SPEC}).validate(args)
    if checked.error_messages:
        raise EngineError(f"The event source mlops.notebooks.verdicts: {'; '.join(checked.error_messages)}.")
    return checked.validated_parameters


def _follow(params: dict[str, Any], tell, stopped: threading.Event) -> None:
    auth = auth_options(params)
    if not is_configured(auth):
        raise EngineError(
            "Nothing names a cluster for mlops.notebooks.verdicts: give kubeconfig, or host and api_key, or set K8S_AUTH_*.",
            "cluster_config",
        )
    deadline = _UntilStopped(math.inf, stopped)
    selector = SELECTOR + ("" if params["status"] == "any" else f",{PREFIX}status={params['status']}")
    with _Metadata(auth) as cluster:
        namespace = params["namespace"] or cluster.namespace
        told: dict[str, tuple[str, str]] = {}  # by name: uid and resourceVersion
        if not params["existing"]:
            path, query = CONFIG_MAPS.path(namespace), {"labelSelector": selector}
            told = {one["metadata"]["name"]: _version(one) for one in cluster.items(path, query, deadline)}
        logger.info("Listening for verdicts in the namespace %s; %d are passed over.", namespace, len(told))

        def hear(found: dict) -> None:
            name = found["metadata"]["name"]
            if not stopped.is_set() and told.get(name) != _version(found):
                tell(_event(found["metadata"]))
                told[name] = _version(found)

        observe(
            cluster, CONFIG_MAPS, selector, deadline, namespace=namespace,
            on_change=hear, on_gone=lambda name: told.pop(name, None), going=lambda: not stopped.is_set(),
        )  # fmt: skip


class _Metadata(Cluster):
    """A cluster that is asked for metadata only: the verdicts themselves would be megabytes.

    Kubernetes API concepts, "Metadata-only fetches": a list has the kind PartialObjectMetadataList, a watch that of its objects.
    """

    def send(self, method, path, query=None, body=None, content_type="application/json", accept="", *args, **kwargs):
        kind = "PartialObjectMetadata" if (query or {}).get("watch") else "PartialObjectMetadataList"
        accept = f"application/json;as={kind};g=meta.k8s.io;v=v1,application/json"
        try:
            return super().send(method, path, query, body, content_type, accept, *args, **kwargs)
        except ClusterError as error:
            logger.warning("%s", error)  # what is tried again without an end must not be silent
            raise


class _UntilStopped(Deadline):
    """A deadline that comes when the source is to end."""

    def __init__(self, at: float, stopped: threading.Event):
        super().__init__(at)
        object.__setattr__(self, "_stopped", stopped)

    def left(self) -> float:
        return 0.0 if self._stopped.is_set() else math.inf


def _version(found: dict) -> tuple[str, str]:
    return found["metadata"]["uid"], found["metadata"]["resourceVersion"]


def _event(metadata: dict) -> dict[str, Any]:
    labels, notes = metadata["labels"], metadata.get("annotations") or {}
    notebook = {
        "namespace": metadata["namespace"],
        "path": notes.get(f"{PREFIX}notebook", ""),
        "status": labels.get(f"{PREFIX}status", ""),
        **{name: notes.get(PREFIX + name, "") for name in ("code", "category", "cause")},
        "key": labels.get(f"{PREFIX}key", ""),
        "verdict": metadata["name"],
    }
    return {"notebook": {name: _plain(text) for name, text in notebook.items()}}


def _plain(text: str) -> str:
    """Return the text as one that no template begins in."""
    return re.sub(r"\{(?=[{%#])", "{ ", text)
