# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of one environment on OpenShift: a stream for the images of a namespace, a BuildConfig for each key."""

from __future__ import annotations

import base64
import json

from ...cluster.objects import KEY, labels, owner_reference
from ..image.base import BaseImage
from ..image.checkout import Checkout
from ..image.recipes import SETTINGS
from ..image.strategy import namespace_of
from ..lines import without_credentials
from ..strategy import BuildOptions, Context, Plan

STREAM = "notebook-environments"
CLAIM = "notebooks.mlops.dev/claim"
_BASE = "notebooks.mlops.dev/base"
_API = "build.openshift.io/v1"
_START = "import base64,json,os,sys;a=json.loads(base64.b64decode(sys.argv[1]));os.execvp(a[0],a)"
_READABLE = 0o444  # assemble runs as the user of the base


def config_name(key: str) -> str:
    """Return the name of the BuildConfig of a key, and of the ConfigMap with its lists."""
    return f"notebook-environment-{key}"


def tag_of(key: str) -> str:
    """Return the ImageStreamTag of a key."""
    return f"{STREAM}:{key}"


def stream(namespace: str) -> dict:
    """Return the ImageStream that has a tag for each key."""
    return {
        "apiVersion": "image.openshift.io/v1",
        "kind": "ImageStream",
        "metadata": {"name": STREAM, "namespace": namespace, "labels": labels("environment", "all")},
    }


def build_config(
    context: Context, plan: Plan, base: BaseImage, strategy: dict, check: list[str], source: dict | None = None
) -> dict:
    """Return the BuildConfig of one environment.

    strategy: see ``docker_strategy`` and ``source_strategy``. check: the command that has to succeed in the image before it is
    pushed. source: see ``git_source``; without one it comes with each build.
    """
    build = context.build
    lines = json.dumps([without_credentials(line) for line in plan.requirements])
    spec = {
        "source": source or {"type": "Binary", "binary": {}},
        "strategy": strategy,
        "output": {
            "to": {"kind": "ImageStreamTag", "name": tag_of(plan.key)},
            "imageLabels": _labels(context, plan, base),
        },
        "postCommit": {"script": one_line(check)},
        "runPolicy": "Serial",
        "successfulBuildsHistoryLimit": build.keep_complete,
        "failedBuildsHistoryLimit": build.keep_failed,
        "triggers": [],
        # OpenShift itself ends a build then, whatever became of us.
        **({"completionDeadlineSeconds": int(context.timeout)} if context.timeout else {}),
        **({"serviceAccount": build.service_account} if build.service_account else {}),
        **({"resources": build.resources} if build.resources else {}),
        **({"nodeSelector": build.node_selector} if build.node_selector else {}),
    }
    metadata = {
        "name": config_name(plan.key),
        "namespace": namespace_of(context),
        "labels": labels("environment", plan.key),
        "annotations": {_BASE: base.reference, "notebooks.mlops.dev/requirements": lines},
    }
    return {"apiVersion": _API, "kind": "BuildConfig", "metadata": metadata, "spec": spec}


def one_line(command: list[str]) -> str:
    """Return a script that runs a command, in characters that the build's post-commit hook hands on as they are.

    OpenShift's builder writes a hook into a Dockerfile: a script between single quotes, a command with none at all, either
    with a space for each end of a line (github.com/openshift/builder, buildPostCommit).
    """
    encoded = base64.b64encode(json.dumps(command).encode()).decode()
    return f'{command[0]} -c "{_START}" {encoded}'


def docker_strategy(build: BuildOptions) -> dict:
    """Return the strategy of a build by the Containerfile of its source."""
    return {"type": "Docker", "dockerStrategy": _volumes(build)}


def source_strategy(build: BuildOptions, base: BaseImage) -> dict:
    """Return the strategy of a build by the scripts of its source or of the base."""
    return {
        "type": "Source",
        "sourceStrategy": {"from": {"kind": "DockerImage", "name": base.reference}, **_volumes(build)},
    }


def git_source(checkout: Checkout, key: str, directory: str, containerfile: str | None = None) -> dict:
    """Return the source that is a commit of a repository, with the lists of the ConfigMap of the key beside its files.

    directory: where the lists go: for a Docker build relative to the context directory, for a source build a path in the
    image. containerfile: stands in for that of the repository.
    """
    return {
        "type": "Git",
        "git": {"uri": checkout.url, "ref": checkout.commit},
        "configMaps": [{"configMap": {"name": config_name(key)}, "destinationDir": directory}],
        **({"contextDir": checkout.context_dir} if checkout.context_dir else {}),
        **({"sourceSecret": {"name": checkout.secret}} if checkout.secret else {}),
        **({"dockerfile": containerfile} if containerfile else {}),
    }


def lists(config: dict, key: str, files: dict[str, str]) -> dict:
    """Return the ConfigMap with the requirement lists of a key, which goes when its BuildConfig goes.

    files: name -> text. config: the BuildConfig as the server has it.
    """
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_name(key), "namespace": config["metadata"]["namespace"], "labels": labels("environment", key),
            "ownerReferences": [owner_reference(config)],
        },
        "data": files,
    }  # fmt: skip


def _labels(context: Context, plan: Plan, base: BaseImage) -> list[dict]:
    found = {**context.image.labels, KEY: plan.key, _BASE: base.reference}
    return [{"name": name, "value": value} for name, value in found.items()]


def _volumes(build: BuildOptions) -> dict:
    """Return the build volumes with the settings, which are there while commands run and never in the image.

    OpenShift, "Using build volumes": each name once, mount points absolute.
    """
    sources = {
        "config_map": {"type": "ConfigMap", "configMap": {"name": build.settings_config_map, "defaultMode": _READABLE}},
        "secret": {"type": "Secret", "secret": {"secretName": build.settings_secret, "defaultMode": _READABLE}},
    }
    named = {"config_map": build.settings_config_map, "secret": build.settings_secret}
    volumes = [
        {
            "name": f"settings-{kind.replace('_', '-')}",
            "source": sources[kind],
            "mounts": [{"destinationPath": SETTINGS[kind]}],
        }
        for kind, name in named.items()
        if name
    ]
    return {"volumes": volumes} if volumes else {}
