# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up what the Makefile asks for: `setup.py runtime` or `setup.py dev`. A second call does nothing again."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import venvs

ROOT, BUILD = venvs.ROOT, venvs.BUILD
VENV = ROOT / ".venv"
DEV = BUILD / "venvs" / "dev"
COLLECTIONS = BUILD / "collections"
OURS = COLLECTIONS / "ansible_collections" / "mlops" / "notebooks"
KUBERNETES = COLLECTIONS / "ansible_collections" / "kubernetes" / "core"
TARBALLS = BUILD / "dist"
CORE = "ansible-core>=2.16"
# The community package carries kubernetes.core too; its wheels are for newer interpreters, the collection in it is not.
WHEEL = ("ansible==14.5.0", "3.12")


def runtime() -> None:
    """The environment of `make quickstart`, and the collections that ansible.cfg points to."""
    venvs.ensure(VENV, sys.executable, [CORE, "-r", "requirements.txt"], "ansible-core and the runtime in .venv")
    kubernetes_core()
    collection()


def dev() -> None:
    """Everything the gates need."""
    runtime()
    requirements = [CORE, "-r", "requirements.txt", "-r", "requirements-test.txt", "-r", "requirements-dev.txt"]
    venvs.ensure(DEV, sys.executable, requirements, "the tools of the gates in build/venvs/dev")


def kubernetes_core() -> None:
    """kubernetes.core from Galaxy, or from a wheel where Galaxy is out of reach."""
    if (KUBERNETES / "meta" / "runtime.yml").is_file():
        return
    with venvs.step("the collection kubernetes.core"):
        if not from_galaxy():
            from_wheel("kubernetes/core", COLLECTIONS)


def from_galaxy() -> bool:
    command = ["collection", "install", "-r", ROOT / "requirements.yml", "-p", COLLECTIONS, "--timeout", "5"]
    try:
        venvs.run(VENV / "bin" / "ansible-galaxy", *command, timeout=40, cwd=ROOT)
    except (venvs.SetupError, subprocess.TimeoutExpired):
        shutil.rmtree(KUBERNETES, ignore_errors=True)
        return False
    return True


def from_wheel(collection: str, target: Path, python: str = sys.executable) -> None:
    """Take a collection out of the community package; meta/runtime.yml comes last, as the sign that it is whole.

    python: an interpreter that has pip.
    """
    package, python_version = WHEEL
    cache = BUILD / "cache" / "wheel"
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--python-version", python_version]
    venvs.run(python, "-m", "pip", "download", *options, "-d", cache, package)
    with zipfile.ZipFile(next(cache.glob("ansible-*.whl"))) as wheel:
        prefix = f"ansible_collections/{collection}/"
        members = [name for name in wheel.namelist() if name.startswith(prefix)]
        wheel.extractall(target, sorted(members, key=lambda name: name.endswith("meta/runtime.yml")))
    shutil.rmtree(cache)


def collection() -> None:
    """The tarball in build/dist, installed; again only if a file that it holds was changed, added or removed."""
    key = sources_key()
    if venvs.is_fresh("collection", key, OURS / "MANIFEST.json"):
        return
    with venvs.step("the collection's tarball, built and installed"):
        shutil.rmtree(TARBALLS, ignore_errors=True)
        galaxy = VENV / "bin" / "ansible-galaxy"
        venvs.run(galaxy, "collection", "build", "--output-path", TARBALLS, "--force", ROOT, cwd=ROOT)
        tarball = next(TARBALLS.glob("mlops-notebooks-*.tar.gz"))
        options = ["-p", COLLECTIONS, "--force", "--no-deps", "--offline"]
        venvs.run(galaxy, "collection", "install", tarball, *options, cwd=ROOT)
    venvs.stamp("collection", key)


def sources_key() -> str:
    """A digest over what goes into the tarball: every path that `build_ignore` in galaxy.yml lets through."""
    ignored = build_ignore()
    found = hashlib.sha256()
    for directory, names, files in os.walk(ROOT):
        here = os.path.relpath(directory, ROOT)
        names[:] = sorted(name for name in names if not matches(here, name, ignored))
        for name in sorted(files):
            if not matches(here, name, ignored):
                path = Path(directory, name)
                content = os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
                found.update(f"{path} {path.lstat().st_mode} {len(content)}\n".encode() + content)
    return found.hexdigest()


def matches(here: str, name: str, patterns: list[str]) -> bool:
    path = os.path.normpath(os.path.join(here, name))
    return any(fnmatch.fnmatch(path, pattern) for pattern in patterns)


def build_ignore() -> list[str]:
    lines = (ROOT / "galaxy.yml").read_text().partition("\nbuild_ignore:\n")[2].splitlines()
    return [line.strip(" -\"'") for line in lines if line.lstrip().startswith("- ")] + ["*.pyc"]


def main() -> int:
    if sys.version_info < (3, 10):  # noqa: UP036 - this is what tells the user
        print(
            f"Python 3.10 or later is needed, {sys.executable} is {sys.version.split()[0]}: "
            "name another one with `make PYTHON=/path/to/python3 ...`.",
            file=sys.stderr,
        )
        return 1
    try:
        {"runtime": runtime, "dev": dev}[sys.argv[1]]()
    except venvs.SetupError as error:
        print(f"Setting up failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
