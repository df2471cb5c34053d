# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of custom resources: `x-kubernetes-validations`, in the Common Expression Language."""

from __future__ import annotations

import uuid

import pytest

MERGE = "application/merge-patch+json"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
NAME = {"type": "string", "maxLength": 20}
SPEC = {
    "type": "object",
    "required": ["size"],
    "x-kubernetes-validations": [
        {"rule": "!has(self.most) || self.size <= self.most", "messageExpression": "'size %s'.replace('%s', string(self.size)) + ' is above most'"},
        {
            "rule": "!has(self.__namespace__) || self.__namespace__ != 'kube-system'",
            "message": "not there", "fieldPath": ".namespace", "reason": "FieldValueForbidden",
        },
        {"rule": "!has(self.dash__dash__ed) || self.dash__dash__ed", "message": "dash-ed is to be true"},
    ],
    "properties": {
        "size": {"type": "integer", "maximum": 1000},
        "most": {"type": "integer"},
        "ratio": {"type": "number", "x-kubernetes-validations": [{"rule": "self > 0.5"}]},
        "mode": {"type": "string", "maxLength": 10, "default": "fast", "x-kubernetes-validations": [{"rule": "self != 'broken'"}]},
        "namespace": NAME,
        "dash-ed": {"type": "boolean"},
        "fixed": {
            "type": "string", "maxLength": 20,
            "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "fixed cannot change"}],
        },
        "grown": {
            "type": "integer",
            "x-kubernetes-validations": [
                {"rule": "!oldSelf.hasValue() || self >= oldSelf.value()", "optionalOldSelf": True, "message": "grown only grows"}
            ],
        },
        "memory": {**NAME, "x-kubernetes-validations": [{"rule": "quantity(self).compareTo(quantity('1Gi')) <= 0", "message": "at most 1Gi"}]},
        "wait": {**NAME, "x-kubernetes-validations": [{"rule": "duration(self) < duration('1h')", "message": "below one hour"}]},
        "place": {
            "type": "string", "maxLength": 100,
            "x-kubernetes-validations": [
                {"rule": "!self.startsWith('/') && !self.split('/').exists(one, one == '..')", "message": "stay below"},
                {"rule": "self.find('[0-9]+') == ''", "message": "no digits"},
                {"rule": "self.matches('^[a-z./0-9]*$')", "message": "small letters"},
            ],
        },
        "labels": {
            "type": "object", "maxProperties": 5, "additionalProperties": NAME,
            "x-kubernetes-validations": [
                {"rule": "self.all(key, key.startsWith('app/')) && (!('app/x' in self) || self['app/x'] == '1')", "message": "labels of app"}
            ],
        },
        "parts": {
            "type": "array", "maxItems": 4,
            "x-kubernetes-validations": [{"rule": "self.all(one, self.exists_one(other, other.name == one.name))", "message": "names are unique"}],
            "items": {
                "type": "object", "required": ["name"],
                "x-kubernetes-validations": [{"rule": "[has(self.a), has(self.b)].filter(given, given).size() == 1", "message": "exactly one of a and b"}],
                "properties": {"name": NAME, "a": NAME, "b": {"type": "object", "properties": {"c": NAME}}},
            },
        },
        "keyed": {
            "type": "array", "maxItems": 4, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object", "required": ["name"], "properties": {"name": NAME, "n": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "!has(oldSelf.n) || self.n >= oldSelf.n", "message": "n only grows"}],
            },
        },
    },
}  # fmt: skip
STATUS = {
    "type": "object",
    "properties": {
        "level": {"type": "integer", "x-kubernetes-validations": [{"rule": "self % 2 == 0", "message": "even levels"}]}
    },
}


def definition(group: str, spec: dict, root: list | None = None) -> dict:
    schema = {"type": "object", "properties": {"spec": spec, "status": STATUS}}
    if root:
        schema["x-kubernetes-validations"] = root
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    names = {"plural": "ruled", "kind": "Ruled"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"ruled.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture(scope="module")
def group(cluster):
    """The group of a CRD with rules, removed at the end."""
    name = f"g{uuid.uuid4().hex[:6]}.example.test"
    root = [{"rule": "self.metadata.name != 'forbidden' && self.spec.size >= 0", "message": "not by that name"}]
    cluster.good("POST", DEFINITIONS, definition(name, SPEC, root))

    def established(obj) -> bool:
        found = obj.get("status", {}).get("conditions", [])
        return any((one["type"], one["status"]) == ("Established", "True") for one in found)

    cluster.until(f"{DEFINITIONS}/ruled.{name}", established)
    yield name
    cluster.good("DELETE", f"{DEFINITIONS}/ruled.{name}")


@pytest.fixture
def path(group, namespace):
    return f"/apis/{group}/v1/namespaces/{namespace}/ruled"


@pytest.fixture
def ruled(group):
    return lambda name="r", **spec: {
        "apiVersion": f"{group}/v1", "kind": "Ruled", "metadata": {"name": name}, "spec": {"size": 1, **spec},
    }  # fmt: skip


def causes(answer) -> list[tuple[str, str, str]]:
    """The causes of a refusal: field, reason and message."""
    status, _headers, found = answer
    assert (status, found["reason"]) == (422, "Invalid"), found
    return [(one["field"], one["reason"], one["message"]) for one in found["details"]["causes"]]


def refusals(answer) -> dict[str, tuple[str, str]]:
    """The same by their fields."""
    return {field: (reason, message) for field, reason, message in causes(answer)}


INVALID = "FieldValueInvalid"


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        ({"size": 5, "most": 4}, "spec", 'Invalid value: "object": size 5 is above most'),
        ({"ratio": 0}, "spec.ratio", 'Invalid value: "number": failed rule: self > 0.5'),
        ({"mode": "broken"}, "spec.mode", "Invalid value: \"string\": failed rule: self != 'broken'"),
        ({"dash-ed": False}, "spec", 'Invalid value: "object": dash-ed is to be true'),
        ({"memory": "2Gi"}, "spec.memory", 'Invalid value: "string": at most 1Gi'),
        ({"wait": "90m"}, "spec.wait", 'Invalid value: "string": below one hour'),
        ({"place": "a/../b"}, "spec.place", 'Invalid value: "string": stay below'),
        ({"place": "/a"}, "spec.place", 'Invalid value: "string": stay below'),
        ({"place": "a/1"}, "spec.place", 'Invalid value: "string": no digits'),
        ({"place": "A"}, "spec.place", 'Invalid value: "string": small letters'),
        ({"labels": {"other": "1"}}, "spec.labels", 'Invalid value: "object": labels of app'),
        ({"labels": {"app/x": "2"}}, "spec.labels", 'Invalid value: "object": labels of app'),
        ({"parts": [{"name": "x"}]}, "spec.parts[0]", 'Invalid value: "object": exactly one of a and b'),
        ({"parts": [{"name": "x", "a": "", "b": {}}]}, "spec.parts[0]", 'Invalid value: "object": exactly one of a and b'),
        ({"parts": [{"name": "x", "a": ""}, {"name": "x", "b": {}}]}, "spec.parts", 'Invalid value: "array": names are unique'),
        ({"size": -1}, "<nil>", 'Invalid value: "object": not by that name'),
    ],
)  # fmt: skip
def test_refused(cluster, path, ruled, spec, field, words):
    assert refusals(cluster.call("POST", path, ruled(**spec))) == {field: (INVALID, words)}
    assert refusals(cluster.call("POST", f"{path}?dryRun=All", ruled(**spec))) == {field: (INVALID, words)}


def test_a_reason_and_a_field_path_say_where(cluster, path, ruled):
    found = refusals(cluster.call("POST", path, ruled(namespace="kube-system")))
    assert found == {"spec.namespace": ("FieldValueForbidden", "Forbidden: not there")}


def test_an_expression_that_cannot_be_evaluated_refuses(cluster, path, ruled):
    ((field, (reason, message)),) = refusals(cluster.call("POST", path, ruled(wait="soon"))).items()
    assert (field, reason) == ("spec.wait", INVALID) and message.endswith("evaluating rule: below one hour")


def test_accepted(cluster, path, ruled):
    made = cluster.good("POST", path, ruled(
        most=1, ratio=1, namespace="here", **{"dash-ed": True}, memory="512Mi", wait="5m", place="a/b.c", fixed="x", grown=1,
        labels={"app/x": "1", "app/y": "2"}, parts=[{"name": "x", "a": ""}, {"name": "y", "b": {"c": "1"}}],
        keyed=[{"name": "k", "n": 1}],
    ))  # fmt: skip
    assert made["spec"]["mode"] == "fast"  # a default counts before rules are asked


def test_rules_wait_for_a_schema_that_fits(cluster, path, ruled):
    found = refusals(cluster.call("POST", path, ruled(size="1", mode="broken")))
    assert set(found) == {"spec.size", "<nil>"} and "some validation rules were not checked" in found["<nil>"][1]
    found = refusals(cluster.call("POST", path, ruled(size=2000, mode="broken")))
    assert set(found) == {"spec.size", "spec.mode"}  # such an error does not stand in their way


def test_rules_about_a_change(cluster, path, ruled):
    cluster.good("POST", path, ruled(fixed="x", grown=2, keyed=[{"name": "a", "n": 5}, {"name": "b", "n": 1}]))
    one = f"{path}/r"
    refused = refusals(cluster.call("PATCH", one, {"spec": {"fixed": "y", "grown": 1}}, MERGE))
    assert {field: message for field, (_reason, message) in refused.items()} == {
        "spec.fixed": 'Invalid value: "string": fixed cannot change',
        "spec.grown": 'Invalid value: "integer": grown only grows',
    }
    keyed = [{"name": "b", "n": 3}, {"name": "a", "n": 4}]  # found again by their keys, wherever they stand
    refused = refusals(cluster.call("PATCH", one, {"spec": {"keyed": keyed}}, MERGE))
    assert refused == {"spec.keyed[1]": (INVALID, 'Invalid value: "object": n only grows')}
    found = cluster.good("GET", one)
    found["spec"]["fixed"] = "z"
    assert set(refusals(cluster.call("PUT", one, found))) == {"spec.fixed"}
    cluster.good("PATCH", one, {"spec": {"grown": 3, "fixed": None}}, MERGE)
    cluster.good("PATCH", one, {"spec": {"fixed": "new"}}, MERGE)  # there is no old value to compare with


def test_applied(cluster, path, ruled):
    assert refusals(cluster.apply(f"{path}/r", ruled(mode="broken"))) == {
        "spec.mode": (INVALID, "Invalid value: \"string\": failed rule: self != 'broken'")
    }
    assert cluster.apply(f"{path}/r", ruled())[0] == 201
    assert set(refusals(cluster.apply(f"{path}/r", ruled(memory="2Gi")))) == {"spec.memory"}


def test_status(cluster, path, ruled):
    cluster.good("POST", path, ruled())
    assert refusals(cluster.call("PATCH", f"{path}/r/status", {"status": {"level": 3}}, MERGE)) == {
        "status.level": (INVALID, 'Invalid value: "integer": even levels')
    }
    cluster.good("PATCH", f"{path}/r/status", {"status": {"level": 4}}, MERGE)


def test_what_was_stored_before_a_rule_can_still_be_worked_with(cluster, namespace):
    group = f"g{uuid.uuid4().hex[:6]}.example.test"
    old = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 9}, "b": {"type": "string"}}}
    path = f"/apis/{group}/v1/namespaces/{namespace}/ruled"
    cluster.good("POST", DEFINITIONS, definition(group, old))
    try:
        cluster.until(f"{DEFINITIONS}/ruled.{group}", lambda obj: len(obj.get("status", {}).get("conditions", [])) > 1)
        body = {"apiVersion": f"{group}/v1", "kind": "Ruled", "metadata": {"name": "r"}, "spec": {"a": "bad"}}
        cluster.good("POST", path, body)
        ruled = {"type": "string", "maxLength": 9, "x-kubernetes-validations": [{"rule": "self != 'bad'"}]}
        change = [
            {
                "op": "replace",
                "path": "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/a",
                "value": ruled,
            }
        ]
        cluster.good("PATCH", f"{DEFINITIONS}/ruled.{group}", change, "application/json-patch+json")
        other = {**body, "metadata": {"name": "other"}}
        _wait_for_refusal(cluster, path, other)
        cluster.good("PATCH", f"{path}/r/status", {"status": {"level": 2}}, MERGE)
        cluster.good("PATCH", f"{path}/r", {"spec": {"b": "new"}}, MERGE)
    finally:
        cluster.good("DELETE", f"{DEFINITIONS}/ruled.{group}")


def _wait_for_refusal(cluster, path: str, body: dict) -> None:
    """A real server takes a moment to serve a definition that changed."""
    for _attempt in range(600):
        if cluster.call("POST", f"{path}?dryRun=All", body)[0] == 422:
            return
    raise AssertionError("the rule is not asked")


def text(**more) -> dict:
    return {"type": "string", **more}


def listed(item: dict, **more) -> dict:
    return {"type": "array", "items": item, **more}


@pytest.mark.parametrize(
    ("properties", "rule", "words"),
    [
        ({"a": text()}, "self.a ==", "compilation failed"),
        ({"a": text()}, "self.zz == 'a'", "undefined field 'zz'"),
        ({"a": text()}, "nobody == 'a'", "undeclared reference to 'nobody'"),
        ({"a": text()}, "self.a.shout()", "undeclared reference to 'shout'"),
        ({"a": text()}, "self.a == 1", "found no matching overload for '_==_'"),
        ({"a": {"type": "integer"}}, "self.a == 1.0", "found no matching overload for '_==_'"),
        ({"a": text()}, "self.a", "must evaluate to a bool"),
        ({"a": text()}, "has(self.a.b)", "does not support field selection"),
        ({"a": text()}, "self.a.all(x, true)", "cannot be range of a comprehension"),
        ({"a": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}, "has(self.a.b)", "undefined field 'b'"),
        # costs: what has no limit may fill a request
        ({"a": listed(text())}, "self.a.all(x, self.a.exists_one(y, y == x))", "estimated rule cost exceeds budget"),
        ({"a": listed(text(), maxItems=100)}, "self.a.all(x, x.matches('^[a-z]+$'))", "estimated rule cost exceeds budget"),
        ({"a": listed(listed(text(maxLength=9), maxItems=10))}, "self.a.all(x, x.all(y, y.contains('gpu')))", "estimated rule cost exceeds budget"),
        ({"a": {"type": "object", "additionalProperties": text()}}, "self.a.all(k, self.a[k].contains('gpu'))", "estimated rule cost exceeds budget"),
    ],
)  # fmt: skip
def test_a_definition_is_refused_for_a_rule(cluster, properties, rule, words):
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": [{"rule": rule}]}
    body = definition(f"g{uuid.uuid4().hex[:6]}.example.test", spec)
    found = causes(cluster.call("POST", f"{DEFINITIONS}?dryRun=All", body))
    place = "openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule"
    assert any(field.endswith(place) and words in message for field, _reason, message in found)


@pytest.mark.parametrize(
    ("properties", "rule"),
    [
        ({"a": listed(text(maxLength=63), maxItems=50)}, "self.a.all(x, self.a.exists_one(y, y == x))"),
        ({"a": listed(text(maxLength=200), maxItems=100)}, "self.a.all(x, x.matches('^[a-z]+$'))"),
        ({"a": listed(text(), maxItems=1)}, "self.a.all(x, x.startsWith('x'))"),
        ({"a": {"type": "object", "maxProperties": 20, "additionalProperties": text(maxLength=100)}}, "self.a.all(k, self.a[k].contains('gpu'))"),
        ({"a": {"type": "integer"}, "b": {"x-kubernetes-int-or-string": True}}, "type(self.b) == int ? self.b > self.a : self.b == 'x'"),
        ({"a": {"type": "number"}}, "self.a > 1 && [1, 2].map(x, x * 2).exists(x, x == 4)"),
        ({"a": text(enum=["x", "y"])}, "self.a in ['x'] || self.a.size() > 0 ? true : {'x': 1}.size() == 1"),
    ],
)  # fmt: skip
def test_a_definition_is_accepted_with_a_rule(cluster, properties, rule):
    spec = {"type": "object", "properties": properties, "x-kubernetes-validations": [{"rule": rule}]}
    cluster.good("POST", f"{DEFINITIONS}?dryRun=All", definition(f"g{uuid.uuid4().hex[:6]}.example.test", spec))


def test_many_rules_share_one_budget(cluster):
    ruled = text(
        maxLength=3000,
        **{"x-kubernetes-validations": [{"rule": "self.matches('^[a-z]+$') && self.matches('^[0-9]+$')"}]},
    )
    spec = {"type": "object", "properties": {f"p{n}": listed(ruled, maxItems=1000) for n in range(30)}}
    body = definition(f"g{uuid.uuid4().hex[:6]}.example.test", spec)
    found = refusals(cluster.call("POST", f"{DEFINITIONS}?dryRun=All", body))
    assert any(
        "cost total for entire OpenAPIv3 schema exceeds budget" in message for _reason, message in found.values()
    )


def test_old_values_need_a_place_to_be_found_again(cluster):
    ruled = text(maxLength=9, **{"x-kubernetes-validations": [{"rule": "self == oldSelf"}]})
    body = definition(
        f"g{uuid.uuid4().hex[:6]}.example.test", {"type": "object", "properties": {"a": listed(ruled, maxItems=9)}}
    )
    found = refusals(cluster.call("POST", f"{DEFINITIONS}?dryRun=All", body))
    assert any("oldSelf cannot be used on the uncorrelatable portion" in message for _reason, message in found.values())
