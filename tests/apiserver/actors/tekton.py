# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Tekton Pipelines (tekton.dev): makes of each TaskRun a pod whose steps work one after another.

It is no Tekton: only TaskRuns with an embedded taskSpec, results of text and simulated pods. Left out: Tasks, Pipelines,
params, workspaces, sidecars, scripts, retries, logins of service accounts and conversion between versions, so that one version
is served. Reasons and words are those of release 1.0.

What a pod rule gives as the message of a step is what that step leaves as the first result of the Task.
"""

from __future__ import annotations

import json
import re

from tests.schemas import complaints

from .. import errors
from ..errors import ApiError
from ..values import clone, parse_time, timestamp
from .actor import controller_of, itself, key_of, owner_reference, set_condition
from .entrypoint import ENTRYPOINT, notes_of
from .owner import Owner

GROUP = "tekton.dev"
RUNS = f"taskruns.{GROUP}"
USER = "system:serviceaccount:tekton-pipelines:tekton-pipelines-controller"
PIPELINES_SCC = "pipelines-scc"
PREPARE = "tekton-entrypoint"  # the image of the container that comes before the steps
_RESULTS = "/tekton/results"
_TIMEOUT = "1h0m0s"
_VARIABLE = re.compile(r"\$\(results\.([\w-]+)\.path\)|\$\(context\.taskRun\.(name|namespace|uid)\)")
_NOT_PULLED = (
    'The step "{step}" in TaskRun "{run}" failed to pull the image "". The pod errored with the message: "{words}."'
)


def install(server, version: str = "v1", account: str = "default") -> None:
    """Let a server have Tekton. account: the service account of TaskRuns that name none."""
    server.system.create("customresourcedefinitions.apiextensions.k8s.io", _definition(version))
    if version in ("v1", "v1beta1"):
        server.admission.append(lambda context: _admit(context, account))
        server.add_actors(TaskRunController)


def install_openshift_pipelines(server, namespace: str) -> None:
    """Let an OpenShift have its Pipelines, and a namespace what the operator puts there.

    The SecurityContextConstraints are those of tektoncd/operator, openshift-pipelines-scc.yaml.
    """
    rbac, security = "rbac.authorization.k8s.io", "security.openshift.io"
    constraints = {
        "priority": 10, "allowPrivilegeEscalation": True, "allowPrivilegedContainer": False, "allowedCapabilities": None,
        "defaultAddCapabilities": None, "requiredDropCapabilities": ["MKNOD"], "readOnlyRootFilesystem": False,
        "runAsUser": {"type": "RunAsAny"}, "seLinuxContext": {"type": "MustRunAs"}, "fsGroup": {"type": "MustRunAs"},
        "supplementalGroups": {"type": "RunAsAny"}, "groups": ["system:cluster-admins"], "users": [],
        "volumes": ["configMap", "downwardAPI", "emptyDir", "persistentVolumeClaim", "projected", "secret"],
        **{f"allowHost{name}": False for name in ("DirVolumePlugin", "IPC", "Network", "PID", "Ports")},
    }  # fmt: skip
    server.system.create(f"securitycontextconstraints.{security}", {"metadata": {"name": PIPELINES_SCC}, **constraints})
    rule = {"apiGroups": [security], "resources": ["securitycontextconstraints"], "verbs": ["use"]}
    role = {"metadata": {"name": f"{PIPELINES_SCC}-clusterrole"}, "rules": [{**rule, "resourceNames": [PIPELINES_SCC]}]}
    server.system.create(f"clusterroles.{rbac}", role)
    server.system.create("serviceaccounts", {"metadata": {"name": "pipeline", "namespace": namespace}})
    binding = {
        "metadata": {"name": f"{PIPELINES_SCC}-rolebinding", "namespace": namespace},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role["metadata"]["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": "pipeline", "namespace": namespace}],
    }
    server.system.create(f"rolebindings.{rbac}", binding)
    install(server, account="pipeline")


def _definition(version: str) -> dict:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = {"name": version, "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    names = {"plural": "taskruns", "singular": "taskrun", "kind": "TaskRun", "listKind": "TaskRunList"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": RUNS},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [served]},
    }


def _admit(context, account: str) -> None:
    """Tekton's webhooks: fill in what is left out, and refuse what the types do not have."""
    if context.resource.group != GROUP or context.subresource or not context.object:
        return
    run = context.object
    spec = run.setdefault("spec", {})
    told = complaints(
        {"apiVersion": run["apiVersion"], "kind": run["kind"], "metadata": {"name": context.name}, "spec": spec}
    )
    if told:
        raise errors.bad_request(
            'admission webhook "validation.webhook.pipeline.tekton.dev" denied the request: mutation failed: cannot decode'
            f" incoming new object: json: unknown field: {'; '.join(told)}"
        )
    if ("taskRef" in spec) == ("taskSpec" in spec):
        raise errors.bad_request(
            'admission webhook "validation.webhook.pipeline.tekton.dev" denied the request: validation failed: expected exactly'
            " one, got neither or both: spec.taskRef, spec.taskSpec"
        )
    spec.setdefault("serviceAccountName", account)
    spec.setdefault("timeout", _TIMEOUT)
    run["metadata"].setdefault("labels", {}).setdefault("app.kubernetes.io/managed-by", "tekton-pipelines")


class TaskRunController(Owner):
    name, kind = "taskrun-controller", "TaskRun"
    watches = {RUNS: itself, "pods": controller_of("TaskRun")}

    def reconcile(self, namespace: str, name: str) -> None:
        run = self.system.find(RUNS, namespace, name)
        if run is None or run["metadata"].get("deletionTimestamp") or _done(run):
            return
        before = clone(run.get("status"))
        status = run.setdefault("status", {})
        if "startTime" not in status:
            status["startTime"] = timestamp(self.clock.now())
            self._say(run, "Unknown", "Started", "")
        pod = next(iter(self.children(run)), None)
        if not self._stopped_early(run, pod):
            if pod is None:
                self._begin(run)
            else:
                self._follow(run, pod)
        if run["status"] != before:
            self.system.update_status(RUNS, run)

    def _stopped_early(self, run: dict, pod: dict | None) -> bool:
        name, limit = run["metadata"]["name"], _seconds(run["spec"]["timeout"])
        passed = (self.clock.now() - parse_time(run["status"]["startTime"])).total_seconds()
        if run["spec"].get("status") == "TaskRunCancelled":
            told = f'TaskRun "{name}" was cancelled. {run["spec"].get("statusMessage", "")}'
            self._fail(run, pod, "TaskRunCancelled", told)
        elif limit and passed >= limit:
            told = f'TaskRun "{name}" failed to finish within "{run["spec"]["timeout"]}"'
            self._fail(run, pod, "TaskRunTimeout", told)
        elif waiting := _not_pulled(pod):
            words = waiting["state"]["waiting"].get("message", "")
            told = _NOT_PULLED.format(step=waiting["name"].removeprefix("step-"), run=name, words=words)
            self._fail(run, pod, "TaskRunImagePullFailed", told)
        else:
            return False
        return True

    def _begin(self, run: dict) -> None:
        """Make the pod. A quota may come to leave room, so it is tried again; any other refusal is final."""
        name = run["metadata"]["name"]
        try:
            pod = self.adopt(run, self.system.create("pods", _pod(run), user=USER))
        except ApiError as error:
            if "exceeded quota" in error.message:
                del run["status"]["startTime"]
                told = f"TaskRun Pod exceeded available resources: {error.message}"
                self._say(run, "Unknown", "ExceededResourceQuota", told)
                self.enqueue_later(key_of(run), 1)
            elif error.reason == "AlreadyExists":
                self._say(run, "Unknown", "Pending", "tried to create pod, but it already exists")
                self.enqueue_later(key_of(run), 0.2)
            elif "violates PodSecurity" in error.message:
                self._fail(run, None, "PodAdmissionFailed", error.message)
            else:
                told = f'failed to create task run pod "{name}": {error.message}. Maybe invalid TaskSpec'
                self._fail(run, None, "PodCreationFailed", told)
            return
        run["status"]["podName"] = pod["metadata"]["name"]
        run["status"]["taskSpec"] = run["spec"]["taskSpec"]
        self._say(run, "Unknown", "Pending", "Pending")
        if limit := _seconds(run["spec"]["timeout"]):
            self.enqueue_later(key_of(run), limit)

    def _follow(self, run: dict, pod: dict) -> None:
        status, phase = run["status"], (pod.get("status") or {}).get("phase", "Pending")
        steps = [
            one for one in (pod.get("status") or {}).get("containerStatuses") or () if one["name"].startswith("step-")
        ]
        status["steps"] = [_step_state(one) for one in steps]
        complete = steps and all("terminated" in one["state"] for one in steps)
        if phase in ("Succeeded", "Failed") or (complete and phase == "Running"):
            failed = phase == "Failed" or any(one["state"]["terminated"]["exitCode"] for one in steps)
            status["results"] = _results(steps)
            status["completionTime"] = timestamp(self.clock.now())
            if failed:
                self._say(run, "False", "Failed", _failure(pod))
            else:
                self._say(run, "True", "Succeeded", "All Steps have completed executing")
        elif phase == "Running":
            self._say(run, "Unknown", "Running", "Not all Steps in the Task have finished executing")
        elif any((one["state"].get("waiting") or {}).get("reason") == "CreateContainerConfigError" for one in steps):
            self._say(run, "False", "CreateContainerConfigError", "Failed to create pod due to config error")
        else:
            self._pending(run, pod, steps)

    def _pending(self, run: dict, pod: dict, steps: list[dict]) -> None:
        told = [one["state"]["waiting"] for one in steps if "message" in (one["state"].get("waiting") or {})]
        unscheduled = any(one.get("reason") == "Unschedulable" for one in pod.get("status", {}).get("conditions") or ())
        if unscheduled:
            self._say(run, "Unknown", "ExceededNodeResources", "TaskRun Pod exceeded available resources")
        elif told and told[0]["reason"] in (
            "ErrImagePull",
            "ImagePullBackOff",
            "InvalidImageName",
            "ErrImageNeverPull",
        ):
            self._say(run, "Unknown", "PullImageFailed", told[0]["message"])
        else:
            self._say(run, "Unknown", "Pending", told[0]["message"] if told else "Pending")

    def _fail(self, run: dict, pod: dict | None, reason: str, message: str) -> None:
        """End a run before its pod does, with its pod."""
        now = timestamp(self.clock.now())
        for step in run["status"].get("steps") or ():
            if "terminated" not in step:
                step.pop("waiting", None)
                began = (step.pop("running", None) or {}).get("startedAt")
                step["terminated"] = {"exitCode": 1, "reason": reason, "startedAt": began, "finishedAt": now}
        if pod:
            try:
                self.system.delete("pods", *key_of(pod))
            except ApiError as error:
                if error.code != 404:
                    raise
        run["status"]["completionTime"] = now
        self._say(run, "False", reason, message)

    def _say(self, run: dict, status: str, reason: str, message: str) -> None:
        conditions = run["status"].setdefault("conditions", [])
        set_condition(conditions, "Succeeded", status, self.clock.now(), reason, message)


def _pod(run: dict) -> dict:
    """The pod of a run: a container that puts the entrypoint in its place, then one for each step, all at once."""
    metadata, spec, template = run["metadata"], run["spec"], run["spec"].get("podTemplate") or {}
    task = spec["taskSpec"]
    names = ",".join(one["name"] for one in task.get("results") or ())
    taken = ("nodeSelector", "securityContext", "automountServiceAccountToken", "enableServiceLinks", "tolerations")
    limit = _seconds(spec["timeout"])
    internal = [{"name": f"tekton-internal-{name}", "emptyDir": {}} for name in ("bin", "results", "run")]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-pod",
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), "tekton.dev/taskRun": metadata["name"]},
            "ownerReferences": [owner_reference(run)],
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": spec["serviceAccountName"],
            "initContainers": [{"name": "prepare", "image": PREPARE, "command": ["/ko-app/entrypoint", "init"]}],
            "containers": [_container(run, step, number, names) for number, step in enumerate(task["steps"])],
            "volumes": [*internal, *(task.get("volumes") or ()), *(template.get("volumes") or ())],
            **{name: template[name] for name in taken if name in template},
            **({"activeDeadlineSeconds": int(limit * 1.5) or 1} if limit else {}),
        },
    }


def _container(run: dict, step: dict, number: int, results: str) -> dict:
    """A step whose command waits for that of the step before (pkg/pod/entrypoint.go)."""

    def text(item: str) -> str:
        return _VARIABLE.sub(lambda found: _value(run, found), item)

    def _value(run: dict, found) -> str:
        return f"{_RESULTS}/{found[1]}" if found[1] else run["metadata"][found[2]]

    made = {
        name: clone(value) for name, value in step.items() if name not in ("computeResources", "timeout", "onError")
    }
    made["env"] = [{**one, "value": text(one["value"])} if "value" in one else one for one in step.get("env") or ()]
    command, *arguments = [text(word) for word in (*step["command"], *(step.get("args") or ()))]
    wait = ["-wait_file", f"/tekton/run/{number - 1}/out"] if number else ["-wait_file", "/tekton/downward/ready"]
    own = [
        *wait,
        "-post_file",
        f"/tekton/run/{number}/out",
        "-termination_path",
        "/tekton/termination",
        "-results",
        results,
    ]
    return {
        **made,
        "name": f"step-{step['name']}",
        "command": [ENTRYPOINT],
        "args": [*own, "-entrypoint", command, "--", *arguments],
        "terminationMessagePath": "/tekton/termination",
        **({"resources": step["computeResources"]} if "computeResources" in step else {}),
    }


def _done(run: dict) -> bool:
    conditions = (run.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Succeeded" and one["status"] != "Unknown" for one in conditions)


def _not_pulled(pod: dict | None) -> dict | None:
    for one in ((pod or {}).get("status") or {}).get("containerStatuses") or ():
        if (one["state"].get("waiting") or {}).get("reason") == "ImagePullBackOff":
            return one
    return None


def _step_state(status: dict) -> dict:
    state = clone(status["state"])
    if ended := state.get("terminated"):
        ended.pop("message", None)
    name = status["name"]
    return {"name": name.removeprefix("step-"), "container": name, "imageID": status["imageID"], **state}


def _results(steps: list[dict]) -> list[dict]:
    found = {}
    for one in steps:
        for note in notes_of(one["state"].get("terminated") or {}):
            if note["type"] == 1:
                found[note["key"]] = {"name": note["key"], "type": "string", "value": note["value"]}
    return list(found.values())


def _failure(pod: dict) -> str:
    """As pkg/pod/status.go, getFailureMessage."""
    status = pod["status"]
    if status.get("reason") == "Evicted":
        return status.get("message", "")
    for prefix, kind in (("init container failed, ", "initContainerStatuses"), ("", "containerStatuses")):
        for one in status.get(kind) or ():
            if code := (one["state"].get("terminated") or {}).get("exitCode"):
                return f"{prefix}{json.dumps(one['name'])} exited with code {code}"
    return status.get("message") or "build failed for unspecified reasons."


def _seconds(duration: str) -> float:
    """Seconds of a duration of Go's such as 1h30m or 90s; 0 is no limit."""
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([\d.]+)([hms])", duration))
