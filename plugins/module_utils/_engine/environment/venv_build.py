# SPDX-License-Identifier: GPL-3.0-or-later
"""One build of a virtual environment."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time

from ..values.errors import EngineError
from .buildlog import BuildLog
from .bytecode import BytecodeStore
from .failures import complaints, explain
from .installer import Installer, choose_installer, settings
from .interpreter import ABSENT, Interpreter, ask, closed_directory
from .lines import Line, normalise
from .process import stream
from .store import Store
from .strategy import Context, Plan

# What program.py needs beside the user's requirements, and pip for the %pip cells of notebooks. Nothing that draws in
# jupyter_server: one of its dependencies adds more than a second to every import of nbformat.
RUNNER = ("ipykernel>=6.0", "nbclient>=0.8", "nbformat>=5.7", "papermill>=2.4", "pip")
# Grows when the same inputs would give another environment.
RECIPE = 1

_INVENTORY = (
    ABSENT
    + """
import importlib.metadata, json, sys, sysconfig
print(json.dumps({
    "site": sysconfig.get_paths()["purelib"],
    "installed": sorted({(d.metadata["Name"] or "", d.version) for d in importlib.metadata.distributions()}),
    "absent": [name for name in sys.argv[1:] if absent(name)],
}))
"""
)


def inventory(python: str, imports) -> dict | None:
    """Ask an environment what is ``installed``, where (``site``), and which of the imports are ``absent``.

    None where its interpreter does not start for the user of a run.
    """
    return ask(python, _INVENTORY, *imports)


def inventory_digest(installed: list) -> str:
    """Return the digest of an installed set."""
    lines = sorted(f"{normalise(name)}=={version}" for name, version in installed)
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


class VenvBuild:
    """Makes the environment of one plan in the directory of its key, which the caller holds alone."""

    def __init__(self, context: Context, plan: Plan, log: BuildLog, store: Store, deadline: float | None):
        self._context, self._plan, self._log, self._store = context, plan, log, store
        self._deadline = deadline
        self._interpreter: Interpreter = plan.details["interpreter"]
        self._lines: tuple[Line, ...] = plan.details["lines"]
        self._path = store.path(plan.key)
        self._scratch = store.scratch(plan.key)
        self._variables: dict = {}

    def run(self) -> None:
        """Build, check and complete the environment. Raises EngineError with a code of the taxonomy, and OSError."""
        # Index addresses with credentials pass through here: closed to others.
        os.mkdir(self._scratch, 0o700)
        chosen = choose_installer(self._context.installer)
        installer, self._variables = settings(chosen, self._context.cache_dir, self._scratch)
        self._log(f"Python {self._interpreter.version} at {self._interpreter.path}, {installer.name}")
        with self._log.stage("create"):
            self._create(installer)
        with self._log.stage("install"):
            self._install(installer)
        with self._log.stage("compile"):
            self._compile()
        with self._log.stage("check"):
            size = _seal(self._path)
            found = self._check()
        self._store.complete(
            self._plan.key,
            {
                "format": 1,
                "requirements": [line.canonical for line in self._lines],
                "runner": list(RUNNER),
                "python": self._interpreter.path,
                "python_version": self._interpreter.version,
                "installer": installer.name,
                "installed": found["installed"],
                "digest": inventory_digest(found["installed"]),
                "size": size,
                "created": time.time(),
            },
        )

    def _create(self, installer: Installer) -> None:
        status, output = self._call(installer.create(self._interpreter.path, self._path))
        if status:
            failure = explain(output, ())
            code = failure.code if failure.code == "disk_full" else "environment_setup_failed"
            hint = (
                ""
                if installer.uv
                else " Install uv, or what lets this Python make virtual environments (python3-venv)."
            )
            raise EngineError(f"The virtual environment could not be created. {failure.message}{hint}", code=code)
        if ask(os.path.join(self._path, "bin", "python"), "print('{}')") is None:
            wall = closed_directory(self._path)
            where = f"{wall} is closed to other users" if wall else f"{self._path} cannot be used by other users"
            raise EngineError(
                f"The user of a run cannot reach the environment: {where}. Choose another cache_dir.",
                code="environment_setup_failed",
            )

    def _install(self, installer: Installer) -> None:
        for number, step in enumerate(installer.steps(self._lines, RUNNER)):
            requirements = os.path.join(self._scratch, f"requirements-{number}.txt")
            with open(requirements, "w", encoding="utf-8") as stream_:
                stream_.write("\n".join(step.lines) + "\n")
            command = installer.install(self._path, requirements, step.arguments)
            status, output = self._call(command)
            if status and installer.uv and any("invalid peer certificate" in line for line in output):
                self._log("Trying again with the certificates of the system.")
                self._variables.update(UV_SYSTEM_CERTS="1", UV_NATIVE_TLS="1")  # the second is the older name
                status, output = self._call(command)
            # pip has been seen to end with 0 after errors that left a distribution out.
            if status or complaints(output):
                raise explain(output, self._lines)

    def _compile(self) -> None:
        share = os.link if os.geteuid() == 0 else shutil.copyfile
        compiled = BytecodeStore(self._context.cache_dir, self._interpreter.tag, share)
        compiled.fill(_site(self._path, self._interpreter), self._scratch, self._base_python)

    def _base_python(self, arguments: list[str]) -> None:
        self._call([self._interpreter.path, *arguments])

    def _check(self) -> dict:
        """Ask the environment itself, as the user of a run, whether everything is there."""
        found = inventory(os.path.join(self._path, "bin", "python"), self._plan.imports)
        if found is None:
            raise EngineError(
                "The environment was made, but its interpreter does not start: a requirement may have broken it.",
                code="dependency_install_failed",
            )
        installed = {normalise(name) for name, _version in found["installed"]}
        lost = [line for line in self._lines if line.name and not line.marker and line.name not in installed]
        if lost:
            raise EngineError(
                f"The installer reported success, but {lost[0].name} is not installed (line '{lost[0].text}').",
                code="dependency_install_failed",
                requirement=lost[0].text,
            )
        self._check_imports(found["absent"], installed)
        return found

    def _check_imports(self, absent: list[str], installed: set[str]) -> None:
        for name in absent:
            expected = normalise(self._plan.imports[name] or "")
            if expected in installed:
                raise EngineError(
                    f"{expected} was installed, but the module {name} that it should provide cannot be imported:"
                    " another version or another distribution may be meant.",
                    code="dependency_install_failed",
                    requirement=next((line.text for line in self._lines if line.name == expected), None),
                )
            self._log(f"No requirement provides the module {name}.")

    def _call(self, command: list[str]) -> tuple[int, list[str]]:
        output: list[str] = []

        def take(line: str) -> None:
            output.append(line)
            # uv's list of what it installed, a line each, is for the kept log: dozens of lines for every environment.
            self._log(line, show=not line.startswith(" + "))

        status = stream(command, take, env=self._variables, cwd=self._scratch, deadline=self._deadline)
        return status, output


def _site(path: str, interpreter: Interpreter) -> str:
    major, minor = interpreter.minor
    name = "pypy" if interpreter.implementation == "PyPy" else "python"
    return os.path.join(path, "lib", f"{name}{major}.{minor}", "site-packages")


def _seal(path: str) -> int:
    """Return the bytes on disk; as root, let every user read and only root write.

    Runs have group 0, which would let them change what root's group may write.
    """
    size, as_root = 0, os.geteuid() == 0
    for directory, _directories, files in os.walk(path):
        for entry in (directory, *(os.path.join(directory, name) for name in files)):
            state = os.lstat(entry)
            size += state.st_blocks * 512
            if as_root and not stat.S_ISLNK(state.st_mode):
                mode = stat.S_IMODE(state.st_mode)
                right = (mode | 0o444 | (0o111 if stat.S_ISDIR(state.st_mode) or mode & 0o111 else 0)) & ~0o022
                if mode != right:
                    os.chmod(entry, right)
    return size
