# SPDX-License-Identifier: GPL-3.0-or-later
"""The module notebook_validation: its options, and the cluster that it may need."""

from __future__ import annotations

import contextlib

from ._ansible import PROGRESS_SPEC
from ._engine.validation import options
from ._kubernetes import AUTH_SPEC, connect

_SETTINGS = {
    "parameters": {"type": "dict"},
    "timeout": {"type": "float"},
    "cell_timeout": {"type": "float"},
    "policies": {"type": "dict"},
    "comparison": {"type": "dict"},
}
_POD = {
    "resources": {"type": "dict", "default": {}},
    "service_account": {"type": "str"},
    "node_selector": {"type": "dict", "default": {}},
    "tolerations": {"type": "list", "elements": "dict", "default": []},
    "affinity": {"type": "dict", "default": {}},
    "priority_class": {"type": "str"},
    "runtime_class": {"type": "str"},
    "image_pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "labels": {"type": "dict", "default": {}},
    "annotations": {"type": "dict", "default": {}},
    "env": {"type": "list", "elements": "dict", "default": []},
    "env_from": {"type": "list", "elements": "dict", "default": []},
    "credentials": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "volumes": {"type": "list", "elements": "dict", "default": []},
    "volume_mounts": {"type": "list", "elements": "dict", "default": []},
    "queue": {"type": "str"},
    "patience": {"type": "float", "default": 60},
    "on_cancel": {"type": "str", "choices": ["delete", "leave"], "default": "delete"},
}
_SOURCE = {
    "url": {"type": "str"},
    "ref": {"type": "str"},
    "path": {"type": "str", "default": ""},
    "secret": {"type": "str", "no_log": False},
    "image": {"type": "str"},
    "claim": {"type": "str"},
}
_BUCKET = {
    "name": {"type": "str", "required": True},
    "prefix": {"type": "str", "default": ""},
    "endpoint": {"type": "str"},
    "region": {"type": "str"},
    "ca": {"type": "path"},
}
_RESULTS = {
    "claim": {"type": "str"},
    "path": {"type": "str", "default": ""},
    "bucket": {"type": "dict", "options": _BUCKET},
}
ARGUMENT_SPEC = {
    **AUTH_SPEC,
    **PROGRESS_SPEC,
    "path": {"type": "path", "required": True},
    "environments": {"type": "list", "elements": "dict", "required": True},
    "resolutions": {"type": "list", "elements": "dict", "default": []},
    "refused": {"type": "list", "elements": "dict", "default": []},
    "executor": {"type": "str", "choices": ["auto", "process", "job", "operator"], "default": "auto"},
    "namespace": {"type": "str"},
    "pod": {"type": "dict", "options": _POD},
    "source": {"type": "dict", "options": _SOURCE},
    "results": {"type": "dict", "options": _RESULTS},
    "parameters": {"type": "dict", "default": {}},
    "timeout": {"type": "float", "default": 1800},
    "cell_timeout": {"type": "float", "default": 0},
    "overrides": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            **_SETTINGS,
            "notebooks": {"type": "list", "elements": "str", "required": True},
            "golden": {"type": "str"},
        },
    },
    "policies": {"type": "dict", "default": {}},
    "golden": {"type": "str"},
    "comparison": {"type": "dict", "default": {}},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "environment_variables": {"type": "dict", "default": {}},
    "pass_variables": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "limits": {
        "type": "dict",
        "default": {},
        "options": {
            "memory": {"type": "str", "default": "4GiB"},
            "cpu": {"type": "int", "default": 0},
            "processes": {"type": "int", "default": 512},
            "file_size": {"type": "str", "default": "4GiB"},
            "output": {"type": "str", "default": "64MiB"},
        },
    },
    "workers": {"type": "int", "default": 0},
    "rerun": {"type": "str", "choices": ["never", "failed", "always"], "default": "never"},
    "max_age": {"type": "int", "default": 90},
    "repair": {"type": "int", "default": 0},
    "retries": {"type": "int", "default": 1},
    "fail_on": {"type": "str", "default": "never"},
    "cache_dir": {"type": "path"},
}


def perform(module, progress) -> dict:
    """Do what the module is asked; a cluster is connected to only where an environment is an image."""
    environments = (one.get("environment") or {} for one in module.params["environments"])
    images = any(one.get("kind") == "image" for one in environments)
    with (connect(module) if images else None) or contextlib.nullcontext() as cluster:
        return options.perform(module, progress, cluster)
