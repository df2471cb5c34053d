# SPDX-License-Identifier: GPL-3.0-or-later
"""A Jupyter server with the files that an image of ours has, and a store beside it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import urllib3
from hub_parts import PYTHON, ROOT

IMAGE = ROOT / "roles" / "jupyterhub" / "files" / "singleuser"
SECONDS = 60  # for a process to answer
ANYBODY = {"Authorization": "AWS4-HMAC-SHA256 Credential=other/20260101/us-east-1/s3/aws4_request"}  # moto believes it


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Process:
    """A server as a process of its own, its output in a file."""

    def __init__(self, command: list[str], log: Path, url: str, pool: urllib3.PoolManager, **more):
        self.log, self.url, self.pool = log, url, pool
        with log.open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, **more)

    def wait(self, path: str) -> None:
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            assert self._process.poll() is None, self.log.read_text()
            try:
                self.pool.request("GET", self.url + path, retries=False, timeout=5)
                return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
        raise TimeoutError(f"{self.url} does not answer: {self.log.read_text()}")

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()


class S3(Process):
    """moto's S3, into which other tools put objects. tls: certificate, key and the authority's file."""

    def __init__(self, directory: Path, tls: tuple[str, str, str] | None = None, port: int | None = None):
        self.port = port or free_port()
        command = [str(PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        if tls:
            command += ["-s", "-c", tls[0], "-k", tls[1]]
        pool = urllib3.PoolManager(ca_certs=tls[2] if tls else None)
        url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        super().__init__(command, directory / f"s3-{self.port}.log", url, pool)

    def put(self, path: str, content: bytes = b"") -> None:
        answer = self.pool.request("PUT", f"{self.url}/{quote(path)}", body=content, headers=ANYBODY)
        assert answer.status == 200, answer.data

    def get(self, path: str) -> bytes | None:
        answer = self.pool.request("GET", f"{self.url}/{quote(path)}", headers=ANYBODY)
        return answer.data if answer.status == 200 else None


class Lab(Process):
    """A Jupyter server of a user's pod."""

    def __init__(self, directory: Path, endpoint: str, **environ: str):
        self.files, port = directory / "files", free_port()
        self.files.mkdir(parents=True)
        given = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_", "BUCKET_"))}
        given |= {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}
        given |= {"AWS_ENDPOINT_URL_S3": endpoint, "BUCKET_NAME": "own", "HOME": str(directory)}
        given |= {
            "JUPYTER_CONFIG_PATH": str(IMAGE),
            "PYTHONPATH": str(IMAGE),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environ,
        }
        command = [
            str(PYTHON),
            "-m",
            "jupyter_server",
            f"--port={port}",
            "--ip=127.0.0.1",
            "--no-browser",
            "--allow-root",
        ]
        command += [
            "--IdentityProvider.token=",
            "--ServerApp.disable_check_xsrf=True",
            f"--ServerApp.root_dir={self.files}",
        ]
        others = dict.fromkeys(
            ("jupyterlab", "jupyter_lsp", "notebook_shim", "nbclassic", "jupyter_server_terminals"), False
        )
        command += [f"--ServerApp.jpserver_extensions={others}"]  # which are slow to import
        command += ["--BucketTree.most=5", "--BucketTree.seconds=2", "--FileContentsManager.delete_to_trash=False"]
        url = f"http://127.0.0.1:{port}"
        super().__init__(command, directory / "lab.log", url, urllib3.PoolManager(), env=given)

    def ask(self, method: str, path: str, body: dict | None = None, **query) -> tuple[int, dict]:
        """Status and answer of the contents API."""
        fields = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
        answer = self.pool.request(
            method, f"{self.url}/api/contents/{quote(path)}?{fields}", body=json.dumps(body) if body else None
        )
        try:
            return answer.status, json.loads(answer.data or b"{}")
        except ValueError:  # the server tells in plain text what is not there
            return answer.status, {"message": answer.data.decode()}

    def names(self, path: str) -> list[str]:
        status, found = self.ask("GET", path)
        assert status == 200, found
        return sorted(one["name"] for one in found["content"])

    def download(self, path: str) -> urllib3.BaseHTTPResponse:
        return self.pool.request("GET", f"{self.url}/files/{quote(path)}?download=1")
