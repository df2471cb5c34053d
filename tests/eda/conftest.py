# SPDX-License-Identifier: GPL-3.0-or-later
"""Rulebooks as a user runs them: the process ansible-rulebook on the installed collection."""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .eda_support import EDA

REMEDY = """\
- name: Remedy
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Say what came
      ansible.builtin.uri:
        url: {url}
        method: POST
        body_format: json
        body: {{remedy: "{{{{ {variable} }}}}"}}
"""


class Told:
    """What a receiver of notifications was sent."""

    def __init__(self, url: str, posts: queue.Queue):
        self.url, self._posts = url, posts

    def next(self) -> dict:
        return self._posts.get(timeout=60)

    def nothing_else(self) -> bool:
        return self._posts.empty()


@pytest.fixture
def receiver():
    """A chat's incoming webhook, on 127.0.0.1."""
    posts: queue.Queue = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            posts.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *arguments) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Told(f"http://127.0.0.1:{server.server_address[1]}/", posts)
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def rulebook(tmp_path, receiver):
    """`rulebook(name, variable, environment, settings, **variables)` runs one, whose remedy tells the receiver a variable."""
    if not shutil.which("java"):
        reason = "no java here: install the package openjdk-17-jre-headless"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    python = Path(sys.executable)

    @contextmanager
    def run(name: str, variable: str, environment: dict, settings: dict | None = None, **variables):
        (tmp_path / "remedy").mkdir()
        remedy = tmp_path / "remedy" / "remedy.yml"
        remedy.write_text(REMEDY.format(url=receiver.url, variable=variable))
        host = {"ansible_connection": "local", "ansible_python_interpreter": str(python), **(settings or {})}
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"localhost": host}}}))
        given = {"notify_url": receiver.url, "remediate_playbook": str(remedy), **variables}
        (tmp_path / "vars.yml").write_text(json.dumps(given))
        home = tmp_path / "home"
        home.mkdir()
        # No PYTHONPATH: the event source finds the collections itself.
        clean = {
            "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "TMPDIR": str(tmp_path),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": str(EDA.parents[4]),
            "ANSIBLE_HOME": str(home / ".ansible"),
            **environment,
        }
        command = [str(python.with_name("ansible-rulebook")), "--rulebook", f"mlops.notebooks.{name}"]
        command += ["-i", str(inventory), "--vars", str(tmp_path / "vars.yml")]
        output = tmp_path / "output"
        with output.open("w") as stream:
            process = subprocess.Popen(command, cwd=tmp_path, env=clean, stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield process
            process.terminate()
            process.wait(20)
        except (queue.Empty, TimeoutError, subprocess.TimeoutExpired) as error:
            pytest.fail(f"{error!r}; ansible-rulebook says:\n{output.read_text()}")
        finally:
            process.kill()
            process.wait()

    return run
