# SPDX-License-Identifier: GPL-3.0-or-later
"""Notebooks in pods: results by file, whole, and nothing left."""

from __future__ import annotations

import json
import os
import signal
import threading

import pytest
from cluster_support import http


def texts(notebook: dict) -> str:
    return "".join("".join(out.get("text", "")) for cell in notebook["cells"] for out in cell.get("outputs", ()))


def test_notebooks_run_as_a_user_that_no_image_knows(real):
    good = real.notebook(
        "deep/good.ipynb", "import os\nprint(os.getuid(), os.getgid())", "print(open('data.txt').read())"
    )
    (real.directory / "source" / "deep" / "data.txt").write_text("beside it")
    bad = real.notebook("bad.ipynb", "x = 1", "raise ValueError('no')", "print('never')")
    found = real.run(good, bad)
    assert found[good].reason == "completed", found[good]
    assert "1000990000 0" in texts(real.executed(found[good])) and "beside it" in texts(real.executed(found[good]))
    assert (found[bad].reason, found[bad].cell, found[bad].error.ename) == ("cell_error", 1, "ValueError")
    assert [cell.status for cell in found[bad].cells] == ["Success", "Failure", "Skipped"]
    assert real.emptied()


def test_pods_pass_the_restricted_standard_and_hold_no_token(real):
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    http(real.server, "PATCH", "/api/v1/namespaces/team", label, "application/merge-patch+json")
    name = real.notebook(
        "a.ipynb", "import os\nprint(os.path.exists('/var/run/secrets/kubernetes.io'))", "open('/forbidden', 'w')"
    )
    found = real.run(name)[name]
    assert (found.reason, found.error.ename) == ("cell_error", "OSError"), "the root file system is read-only"
    assert "False" in texts(real.executed(found))


def test_secrets_reach_the_notebook_and_no_manifest(real):
    name = real.notebook("a.ipynb", "import os\nprint(len(os.environ['TOKEN']), os.environ['PLAIN'])")
    found = real.run(name, secrets={"TOKEN": "s3cr3t-value"}, environment={"PLAIN": "yes"})[name]
    assert "12 yes" in texts(real.executed(found))
    kept = [one for kind in ("jobs.batch", "pods", "configmaps") for one in real.server.system.list(kind, "team")]
    assert "s3cr3t-value" not in json.dumps(kept)
    assert real.emptied(), "the Secret goes with the Job"


def test_large_outputs_arrive_whole(real):
    name = real.notebook("a.ipynb", "print('x' * 20_000_000)")
    found = real.run(name)[name]
    assert found.reason == "completed" and texts(real.executed(found)).count("x") == 20_000_000


def test_what_a_notebook_prints_or_writes_forges_nothing(real):
    forge = (
        "import os, json\n"
        "for place in ('/dev/termination-log', '/results/results.json', '/results/executed.ipynb'):\n"
        "    try:\n        open(place, 'w').write('0' * 64)\n    except OSError:\n        pass\n"
        "print(json.dumps({'file': 'results.json', 'size': 1, 'sha256': '0'}))\nprint(json.dumps({'end': True}))"
    )
    bad = real.notebook("forge.ipynb", forge, "raise SystemError('still failed')")
    good = real.notebook("good.ipynb", "1")
    found = real.run(bad, good)
    assert (found[bad].reason, found[bad].error.ename) == ("cell_error", "SystemError")
    assert found[good].reason == "completed"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"failure": "ImagePullBackOff"}, "image_unavailable"),
        ({"failure": "CreateContainerConfigError"}, "pod_refused"),
        ({"failure": "Unschedulable"}, "pod_unschedulable"),
        ({"failure": "Evicted", "seconds": 0.1, "containers": {"notebook": {"seconds": 60}}}, "pod_lost"),
        ({"failure": "OOMKilled", "seconds": 0.1}, "out_of_memory"),
        ({"containers": {"notebook": {"exit_code": 3}}}, "results_missing"),
        ({"containers": {"notebook": {"message": "0" * 64}, "results": {"logs": [[0, "rubbish!"]]}}}, "results_missing"),
        ({"containers": {"notebook": {"message": "0" * 64}, "results": {"logs": []}}}, "results_missing"),
    ],
)  # fmt: skip
def test_what_befalls_a_pod_is_told(simulated, rule, reason):
    simulated.server.pod_rules.add({"name": "*", **rule})
    name = simulated.notebook("a.ipynb", "1")
    found = simulated.run(name)[name]
    assert found.reason == reason and found.message, found
    assert [cell.status for cell in found.cells] == ["Skipped"]
    assert simulated.emptied()


def test_a_quota_that_leaves_no_room_is_told(simulated):
    quota = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "q"}, "spec": {"hard": {"pods": "0"}}}
    http(simulated.server, "POST", "/api/v1/namespaces/team/resourcequotas", quota)
    name = simulated.notebook("a.ipynb", "1")
    found = simulated.run(name)[name]
    assert found.reason == "quota_exceeded" and "exceeded quota" in found.message


def test_a_pod_that_is_deleted_is_told(simulated):
    simulated.server.pod_rules.add({"name": "*", "seconds": 60})
    name = simulated.notebook("a.ipynb", "1")

    def delete():
        simulated.server.journal.wait_for("/pods[?].*watch=true")
        for pod in simulated.server.system.list("pods", "team"):
            simulated.server.system.delete("pods", "team", pod["metadata"]["name"])

    deleting = threading.Thread(target=delete)
    deleting.start()
    found = simulated.run(name)[name]
    deleting.join()
    assert found.reason == "pod_lost"


def test_an_interrupted_call_leaves_nothing_or_what_the_next_one_takes_up(real):
    name = real.notebook("a.ipynb", "import time\ntime.sleep(2)\nprint('done')")

    def interrupted(on_cancel):
        def interrupt(_signal, _frame):
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGUSR1, interrupt)

        def send():
            real.server.journal.wait_for("PATCH .*/jobs/notebook-run")
            os.kill(os.getpid(), signal.SIGUSR1)

        sending = threading.Thread(target=send)
        with pytest.raises(KeyboardInterrupt):
            sending.start()
            real.run(name, options={"on_cancel": on_cancel})
        sending.join()
        signal.signal(signal.SIGUSR1, before)
        real.server.journal.clear()

    interrupted("delete")
    assert real.emptied()
    interrupted("leave")
    (job,) = real.server.system.list("jobs.batch", "team")
    assert real.run(name)[name].reason == "completed"
    created = [one for one in real.server.journal.entries(verb="create") if one.status == 201 and one.user != "system"]
    assert not [one.line for one in created if "/jobs" in one.line], "the Job that was left was taken up"


def test_more_than_one_object_can_describe_is_run_by_several_jobs(simulated):
    simulated.server.pod_rules.add({"name": "*", "containers": {"notebook": {"exit_code": 3}}})
    names = [simulated.notebook(f"{number}.ipynb", "1") for number in range(3)]
    found = simulated.run(*names, parameters={"text": "x" * 300_000})
    assert {result.reason for result in found.values()} == {"results_missing"} and len(found) == 3
    made = {entry.path for entry in simulated.server.journal.entries(verb="patch") if "/jobs/" in entry.path}
    assert len(made) == 2
