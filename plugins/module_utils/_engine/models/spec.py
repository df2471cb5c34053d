# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked about models, checked before anything is sent."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..notebook.golden.options import GoldenOptions
from ..values.errors import EngineError
from ..values.model import CHECKS
from .protocols import APIS, PLATFORMS, Api, Platform

NOTHING = object()  # no expected output is given; null may be one
_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Model:
    """One model to check.

    original: the name as the user gave it. namespace: "" without a cluster. served: its name in requests. url: None where the
    cluster is to tell. own_health: the path is the user's, so that any answer of status 2xx will do. group, kind, version: of
    the object that it is in the cluster; kind None where there is none. test_data: None for no prediction. select: JMESPath
    expression over the answer, compiled, or None. token: never to be shown. timeout: seconds for all checks.
    """

    original: str
    name: str
    namespace: str
    platform: str
    kind_of_platform: Platform
    api: Api
    served: str
    url: str | None
    health_path: str | None
    own_health: bool
    predict_path: str | None
    group: str
    kind: str | None
    version: str | None
    test_data: object
    expected: object
    tolerance: GoldenOptions
    select: object
    token: str | None = field(repr=False)
    ca_file: str | None = None
    verify: bool = True
    timeout: float = 60.0

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True)
class Request:
    """All that one call is asked. namespace: our own. phase: when models are checked, for the notebooks. checks: out of CHECKS."""

    models: tuple[Model, ...]
    namespace: str
    phase: str
    checks: tuple[str, ...] = CHECKS


def request_of(params: dict, own: str, *, cluster: bool) -> Request:
    """Make the request of the module's options.

    own: the namespace that is ours, "" where none is known. cluster: whether one is named.
    Raises EngineError for options that cannot be meant, ``model_forbidden`` for a namespace that is not allowed.
    """
    if not 0 < params["timeout"] < math.inf:
        raise EngineError(f"timeout is {params['timeout']:g}: give a number of seconds above 0.")
    allowed = {own, *params["allowed_namespaces"]}
    models = tuple(_model(number, item, own, allowed, params) for number, item in enumerate(params["models"]))
    seen: set[str] = set()
    for model in models:
        if model.title in seen:
            raise EngineError(f"The model {model.title} is named twice: name each once.")
        seen.add(model.title)
        if params["checks"] and not cluster and not model.url:
            raise EngineError(
                f"The model {model.title} has no url, and no cluster is named that could tell it: give one of them."
            )
    return Request(models, own, params["phase"], tuple(name for name in CHECKS if name in params["checks"]))


def _model(number: int, item: dict, own: str, allowed: set[str], params: dict) -> Model:
    where = f"models[{number}]"
    namespace, name = _names(item, own, where)
    if own and namespace not in allowed:
        raise EngineError(
            f"The model {namespace}/{name} is in another namespace than {own}: "
            f"add {namespace} to allowed_namespaces to have it asked.",
            "model_forbidden",
        )
    platform = PLATFORMS[item["platform"]]
    api = APIS[item.get("api") or platform.api]
    kind = (item.get("kind") or platform.kind) if item.get("resource", True) else None
    group = item.get("group") or platform.group
    url = _url(item.get("url"), where)
    health_path = _path(item.get("health_path") or api.health, f"{where}.health_path")
    predict_path = _path(item.get("predict_path") or api.predict, f"{where}.predict_path")
    if bool(kind) != bool(group) and item.get("resource", True) and (kind or item.get("group")):
        raise EngineError(f"{where} has only one of group and kind: give both, and version where it matters.")
    if not (kind or url):
        raise EngineError(f"{where} has neither a url nor a kind of object that could tell it: give one of them.")
    test_data = item.get("test_data")
    expected = NOTHING if item.get("expected_output") is None else item["expected_output"]
    if test_data is None and (expected is not NOTHING or item.get("select")):
        raise EngineError(f"{where} has an expected_output or a select, and nothing to predict from: give test_data.")
    if test_data is not None and not predict_path:
        raise EngineError(f"{where} has test_data, and its api knows no path for predictions: give predict_path.")
    if not kind and not health_path and test_data is None:
        raise EngineError(
            f"{where} has nothing that could be checked: give health_path, or predict_path and test_data."
        )
    token = _token(item.get("token_variable"), where)
    return Model(
        original=item["name"],
        name=name,
        namespace=namespace,
        platform=item["platform"],
        kind_of_platform=platform,
        api=api,
        served=item.get("served_name") or name,
        url=url,
        health_path=health_path,
        own_health=bool(item.get("health_path")),
        predict_path=predict_path,
        group=group,
        kind=kind,
        version=item.get("version"),
        test_data=test_data,
        expected=expected,
        tolerance=_tolerance(item),
        select=_compile(item.get("select"), where),
        token=token,
        ca_file=_readable(item.get("ca_file"), where),
        verify=item.get("validate_certs", True),
        timeout=params["timeout"],
    )


def _names(item: dict, own: str, where: str) -> tuple[str, str]:
    """Return namespace and name; a name may hold its namespace, as ``namespace/name``."""
    space, _unused, name = item["name"].rpartition("/")
    given = item.get("namespace")
    if space and given and given != space:
        raise EngineError(f"{where} is named {item['name']}, and its namespace is {given}: give one of them.")
    namespace = given or space or own
    if not _NAME.fullmatch(name) or (namespace and not _NAMESPACE.fullmatch(namespace)):
        raise EngineError(
            f"{where} is named {'/'.join((namespace, name))!r}, which is no name of a Kubernetes object: "
            "give name, or namespace/name."
        )
    return namespace, name


def _tolerance(item: dict) -> GoldenOptions:
    return GoldenOptions.from_options({"atol": item.get("tolerance"), "rtol": item.get("relative_tolerance")})


def _token(variable: str | None, where: str) -> str | None:
    if not variable:
        return None
    value = os.environ.get(variable, "").strip()
    if not value:
        raise EngineError(
            f"{where}.token_variable names {variable}, which is not set: "
            "set it in the environment of the task, or leave it out."
        )
    if not (value.isascii() and value.isprintable()):
        raise EngineError(f"{where}.token_variable names {variable}, whose value cannot stand in a header: correct it.")
    return value


def _url(url: str | None, where: str) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port)
    except ValueError:
        good = False
    if not good:
        raise EngineError(f"{where}.url is no URL of http or https: give one such as http://localhost:8080.")
    if parts.username or parts.password:
        raise EngineError(
            f"{where}.url holds a user or a password: name a variable with a token by token_variable instead."
        )
    return url.rstrip("/")


def _path(path: str | None, where: str) -> str | None:
    if path is not None and (not path.startswith("/") or path.startswith("//")):
        raise EngineError(f"{where} is {path!r}: give a path that begins with one /.")
    return path


def _readable(path: str | None, where: str) -> str | None:
    if path and not os.access(path, os.R_OK):
        raise EngineError(f"The file {path} that {where}.ca_file names cannot be read: give one that can.")
    return path


def _compile(expression: str | None, where: str):
    if not expression:
        return None
    try:
        import jmespath
        from jmespath.exceptions import JMESPathError
    except ImportError:
        raise EngineError(
            f"{where}.select needs jmespath: install it for the interpreter that runs the module.", "missing_library"
        ) from None
    try:
        return jmespath.compile(expression)
    except JMESPathError as error:
        raise EngineError(f"{where}.select is no JMESPath expression: {' '.join(str(error).split())[:200]}.") from None
