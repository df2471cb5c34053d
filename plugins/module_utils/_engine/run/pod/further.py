# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to look further when a pod has failed: commands for people, and what its log ends with."""

from __future__ import annotations

from ...cluster.client import Cluster
from ...cluster.deadline import Deadline
from ...cluster.errors import ClusterError
from ...cluster.kinds import PODS
from .manifests import NOTEBOOK

_LINES = 20
_EVENTS = "kubectl -n {namespace} get events --field-selector involvedObject.name={about}"
# Pods go with their Job; events stay for an hour (kube-apiserver, --event-ttl).
_COMMANDS = {
    "image_unavailable": (_EVENTS, "kubectl -n {namespace} get serviceaccounts,secrets"),
    "pod_refused": (_EVENTS, "kubectl get namespace {namespace} --show-labels"),
    "pod_unschedulable": (_EVENTS, "kubectl describe nodes"),
    "pod_lost": (_EVENTS, "kubectl get nodes"),
    "quota_exceeded": ("kubectl -n {namespace} describe resourcequotas",),
    "out_of_memory": ("kubectl -n {namespace} describe limitranges",),
    "results_missing": (_EVENTS,),
}


def commands(reason: str, namespace: str, about: str) -> tuple[str, ...]:
    """Return the commands that show more of a failure. about: the pod, or the Job where there is none."""
    return tuple(line.format(namespace=namespace, about=about) for line in _COMMANDS.get(reason, ()))


def log_tail(cluster: Cluster, namespace: str, pod: str) -> tuple[str, ...]:
    """Return the last lines of the notebook's container; none where the log is gone, or may not be read."""
    from urllib3.exceptions import HTTPError

    query = {"container": NOTEBOOK, "tailLines": _LINES}
    try:
        answer = cluster.send(
            "GET", PODS.path(namespace, pod) + "/log", query, accept="*/*", deadline=Deadline.after(10)
        )
        return tuple(answer.data.decode(errors="replace").splitlines())
    except (ClusterError, HTTPError, OSError):
        return ()
