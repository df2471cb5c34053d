# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of the registry, and images that are made by hand."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import threading
from pathlib import Path

import pytest
import urllib3

from tests.apiserver.pki import Authority

from .servers import Storage
from .tokens import ISSUER, SERVICE, Tokens

USER, PASSWORD = "reader", "reader-of-the-test"
# bcrypt, which is all that the registry takes.
_HTPASSWD = f"{USER}:$2y$05$cfltKhAkTzSf.VqGxyDewun2ClTOXSjlWhclpcCyTN1b18a/LzZfy\n"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Site:
    """A registry that runs. host: 127.0.0.1 and its port. authority: of its certificates. data: the directory of blobs.

    ca_file: the CA of its certificate, None without TLS. tokens, storage: see the package; None where not asked for.
    """

    def __init__(self, host: str, authority: Authority, data: Path):
        self.host, self.authority, self.data = host, authority, data
        self.tls = False
        self.closed = False
        self.tokens: Tokens | None = None
        self.storage: Storage | None = None

    @property
    def ca_file(self) -> Path | None:
        return self.authority.file if self.tls else None

    def push(self, name: str, tag: str, config: dict | None = None, architecture: str = "amd64") -> str:
        """Push an image of one small layer and return its digest. config: User, Env, Labels... as in an OCI image."""
        return self.put(name, tag, MANIFEST, self._manifest(name, config or {}, architecture))

    def push_index(self, name: str, tag: str, configs: dict[str, dict]) -> str:
        """Push an index and return its digest. configs: the configuration for each `os/architecture`, in this order."""
        entries = []
        for platform, config in configs.items():
            system, _slash, architecture = platform.partition("/")
            manifest = self._manifest(name, config, architecture)
            digest, size = _digest(_bytes(manifest)), len(_bytes(manifest))
            self.put(name, digest, MANIFEST, manifest)
            on = {"os": system, "architecture": architecture}
            entries.append({"mediaType": MANIFEST, "digest": digest, "size": size, "platform": on})
        return self.put(name, tag, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})

    def put(self, name: str, tag: str, media_type: str, document: dict) -> str:
        """Push a manifest of any kind and return its digest."""
        self._send(name, "PUT", f"manifests/{tag}", _bytes(document), {"Content-Type": media_type})
        return _digest(_bytes(document))

    def blob(self, name: str, data: bytes, media_type: str) -> dict:
        """Upload a blob and return its descriptor."""
        digest = _digest(data)
        place = self._send(name, "POST", "blobs/uploads/").headers["Location"]
        url = f"{place}{'&' if '?' in place else '?'}digest={digest}"
        self._send(name, "PUT", url, data, {"Content-Type": "application/octet-stream"})
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def login(self, key: str | None = None, password: str = PASSWORD) -> dict:
        """Return the content of a `.dockerconfigjson` for the registry, or for another key."""
        return {"auths": {key or self.host: {"auth": base64.b64encode(f"{USER}:{password}".encode()).decode()}}}

    def _manifest(self, name: str, config: dict, architecture: str) -> dict:
        layer = self.blob(name, gzip.compress(_layer(), mtime=0), _LAYER)
        diff = {"type": "layers", "diff_ids": [_digest(_layer())]}
        text = _bytes({"architecture": architecture, "os": "linux", "config": config, "rootfs": diff})
        config = self.blob(name, text, CONFIG)
        return {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}

    def _send(self, name, method, path, body=b"", headers=None):
        headers = dict(headers or {})
        if self.tokens:
            headers["Authorization"] = "Bearer " + self.tokens.signed(f"repository:{name}:pull,push", known=True)
        elif self.closed:
            headers.update(urllib3.make_headers(basic_auth=f"{USER}:{PASSWORD}"))
        base = f"{'https' if self.tls else 'http'}://{self.host}"
        url = path if "://" in path else f"{base}/v2/{name}/{path}" if not path.startswith("/") else base + path
        trust = {"ca_certs": str(self.ca_file)} if self.tls else {}
        with urllib3.PoolManager(**trust) as pool:
            answer = pool.request(method, url, body=body, headers=headers, retries=False, timeout=10)
        assert answer.status < 300, (method, url, answer.status, answer.data)
        return answer


@contextlib.contextmanager
def registry(auth: str | None = None, tls: bool = False, redirect: bool = False):
    """Start a registry and yield its Site; see the package for the arguments."""
    program = _program()
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-")))
        data = place / "data"
        data.mkdir()
        authority = Authority(place)
        config = {"version": "0.1", "log": {"level": "info"}, "http": {"addr": "127.0.0.1:0"}}
        config["storage"] = {"filesystem": {"rootdirectory": str(data)}}
        site = Site("", authority, data)
        site.tls, site.closed = tls, auth == "basic"
        if tls:
            config["http"]["tls"] = dict(zip(("certificate", "key"), map(str, authority.server()), strict=True))
        if auth == "basic":
            (place / "htpasswd").write_text(_HTPASSWD)
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(place / "htpasswd")}}
        if auth == "bearer":
            tokens = Tokens(authority.client("issuer"), (USER, PASSWORD))
            site.tokens = stack.enter_context(tokens.serving())
            what = {"service": SERVICE, "issuer": ISSUER, "rootcertbundle": str(authority.file)}
            config["auth"] = {"token": {"realm": tokens.realm, **what}}
        if redirect:
            site.storage = stack.enter_context(Storage(data).serving())
            rule = {"name": "redirect", "options": {"baseurl": f"{site.storage.url}/"}}
            config["middleware"] = {"storage": [rule]}
        file = place / "config.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        site.host = stack.enter_context(_running(program, file))
        yield site


def _program() -> str:
    found = shutil.which("docker-registry")
    if found:
        return found
    reason = "There is no docker-registry on PATH: `APT=1 make unit` as root installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}; in CI it must be there.", pytrace=False)
    return pytest.skip(f"{reason}.")


@contextlib.contextmanager
def _running(program: str, config: Path):
    # Variables of the registry's own name would change its configuration.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "OTEL_"))}
    process = subprocess.Popen(
        [program, "serve", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    try:
        yield _listening(process)
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()


def _listening(process: subprocess.Popen) -> str:
    seen = []
    for line in process.stdout:
        seen.append(line)
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", line):
            # Else it stops when the pipe is full.
            threading.Thread(target=_drain, args=(process.stdout,), daemon=True).start()
            return found[1]
    raise RuntimeError("docker-registry ended: " + "".join(seen))


def _drain(stream) -> None:
    with contextlib.suppress(ValueError):  # closed at the end
        for _line in stream:
            pass


def _layer() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        entry = tarfile.TarInfo("made-by-hand")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"yes"))
    return target.getvalue()


def _bytes(document: dict) -> bytes:
    return json.dumps(document).encode()


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
