# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster whose pods are processes, with buildah as this machine has it as their builder image."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import struct
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.make import make
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.environment.pods.buildah import BuildahStrategy
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.resolution import Resolution

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / "unit" / name) for name in ("cluster", "environment"))]
from cluster_support import auth, namespace  # noqa: E402
from rootfs import PREFIX, layer  # noqa: E402

from tests.apiserver.actors.process import unavailable  # noqa: E402
from tests.apiserver.server import ApiServer  # noqa: E402

__all__ = ["ApiServer", "Site", "auth", "builder", "filled", "lacking", "namespace"]
NEEDED = ("buildah", "docker-registry", "newuidmap", "ldd")


def lacking() -> str:
    """Return why this machine cannot run the builds; empty where it can."""
    missing = [name for name in NEEDED if not shutil.which(name)]
    return f"{', '.join(missing)} not found on this machine" if missing else unavailable()


def builder(place: Path, registries: list[str]) -> dict:
    """Return what the builder image is to a pod that is a process; as the image of buildah has it."""
    place.mkdir()
    files = {
        "passwd": "root:x:0:0::/root:/bin/sh\nbuild:x:1000:1000::/home/build:/bin/sh\n",
        "group": "root:x:0:\nbuild:x:1000:\n",
        "subuid": "build:1:999\nbuild:1001:64535\n",
        "subgid": "build:1:999\nbuild:1001:64535\n",
        "containers/registries.conf": "".join(
            f'[[registry]]\nlocation = "{address}"\ninsecure = true\n' for address in registries
        ),
        "containers/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}',
    }
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for path in (place, place / "containers", *place.parents):
        os.chmod(path, path.stat().st_mode | 0o055)
    bound = {f"/etc/{name}": str(place / name) for name in files}
    for name, capability in (("newuidmap", 7), ("newgidmap", 6)):
        bound[f"/usr/bin/{name}"] = _with_capability(shutil.which(name), place / name, capability)
    return {"bind": bound, "user": 1000}


def _with_capability(program: str, place: Path, capability: int) -> str:
    """Copy a program as the image of buildah has it: not set-user-ID, which would take CAP_DAC_OVERRIDE, but with one
    capability of its file (capabilities(7), VFS_CAP_REVISION_2: permitted, and effective at once)."""
    shutil.copyfile(program, place)
    place.chmod(0o755)
    os.setxattr(place, "security.capability", struct.pack("<5I", 0x02000001, 1 << capability, 0, 0, 0))
    return str(place)


def filled(place: Path, wheels: Path, *names: str) -> dict:
    """Return what an image with Python and these packages is to a pod that is a process; made of the base's layer."""
    with tarfile.open(fileobj=io.BytesIO(layer())) as archive:
        archive.extractall(place, [one for one in archive if f"/{one.name}/".startswith(f"{PREFIX}/")])
    prefix = place / PREFIX.lstrip("/")
    (program,) = (prefix / "bin").iterdir()
    (prefix / "bin" / "python3").symlink_to(program.name)
    (packages,) = prefix.glob("lib/python*/site-packages")
    for name in names:
        with zipfile.ZipFile(next(wheels.glob(f"{name}-*.whl"))) as wheel:
            wheel.extractall(packages)
    return {
        "bind": {PREFIX: str(prefix)}, "packages": packages,
        "env": {"PATH": f"{PREFIX}/bin:/usr/bin:/bin", "LD_LIBRARY_PATH": f"{PREFIX}/lib"},
    }  # fmt: skip


@dataclass
class Site:
    """A server with the namespace `team`."""

    server: ApiServer
    cache_dir: str
    base: str
    repository: str
    wheels: Path
    shown: list[str]

    def build(self, *lines, imports=None, **options):
        """Make one image as the module does."""
        strategy = BuildahStrategy()
        needed = Resolution(
            "a.ipynb", "declared", ("--no-index", f"--find-links {self.wheels}", *lines), imports=imports or {}
        )
        options = {"base": self.base, "repository": self.repository, "timeout": 120, **options}
        with Cluster(auth(self.server)) as cluster:
            (made,) = make(
                (needed,), strategy=strategy.name, cluster=cluster, namespace="team", cache_dir=self.cache_dir,
                strategies=[strategy], progress=lambda event: self.shown.append(event["text"]), **options,
            )  # fmt: skip
        return made

    def login(self, name: str, address: str, user: str, password: str) -> str:
        """Make a secret of the type kubernetes.io/dockerconfigjson; return its name."""
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        text = json.dumps({"auths": {address: {"auth": token}}})
        self.server.system.create(
            "secrets",
            {
                "metadata": {"name": name, "namespace": "team"},
                "type": "kubernetes.io/dockerconfigjson",
                "data": {".dockerconfigjson": base64.b64encode(text.encode()).decode()},
            },
        )
        return name
