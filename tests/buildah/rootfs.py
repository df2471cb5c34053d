# SPDX-License-Identifier: GPL-3.0-or-later
"""A small image with Python and pip, made of what this machine has; no network."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

TOOLS = ("sh", "cat", "chgrp", "chmod", "cp", "env", "id", "ls", "mkdir", "rm", "test")
PREFIX = "/opt/python"  # open to every user, as the place of this machine's own may not be
_LEFT_OUT = {"test", "tests", "idlelib", "tkinter", "turtledemo", "lib2to3", "site-packages", "dist-packages", "ensurepip", "pydoc_data",
             "__pycache__", "EXTERNALLY-MANAGED"}  # fmt: skip
_IDLE = ("_tkinter", "_test", "_ctypes_test", "_xx")
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def layer() -> bytes:
    """Return a tar archive: this Python, pip as ensurepip brings it, a shell, and what they are linked to."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _directories(tar)
        python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        library = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
        programs = [python, *(Path(found) for name in TOOLS if (found := shutil.which(name, path="/usr/bin:/bin")))]
        linked = [*programs, *(path for path in library.glob("lib-dynload/*.so") if not path.name.startswith(_IDLE))]
        for path in programs[1:]:
            _add(tar, path.resolve(), f"/usr/bin/{path.name}")
        _add(tar, python, f"{PREFIX}/bin/{python.name}")
        _link(tar, "/usr/bin/python3", f"{PREFIX}/bin/{python.name}")
        tar.add(library, f"{PREFIX}/lib/{library.name}".lstrip("/"), filter=_wanted)
        for path in sorted(_libraries(linked)):
            usual = path.startswith(("/lib", "/usr/lib"))
            _add(tar, Path(path).resolve(), path if usual else f"{PREFIX}/lib/{Path(path).name}")
        _pip(tar, f"{PREFIX}/lib/{library.name}/site-packages")
        _file(tar, "/etc/passwd", b"root:x:0:0::/root:/bin/sh\nnotebook:x:1001:0::/home/notebook:/bin/sh\n")
        _file(tar, "/etc/group", b"root:x:0:\n")
    return buffer.getvalue()


def push(address: str, repository: str, archives: list[bytes]) -> str:
    """Push an image of these layers to a registry; return its digest."""
    blobs = [gzip.compress(archive, 1) for archive in archives]
    config = json.dumps(
        {
            "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(_machine(), _machine()), "os": "linux",
            "config": {"User": "1001:0", "Env": ["PATH=/usr/bin:/bin", "HOME=/home/notebook", f"LD_LIBRARY_PATH={PREFIX}/lib"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(archive) for archive in archives]},
        }
    ).encode()  # fmt: skip
    for content in (*blobs, config):
        _upload(address, repository, content)
    kinds = [("container.image.v1+json", config), *(("image.rootfs.diff.tar.gzip", blob) for blob in blobs)]
    described = [
        {"mediaType": f"application/vnd.docker.{kind}", "size": len(content), "digest": _digest(content)}
        for kind, content in kinds
    ]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
    body = json.dumps(manifest).encode()
    _request(address, "PUT", f"/v2/{repository}/manifests/1", body, {"Content-Type": MANIFEST})
    return _digest(body)


def _upload(address: str, repository: str, content: bytes) -> None:
    begun = _request(address, "POST", f"/v2/{repository}/blobs/uploads/")
    place = re.sub(r"^https?://[^/]+", "", begun.headers["Location"])
    _request(
        address, "PUT", f"{place}&digest={_digest(content)}", content, {"Content-Type": "application/octet-stream"}
    )


def _request(address: str, verb: str, path: str, body: bytes | None = None, headers=()):
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request(verb, path, body, dict(headers))
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    assert answer.status < 300, (verb, path, answer.status, text)
    return answer


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _machine() -> str:
    return sysconfig.get_platform().rpartition("-")[2]


def _directories(tar: tarfile.TarFile) -> None:
    for path, mode in (("tmp", 0o1777), ("etc", 0o755), ("root", 0o700), ("home/notebook", 0o755), ("usr/bin", 0o755),
                       ("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("run", 0o755)):  # fmt: skip
        entry = tarfile.TarInfo(path)
        entry.type, entry.mode = tarfile.DIRTYPE, mode
        if path == "home/notebook":
            entry.uid = 1001
        tar.addfile(entry)
    _link(tar, "/bin", "usr/bin")


def _link(tar: tarfile.TarFile, path: str, target: str) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    tar.addfile(entry)


def _add(tar: tarfile.TarFile, path: Path, target: str) -> None:
    tar.add(path, target.lstrip("/"), filter=_owned)


def _owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(entry.name).name
    return None if name in _LEFT_OUT or name.startswith(("config-", *_IDLE)) or name.endswith(".a") else _owned(entry)


def _file(tar: tarfile.TarFile, path: str, content: bytes) -> None:
    entry = tarfile.TarInfo(path.lstrip("/"))
    entry.size, entry.mode = len(content), 0o644
    tar.addfile(entry, io.BytesIO(content))


def _pip(tar: tarfile.TarFile, place: str) -> None:
    import ensurepip

    bundled = next((Path(ensurepip.__file__).parent / "_bundled").glob("pip-*.whl"))
    with zipfile.ZipFile(bundled) as wheel:
        for name in wheel.namelist():
            _file(tar, f"{place}/{name}", wheel.read(name))


def _libraries(paths: list[Path]) -> set[str]:
    """Return the shared libraries that these files are linked to, and the loader."""
    told = subprocess.run(["ldd", *map(str, paths)], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"(?:=> |^\s+)(/\S+) \(0x", told, re.MULTILINE))
