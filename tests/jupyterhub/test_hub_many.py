# SPDX-License-Identifier: GPL-3.0-or-later
"""A morning in one hub: 200 people log in and start servers, many at a time, and none of them sees an error."""

from __future__ import annotations

import collections
import concurrent.futures
import re
from pathlib import Path

import pytest
import yaml
from cluster_hub import ClusterHub
from hub_parts import ROOT, needed
from hub_support import Person, until

needed("jupyterhub", "proxy")
PEOPLE, THREADS = 200, 16
WAIT = 400  # seconds, for all of them


@pytest.fixture
def cluster(tmp_path):
    found = ClusterHub(tmp_path / "hub")
    found.process = found.hub.start()
    yield found
    found.stop()


def peak(pid: int) -> int:
    """The most memory that a process has had, in MiB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) // 1024


def given_to_the_hub() -> int:
    """What the role asks for a hub, in MiB, of which it gets twice as much at most."""
    given = yaml.safe_load((ROOT / "roles" / "jupyterhub" / "vars" / "main.yml").read_text(encoding="utf-8"))
    return int(re.search(r"'hub': {'requests': {[^}]*'memory': '(\d+)Mi'", given["jupyterhub__resources"])[1])


def kind(path: str) -> str:
    return path.split("?")[0].split("/namespaces/team/")[-1].split("/")[0]


@pytest.mark.timeout(WAIT + 60)
def test_200_people_start_servers_without_an_error(cluster, record_property):
    names = [f"user{number}" for number in range(PEOPLE)]

    def begin(name: str) -> tuple[Person, int, str]:
        person = Person(cluster.hub)
        person.login(name)
        answer = person.ask(f"/hub/api/users/{name}/server", body={})
        return person, answer.status, answer.text

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        begun = list(pool.map(begin, names))
    assert not [(status, text) for _person, status, text in begun if status not in (201, 202)]
    for name, (person, _status, _text) in zip(names, begun, strict=True):
        until(lambda name=name, person=person: person.server(name).get("ready"), WAIT)
    assert len(cluster.names("pods")) == PEOPLE == len(cluster.names("persistentvolumeclaims"))

    lines = cluster.hub.log.read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if any(word in line for word in (" 500 ", "Traceback", "Rolling back"))]

    asked = collections.Counter(f"{entry.verb} {kind(entry.path)}" for entry in cluster.asked())
    assert asked["create pods"] == PEOPLE == asked["create persistentvolumeclaims"]
    memory = peak(cluster.process.pid)
    print(f"hub: {memory} MiB at most; requests: {dict(asked)}")
    record_property("hub_mib", memory)
    record_property("requests", dict(asked))
    assert memory < given_to_the_hub()
