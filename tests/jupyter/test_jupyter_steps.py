# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator in this process: OpenShift, what an operator before it has left, and its end between any two writes."""

from __future__ import annotations

import base64
import json
import statistics
import time

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from jupyter_former import gateways, leave
from jupyter_operator import record
from jupyter_operator.children import stands
from jupyter_operator.main import Operator as Here
from jupyter_operator.reconcile import Reconciler
from jupyter_operator.seat import Seat, trimmed
from jupyter_operator.settings import Settings
from jupyter_support import PLURAL, ApiServer, Bench, Team, account, auth, conditions, define, namespace, rules

DEPLOYMENTS, ROUTES = "deployments.apps", "routes.route.openshift.io"


@pytest.fixture(scope="module")
def openshift():
    """A cluster of OpenShift, and the operator with the rights of the documentation."""
    with ApiServer(profile="openshift") as server:
        namespace(server)
        define(server)
        account(server)
        bench = Bench(server, Cluster(login(server)))
        yield bench
        bench.close()


def uid_of(bench) -> int:
    notes = bench.server.system.get("namespaces", None, "team")["metadata"]["annotations"]
    return int(notes["openshift.io/sa.scc.uid-range"].partition("/")[0])


def test_openshift_gives_the_ids_and_a_route_with_tls(openshift):
    openshift.team.create("plain", ingressProxyBodySize="1g")
    found = openshift.team.ready("plain")
    assert found["status"]["jupyter"]["notebook"]["url"].startswith("https://hub.example.com/plain?token=")
    (pod,) = openshift.team.list("pods")
    assert pod["metadata"]["annotations"]["openshift.io/scc"] == "restricted-v2"
    assert pod["spec"]["containers"][0]["securityContext"]["runAsUser"] == uid_of(openshift)
    route = openshift.team.find(ROUTES, "plain")["spec"]
    assert (route["path"], route["tls"]["termination"], route["to"]["name"]) == ("/plain", "edge", "plain")
    assert openshift.team.find("ingresses.networking.k8s.io", "plain") is None
    assert not [one.line for one in openshift.server.journal.entries() if one.status == 403]


def test_ids_of_the_range_are_taken_and_others_refused_with_a_sentence(openshift):
    uid = uid_of(openshift)
    openshift.team.create("within", securityContext={"runAsUser": uid + 5, "runAsGroup": 0, "fsGroup": uid + 6})
    openshift.team.ready("within")
    openshift.team.create("beyond", securityContext={"runAsUser": 1000})
    found = openshift.team.told("beyond", "Accepted", "OutsideRange")
    message = conditions(found)["Accepted"]["message"]
    assert f"runAsUser is 1000, and the range of the namespace team is {uid}/10000" in message
    assert openshift.team.find(DEPLOYMENTS, "beyond") is None
    openshift.team.change("beyond", securityContext={"runAsUser": None, "fsGroup": 100})
    found = openshift.team.told("beyond", "Accepted", "OutsideRange")
    assert "fsGroup is 100" in conditions(found)["Ready"]["message"]


@pytest.fixture(scope="module")
def plain():
    """A cluster of Kubernetes in which nobody runs pods."""
    with ApiServer(profile="kubernetes", pods="none") as server:
        namespace(server)
        define(server)
        gateways(server)
        account(server)
        yield server


def login(server) -> dict:
    """As the operator's account."""
    return auth(server, server.tokens.issue("operator", 3600))


@pytest.fixture
def team(plain):
    found = Team(plain)
    yield found
    for one in found.list(PLURAL):
        found.remove(one["metadata"]["name"])


def run_once(team, name: str, cluster: Cluster, **settings) -> Seat:
    """One process: it reads the notebook and brings it about."""
    here = Here(cluster, Settings(**{"domain": "hub.example.com", **settings}))
    seat = Seat(trimmed(team.find(PLURAL, name)))
    Reconciler(cluster, here.plan).run(seat)
    seat.wanted = here.plan.manifests(seat.asked, seat.found, seat.token) if seat.asked else []
    return seat


def test_who_changes_over_keeps_address_and_token_and_nothing_is_left_of_the_former_objects(team):
    team.create("old")
    leave(team)
    told = {
        "jupyter": {
            "notebook": {"token": "aBcDeFgHiJkLmNoP", "url": "http://hub.example.com/old?token=aBcDeFgHiJkLmNoP"}
        }
    }
    found = team.find(PLURAL, "old")
    team.server.system.update_status(PLURAL, {**found, "status": told})
    with Cluster(login(team.server)) as cluster:
        run_once(team, "old", cluster)
    assert team.find(PLURAL, "old")["status"]["jupyter"]["notebook"]["url"] == told["jupyter"]["notebook"]["url"]
    container = team.find(DEPLOYMENTS, "old")["spec"]["template"]["spec"]["containers"][0]
    assert "/usr/local/bin" not in json.dumps(container) and container["name"] == "notebook"
    ingress = team.find("ingresses.networking.k8s.io", "old")
    assert ingress["spec"]["ingressClassName"] == "nginx"
    assert "kubernetes.io/ingress.class" not in ingress["metadata"]["annotations"]
    assert [one["metadata"]["name"] for one in team.list("configmaps") if one["metadata"]["name"].endswith("-old")] == [
        "jupyter-old"
    ]


def test_what_a_former_notebook_of_the_name_has_left_is_waited_for(team):
    reference = {"apiVersion": "squonk.it/v2", "kind": "JupyterNotebook", "name": "again", "uid": "former"}
    keeper = team.create("keeper")["metadata"]["uid"]
    owners = [reference, {**reference, "name": "keeper", "uid": keeper}]
    metadata = {"name": "again", "namespace": "team", "ownerReferences": owners}
    spec = {"selector": {"a": "b"}, "ports": [{"port": 80}]}
    team.server.system.create("services", {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    team.create("again")
    with Cluster(login(team.server)) as cluster:
        run_once(team, "again", cluster)
        found = conditions(team.find(PLURAL, "again"))["Accepted"]
        assert (found["reason"], found["status"]) == ("Waiting", "False") and "former notebook" in found["message"]
        assert team.find("secrets", "jupyter-again") is None
        team.delete("services", "again")
        run_once(team, "again", cluster)
    assert conditions(team.find(PLURAL, "again"))["Accepted"]["status"] == "True"


def test_another_exposure_takes_the_former_one_away(team):
    team.create("moved")
    with Cluster(login(team.server)) as cluster:
        run_once(team, "moved", cluster)
        assert team.find("ingresses.networking.k8s.io", "moved") and team.find(
            "networkpolicies.networking.k8s.io", "moved"
        )
        run_once(team, "moved", cluster, exposure="httproute", gateway="infra/public/https", network_policy=False)
    assert team.find("ingresses.networking.k8s.io", "moved") is None
    assert team.find("networkpolicies.networking.k8s.io", "moved") is None
    route = team.find("httproutes.gateway.networking.k8s.io", "moved")["spec"]
    assert route["parentRefs"][0]["sectionName"] == "https" and route["hostnames"] == ["hub.example.com"]
    assert team.find(PLURAL, "moved")["status"]["jupyter"]["notebook"]["url"].startswith("https://")
    with Cluster(login(team.server)) as cluster:
        run_once(team, "moved", cluster)
    assert team.find("httproutes.gateway.networking.k8s.io", "moved") is None


class Killed(BaseException):
    """What kill -9 is to a process."""


class Mortal(Cluster):
    """A cluster whose client dies at its n-th write, before or after the server has taken it."""

    def __init__(self, server, number: int, after: bool):
        super().__init__(login(server))
        self.left, self._after = number, after

    def request(self, method, path, **options):
        if method != "GET":
            self.left -= 1
        if method != "GET" and self.left == 0 and not self._after:
            raise Killed
        answer = super().request(method, path, **options)
        if method != "GET" and self.left == 0:
            raise Killed
        return answer


WRITES = 8  # six children, the status, and an event


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_an_end_between_any_two_writes_does_no_harm(team, number, after):
    team.create("cut", project={"claimName": "projects", "id": "p"})
    with pytest.raises(Killed), Mortal(team.server, number, after) as cluster:
        run_once(team, "cut", cluster)
    secret = team.find("secrets", "jupyter-cut")
    with Cluster(login(team.server)) as cluster:
        seat = run_once(team, "cut", cluster)
        writes = len(team.server.journal.writes())
        again = run_once(team, "cut", cluster)
    assert not secret or secret["data"]["token"] == base64.b64encode(seat.token.encode()).decode()
    assert again.token == seat.token and len(team.server.journal.writes()) == writes
    assert team.find(PLURAL, "cut")["status"]["jupyter"]["notebook"]["token"] == seat.token
    for resource, manifest in seat.wanted:
        plural = ".".join(filter(None, (resource.plural, resource.group)))
        assert stands(team.find(plural, manifest["metadata"]["name"]), manifest), plural


def test_a_whole_notebook_takes_no_more_writes_than_are_tried_above(team):
    team.create("count")
    with Mortal(team.server, 10**6, False) as cluster:
        run_once(team, "count", cluster)
        assert 10**6 - cluster.left == WRITES


def test_another_notebook_of_the_same_name_is_left_alone(team):
    team.create("twin")
    former = trimmed(team.find(PLURAL, "twin"))
    former["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with Cluster(login(team.server)) as cluster:
        assert record.write(cluster, former, {"jupyter": {}}) is None
        assert record.stop(cluster, former, "idle since 2020") is None
    found = team.find(PLURAL, "twin")
    assert "status" not in found and not found["metadata"].get("annotations")


def test_service_and_route_are_there_within_half_a_second(openshift):
    took = []
    for number in range(9):
        begin = time.monotonic()
        openshift.team.create(f"fast-{number}")
        for plural in ("services", ROUTES):
            openshift.team.until(plural, lambda found, number=number: found["metadata"]["name"] == f"fast-{number}")
        took.append(time.monotonic() - begin)
    # The bar is half a second; ten times that holds on a machine that is busy with other tests.
    assert statistics.median(took) < 5, took


# What stands for the right that is asked for: checks of an admission, and kinds of which one cluster has one only.
UNSEEN = {
    ("jupyternotebooks/finalizers", "update"), ("routes/custom-host", "create"), ("routes/custom-host", "update"),
    *((resource, verb) for resource in ("ingresses", "httproutes") for verb in ("list", "watch")),
    ("jupyternotebooks", "list"), ("jupyternotebooks", "watch"),  # kopf's, which is not here
    ("routes", "delete"),
}  # fmt: skip


def test_no_right_of_the_documentation_is_left_over(openshift, plain):
    seen = set()
    for server in (openshift.server, plain):
        for one in server.journal.entries():
            parts = one.path.partition("/namespaces/")[2].split("/")
            if one.user != "operator" or not parts[0]:
                continue
            resource = "namespaces" if len(parts) == 1 else "/".join([parts[1], *parts[3:]])
            seen |= {(resource, "patch" if one.verb == "apply" else one.verb)}
            seen |= {(resource, "create")} if one.status == 201 else set()
    documented = {(rule["resources"][0], verb) for rule in rules() for verb in rule["verbs"]}
    assert documented - seen - UNSEEN == set()
    assert seen - documented == set()
