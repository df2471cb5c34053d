# SPDX-License-Identifier: GPL-3.0-or-later
"""The module model_validation: its options, and what other rooms of the engine know."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from ._engine.models.check import check
from ._engine.models.protocols import APIS, PLATFORMS
from ._engine.models.resource import Known
from ._engine.models.spec import request_of
from ._engine.models.variables import variables
from ._engine.platform.serving import server_of
from ._engine.platform.serving_data import BY_API, BY_IMAGE
from ._engine.values.model import CHECKS, ModelVerdict
from ._engine.verdict.taxonomy import entry
from ._kubernetes import AUTH_SPEC, connect

_MODEL = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "platform": {"type": "str", "choices": list(PLATFORMS), "default": "kserve"},
    "api": {"type": "str", "choices": list(APIS)},
    "served_name": {"type": "str"},
    "url": {"type": "str"},
    "resource": {"type": "bool", "default": True},
    "group": {"type": "str"},
    "version": {"type": "str"},
    "kind": {"type": "str"},
    "health_path": {"type": "str"},
    "predict_path": {"type": "str"},
    "test_data": {"type": "raw"},
    "expected_output": {"type": "raw"},
    "select": {"type": "str"},
    "tolerance": {"type": "float"},
    "relative_tolerance": {"type": "float"},
    "token_variable": {"type": "str", "no_log": False},
    "ca_file": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
}
ARGUMENT_SPEC = {
    **AUTH_SPEC,
    "models": {"type": "list", "elements": "dict", "required": True, "options": _MODEL},
    "namespace": {"type": "str"},
    "allowed_namespaces": {"type": "list", "elements": "str", "default": []},
    "checks": {"type": "list", "elements": "str", "choices": list(CHECKS), "default": list(CHECKS)},
    "phase": {"type": "str", "choices": ["before", "after", "both"], "default": "before"},
    "timeout": {"type": "float", "default": 60},
}
_KNOWN = Known(
    groups={name: groups for name, groups, _title in BY_API},
    server_of=server_of,
    ports={name: ports for name, _images, ports in BY_IMAGE},
)


def perform(module, _progress) -> dict:
    """Do what the module is asked; a cluster is connected to only where a model is an object of one."""
    params = module.params
    wanted = any(model["resource"] for model in params["models"])
    with (connect(module) if wanted else None) or contextlib.nullcontext() as cluster:
        own = params["namespace"] or (cluster.namespace if cluster else "")
        request = request_of(params, own, cluster=cluster is not None)
        module.no_log_values.update(model.token for model in request.models if model.token)
        found = tuple(_complete(verdict) for verdict in check(request, cluster, _KNOWN))
    return {
        "changed": False,
        "models": found,
        "failed_models": [verdict.title for verdict in found if verdict.status == "failed"],
        "environment": variables(request, found),
    }


def _complete(verdict: ModelVerdict) -> ModelVerdict:
    if verdict.code is None:
        return verdict
    row = entry(verdict.code)
    return replace(verdict, category=row.category, advice=row.advice, retryable=row.retryable)
