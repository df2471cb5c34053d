# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods as processes: what they can see and do, and that nothing of them stays."""

from __future__ import annotations

import json
import os
import select
import signal
import ssl
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

PYTHON = f"{sys.base_prefix}/bin/python3"
STAND_IN = {
    "profile": "openshift",
    "pods": "process",
    "images": {
        "example/python:*": {
            "bind": {sys.base_prefix: sys.base_prefix},
            "env": {"PATH": f"{sys.base_prefix}/bin:/usr/bin:/bin", "LEVEL": "image"},
            "user": 1001,
            "working_dir": "/tmp",
            "command": [PYTHON, "-c", "print('the command of the image')"],
        }
    },
}
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="Pods as processes need root.")
ENDED = {"Succeeded", "Failed"}


def shell(script: str, **more) -> dict:
    return {"name": "main", "image": "example/host:1", "command": ["/bin/sh", "-c", script], **more}


def create(cluster, namespace: str, name: str, container: dict, token: str | None = None, **spec) -> str:
    metadata = {"name": name}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"restartPolicy": "Never", "containers": [container], **spec},
    }
    cluster.good("POST", f"/api/v1/namespaces/{namespace}/pods", body, token=token)
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def run(cluster, *arguments, **more) -> tuple[dict, str]:
    """The pod once it has ended, and its log."""
    path = create(cluster, *arguments, **more)
    pod = cluster.until(path, lambda pod: pod and pod["status"].get("phase") in ENDED)
    return pod, cluster.good("GET", f"{path}/log")


@pytest.fixture
def member(account):
    """Somebody whose pods fall under the SCC of everybody."""
    return account([{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["*"]}])


def pids_of(marker: str) -> list[int]:
    """The processes of this machine whose command line holds the marker."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if marker.encode() in place.read_bytes():
                found.append(int(place.parent.name))
        except OSError:
            continue
    return found


def wait_for_end(pid: int) -> None:
    """Return when the process has ended."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([handle], [], [], 60)[0], f"process {pid} is still there"
    finally:
        os.close(handle)


def test_a_container_is_unprivileged(cluster, namespace, member):
    _pod, log = run(
        cluster,
        namespace,
        "who",
        shell("id -u; id -g; id -G; grep -E 'CapEff|NoNewPrivs' /proc/self/status"),
        token=member,
    )
    annotations = cluster.good("GET", f"/api/v1/namespaces/{namespace}")["metadata"]["annotations"]
    first = annotations["openshift.io/sa.scc.uid-range"].split("/")[0]
    user, group, groups, *rest = log.splitlines()
    assert (user, group, groups) == (first, "0", f"0 {first}")
    assert [line.split()[1] for line in rest] == ["0" * 16, "1"]


def test_root_in_a_container_is_not_root_of_the_machine(cluster, namespace):
    script = "id -u; touch /root-file && echo own root; mount -t tmpfs none /tmp 2>/dev/null || echo no mount; touch /usr/x 2>/dev/null || echo no /usr"
    pod, log = run(cluster, namespace, "root", shell(script))
    assert pod["metadata"]["annotations"]["openshift.io/scc"] == "anyuid"
    assert log.splitlines() == ["0", "own root", "no mount", "no /usr"]
    assert not Path("/root-file").exists()


def test_a_container_sees_neither_files_nor_processes_of_the_machine(cluster, namespace, member):
    here = Path(__file__)
    script = f"test -e {here} || echo no checkout; find /home /root -mindepth 1 | wc -l; ls -d /proc/[0-9]* | wc -l; hostname"
    _pod, log = run(cluster, namespace, "alone", shell(script), token=member)
    first, homes, processes, name = log.split("\n")[:4]
    assert (first, homes, name) == ("no checkout", "0", "alone")
    assert int(processes) <= 3  # the shell and the pipeline


def test_the_group_of_the_pod_owns_its_volumes(cluster, namespace, member):
    mounts = [{"name": "scratch", "mountPath": "/scratch"}]
    script = "echo x > /scratch/file && stat -c %g /scratch /scratch/file"
    pod, log = run(
        cluster,
        namespace,
        "group",
        shell(script, volumeMounts=mounts),
        token=member,
        volumes=[{"name": "scratch", "emptyDir": {}}],
    )
    assert log.split() == [str(pod["spec"]["securityContext"]["fsGroup"])] * 2


def test_a_claim_keeps_its_files_for_the_next_pod(cluster, namespace, member):
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "kept"}}
    claim["spec"] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    cluster.good("POST", f"/api/v1/namespaces/{namespace}/persistentvolumeclaims", claim)
    more = {"volumes": [{"name": "kept", "persistentVolumeClaim": {"claimName": "kept"}}], "token": member}
    mounts = [{"name": "kept", "mountPath": "/kept", "subPath": "part"}]
    run(cluster, namespace, "writer", shell("echo kept > /kept/file", volumeMounts=mounts), **more)
    mounts = [{"name": "kept", "mountPath": "/kept", "readOnly": True}]
    _pod, log = run(
        cluster, namespace, "reader", shell("cat /kept/part/file; touch /kept/x || true", volumeMounts=mounts), **more
    )
    assert log.startswith("kept\n") and "Read-only file system" in log


def test_an_image_is_a_mapping(cluster, namespace, member):
    container = {"name": "main", "image": "example/python:3"}
    _pod, log = run(cluster, namespace, "image", container, token=member)
    assert log == "the command of the image\n"
    script = "import os, ssl, multiprocessing; multiprocessing.Lock(); print(os.getcwd(), os.environ['LEVEL'])"
    _pod, log = run(cluster, namespace, "python", {**container, "command": ["python3", "-c", script]}, token=member)
    assert log == "/tmp image\n"


def test_a_pod_can_talk_to_the_server_as_its_service_account(cluster, namespace):
    script = """
import json, os, ssl, urllib.request
place = "/var/run/secrets/kubernetes.io/serviceaccount/"
url = "https://{}:{}/apis/authentication.k8s.io/v1/selfsubjectreviews".format(os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"])
body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()
headers = {"Authorization": "Bearer " + open(place + "token").read(), "Content-Type": "application/json"}
answer = urllib.request.urlopen(urllib.request.Request(url, body, headers), context=ssl.create_default_context(cafile=place + "ca.crt"))
print(json.load(answer)["status"]["userInfo"]["username"])
"""
    container = {"name": "main", "image": "example/python:3", "command": ["python3", "-c", script]}
    _pod, log = run(cluster, namespace, "client", container)
    assert log == f"system:serviceaccount:{namespace}:default\n"


def test_deletion_ends_every_process_of_the_pod(cluster, namespace, member):
    marker = f"7{uuid.uuid4().int % 10**9}"
    # The one in the background says that it is there; both have the marker in their arguments.
    script = f"trap '' TERM; setsid sh -c 'echo started; exec sleep {marker}' & wait"
    path = create(cluster, namespace, "stubborn", shell(script), token=member, terminationGracePeriodSeconds=1)
    cluster.until(path, lambda pod: pod and pod["status"].get("phase") == "Running")
    assert cluster.good("GET", f"{path}/log?follow=true&limitBytes=7") == "started"
    pids = pids_of(marker)
    assert len(pids) >= 2
    cluster.good("DELETE", path)
    cluster.until(path, lambda pod: pod is None)
    for pid in pids:
        wait_for_end(pid)


def start_sleeper(cluster, marker: str) -> None:
    path = create(cluster, "default", "sleeper", shell(f"echo started; sleep {marker}; true"))
    cluster.until(path, lambda pod: pod and pod["status"].get("phase") == "Running")
    assert cluster.good("GET", f"{path}/log?follow=true&limitBytes=7") == "started"


def test_nothing_stays_when_the_server_stops(cluster):
    marker = f"8{uuid.uuid4().int % 10**9}"
    server = type(cluster.server)(pods="process")
    with server:
        other = type(cluster)(server.url, server.token, context_for(server.ca_file), server)
        start_sleeper(other, marker)
        pids = pids_of(marker)
        assert pids
    for pid in pids:
        wait_for_end(pid)
    assert not server.directory.exists()
    assert str(server.directory) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


def test_nothing_runs_on_when_the_server_is_killed(cluster, tmp_path):
    marker = f"9{uuid.uuid4().int % 10**9}"
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-m", "tests.apiserver", "--pods", "process", "--directory", str(tmp_path / "server")]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            said = json.loads(process.stdout.readline())
            start_sleeper(type(cluster)(said["url"], said["token"], context_for(said["ca_file"])), marker)
            pids = pids_of(marker)
            assert pids
        finally:
            process.send_signal(signal.SIGKILL)
    for pid in pids:
        wait_for_end(pid)


def context_for(ca_file: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)
