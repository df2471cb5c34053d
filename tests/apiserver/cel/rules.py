# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of a schema: what is refused when it is defined, and what objects are refused by."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from .. import errors
from ..errors import Causes
from .check import Checker, Found, Refused
from .functions import Optional, implementations
from .types import Type, declare, remembered, value

KEY = "x-kubernetes-validations"
_RULE_LIMIT, _TOTAL_LIMIT = 10_000_000, 100_000_000  # of estimated cost
_REASONS = ("FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired", "FieldValueDuplicate")
# With these in an object no rule is asked.
_BLOCKING = ("FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid")
_SKIPPED = (
    "Invalid value: null: some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
_BOUNDS = "maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared"
_LEVELS = frozenset("expr conditionalor conditionaland relation addition multiplication unary".split())
_MISSING = object()


@remembered
def has_rules(schema: dict) -> bool:
    extra = schema.get("additionalProperties")
    inner = [*(schema.get("properties") or {}).values(), schema.get("items"), extra]
    return bool(schema.get(KEY)) or any(isinstance(one, dict) and has_rules(one) for one in inner)


@functools.lru_cache(maxsize=1000)
def _tree(text: str):
    """The tree of an expression. Raises Refused."""
    import celpy

    try:
        return _shortened(celpy.Environment().compile(text))
    except celpy.CELParseError as problem:
        raise Refused("Syntax error", (problem.line or 1, problem.column or 1)) from problem


def _shortened(node):
    """Without the levels that hand one value on, which are most of a tree and most of the time that it takes."""
    if not hasattr(node, "children"):
        return node
    node.children = [_shortened(child) for child in node.children]
    return node.children[0] if node.data in _LEVELS and len(node.children) == 1 else node


@functools.lru_cache(maxsize=1000)
def _program(text: str):
    import celpy

    return celpy.Environment().program(_tree(text), functions=implementations())


# --- when it is defined


@dataclass
class _Place:
    """path: in the schema. times: how often a rule there is asked at most. paired: old values are found for new ones."""

    path: str
    times: int = 1
    paired: bool = True
    root: bool = False


def check_schema(checks: Causes, schema: dict, path: str) -> None:
    """The rules that a definition is refused for: those that do not compile, or that may cost too much."""
    costs: dict[str, int] = {}
    _check_node(checks, schema, _Place(path, root=True), costs)
    total = sum(costs.values())
    if total > _TOTAL_LIMIT:
        for where, cost in costs.items():
            if cost > _TOTAL_LIMIT // 100:
                checks.forbidden(
                    where,
                    "contributed to estimated rule & messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema",
                )
        what = f"{KEY} estimated rule & messageExpression cost total for entire OpenAPIv3 schema exceeds budget"
        factor = _factor(total, _TOTAL_LIMIT)
        checks.forbidden(path, f"{what} by factor of {factor} (try adding {_BOUNDS})")


def _factor(cost: int, limit: int) -> str:
    return "more than 100x" if cost > 100 * limit else f"{cost / limit:.1f}x"


def _check_node(checks: Causes, schema: dict, place: _Place, costs: dict) -> None:
    for number, rule in enumerate(schema.get(KEY) or ()):
        _check_rule(checks, rule, schema, place, f"{place.path}.{KEY}[{number}]", costs)
    for name, inner in (schema.get("properties") or {}).items():
        paired = place.paired and schema.get("x-kubernetes-map-type") != "atomic"
        embedded = bool(inner.get("x-kubernetes-embedded-resource"))
        _check_node(checks, inner, _Place(f"{place.path}.properties[{name}]", place.times, paired, embedded), costs)
    kind = declare(schema, place.root)
    if isinstance(schema.get("items"), dict):
        paired = place.paired and schema.get("x-kubernetes-list-type") == "map"
        times = place.times * (kind.limit if kind else 1)
        _check_node(checks, schema["items"], _Place(f"{place.path}.items", times, paired), costs)
    if isinstance(schema.get("additionalProperties"), dict):
        times = place.times * (kind.limit if kind else 1)
        inner = _Place(f"{place.path}.additionalProperties", times, place.paired)
        _check_node(checks, schema["additionalProperties"], inner, costs)


def _check_rule(checks: Causes, rule: dict, schema: dict, place: _Place, path: str, costs: dict) -> None:
    _check_words(checks, rule, schema, path)
    kind = declare(schema, place.root)
    if kind is None:
        checks.invalid(path, "", "rules are not allowed where the schema keeps what it does not know")
        return
    old = Type("optional_type", 1, kind) if rule.get("optionalOldSelf") else kind
    for name, wanted in (("rule", "bool"), ("messageExpression", "string")):
        text = (rule.get(name) or "").strip()
        if not text:
            continue
        checker = Checker({"self": kind, "oldSelf": old})
        try:
            found = _found(checker, text, wanted)
        except Refused as problem:
            checks.invalid(f"{path}.{name}", rule[name], str(problem))
            continue
        if "oldSelf" in checker.used and not place.paired:
            checks.invalid(
                f"{path}.{name}",
                rule[name],
                f"oldSelf cannot be used on the uncorrelatable portion of the schema within {place.path}",
            )
        _check_cost(checks, f"{path}.{name}", found.cost * place.times, name, costs)


def _found(checker: Checker, text: str, wanted: str) -> Found:
    try:
        found = checker.check(_tree(text))
    except Refused as problem:
        raise Refused(f"compilation failed: {problem.told(text)}") from problem
    if found.type.name not in (wanted, "dyn"):
        what = "cel expression" if wanted == "bool" else "messageExpression"
        raise Refused(f"{what} must evaluate to a {wanted}")
    return found


def _check_cost(checks: Causes, path: str, cost: int, name: str, costs: dict) -> None:
    costs[path] = cost
    if cost > _RULE_LIMIT:
        checks.forbidden(
            path,
            f"estimated {name} cost exceeds budget by factor of {_factor(cost, _RULE_LIMIT)} (try simplifying the rule, or adding {_BOUNDS})",
        )


def _check_words(checks: Causes, rule: dict, schema: dict, path: str) -> None:
    text, message = rule.get("rule") or "", rule.get("message")
    if not text.strip():
        checks.required(f"{path}.rule", "rule is not specified")
    if message is not None and not message.strip():
        checks.invalid(f"{path}.message", message, "message must be non-empty if specified")
    elif message and "\n" in message.strip():
        checks.invalid(f"{path}.message", message, "message must not contain line breaks")
    elif message and len(message) > 2048:
        checks.invalid(f"{path}.message", message[:9] + "...", "message must have a maximum length of 2048 characters")
    elif not message and "\n" in text.strip():
        checks.required(f"{path}.message", "message must be specified if rule contains line breaks")
    if rule.get("reason") and rule["reason"] not in _REASONS:
        checks.unsupported(f"{path}.reason", rule["reason"], _REASONS)
    if rule.get("fieldPath") and not _leads(rule["fieldPath"], schema):
        checks.invalid(
            f"{path}.fieldPath", rule["fieldPath"], "fieldPath must be a valid path: does not refer to a valid field"
        )


def _leads(path: str, schema: dict) -> bool:
    if not path.startswith((".", "[")):
        return False
    for name in path.replace("['", ".").replace("']", "").lstrip(".").split("."):
        extra = schema.get("additionalProperties")
        schema = (schema.get("properties") or {}).get(name) or (extra if isinstance(extra, dict) else None)
        if schema is None:
            return False
    return True


# --- when an object comes


def check_object(found: Causes, schema: dict, obj: dict, old: dict | None) -> None:
    """Ask the rules about an object that the schema itself has nothing, or little, against."""
    if any(one["reason"] in _BLOCKING for one in found):
        found.append(errors.cause("FieldValueInvalid", "<nil>", _SKIPPED))
        return
    _ask(found, schema, obj, _MISSING if old is None else old, "", False, root=True)


def _ask(found: Causes, schema: dict, obj, old, path: str, kept: bool, root: bool = False) -> None:
    """kept: what this is in is as it was; what is wrong with that is let through (Kubernetes, "Validation ratcheting")."""
    if obj is None or not has_rules(schema):
        return
    if old is not _MISSING:
        kept = obj == old
    for rule in schema.get(KEY) or ():
        if not kept or "oldSelf" in rule["rule"]:
            _ask_rule(found, rule, schema, obj, old, path, root)
    if isinstance(obj, list):
        _ask_list(found, schema, obj, old, path, kept)
    elif isinstance(obj, dict):
        properties, extra = schema.get("properties") or {}, schema.get("additionalProperties")
        atomic = schema.get("x-kubernetes-map-type") == "atomic"
        for name, one in obj.items():
            before = old.get(name, _MISSING) if isinstance(old, dict) and not atomic else _MISSING
            if name in properties:
                _ask(found, properties[name], one, before, f"{path}.{name}".lstrip("."), kept)
            elif isinstance(extra, dict):
                _ask(found, extra, one, before, f"{path}[{name}]", kept)


def _ask_list(found: Causes, schema: dict, obj: list, old, path: str, kept: bool) -> None:
    items, keys = schema.get("items") or {}, schema.get("x-kubernetes-list-map-keys") or ()
    paired = schema.get("x-kubernetes-list-type") == "map" and isinstance(old, list)
    before = {tuple(one.get(key) for key in keys): one for one in old} if paired else {}
    for number, one in enumerate(obj):
        mark = tuple(one.get(key) for key in keys) if paired else None
        _ask(found, items, one, before.get(mark, _MISSING), f"{path}[{number}]", kept)


def _ask_rule(found: Causes, rule: dict, schema: dict, obj, old, path: str, root: bool) -> None:
    import celpy

    variables = {"self": value(obj, schema, root)}
    if rule.get("optionalOldSelf"):
        variables["oldSelf"] = Optional() if old is _MISSING else Optional(value(old, schema, root))
    elif "oldSelf" in rule["rule"]:
        if old is _MISSING:
            return
        variables["oldSelf"] = value(old, schema, root)
    words = (rule.get("message") or rule["rule"]).strip()
    try:
        fine = bool(_program(rule["rule"].strip()).evaluate(variables))
    except celpy.CELEvalError as problem:
        _say(found, None, path or "<nil>", schema, f"{_told(problem)} evaluating rule: {words}")
        return
    if not fine:
        where = f"{path}{rule.get('fieldPath', '')}".lstrip(".") or "<nil>"
        _say(found, rule.get("reason"), where, schema, _message(rule, variables))


def _message(rule: dict, variables: dict) -> str:
    import celpy

    if rule.get("messageExpression"):
        try:
            told = str(_program(rule["messageExpression"].strip()).evaluate(variables)).strip()
        except celpy.CELEvalError:
            told = ""
        if told and "\n" not in told and len(told) <= 5120:
            return told
    return (rule.get("message") or f"failed rule: {rule['rule'].strip()}").strip()


def _told(problem: Exception) -> str:
    words = str(problem.args[0]) if problem.args else str(problem)
    if "no such member in mapping" in words:
        return f"no such key: {words.partition(': ')[2].strip(chr(39))}"
    return {"modulus or divide by zero": "division by zero", "invalid_argument": "index out of bounds"}.get(
        words, words
    )


def _say(found: Causes, reason: str | None, where: str, schema: dict, detail: str) -> None:
    kind = schema.get("type", "")
    if reason == "FieldValueForbidden":
        found.forbidden(where, detail)
    elif reason == "FieldValueRequired":
        found.required(where, detail)
    elif reason == "FieldValueDuplicate":
        found.duplicate(where, kind)
    else:
        found.invalid(where, kind, detail)
