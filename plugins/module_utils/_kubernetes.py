# SPDX-License-Identifier: GPL-3.0-or-later
"""The glue to kubernetes.core: its authentication options, from a module's arguments and from the environment."""

from __future__ import annotations

import contextlib
import os
from urllib.parse import urlsplit

from ansible_collections.kubernetes.core.plugins.module_utils.args_common import (
    AUTH_ARG_MAP,
    AUTH_ARG_SPEC,
    AUTH_PROXY_HEADERS_SPEC,
)

from ._engine.cluster.client import Cluster
from ._engine.cluster.connection import is_configured
from ._engine.values.errors import EngineError

# Documented by the fragment kubernetes.core.k8s_auth_options.
AUTH_SPEC = AUTH_ARG_SPEC
_FALSE = ("0", "false", "no")
_SECRET_FIELDS = ("token", "password", "client-key-data", "client-secret", "id-token", "refresh-token", "access-token")


def connect(module) -> Cluster | None:
    """Return the cluster that a module's arguments and environment name, or None where nothing names one.

    Raises EngineError where they cannot be used.
    """
    auth = auth_options(module.params)
    # Ansible masks these wherever they turn up in what the module returns, its arguments among them.
    module.no_log_values.update(secrets(auth))
    if not is_configured(auth):
        return None
    try:
        return Cluster(auth)
    except ImportError as error:
        raise EngineError(
            f"The Python package {error.name} is missing on the host of the module: pip install {error.name}.",
            "cluster_config",
        ) from None


def connected(module) -> Cluster:
    """Return the cluster, as ``connect``. Raises EngineError where nothing names one, too."""
    cluster = connect(module)
    if cluster is None:
        raise EngineError("Nothing names a cluster: give kubeconfig, or host and api_key.", "cluster_config")
    return cluster


def auth_options(params: dict) -> dict:
    """Return the authentication options: the module's arguments, else the variables K8S_AUTH_* of the environment.

    As kubernetes.core: each variable has the name of the option, or that of the kubernetes package (K8S_AUTH_VERIFY_SSL).
    """
    names = {option: (option, name) for name, option in AUTH_ARG_MAP.items()}
    names |= {option: (option,) for option in AUTH_ARG_SPEC if option not in names}
    found = {}
    for option, variables in names.items():
        value = params.get(option)
        if value is None:
            value = _from_environment(option, variables)
        if value is not None:
            found[option] = value
    return found


def secrets(auth: dict) -> set[str]:
    """Return every value in the options that nobody may read in a log, those of a kubeconfig given as a dict included."""
    found = {auth[name] for name in ("api_key", "password") if auth.get(name)}
    found |= {
        value for name, value in (auth.get("proxy_headers") or {}).items() if name.endswith("basic_auth") and value
    }
    with contextlib.suppress(ValueError):
        found.add(urlsplit(auth.get("proxy") or "").password or "")
    return (found | set(_kubeconfig_secrets(auth.get("kubeconfig")))) - {""}


def _kubeconfig_secrets(part, name: str = ""):
    if isinstance(part, dict):
        for key, inner in part.items():
            yield from _kubeconfig_secrets(inner, str(key))
    elif isinstance(part, list):
        for inner in part:
            yield from _kubeconfig_secrets(inner, name)
    elif isinstance(part, str) and name in _SECRET_FIELDS:
        yield part


def _from_environment(option: str, variables: tuple[str, ...]):
    if option == "proxy_headers":
        headers = {name: os.environ.get(f"K8S_AUTH_PROXY_HEADERS_{name.upper()}") for name in AUTH_PROXY_HEADERS_SPEC}
        return {name: value for name, value in headers.items() if value is not None} or None
    values = (os.environ.get(f"K8S_AUTH_{name.upper()}") for name in variables)
    value = next((value for value in values if value), None)
    if value is None:
        return None
    kind = AUTH_ARG_SPEC[option].get("type")
    if kind == "bool":
        return value.lower() not in _FALSE
    return [part for part in value.split(",") if part] if kind == "list" else value
