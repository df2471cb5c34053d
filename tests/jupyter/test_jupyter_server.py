# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Jupyter servers in the pods that the operator makes, two behind one host, and a browser that logs in by the status."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
import urllib3
import websocket
from jupyter_support import ROOT, ApiServer, Bench, conditions, define, free_port, namespace

from tests.apiserver.actors.process import PATH, unavailable

JUPYTER = ROOT / "build" / "venvs" / "jupyter"
PROXY = ROOT / "build" / "npm" / "node_modules" / ".bin" / "configurable-http-proxy"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
HOST = "hub.example.com"
# Pods share the network here, so each image has a port of its own.
PROGRAM = """#!/bin/bash
exec {jupyter} "$@" --ServerApp.port={port} --ServerApp.ip=127.0.0.1
"""


def needed() -> dict[str, str]:
    """What the tests run; skipped where something lacks, but not in CI."""
    found = {"browser": os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)}
    found |= {"node": shutil.which("node"), "proxy": str(PROXY) if PROXY.exists() else None}
    found |= {"jupyter": str(JUPYTER) if JUPYTER.exists() else None}
    lacking = [name for name, path in found.items() if not path]
    if lacking or unavailable():
        reason = f"no {', '.join(lacking)} here (make operator installs them; Debian: chromium, npm) {unavailable()}"
        pytest.fail(reason, pytrace=False) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return found


class Proxy:
    """One host for all servers: what a controller of Ingresses makes of those that are there."""

    def __init__(self, ports: dict[str, int]):
        self.port, self.api, self._ports = free_port(), free_port(), ports
        words = [
            str(PROXY),
            "--ip",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--api-ip",
            "127.0.0.1",
            "--api-port",
            str(self.api),
        ]
        environment = {**os.environ, "CONFIGPROXY_AUTH_TOKEN": "t"}
        self._process = subprocess.Popen([*words, "--log-level", "error"], env=environment, stdin=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}"

    def follow(self, ingress: dict) -> None:
        (rule,) = ingress["spec"]["rules"]
        assert rule["host"] == HOST
        for one in rule["http"]["paths"]:
            target = {"target": f"http://127.0.0.1:{self._ports[one['backend']['service']['name']]}"}
            answered("POST", f"http://127.0.0.1:{self.api}/api/routes{one['path']}", 201, json.dumps(target), "token t")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


def answered(method: str, url: str, status: int = 200, body=None, authorization: str = "", seconds: float = 60):
    """The answer to a request as soon as there is one of that status."""
    pool, end, said = urllib3.PoolManager(retries=False, timeout=10), time.monotonic() + seconds, None
    headers = {"Authorization": authorization} if authorization else {}
    while time.monotonic() < end:
        try:
            said = pool.request(method, url, body=body, headers=headers)
            if said.status == status:
                return said
        except urllib3.exceptions.HTTPError:
            pass  # it does not listen yet
        time.sleep(0.05)
    raise AssertionError(f"{method} {url}: {said and (said.status, said.data[:300])}")


@pytest.fixture(scope="module")
def site():
    """A cluster, two notebooks in it, and the host before them."""
    tools = needed()
    with tempfile.TemporaryDirectory(prefix="mlops-jupyter-") as name:
        os.chmod(name, 0o755)  # a process of another user has to reach what it runs
        directory, ports = Path(name), {"one": free_port(), "two": free_port()}
        code = directory / "code"
        (code / "copy-to-startup").mkdir(parents=True)
        (code / "copy-to-startup" / "welcome.txt").write_text("hello")
        images = {f"registry.example.com/{part}:1": image(directory, part, port, code) for part, port in ports.items()}
        proxy = Proxy(ports)
        with ApiServer(profile="kubernetes", pods="process", images=images) as server:
            namespace(server)
            level = {"pod-security.kubernetes.io/enforce": "restricted"}
            server.system.patch("namespaces", None, "team", {"metadata": {"labels": level}})
            define(server)
            claim(server)
            bench = Bench(server, server_url=proxy.url)
            try:
                for part in ports:
                    bench.team.create(
                        part, image=f"registry.example.com/{part}:1", notebook={"interface": "lab" if part == "one" else "classic"},
                        project={"claimName": "projects", "id": f"project-{part}"},
                    )  # fmt: skip
                for part in ports:
                    bench.team.ready(part)
                    proxy.follow(bench.team.find("ingresses.networking.k8s.io", part))
                bench.proxy, bench.tools, bench.directory = proxy, tools, Path(server.directory)
                for part, port in ports.items():
                    answered("GET", f"http://127.0.0.1:{port}/{part}/api")
                yield bench
            finally:
                bench.close()
                proxy.close()


def image(directory: Path, part: str, port: int, code: Path) -> dict:
    """An image with the servers, whose program listens at a port of its own."""
    programs = directory / part
    programs.mkdir()
    for name in ("jupyter", "jupyter-lab", "jupyter-nbclassic"):
        (programs / name).write_text(PROGRAM.format(jupyter=JUPYTER / "bin" / "jupyter", port=port))
        (programs / name).chmod(0o755)
    base = Path(os.path.realpath(JUPYTER / "bin" / "python")).parents[1]
    bind = {str(place): str(place) for place in (JUPYTER, base, programs)} | {"/home/code": str(code)}
    return {"bind": bind, "env": {"PATH": f"{programs}:{JUPYTER}/bin:{PATH}"}, "user": 1000}


def claim(server) -> None:
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": "projects", "namespace": "team"}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
    server.system.create("persistentvolumeclaims", body)


def told(site, name: str) -> dict:
    return site.team.ready(name)["status"]["jupyter"]["notebook"]


def test_a_browser_logs_in_by_the_address_in_the_status(site):
    from playwright.sync_api import sync_playwright

    rules = [f"--host-resolver-rules=MAP {HOST} 127.0.0.1:{site.proxy.port}"]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=site.tools["browser"], args=[*FLAGS.split(), *rules], env={**os.environ, "HOME": home}
        )
        page = browser.new_page()
        page.goto(told(site, "one")["url"], wait_until="domcontentloaded")
        assert page.url.startswith(f"http://{HOST}/one/lab")
        page.locator("#jp-main-dock-panel").wait_for(timeout=60_000)
        names = page.evaluate(
            "fetch('/one/api/contents').then(got => got.json()).then(got => got.content.map(one => one.name))"
        )
        assert names == ["welcome.txt"]
        page.goto(told(site, "two")["url"], wait_until="domcontentloaded")
        assert page.url.startswith(f"http://{HOST}/two/tree")
        page.locator("#notebook_list").wait_for(timeout=60_000)
        page.get_by_text("welcome.txt").wait_for(timeout=60_000)
        browser.close()


def test_each_server_is_at_its_own_path_with_its_own_token_and_project(site):
    tokens = {name: told(site, name)["token"] for name in ("one", "two")}
    url = site.proxy.url
    body = json.dumps({"type": "file", "format": "text", "content": "mine"})
    answered("PUT", f"{url}/one/api/contents/mine.txt", 201, body, f"token {tokens['one']}")
    answered("GET", f"{url}/two/api/contents/mine.txt", 404, None, f"token {tokens['two']}")
    answered("GET", f"{url}/two/api/contents", 403, None, f"token {tokens['one']}")
    files = site.directory / "claims" / "team" / "projects"
    assert (files / "project-one" / "mine.txt").read_text() == "mine"
    assert (files / "project-two" / ".two" / ".bash_profile").is_file()
    for name, token in tokens.items():
        assert token not in log(site, name)


def log(site, name: str) -> str:
    (pod,) = [
        one["metadata"]["name"] for one in site.team.list("pods") if one["metadata"]["labels"]["deployment"] == name
    ]
    return site.cluster.send("GET", f"/api/v1/namespaces/team/pods/{pod}/log", {"container": "notebook"}).data.decode()


def busy(site, name: str) -> str:
    """Have a kernel of a server compute for long, with nobody connected; return its address."""
    kernels, token = f"{site.proxy.url}/{name}/api/kernels", told(site, name)["token"]
    made = json.loads(answered("POST", kernels, 201, "{}", f"token {token}").data)
    place = f"{kernels.replace('http', 'ws', 1)}/{made['id']}/channels"
    channels = websocket.create_connection(place, header=[f"Authorization: token {token}"], timeout=60)
    header = {"msg_id": "1", "msg_type": "execute_request", "version": "5.3", "username": "", "session": "1"}
    content = {"code": "print('begun'); import time; time.sleep(600)", "silent": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channels.send(json.dumps(message))
    while json.loads(channels.recv())["msg_type"] != "stream":
        pass
    channels.close()
    return f"{kernels}/{made['id']}"


def test_a_server_that_nobody_uses_any_more_is_stopped_and_one_that_computes_is_not(site):
    kernel, token = busy(site, "one"), told(site, "one")["token"]
    for name in ("one", "two"):
        site.team.note(name, cull_after="1s")
    found = site.team.told("two", "Stopped", "Idle")
    assert "idle since 20" in conditions(found)["Stopped"]["message"]
    assert (site.directory / "claims" / "team" / "projects" / "project-two" / "welcome.txt").is_file()
    assert conditions(site.team.ready("one"))["Stopped"]["status"] == "False"  # looked at in the same round
    answered("POST", f"{kernel}/interrupt", 204, None, f"token {token}")
    site.team.told("one", "Stopped", "Idle")
