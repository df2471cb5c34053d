# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployment, ReplicaSet and StatefulSet: just enough for rollout status, scaling and replacement of pods."""

from __future__ import annotations

import json
import zlib

from ..errors import ApiError
from ..values import clone, parse_time
from .actor import controller_of, is_ready, itself, key_of, owner_reference, set_condition
from .owner import Owner

REVISION = "deployment.kubernetes.io/revision"
HASH = "pod-template-hash"


def template_hash(template: dict) -> str:
    return format(zlib.crc32(json.dumps(template, sort_keys=True).encode()), "x")


def is_active(pod: dict) -> bool:
    ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return not ended and not pod["metadata"].get("deletionTimestamp")


class Workload(Owner):
    def create_pod(self, owner: dict, metadata: dict) -> dict | None:
        """A pod of the owner's template; None, with an event, where it is refused."""
        template = clone(owner["spec"]["template"])
        labels = {**((template.get("metadata") or {}).get("labels") or {}), **metadata.pop("labels", {})}
        merged = {**(template.get("metadata") or {}), **metadata, "labels": labels}
        merged |= {"namespace": owner["metadata"]["namespace"], "ownerReferences": [owner_reference(owner)]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": merged, "spec": template["spec"]}
        user = f"system:serviceaccount:kube-system:{self.name}"
        try:
            made = self.adopt(owner, self.system.create("pods", pod, user=user))
        except ApiError as error:
            self.failure = error.message
            self.record(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            self._retry(key_of(owner))
            return None
        self.record(owner, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return made

    def save(self, plural: str, obj: dict, before: dict) -> None:
        if obj["status"] != before:
            self.system.update_status(plural, obj)


class ReplicaSetController(Workload):
    name, kind = "replicaset-controller", "ReplicaSet"
    watches = {"replicasets.apps": itself, "pods": controller_of("ReplicaSet")}

    def reconcile(self, namespace: str, name: str) -> None:
        owner = self.system.find("replicasets.apps", namespace, name)
        if owner is None or owner["metadata"].get("deletionTimestamp"):
            return
        before = clone(owner.get("status") or {})
        status = owner.setdefault("status", {})
        wanted, self.failure = owner["spec"].get("replicas", 1), ""
        pods = [pod for pod in self.children(owner) if is_active(pod)]
        for pod in sorted(pods, key=is_ready)[: max(0, len(pods) - wanted)]:
            self.system.delete("pods", *key_of(pod))
            pods.remove(pod)
        while len(pods) < wanted and (made := self.create_pod(owner, {"generateName": f"{name}-"})):
            pods.append(made)
        ready = sum(map(is_ready, pods))
        counts = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
        }
        _set_counts(status, counts)
        status["observedGeneration"] = owner["metadata"].get("generation", 1)
        status["conditions"] = [entry for entry in status.get("conditions") or [] if entry["type"] != "ReplicaFailure"]
        if self.failure:
            old = before.get("conditions") or []
            set_condition(old, "ReplicaFailure", "True", self.clock.now(), "FailedCreate", self.failure)
            status["conditions"] = old
        if not status["conditions"]:
            del status["conditions"]
        self.save("replicasets.apps", owner, before)


class DeploymentController(Workload):
    name, child, kind = "deployment-controller", "replicasets.apps", "Deployment"
    watches = {"deployments.apps": itself, "replicasets.apps": controller_of("Deployment")}

    def reconcile(self, namespace: str, name: str) -> None:
        owner = self.system.find("deployments.apps", namespace, name)
        if owner is None or owner["metadata"].get("deletionTimestamp"):
            return
        sets = self.children(owner)
        if owner["spec"].get("paused"):
            current = next((rs for rs in sets if _hash(rs) == template_hash(owner["spec"]["template"])), None)
        else:
            current = self._current(owner, sets)
            self._roll(owner, current, sets)
        sets = self.children(owner)
        revision = str((current or {}).get("metadata", {}).get("annotations", {}).get(REVISION, "1"))
        if (owner["metadata"].get("annotations") or {}).get(REVISION) != revision:
            patch = {"metadata": {"annotations": {REVISION: revision}}}
            owner = self.system.patch("deployments.apps", namespace, name, patch)
        self._report(owner, current, sets)

    def _current(self, owner: dict, sets: list[dict]) -> dict:
        wanted = template_hash(owner["spec"]["template"])
        for rs in sets:
            if _hash(rs) == wanted:
                return rs
        template, metadata = clone(owner["spec"]["template"]), owner["metadata"]
        labels = {**((template.get("metadata") or {}).get("labels") or {}), HASH: wanted}
        template.setdefault("metadata", {})["labels"] = labels
        selector = {"matchLabels": {**(owner["spec"]["selector"].get("matchLabels") or {}), HASH: wanted}}
        revision = 1 + max((int(rs["metadata"]["annotations"][REVISION]) for rs in sets), default=0)
        made = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{metadata['name']}-{wanted}",
                "namespace": metadata["namespace"],
                "labels": labels,
                "annotations": {REVISION: str(revision)},
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": {"replicas": owner["spec"].get("replicas", 1), "selector": selector, "template": template},
        }
        return self.adopt(owner, self.system.create("replicasets.apps", made))

    def _roll(self, owner: dict, current: dict, sets: list[dict]) -> None:
        """The new set gets all replicas at once; an old one goes when the new one is ready."""
        wanted = owner["spec"].get("replicas", 1)
        self._scale(current, wanted)
        recreate = (owner["spec"].get("strategy") or {}).get("type") == "Recreate"
        if recreate or (current.get("status") or {}).get("readyReplicas", 0) >= wanted:
            for rs in sets:
                if rs["metadata"]["uid"] != current["metadata"]["uid"]:
                    self._scale(rs, 0)

    def _scale(self, rs: dict, replicas: int) -> None:
        if rs["spec"].get("replicas", 1) != replicas:
            self.system.patch("replicasets.apps", *key_of(rs), {"spec": {"replicas": replicas}})
            rs["spec"]["replicas"] = replicas

    def _report(self, owner: dict, current: dict | None, sets: list[dict]) -> None:
        before = clone(owner.get("status") or {})
        status = owner.setdefault("status", {})
        fresh = (current or {}).get("status") or {}
        total = sum((rs.get("status") or {}).get("replicas", 0) for rs in sets)
        ready = sum((rs.get("status") or {}).get("readyReplicas", 0) for rs in sets)
        wanted = owner["spec"].get("replicas", 1)
        counts = {"replicas": total, "updatedReplicas": fresh.get("replicas", 0)}
        counts |= {"readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": max(0, wanted - ready)}
        _set_counts(status, counts)
        status["observedGeneration"] = owner["metadata"].get("generation", 1)
        conditions, now = status.setdefault("conditions", []), self.clock.now()
        if ready >= wanted:
            available = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
        else:
            available = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        set_condition(conditions, "Available", available[0], now, *available[1:])
        self._progress(owner, current, total == fresh.get("replicas", 0) == fresh.get("readyReplicas", 0) == wanted)
        for entry in fresh.get("conditions") or []:
            set_condition(conditions, entry["type"], entry["status"], now, entry["reason"], entry["message"])
        if not fresh.get("conditions"):
            status["conditions"] = [entry for entry in conditions if entry["type"] != "ReplicaFailure"]
        self.save("deployments.apps", owner, before)

    def _progress(self, owner: dict, current: dict | None, complete: bool) -> None:
        conditions, now = owner["status"]["conditions"], self.clock.now()
        name = (current or {}).get("metadata", {}).get("name", "")
        old = next((entry for entry in conditions if entry["type"] == "Progressing"), None)
        if complete:
            message = f'ReplicaSet "{name}" has successfully progressed.'
            set_condition(conditions, "Progressing", "True", now, "NewReplicaSetAvailable", message)
            return
        limit = owner["spec"].get("progressDeadlineSeconds", 600)
        if not old or (name and name not in old.get("message", "")):
            set_condition(
                conditions, "Progressing", "True", now, "ReplicaSetUpdated", f'ReplicaSet "{name}" is progressing.'
            )
            self.enqueue_later(key_of(owner), limit)
        elif (now - parse_time(old["lastTransitionTime"])).total_seconds() >= limit and old["status"] == "True":
            message = f'ReplicaSet "{name}" has timed out progressing.'
            if old["reason"] != "NewReplicaSetAvailable":
                set_condition(conditions, "Progressing", "False", now, "ProgressDeadlineExceeded", message)


class StatefulSetController(Workload):
    name, kind = "statefulset-controller", "StatefulSet"
    watches = {"statefulsets.apps": itself, "pods": controller_of("StatefulSet")}

    def reconcile(self, namespace: str, name: str) -> None:
        owner = self.system.find("statefulsets.apps", namespace, name)
        if owner is None or owner["metadata"].get("deletionTimestamp"):
            return
        before = clone(owner.get("status") or {})
        status = owner.setdefault("status", {})
        revision = f"{name}-{template_hash(owner['spec']['template'])}"
        wanted = owner["spec"].get("replicas", 1)
        pods = {pod["metadata"]["name"]: pod for pod in self.children(owner)}
        self._order(owner, pods, wanted, revision)
        live = [pod for pod in pods.values() if is_active(pod)]
        ready = sum(map(is_ready, live))
        updated = sum(pod["metadata"]["labels"].get("controller-revision-hash") == revision for pod in live)
        counts = {"replicas": len(live), "readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": updated}
        status |= {**counts, "currentReplicas": updated, "updateRevision": revision, "collisionCount": 0}
        if updated == wanted or "currentRevision" not in status:
            status["currentRevision"] = revision
        status["observedGeneration"] = owner["metadata"].get("generation", 1)
        self.save("statefulsets.apps", owner, before)

    def _order(self, owner: dict, pods: dict[str, dict], wanted: int, revision: str) -> None:
        """One step: make the lowest missing pod, or remove the highest that is superfluous or outdated."""
        name = owner["metadata"]["name"]
        parallel = owner["spec"].get("podManagementPolicy") == "Parallel"
        for number in range(wanted):
            pod = pods.get(f"{name}-{number}")
            if pod is None:
                labels = {"controller-revision-hash": revision, "apps.kubernetes.io/pod-index": str(number)}
                labels["statefulset.kubernetes.io/pod-name"] = f"{name}-{number}"
                if made := self.create_pod(owner, {"name": f"{name}-{number}", "labels": labels}):
                    pods[f"{name}-{number}"] = pod = made
            if not parallel and (pod is None or not is_ready(pod)):
                break
        for pod_name in sorted(pods, key=lambda text: int(text.rsplit("-", 1)[1]), reverse=True):
            pod = pods[pod_name]
            outdated = pod["metadata"]["labels"].get("controller-revision-hash") != revision
            ended = not is_active(pod) and not pod["metadata"].get("deletionTimestamp")
            if int(pod_name.rsplit("-", 1)[1]) >= wanted or outdated or ended:
                if not pod["metadata"].get("deletionTimestamp"):
                    self.system.delete("pods", *key_of(pod))
                return


def _hash(rs: dict) -> str:
    return (rs["metadata"].get("labels") or {}).get(HASH, "")


def _set_counts(status: dict, counts: dict[str, int]) -> None:
    """Counts of zero are left out, as the real server's JSON does; `replicas` of a set is always there."""
    status.update(counts)
    for key in [key for key, value in counts.items() if not value and key != "replicas"]:
        del status[key]
