# SPDX-License-Identifier: GPL-3.0-or-later
"""The Build controller of OpenShift: builds from BuildConfigs, their pods, phases, output and history."""

from __future__ import annotations

import hashlib

from ..errors import ApiError
from ..values import clone, parse_time, timestamp
from .actor import Actor, controller_of, itself, key_of
from .build_objects import (
    CONFIG_ONLY,
    PREFIX,
    build_of,
    build_pod,
    config_of,
    label,
    number_of,
    override,
    snippet,
    stages,
)
from .imagestream import REGISTRY, push_tag, resolve

CONFIGS, BUILDS = "buildconfigs.build.openshift.io", "builds.build.openshift.io"
USER = "system:serviceaccount:openshift-infra:build-controller"
HISTORY = 5  # builds of each outcome that are kept where the configuration says nothing
ENDED = {"Complete", "Failed", "Cancelled", "Error"}
MESSAGES = {
    "AssembleFailed": "Assemble script failed.",
    "BuildPodDeleted": "The pod for this build was deleted before the build completed.",
    "BuildPodEvicted": "The node was low on resource.",
    "CancelledBuild": "The build was cancelled by the user.",
    "CannotCreateBuildPod": "Failed creating build pod.",
    "DockerBuildFailed": "Dockerfile build strategy has failed.",
    "FetchSourceFailed": "Failed to fetch the input source.",
    "GenericBuildFailed": "Generic Build failure - check logs for details.",
    "InvalidOutputReference": "Output image could not be resolved.",
    "OutOfMemoryKilled": "The build pod was killed due to an out of memory condition.",
    "PullBuilderImageFailed": "Failed pulling builder image.",
    "PushImageToRegistryFailed": "Failed to push the image to the registry.",
}


class BuildController(Actor):
    name = "build-controller"
    watches = {BUILDS: itself, "pods": controller_of("Build")}

    # What users ask for

    def instantiate(self, namespace: str, name: str, request: dict) -> dict:
        """A new build of a BuildConfig, as a BuildRequest asks for it."""
        config = self.system.get(CONFIGS, namespace, name)
        last, wanted = (config.get("status") or {}).get("lastVersion", 0), request.get("lastVersion")
        if wanted is not None and wanted != last:
            text = f"the LastVersion({last}) on build config {namespace}/{name} does not match the build request LastVersion({wanted})"
            raise ApiError(409, "Conflict", text, {"name": name, "group": "build.openshift.io", "kind": "buildconfigs"})
        spec = {key: clone(value) for key, value in (config.get("spec") or {}).items() if key not in CONFIG_ONLY}
        override(spec, request)
        self._resolve_from(namespace, spec)
        spec["triggeredBy"] = request.get("triggeredBy") or [{"message": "Manually triggered"}]
        spec.setdefault("serviceAccount", "builder")
        build = self._next_of(config, spec)
        metadata = request.get("metadata") or {}
        for field in ("labels", "annotations"):
            build["metadata"][field] = {**(metadata.get(field) or {}), **build["metadata"][field]}
        return self.system.create(BUILDS, build)

    def _next_of(self, config: dict, spec: dict) -> dict:
        """The next build of a configuration, which counts its builds."""
        status = config.setdefault("status", {})
        status["lastVersion"] = status.get("lastVersion", 0) + 1
        config = self.system.update(CONFIGS, config)
        policy = (config.get("spec") or {}).get("runPolicy", "Serial")
        return build_of(config, status["lastVersion"], clone(spec), policy)

    def instantiate_binary(self, namespace: str, name: str, query: dict[str, str], body: bytes) -> dict:
        """A new build whose source is the body of the request."""
        binary = {"asFile": query["asFile"]} if query.get("asFile") else {}
        revision = {}
        if query.get("revision.commit"):
            revision = {"type": "Git", "git": {"commit": query["revision.commit"]}}
            if query.get("revision.message"):
                revision["git"]["message"] = query["revision.message"]
        build = self.instantiate(namespace, name, {"binary": binary, "revision": revision})
        if not body:
            reason = "FetchSourceFailed"
            build["status"] |= {"phase": "Failed", "reason": reason, "message": MESSAGES[reason]}
            build = self.system.update(BUILDS, build)
        return build

    def clone(self, namespace: str, name: str, request: dict) -> dict:
        """The same build again."""
        old = self.system.get(BUILDS, namespace, name)
        if config := self.system.find(CONFIGS, namespace, config_of(old)):
            build = self._next_of(config, old["spec"])
        else:
            metadata = {"generateName": f"{name}-", "namespace": namespace}
            build = {"apiVersion": old["apiVersion"], "kind": "Build", "metadata": metadata}
            build |= {"spec": old["spec"], "status": {"phase": "New"}}
        override(build["spec"], request)
        return self.system.create(BUILDS, build)

    def _resolve_from(self, namespace: str, spec: dict) -> None:
        """The builder image of the strategy as a pullable reference."""
        for strategy in (spec.get("strategy") or {}).values():
            reference = strategy.get("from") if isinstance(strategy, dict) else None
            if not reference or reference.get("kind") != "ImageStreamTag":
                continue
            where = reference.get("namespace") or namespace
            image = resolve(self.system, where, reference["name"])
            if image is None:
                stream = reference["name"].split(":")[0]
                why = f'imagestreams.image.openshift.io "{stream}" not found'
                if self.system.find("imagestreams.image.openshift.io", where, stream):
                    why = "unable to find latest tagged image"
                text = f"from: Error resolving ImageStreamTag {reference['name']} in namespace {where}: {why}"
                details = {
                    "name": reference["name"],
                    "kind": "ImageStreamTag",
                    "causes": [{"message": text, "field": "from"}],
                }
                raise ApiError(422, "Invalid", f'ImageStreamTag "{reference["name"]}" is invalid: {text}', details)
            strategy["from"] = {"kind": "DockerImage", "name": image}

    # What follows by itself

    def reconcile(self, namespace: str, name: str) -> None:
        build = self.system.find(BUILDS, namespace, name)
        if build is None:
            return
        before = clone(build)
        status = build.setdefault("status", {})
        phase = status.get("phase") or "New"
        if build["metadata"].get("deletionTimestamp"):
            return
        if phase in ENDED:
            self._wake_next(build)
            self._trim(build)
            return
        pod = self.system.find("pods", namespace, f"{name}-build")
        if status.get("cancelled"):
            self._cancel(build, pod)
        elif phase == "New":
            self._begin(build)
        elif pod is None:
            self._end(build, "Error", "BuildPodDeleted")
        else:
            self._follow(build, pod)
        if build != before:
            self.system.update(BUILDS, build)

    def _begin(self, build: dict) -> None:
        status = build["status"]
        status["phase"] = "New"
        if not self._may_run(build):
            return
        output = (build["spec"].get("output") or {}).get("to")
        if output and output.get("kind") == "ImageStreamTag":
            where, stream = output.get("namespace") or build["metadata"]["namespace"], output["name"].split(":")[0]
            if not self.system.find("imagestreams.image.openshift.io", where, stream):
                status |= {"reason": "InvalidOutputReference", "message": MESSAGES["InvalidOutputReference"]}
                self.enqueue_later(key_of(build), 2)
                return
            status["outputDockerImageReference"] = f"{REGISTRY}/{where}/{output['name']}"
        elif output:
            status["outputDockerImageReference"] = output["name"]
        try:
            self.system.create("pods", build_pod(build), user=USER)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                self._refused(build, error)
                return
        status["phase"] = "Pending"
        for field in ("reason", "message"):
            status.pop(field, None)
        build["metadata"].setdefault("annotations", {})[f"{PREFIX}build.pod-name"] = (
            f"{build['metadata']['name']}-build"
        )

    def _refused(self, build: dict, error: ApiError) -> None:
        """The build stays new, and its pod is tried again; the event alone has the words of the refusal."""
        reason = "CannotCreateBuildPod"
        if build["status"].get("reason") != reason:
            self.record(build, "Warning", "FailedCreate", f"Error creating build pod: {error.message}")
        build["status"] |= {"reason": reason, "message": MESSAGES[reason]}
        self.enqueue_later(key_of(build), 1)

    def _may_run(self, build: dict) -> bool:
        """Builds of one configuration run one after another, unless its policy is Parallel."""
        if label(build, "build.start-policy") == "Parallel" or not config_of(build):
            return True
        earlier = [one for one in self._siblings(build) if (one.get("status") or {}).get("phase") not in ENDED]
        earlier.sort(key=number_of)
        if label(build, "build.start-policy") == "SerialLatestOnly":
            waiting = [one for one in earlier if one["status"].get("phase") == "New"]
            for one in waiting[:-1]:
                one["status"]["cancelled"] = True
                self.system.update(BUILDS, one)
        return not earlier or earlier[0]["metadata"]["name"] == build["metadata"]["name"]

    def _siblings(self, build: dict) -> list[dict]:
        config = config_of(build)
        found = self.system.list(BUILDS, build["metadata"]["namespace"]) if config else []
        return [one for one in found if config_of(one) == config]

    def _wake_next(self, build: dict) -> None:
        for one in self._siblings(build):
            if (one.get("status") or {}).get("phase", "New") == "New":
                self.enqueue(key_of(one))

    def _follow(self, build: dict, pod: dict) -> None:
        status, phase = build["status"], (pod.get("status") or {}).get("phase")
        rule = self.server.pod_rules.of(pod).build
        if phase in {"Running", "Succeeded", "Failed"} and "startTimestamp" not in status:
            status["startTimestamp"] = pod["status"].get("startTime") or timestamp(self.clock.now())
        if phase == "Running":
            status["phase"] = "Running"
            if rule.get("commit"):
                build["spec"]["revision"] = {"type": "Git", "git": {"commit": rule["commit"]}}
        elif phase == "Succeeded":
            self._publish(build, rule)
            self._end(build, "Complete", "")
        elif phase == "Failed":
            reason = rule.get("reason") or self._reason(build, pod)
            status["logSnippet"] = snippet(self.server.logs.text(*key_of(pod), pod["spec"]["containers"][0]["name"]))
            self._end(build, "Failed", reason, rule.get("message", ""))

    def _reason(self, build: dict, pod: dict) -> str:
        ended = [
            (entry.get("state") or {}).get("terminated") or {} for entry in pod["status"].get("containerStatuses") or []
        ]
        if any(state.get("reason") == "OOMKilled" for state in ended):
            return "OutOfMemoryKilled"
        if pod["status"].get("reason") == "Evicted":
            return "BuildPodEvicted"
        if pod["status"].get("reason") == "DeadlineExceeded":
            return "GenericBuildFailed"  # the builder was ended before it could say more
        return (
            "DockerBuildFailed" if "dockerStrategy" in (build["spec"].get("strategy") or {}) else "GenericBuildFailed"
        )

    def _publish(self, build: dict, rule: dict) -> None:
        """What the build pod reports, and what the registry does with the pushed image."""
        digest = rule.get("digest") or "sha256:" + hashlib.sha256(build["metadata"]["uid"].encode()).hexdigest()
        output = (build["spec"].get("output") or {}).get("to")
        if rule.get("commit"):
            build["spec"]["revision"] = {"type": "Git", "git": {"commit": rule["commit"]}}
        if not output:
            return
        build["status"]["output"] = {"to": {"imageDigest": digest}}
        if output.get("kind") == "ImageStreamTag":
            where = output.get("namespace") or build["metadata"]["namespace"]
            labels = {one["name"]: one["value"] for one in build["spec"]["output"].get("imageLabels") or ()}
            push_tag(self.system, self.clock.now(), where, output["name"], digest, labels)

    def _cancel(self, build: dict, pod: dict | None) -> None:
        if pod is not None and not pod["metadata"].get("deletionTimestamp"):
            self.system.delete("pods", *key_of(pod))
        self._end(build, "Cancelled", "CancelledBuild")

    def _end(self, build: dict, phase: str, reason: str, message: str = "") -> None:
        status, now = build["status"], self.clock.now()
        status["phase"], status["completionTimestamp"] = phase, timestamp(now)
        if reason:
            status |= {"reason": reason, "message": message or MESSAGES.get(reason, "")}
        if "startTimestamp" in status:
            began = parse_time(status["startTimestamp"])
            seconds = int((now - began).total_seconds())
            status["duration"] = seconds * 1_000_000_000
            status["stages"] = stages(phase, status["startTimestamp"], seconds)
        self.record(
            build,
            "Normal",
            f"Build{'Completed' if phase == 'Complete' else phase}",
            f"Build {'/'.join(key_of(build))} {phase}",
        )

    def _trim(self, build: dict) -> None:
        """Keep as many ended builds as the configuration says."""
        config = self.system.find(CONFIGS, build["metadata"]["namespace"], config_of(build))
        if config is None:
            return
        limits = (("successfulBuildsHistoryLimit", {"Complete"}), ("failedBuildsHistoryLimit", ENDED - {"Complete"}))
        for field, phases in limits:
            limit = (config.get("spec") or {}).get(field, HISTORY)
            ended = [one for one in self._siblings(build) if (one.get("status") or {}).get("phase") in phases]
            for one in sorted(ended, key=number_of)[: max(0, len(ended) - limit)]:
                self.system.delete(BUILDS, *key_of(one))


class BuildConfigController(Actor):
    """Starts the first build of a new configuration that has the trigger ConfigChange."""

    name = "buildconfig-controller"
    watches = {CONFIGS: itself}

    def reconcile(self, namespace: str, name: str) -> None:
        config = self.system.find(CONFIGS, namespace, name)
        if config is None:
            return
        triggers = [entry.get("type") for entry in (config.get("spec") or {}).get("triggers") or []]
        if "ConfigChange" in triggers and not (config.get("status") or {}).get("lastVersion"):
            cause = {"message": "Build configuration change"}
            self.server.builds.instantiate(namespace, name, {"triggeredBy": [cause]})
