# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects around a build of OpenShift: the build of a configuration, its pod, parts of its status."""

from __future__ import annotations

from .actor import owner_reference

PREFIX = "openshift.io/"
CONFIG_ONLY = frozenset({"triggers", "runPolicy", "successfulBuildsHistoryLimit", "failedBuildsHistoryLimit"})


def override(spec: dict, request: dict) -> None:
    """What a BuildRequest changes for one build."""
    if request.get("revision"):
        spec["revision"] = request["revision"]
    if request.get("binary") is not None:
        source = spec.setdefault("source", {})
        source.pop("git", None)
        source |= {"type": "Binary", "binary": request["binary"]}
    strategies = [entry for entry in (spec.get("strategy") or {}).values() if isinstance(entry, dict)]
    for strategy in strategies:
        if request.get("env"):
            names = {entry["name"] for entry in request["env"]}
            strategy["env"] = [entry for entry in strategy.get("env") or [] if entry["name"] not in names] + request[
                "env"
            ]
        if request.get("from"):
            strategy["from"] = request["from"]
    source = (spec.get("strategy") or {}).get("sourceStrategy")
    incremental = (request.get("sourceStrategyOptions") or {}).get("incremental")
    if source is not None and incremental is not None:
        source["incremental"] = incremental
    docker = (spec.get("strategy") or {}).get("dockerStrategy")
    if docker is not None and request.get("dockerStrategyOptions"):
        options = request["dockerStrategyOptions"]
        arguments = {one["name"]: one for one in [*(docker.get("buildArgs") or []), *(options.get("buildArgs") or [])]}
        docker |= {"buildArgs": list(arguments.values())} if arguments else {}
        docker |= {"noCache": options["noCache"]} if options.get("noCache") is not None else {}


def label_value(name: str) -> str:
    """A name as the value of a label, which is shorter; the whole name is in the annotation."""
    return name[:63].rstrip("-._")


def build_of(config: dict, number: int, spec: dict, policy: str) -> dict:
    metadata = config["metadata"]
    labels = {**(metadata.get("labels") or {}), "buildconfig": label_value(metadata["name"])}
    labels |= {f"{PREFIX}build-config.name": label_value(metadata["name"]), f"{PREFIX}build.start-policy": policy}
    annotations = {f"{PREFIX}build-config.name": metadata["name"], f"{PREFIX}build.number": str(number)}
    return {
        "apiVersion": "build.openshift.io/v1",
        "kind": "Build",
        "metadata": {
            "name": f"{metadata['name']}-{number}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [
                {key: value for key, value in owner_reference(config).items() if key != "blockOwnerDeletion"}
            ],
        },
        "spec": spec,
        "status": {
            "phase": "New",
            "config": {"kind": "BuildConfig", "name": metadata["name"], "namespace": metadata["namespace"]},
        },
    }


def build_pod(build: dict) -> dict:
    """The pod that runs a build."""
    metadata, spec = build["metadata"], build["spec"]
    container = "docker-build" if "dockerStrategy" in (spec.get("strategy") or {}) else "sti-build"
    pod_spec = {
        "restartPolicy": "Never",
        "serviceAccountName": spec.get("serviceAccount", "builder"),
        "containers": [
            {
                "name": container,
                "image": "quay.io/openshift/origin-docker-builder:latest",
                "args": ["openshift-docker-build" if container == "docker-build" else "openshift-sti-build"],
                "securityContext": {"privileged": True},
                "resources": spec.get("resources") or {},
            }
        ],
    }
    if spec.get("completionDeadlineSeconds") is not None:
        pod_spec["activeDeadlineSeconds"] = spec["completionDeadlineSeconds"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-build",
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), f"{PREFIX}build.name": label_value(metadata["name"])},
            "annotations": {f"{PREFIX}build.name": metadata["name"]},
            "ownerReferences": [owner_reference(build)],
        },
        "spec": pod_spec,
    }


def label(build: dict, name: str) -> str:
    return (build["metadata"].get("labels") or {}).get(f"{PREFIX}{name}", "")


def config_of(build: dict) -> str:
    """The name of its BuildConfig, "" where it has none."""
    return (build["metadata"].get("annotations") or {}).get(f"{PREFIX}build-config.name", "")


def number_of(build: dict) -> int:
    return int((build["metadata"].get("annotations") or {}).get(f"{PREFIX}build.number", 0))


def snippet(text: str) -> str:
    """The last lines of a log, each shortened, as status.logSnippet shows them."""
    return "\n".join(line[:80] for line in text.splitlines()[-5:])


def stages(phase: str, began: str, seconds: int) -> list[dict]:
    """A plausible split of the time; the real one comes from the build pod."""
    names = ["FetchInputs", "PullImages", "Build", *(["PushImage"] if phase == "Complete" else [])]
    steps = {
        "FetchInputs": "FetchGitSource",
        "PullImages": "PullBaseImage",
        "Build": "DockerBuild",
        "PushImage": "PushDockerImage",
    }
    share = seconds * 1000 // len(names)
    return [
        {
            "name": name,
            "startTime": began,
            "durationMilliseconds": share,
            "steps": [{"name": steps[name], "startTime": began, "durationMilliseconds": share}],
        }
        for name in names
    ]
