# SPDX-License-Identifier: GPL-3.0-or-later
"""The models of a job, looked at before its notebooks are run, by the models room of the engine."""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.check import AT_ONCE, check
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.protocols import (
    APIS,
    PLATFORMS,
    Unreadable,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.resource import Failed, Known, served
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.spec import Request, request_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.models.variables import variables
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.permissions import (
    Need,
    allows,
    permissions,
)
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.serving import server_of
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.platform.serving_data import BY_API, BY_IMAGE
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.model import CHECKS, ModelVerdict

from ..asked import pod
from ..told.case import Case
from .model_status import Platform, told
from .way import Way

_KNOWN = Known(
    groups={name: groups for name, groups, _title in BY_API},
    server_of=server_of,
    ports={name: ports for name, _images, ports in BY_IMAGE},
)
_PHASES = {"clean": "before", "existing": "after", "both": "both"}
_TIMEOUT = 300.0  # seconds
_TEMPLATES = {"ModelName": "name", "Namespace": "namespace"}
# Options of the module, by whose names the engine speaks, as fields of a job.
_FIELDS = {
    "test_data": "predictionValidation.testData",
    "expected_output": "predictionValidation.expectedOutput",
    "health_path": "customPlatform.healthCheckEndpoint",
    "predict_path": "customPlatform.predictionEndpoint",
    "a url": "an endpoint",
    "group and kind": "apiGroup and resourceType",
}


@dataclass(frozen=True)
class Wanted:
    """What a job asks about models. platform: that serves them. group, kind: of their objects; kind None where there are none."""

    request: Request
    phase: str
    platform: str
    group: str
    kind: str | None
    way: Way

    @property
    def models(self) -> bool:
        """Whether models are looked at, and not the platform alone."""
        return bool(self.request.models and self.request.checks)


def wanted(case: Case) -> Wanted | None:
    """Return what a job asks about models, None where it asks nothing. Nothing is sent to any model.

    Raises EngineError for what cannot be meant, and for what the operator is not allowed.
    """
    given = case.spec.get("modelValidation")
    if given is None or not given.get("enabled", True):
        return None
    name, phase = given.get("platform", "kserve"), given.get("phase", "both")
    custom = given.get("customPlatform") or {}
    if (name == "custom") != bool(custom):
        raise EngineError(
            "modelValidation has the platform custom without customPlatform: say there what serves the models."
            if name == "custom"
            else f"modelValidation.customPlatform is about the platform custom, and the platform is {name}: leave one out."
        )
    targets = given.get("targetModels") or []
    if phase == "existing" and not targets:
        raise EngineError(
            "modelValidation.phase is existing, and targetModels names no model: name one, or leave phase out."
        )
    way = Way(case.cluster, case.settings.reach.model_hosts)
    group = custom.get("apiGroup") or PLATFORMS[name].group
    kind = _kind(case.cluster, group, custom.get("resourceType")) or PLATFORMS[name].kind
    prediction = _prediction(given.get("predictionValidation") or {}, PLATFORMS[name].api)
    models = [_model(one, case, name, (group, kind), custom, way, prediction) for one in targets]
    seconds = pod.seconds(given.get("timeout")) or _TIMEOUT
    params = {
        "models": models,
        "allowed_namespaces": case.settings.reach.model_namespaces,
        "timeout": seconds / max(1, math.ceil(len(models) / AT_ONCE)),
        "checks": () if phase == "clean" else CHECKS if phase == "both" else CHECKS[1:],
        "phase": _PHASES[phase],
    }
    try:
        request = request_of(params, case.namespace, cluster=True)
    except EngineError as error:
        raise EngineError(_translated(error.message), error.code) from None
    return Wanted(request, phase, name, group, kind, way)


def look(case: Case, asked: Wanted | None) -> Case:
    """Look at the models and say what was found; return the case with the variables that tell notebooks about them.

    What an earlier process found of the same generation counts. Raises EngineError where anything is not as it should be, Stopped,
    and ClusterError.
    """
    if asked is None:
        return case
    found = _known(case, asked)
    if found is None:
        message = "The models that the notebook works with are looked at."
        case.say_working("Initializing", "LookingAtModels", message)
        found = _look(case, asked)
    own = {one["name"] for one in case.question.pod.env}
    told_of = {name: value for name, value in variables(asked.request, found).items() if name not in own}
    return replace(case, question=replace(case.question, variables={**told_of, **case.question.variables}))


def _look(case: Case, asked: Wanted) -> tuple[ModelVerdict, ...]:
    platform, verdicts = _platform(case.cluster, asked, case.namespace), ()
    if platform.code == "model_platform_missing":  # it may have been installed since the operator looked last
        case.cluster.rediscover()
        platform = _platform(case.cluster, asked, case.namespace)
    if asked.models and not platform.code:
        stop = threading.Event()
        case.stop.listen(stop.set)
        verdicts = check(asked.request, case.cluster, _KNOWN, way=asked.way, stop=stop, outage=True)
        case.stop.check()
    result = told(asked.phase, asked.platform, asked.request, platform, verdicts)
    failed = next(
        ((one.code, one.cause) for one in verdicts if one.status == "failed"), (platform.code, platform.message)
    )
    reason, message = ("ModelsFailed", failed[1]) if failed[0] else ("ModelsReady", result["message"])
    case.say_working("Initializing", reason, message, modelValidationResult=result)
    case.record.say(reason, message, warning=bool(failed[0]))
    if failed[0]:
        raise EngineError(message, failed[0])
    return verdicts


def _platform(cluster: Cluster, asked: Wanted, namespace: str) -> Platform:
    """Return what is there of the platform, and what of it the operator may see."""
    if asked.phase == "existing":
        return Platform()
    if not asked.group:
        return Platform(message="It is no API of the cluster.")
    try:
        words = served(cluster, asked.platform, asked.group, _KNOWN)
        resources = _resources(cluster, asked.group)
        denied = _denied(cluster, asked, namespace, resources)
    except Failed as error:
        return Platform(available=False, code=error.code, message=error.message)
    except ClusterError as error:
        if error.transient:
            raise
        return Platform(allowed=False, code="model_forbidden", message=error.message)
    names = tuple(f"{plural}.{asked.group}" for plural in resources) if words else ()
    message = words or f"{asked.platform} has no API of its own; the images and the answers of its models tell."
    return Platform(
        detected=bool(words), definitions=names, allowed=not denied,
        code="model_forbidden" if denied else None, message=denied or message,
    )  # fmt: skip


def _resources(cluster: Cluster, group: str) -> dict[str, str]:
    """Return the kinds of a group by their plurals."""
    found = (cluster.discovery.resources(group, version) or () for version in cluster.discovery.versions(group) or ())
    return {one.plural: one.kind for resources in found for one in resources if "/" not in one.plural}


def _denied(cluster: Cluster, asked: Wanted, own: str, resources: dict[str, str]) -> str | None:
    """Return a sentence on the first thing that the operator certainly may not do with the models."""
    plural = next((plural for plural, kind in resources.items() if kind == asked.kind), None)
    places = {model.namespace for model in asked.request.models} or {own}
    for namespace in sorted(places) if plural else ():
        rules = permissions(cluster, namespace)
        for verb in ("list", "watch"):
            need = Need(asked.group, plural, verb)
            if not rules.incomplete and not any(allows(rule, need) for rule in rules.rules):
                return (
                    f"The operator may not {verb} {plural}.{asked.group} in the namespace {namespace}: give its account the rules"
                    " that docs/operator.md lists."
                )
    return None


def _known(case: Case, asked: Wanted) -> tuple[ModelVerdict, ...] | None:
    """Return what an earlier process found of this generation, as far as notebooks are told of it."""
    before = case.record.models
    if not before or not before.get("success"):
        return None
    urls = {
        one["modelName"]: one.get("url") for one in before.get("existingEnvironmentCheck", {}).get("modelsChecked", ())
    }
    return tuple(
        ModelVerdict(one.name, one.namespace, one.platform, "succeeded", None, url=urls.get(one.title))
        for one in asked.request.models
    )


def _kind(cluster: Cluster, group: str, resource: str | None) -> str | None:
    """Return the kind of a resource that is named by its plural or its kind; as it is where the cluster knows none."""
    return _resources(cluster, group).get(resource, resource) if resource else None


def _model(target: str, case: Case, platform: str, thing: tuple, custom: dict, way: Way, prediction: dict) -> dict:
    """Return a model as an option of the module. Raises EngineError for a namespace or a host that is not allowed."""
    space, _unused, name = target.rpartition("/")
    namespace = space or case.namespace
    if namespace != case.namespace and namespace not in case.settings.reach.model_namespaces:
        raise EngineError(
            f"The model {target} is in another namespace than its job: have who runs the operator add {namespace} to"
            " NOTEBOOK_OPERATOR_MODEL_NAMESPACES.",
            "model_forbidden",
        )
    found = {"name": target, "platform": platform, **prediction}
    if platform != "custom":
        return found
    if thing[1] or custom.get("apiGroup"):
        found |= {"group": thing[0], "kind": thing[1]}
    origins = {}
    for field, path in (("healthCheckEndpoint", "health_path"), ("predictionEndpoint", "predict_path")):
        if custom.get(field):
            origin, found[path] = _endpoint(
                _filled(custom[field], name, namespace), f"modelValidation.customPlatform.{field}"
            )
            origins |= {origin: None} if origin else {}
    if len(origins) > 1:
        raise EngineError(
            f"modelValidation.customPlatform names two servers, {' and '.join(origins)}: give endpoints of one of them."
        )
    for origin in origins:
        refusal = way.refusal(origin, namespace)
        if refusal:
            raise EngineError(f"{origin} of modelValidation.customPlatform {refusal}.", "model_forbidden")
        found["url"] = origin
    return found


def _filled(endpoint: str, name: str, namespace: str) -> str:
    """Return an endpoint with the model in the place of ``{{.ModelName}}`` and ``{{.Namespace}}``."""
    values = {"name": name, "namespace": namespace}

    def value(match: re.Match) -> str:
        return values[_TEMPLATES[match[1]]]

    return re.sub(rf"\{{\{{\s*\.({'|'.join(_TEMPLATES)})\s*\}}\}}", value, endpoint)


def _endpoint(text: str, field: str) -> tuple[str | None, str]:
    """Return the server and the path of an endpoint, which may be a path alone. Raises EngineError where it is neither."""
    if text.startswith("/"):
        return None, text
    try:
        parts = urlsplit(text)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise EngineError(f"{field} is {text!r}: give a URL of http or https, or a path that begins with /.")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}", (parts.path or "/") + query


def _prediction(given: dict, api: str) -> dict:
    if not given.get("enabled", True) or not (given.get("testData") or given.get("expectedOutput")):
        return {}
    found: dict = {"tolerance": float(given.get("tolerance", "0.01"))}
    for field, name in (("testData", "test_data"), ("expectedOutput", "expected_output")):
        if given.get(field):
            found[name] = _json(given[field], f"modelValidation.predictionValidation.{field}")
    if "expected_output" in found:
        with contextlib.suppress(Unreadable):  # a whole answer of the protocol
            found["expected_output"] = APIS[api].prediction(found["expected_output"])
    return found


def _json(text: str, field: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise EngineError(f"{field} is no JSON: give JSON, in which a text stands between quotation marks.") from None


def _translated(message: str) -> str:
    message = re.sub(r"models\[(\d+)\]", r"modelValidation.targetModels[\1]", message)
    for ours, theirs in _FIELDS.items():
        message = message.replace(ours, theirs)
    return message
