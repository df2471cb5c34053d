# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Shipwright Build (shipwright.io/v1beta1): registers Builds, and makes of each BuildRun a TaskRun of Tekton's.

It is no Shipwright: parameters are put in their places here, since the stand-in for Tekton knows none. Left out: sources,
triggers, retention, images that Shipwright pushes itself, parameters from ConfigMaps and Secrets, ClusterBuildStrategies and
PipelineRuns. Reasons and words are those of release 0.20.
"""

from __future__ import annotations

import re

from tests.schemas import complaints

from .. import errors
from ..values import clone, timestamp
from . import tekton
from .actor import Actor, controller_of, itself, key_of, owner_reference, set_condition
from .owner import Owner

GROUP, VERSION = "shipwright.io", "v1beta1"
KINDS = {"builds": "Build", "buildruns": "BuildRun", "buildstrategies": "BuildStrategy"}
BUILDS, RUNS, STRATEGIES = (f"{plural}.{GROUP}" for plural in KINDS)
USER = "system:serviceaccount:shipwright-build:shipwright-build-controller"
RESULT = "shp-image-digest"
AGAIN = 0.1  # seconds until what is not there yet is looked for again
_PARAMETER = re.compile(r"\$\(params\.([\w.-]+)(?:\[\*\])?\)")
_CANCELLED = "The BuildRun and underlying TaskRun were canceled successfully."


def install(server, version: str = VERSION) -> None:
    """Let a server have Shipwright, with Tekton; of another version than v1beta1 it has only the resources."""
    for plural, kind in KINDS.items():
        server.system.create("customresourcedefinitions.apiextensions.k8s.io", _definition(plural, kind, version))
    if version == VERSION:
        if server.registry.by_key((tekton.GROUP, "taskruns")) is None:
            tekton.install(server)
        server.admission.append(_admit)
        server.add_actors(BuildController, BuildRunController)


def _definition(plural: str, kind: str, version: str) -> dict:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    served = {"name": version, "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [served]},
    }


def _admit(context) -> None:
    """Refuse what the types do not have; a real server refuses it in an apply, and drops it in a creation."""
    if context.resource.group != GROUP or context.subresource or not context.object:
        return
    told = complaints({**{name: context.object[name] for name in ("apiVersion", "kind")}, **_spec(context.object)})
    if told:
        raise errors.bad_request(
            f"failed to create typed patch object: {'; '.join(told)}: field not declared in schema"
        )


def _spec(obj: dict) -> dict:
    return {"metadata": {"name": obj["metadata"].get("name", "")}, "spec": obj.get("spec") or {}}


class BuildController(Actor):
    """Says of each Build whether it can be run; like the real one it looks again only when the specification changes."""

    name = "shipwright-build-controller"
    watches = {BUILDS: itself}

    def __init__(self, server, activity):
        super().__init__(server, activity)
        self._seen: dict[str, int] = {}

    def reconcile(self, namespace: str, name: str) -> None:
        build = self.system.find(BUILDS, namespace, name)
        if build is None:
            return
        metadata = build["metadata"]
        if self._seen.get(metadata["uid"]) == metadata["generation"]:
            return
        reason, message = self._judge(namespace, build["spec"]) or ("Succeeded", "all validations succeeded")
        build["status"] = {"registered": str(reason == "Succeeded"), "reason": reason, "message": message}
        self.system.update_status(BUILDS, build)
        self._seen[metadata["uid"]] = metadata["generation"]

    def _judge(self, namespace: str, spec: dict) -> tuple[str, str] | None:
        wanted = spec["strategy"]
        if wanted.get("kind", "BuildStrategy") != "BuildStrategy":
            return "UnknownBuildStrategyKind", f"unknown strategy kind: {wanted['kind']}"
        strategy = self.system.find(STRATEGIES, namespace, wanted["name"])
        if strategy is None:
            why = f"buildStrategy {wanted['name']} does not exist in namespace {namespace}"
            return "BuildStrategyNotFound", why
        secret = spec["output"].get("pushSecret")
        if secret and self.system.find("secrets", namespace, secret) is None:
            return "SpecOutputSecretRefNotFound", f"referenced secret {secret} not found"
        return _volumes_fit(strategy["spec"], spec) or _parameters_fit(strategy["spec"], spec)


def _volumes_fit(strategy: dict, build: dict) -> tuple[str, str] | None:
    known = {volume["name"]: volume for volume in strategy.get("volumes") or ()}
    for volume in build.get("volumes") or ():
        name = volume["name"]
        if name not in known:
            return "UndefinedVolume", f"Volume Override is Undefined: {name}"
        if not known[name].get("overridable"):
            return "VolumeNotOverridable", f"Volume is Not Overridable: {name}"
    return None


def _parameters_fit(strategy: dict, build: dict) -> tuple[str, str] | None:
    known = {one["name"]: one.get("type", "string") for one in strategy.get("parameters") or ()}
    given = {one["name"]: "array" if "values" in one else "string" for one in build.get("paramValues") or ()}
    if undefined := sorted(set(given) - set(known)):
        text = f"The following parameters are not defined in the build strategy: {', '.join(undefined)}"
        return "UndefinedParameter", text
    if wrong := sorted(name for name in given if given[name] != known[name]):
        text = f"The values for the following parameters are using the wrong type: {', '.join(wrong)}"
        return "WrongParameterValueType", text
    return None


class _Failed(Exception):
    """A BuildRun that cannot begin: reason and message."""


class BuildRunController(Owner):
    name, kind, child = "shipwright-buildrun-controller", "BuildRun", tekton.RUNS
    watches = {RUNS: itself, tekton.RUNS: controller_of("BuildRun")}

    def reconcile(self, namespace: str, name: str) -> None:
        run = self.system.find(RUNS, namespace, name)
        if run is None or run["metadata"].get("deletionTimestamp") or _ended(run):
            return
        before = clone(run.get("status"))
        task = next(iter(self.children(run)), None)
        if task:
            self._follow(run, task)
        elif (run.get("status") or {}).get("taskRunName"):
            self._end(run, "TaskRunIsMissing", f"taskRun {run['status']['taskRunName']} doesn't exist")
        else:
            self._begin(run)
        if run.get("status") != before:
            self.system.update_status(RUNS, run)

    def _begin(self, run: dict) -> None:
        try:
            made = self._task(run)
        except _Failed as failed:
            self._end(run, *failed.args)
            return
        if made is None:
            self.enqueue_later(key_of(run), AGAIN)
            return
        task = self.adopt(run, self.system.create(tekton.RUNS, made, user=USER))
        run["status"]["taskRunName"] = task["metadata"]["name"]

    def _follow(self, run: dict, task: dict) -> None:
        status = task.get("status") or {}
        # Whoever changes a BuildRun just as its TaskRun is made has the status refused that names it.
        run.setdefault("status", {}).setdefault("taskRunName", task["metadata"]["name"])
        told = next((one for one in status.get("conditions") or () if one["type"] == "Succeeded"), None)
        if told is None:
            return
        cancelled = run["spec"].get("state") == "BuildRunCanceled"
        if cancelled and told["status"] == "Unknown" and not task["spec"].get("status"):
            self.system.patch(tekton.RUNS, *key_of(task), {"spec": {"status": "TaskRunCancelled"}})
        reason, message = self._reason(run, task, told, cancelled)
        run["status"] |= {name: status[name] for name in ("startTime", "completionTime") if name in status}
        for one in status.get("results") or ():
            if one["name"] == RESULT:
                run["status"]["output"] = {"digest": one["value"]}
        self._say(run, told["status"], reason, message)

    def _reason(self, run: dict, task: dict, told: dict, cancelled: bool) -> tuple[str, str]:
        """As pkg/reconciler/buildrun/resources/conditions.go."""
        reason, message = told["reason"], told.get("message", "")
        if reason == "TaskRunTimeout":
            limit = task["spec"]["timeout"]
            return "BuildRunTimeout", f"BuildRun {run['metadata']['name']} failed to finish within {limit}"
        if reason == "TaskRunCancelled" and cancelled:
            return "BuildRunCanceled", _CANCELLED
        if reason == "Failed":
            namespace, name = task["metadata"]["namespace"], task["status"].get("podName", "")
            pod = self.system.find("pods", namespace, name)
            return _failure(run, pod) if pod else ("Failed", f"buildrun failed, pod {namespace}/{name} not found")
        return reason, message

    def _end(self, run: dict, reason: str, message: str) -> None:
        run.setdefault("status", {})["completionTime"] = timestamp(self.clock.now())
        self._say(run, "False", reason, message)

    def _say(self, run: dict, status: str, reason: str, message: str) -> None:
        conditions = run["status"].setdefault("conditions", [])
        set_condition(conditions, "Succeeded", status, self.clock.now(), reason, message)

    def _task(self, run: dict) -> dict | None:
        """The TaskRun of a BuildRun, None where something may still come that it needs."""
        namespace, spec = run["metadata"]["namespace"], run["spec"]
        build = self._build(namespace, spec["build"])
        if build is None:
            return None
        run.setdefault("status", {})["buildSpec"] = build["spec"]
        account = self._account(namespace, spec.get("serviceAccount"))
        if account is None:
            return None
        wanted = build["spec"]["strategy"]["name"]
        strategy = self.system.find(STRATEGIES, namespace, wanted)
        if strategy is None:
            raise _Failed("BuildStrategyNotFound", f'buildstrategies.shipwright.io "{wanted}" not found')
        selector = {**(build["spec"].get("nodeSelector") or {}), **(spec.get("nodeSelector") or {})}
        limit = spec.get("timeout") or build["spec"].get("timeout")
        return {
            "apiVersion": "tekton.dev/v1",
            "kind": "TaskRun",
            "metadata": {
                "generateName": f"{run['metadata']['name']}-",
                "namespace": namespace,
                "labels": _labels(run, build, strategy),
                "ownerReferences": [owner_reference(run)],
            },
            "spec": {
                "serviceAccountName": account,
                "taskSpec": {
                    "results": [{"name": RESULT, "description": "The digest of the image"}],
                    "steps": [_step(one, build["spec"], spec) for one in strategy["spec"]["steps"]],
                    "volumes": self._volumes(namespace, strategy["spec"], build["spec"], spec),
                },
                **({"podTemplate": {"nodeSelector": selector}} if selector else {}),
                **({"timeout": limit} if limit else {}),
            },
        }

    def _build(self, namespace: str, reference: dict) -> dict | None:
        build = self.system.find(BUILDS, namespace, reference["name"])
        if build is None:
            raise _Failed("BuildNotFound", f'builds.shipwright.io "{reference["name"]}" not found')
        status = build.get("status") or {}
        if status.get("registered", "True") != "True":
            told = f"registered status: {status['registered']}, reason: {status['reason']}"
            text = f"the Build is not registered correctly, build: {reference['name']}, {told}"
            raise _Failed("BuildRegistrationFailed", text)
        return build if status.get("registered") else None

    def _account(self, namespace: str, name: str | None) -> str | None:
        if name and self.system.find("serviceaccounts", namespace, name) is None:
            raise _Failed("ServiceAccountNotFound", f"service account {name} not found")
        found = (one for one in (name, "pipeline", "default") if one and self._has("serviceaccounts", namespace, one))
        return next(found, None)

    def _has(self, plural: str, namespace: str, name: str) -> bool:
        return self.system.find(plural, namespace, name) is not None

    def _volumes(self, namespace: str, strategy: dict, build: dict, run: dict) -> list[dict]:
        found = {volume["name"]: volume for volume in strategy.get("volumes") or ()}
        for volume in (*(build.get("volumes") or ()), *(run.get("volumes") or ())):
            found[volume["name"]] = volume
        for volume in found.values():
            for source, plural, field in (("configMap", "configmaps", "name"), ("secret", "secrets", "secretName")):
                name = (volume.get(source) or {}).get(field)
                if name and not self._has(plural, namespace, name):
                    raise _Failed("VolumeDoesNotExist", f'{plural} "{name}" not found')
        return [
            {name: value for name, value in volume.items() if name not in ("overridable", "description")}
            for volume in found.values()
        ]


def _ended(run: dict) -> bool:
    conditions = (run.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Succeeded" and one["status"] != "Unknown" for one in conditions)


def _labels(run: dict, build: dict, strategy: dict) -> dict[str, str]:
    """Of the TaskRun; Tekton hands them on to its pod."""
    found = {}
    for domain, obj in (("buildrun", run), ("build", build), ("buildstrategy", strategy)):
        found[f"{domain}.shipwright.io/name"] = obj["metadata"]["name"]
        found[f"{domain}.shipwright.io/generation"] = str(obj["metadata"]["generation"])
    return found


def _step(step: dict, build: dict, run: dict) -> dict:
    """A step with its parameters in their places."""
    given = {one["name"]: one for one in (*(build.get("paramValues") or ()), *(run.get("paramValues") or ()))}
    lists = {name: [value["value"] for value in one["values"]] for name, one in given.items() if "values" in one}
    texts = {name: one["value"] for name, one in given.items() if "value" in one}
    texts["shp-output-image"] = (run.get("output") or build["output"])["image"]

    def words(items) -> list[str]:
        found = []
        for item in items:
            whole = _PARAMETER.fullmatch(item)
            found += lists[whole[1]] if whole and whole[1] in lists else [text(item)]
        return found

    def text(item: str) -> str:
        def place(match) -> str:
            if match[1] not in texts:
                raise _Failed("TaskRunValidationFailed", f'non-existent variable in "{match[0]}"')
            return texts[match[1]]

        return _PARAMETER.sub(place, item)

    made = {name: clone(value) for name, value in step.items() if name != "resources"}
    made["image"] = text(step["image"])
    if "resources" in step:
        made["computeResources"] = clone(step["resources"])
    for field in ("command", "args"):
        if field in step:
            made[field] = words(step[field])
    made["env"] = [{**one, "value": text(one["value"])} if "value" in one else one for one in step.get("env") or ()]
    return made


def _failure(run: dict, pod: dict) -> tuple[str, str]:
    """The reason and message of a run whose pod failed; says in its status where."""
    status, (namespace, name) = pod["status"], key_of(pod)
    run["status"]["failureDetails"] = {"location": {"pod": name}}
    statuses = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    ended = [(one["name"], one["state"].get("terminated") or {}) for one in statuses]
    step, state = next(((one, state) for one, state in ended if state.get("exitCode")), ("", {}))
    if step:
        run["status"]["failureDetails"]["location"]["container"] = step
    if status.get("reason") == "Evicted":
        return "PodEvicted", status.get("message", "")
    more = f"for detailed information: kubectl --namespace {namespace} logs {name}"
    if not step:
        return "Failed", f"buildrun failed due to an unexpected error in pod {name}: {more} --all-containers"
    if state.get("reason") == "OOMKilled":
        return "StepOutOfMemory", f"buildrun step {step} failed due to out-of-memory, {more} --container={step}"
    return "Failed", f"buildrun step {step} failed, {more} --container={step}"
