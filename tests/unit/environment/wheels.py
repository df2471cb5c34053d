# SPDX-License-Identifier: GPL-3.0-or-later
"""Wheels and source trees by hand."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path

# The lower bounds of the runner, in name only.
RUNNER = {"ipykernel": "6.29", "nbclient": "0.10", "nbformat": "5.10", "papermill": "2.6", "pip": "99.0"}


def make_wheel(place: Path, name: str, version: str, requires=(), module="same", python=None, source=None) -> Path:
    """Write a wheel that holds one package of one file; module: its name, or None for a wheel without any."""
    module = name if module == "same" else module
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += "".join(f"Requires-Dist: {line}\n" for line in requires)
    metadata += f"Requires-Python: {python}\n" if python else ""
    files = {
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if module:
        files[f"{module}/__init__.py"] = source or f"VERSION = '{version}'\n\n\ndef where():\n    return __file__\n"
    record = "".join(f"{path},{_hash(text)},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    wheel = place / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return wheel


def _hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"


BACKEND = """
import os, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from wheels import make_wheel

def build_wheel(directory, config_settings=None, metadata_directory=None):
    with open({count!r}, "a") as stream:
        stream.write("built\\n")
    if os.path.exists({started!r}):
        with open({started!r}, "w") as stream:
            stream.write(str(os.getpid()))
        with open({go!r}) as stream:
            stream.read()
    return make_wheel(Path(directory), "slow", "1.0").name
"""


def make_slow_tree(place: Path) -> tuple[Path, Path, Path, Path]:
    """Write a source tree whose build, while the FIFO ``started`` exists, tells its process there and waits for ``go``.

    Returns the tree, the two FIFOs and a file with one line for each build.
    """
    import os

    tree, started, go, count = place / "slow", place / "started", place / "go", place / "count"
    tree.mkdir()
    os.mkfifo(started)
    os.mkfifo(go)
    names = {"here": str(Path(__file__).parent), "started": str(started), "go": str(go), "count": str(count)}
    (tree / "backend.py").write_text(BACKEND.format(**names))
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (tree / "pyproject.toml").write_text(build + '[project]\nname = "slow"\nversion = "1.0"\n')
    return tree, started, go, count
