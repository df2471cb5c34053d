# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator asks of runs: to be told of pods, to end them from another thread, and that Jobs go with their owners."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.run.pod.launcher import Target, run_all
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.execution import RunRequest
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop, Stopped
from pod_run_support import IMAGE, auth

FOREVER = {"name": "*", "seconds": 600, "containers": {"notebook": {"seconds": 600}}}


def owner(site, name: str) -> dict:
    """An object of the namespace, as an entry of ownerReferences."""
    made = site.server.system.create("configmaps", {"metadata": {"name": name, "namespace": "team"}})
    return {"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": made["metadata"]["uid"]}


@pytest.fixture
def run(simulated, tmp_path):
    """`run(**target)`: a notebook that never ends, in a thread; the thread, and how it ended."""
    simulated.server.pod_rules.add(FOREVER)
    request = RunRequest(
        id="0" * 64, python="python3", source=str(tmp_path / "source"), notebook=simulated.notebook("a.ipynb", "1"),
        output=str(tmp_path / "out"), timeout=600,
    )  # fmt: skip
    with Cluster(auth(simulated.server)) as cluster:

        def start(**target):
            began, ends = threading.Event(), []

            def work():
                told = Target(cluster, "team", on_pod=lambda *_told: began.set(), **target)
                try:
                    run_all([(IMAGE, request)], told, workers=1, on_result=ends.append)
                except Stopped as stopped:
                    ends.append(stopped)

            thread = threading.Thread(target=work, daemon=True)
            thread.start()
            assert began.wait(10), "the pod was not told of"
            return thread, ends

        yield start


def jobs(site) -> list[dict]:
    return site.server.system.list("jobs.batch", "team")


def test_a_run_that_is_to_stop_ends_and_leaves_nothing(simulated, run):
    stop = Stop()
    thread, ends = run(stop=stop)
    stop.ask()
    thread.join(10)
    assert [type(end) for end in ends] == [Stopped] and simulated.emptied()


def test_what_is_stopped_before_it_begins_makes_nothing(simulated):
    stop = Stop()
    stop.ask()
    with Cluster(auth(simulated.server)) as cluster, pytest.raises(Stopped):
        run_all([(IMAGE, None)], Target(cluster, "team", stop=stop), workers=1, on_result=print)
    assert jobs(simulated) == []


def test_a_job_goes_with_the_last_of_its_owners(simulated, run):
    first, second = owner(simulated, "first"), owner(simulated, "second")
    stops = [Stop(), Stop()]
    run(owners=(first,), stop=stops[0])
    run(owners=(second,), stop=stops[1])  # which takes it up
    (job,) = jobs(simulated)
    assert [one["name"] for one in job["metadata"]["ownerReferences"]] == ["first", "second"]
    simulated.server.system.delete("configmaps", "team", "first")
    simulated.server.store.flush()
    assert len(jobs(simulated)) == 1
    simulated.server.system.delete("configmaps", "team", "second")
    assert simulated.emptied()
