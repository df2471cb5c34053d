# SPDX-License-Identifier: GPL-3.0-or-later
"""The private places of one run: a copy of the source, a home, sockets, and what the runner writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass

from ..notebook.discover import excluder
from ..values.errors import EngineError
from ..values.execution import RunRequest
from . import program
from .identity import Identity, closed_directory

NEVER_COPIED = frozenset(
    {".git", ".hg", ".svn", ".ipynb_checkpoints", "__pycache__", "node_modules", ".tox", ".nox"}
    | {".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PREFIX = "mlops-run-"
LONGEST_SOCKET_DIRECTORY = 90  # a socket's path has 107 bytes


def make_scratch(parent: str | None, open_to_others: bool) -> tuple[str, int]:
    """Make the directory for all runs of a call; return it and the descriptor of its lock.

    What earlier calls left that were killed is removed: their locks are free.
    Raises EngineError where ``parent`` (None = the system's) cannot be written, or not be reached by others.
    """
    parent = os.path.abspath(parent or tempfile.gettempdir())
    closed = closed_directory(os.path.join(parent, "x")) if open_to_others and os.path.isdir(parent) else None
    try:
        if closed:
            raise PermissionError(13, f"{closed} is closed to the unprivileged user that notebooks run as")
        for name in os.listdir(parent):
            if name.startswith(PREFIX):
                _remove_stale(os.path.join(parent, name))
        root = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
    except OSError as error:
        raise EngineError(
            f"The scratch directory {parent} cannot be used: {error.strerror}. Name another one.", code="system_error"
        ) from error
    lock = os.open(os.path.join(root, "lock"), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.chmod(root, 0o711)
    return root, lock


def _remove_stale(root: str) -> None:
    with contextlib.suppress(OSError):
        if os.lstat(root).st_uid != os.geteuid():
            return
        lock = os.open(os.path.join(root, "lock"), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove_tree(root)
        finally:
            os.close(lock)


@dataclass(frozen=True)
class Workspace:
    """Directories of one run.

    work: the working tree, home: HOME and every cache, sockets: the kernel's; these belong to the notebook.
    output: belongs to the runner, which the notebook cannot reach. cwd: the notebook's directory in ``work``.
    """

    root: str
    work: str
    home: str
    sockets: str
    output: str
    log: str
    cwd: str
    notebook: str


def make_workspace(
    root: str, request: RunRequest, kernel: Identity, runner: Identity, leave_out: frozenset[str]
) -> Workspace:
    """Make the directories of a run and copy its source.

    leave_out: real paths that are no part of the source (scratch and output directories below it).
    Raises EngineError when the source cannot be copied.
    """
    os.mkdir(root, 0o711)
    names = {name: os.path.join(root, name) for name in ("work", "home", "sockets", "output")}
    if len(names["sockets"]) > LONGEST_SOCKET_DIRECTORY:
        names["sockets"] = tempfile.mkdtemp(prefix="mlops-run-s-")
    for path in names.values():
        os.makedirs(path, mode=0o700, exist_ok=True)
    notebook = os.path.join(names["output"], "notebook.ipynb")
    try:
        copy_tree(request.source, names["work"], kernel, leave_out, excluder(request.exclude))
        shutil.copyfile(os.path.join(request.source, request.notebook), notebook)
    except (OSError, shutil.Error) as error:
        remove_tree(root)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)[:300]
        raise EngineError(
            f"The working copy of {request.source} for {request.notebook} cannot be made in {root}: {reason}. "
            "Make room there, or name another scratch directory.",
            code="system_error",
        ) from error
    program.private_variables(names["home"])
    give_tree(names["home"], kernel)
    kernel.own(names["work"])
    kernel.own(names["sockets"], *runner.groups)
    os.chmod(names["sockets"], 0o750 if runner.groups else 0o700)
    runner.own(names["output"])
    runner.own(notebook)
    cwd = os.path.join(names["work"], os.path.dirname(request.notebook))
    return Workspace(root=root, log=os.path.join(root, "kernel.log"), cwd=cwd, notebook=notebook, **names)


def copy_tree(
    source: str,
    target: str,
    owner: Identity,
    leave_out: frozenset[str],
    excluded: Callable[[str], bool] = lambda path: False,
    below: str = "",
) -> None:
    """Copy a source tree: links as links, no caches, no virtual environments, no sockets or devices.

    leave_out: real paths. excluded: tells of a path relative to the root. below: what is copied of it, with a slash.
    """
    with os.scandir(source) as entries:
        for entry in entries:
            to = os.path.join(target, entry.name)
            if entry.name in NEVER_COPIED or excluded(below + entry.name):
                continue
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), to)
                owner.own(to)
            elif entry.is_dir():
                if not is_environment(entry.path) and os.path.realpath(entry.path) not in leave_out:
                    os.mkdir(to, 0o700)
                    copy_tree(entry.path, to, owner, leave_out, excluded, f"{below}{entry.name}/")
                    owner.own(to)
            elif entry.is_file():
                _copy_file(entry.path, to)
                os.chmod(to, stat.S_IMODE(entry.stat().st_mode) & 0o777 | 0o600)
                owner.own(to)


def is_environment(path: str) -> bool:
    """Tell whether a directory is a virtual or conda environment, which is no part of a source."""
    return any(os.path.exists(os.path.join(path, name)) for name in ("pyvenv.cfg", "conda-meta"))


def _copy_file(source: str, target: str) -> None:
    """Copy contents; a file system that can share them between two files does."""
    with open(source, "rb") as old, open(target, "xb") as new:
        try:
            while os.copy_file_range(old.fileno(), new.fileno(), 1 << 30):
                pass
        except (OSError, AttributeError):
            old.seek(0)
            new.seek(0)
            shutil.copyfileobj(old, new, 1 << 20)


def give_tree(root: str, owner: Identity) -> None:
    """Give a tree that no one else can write to its owner."""
    for path, directories, files in os.walk(root):
        for name in (*directories, *files):
            owner.own(os.path.join(path, name))
    owner.own(root)


def base_environment(python: str, home: str) -> dict[str, str]:
    """Return the environment variables of a process in an environment; none of them is the caller's."""
    directory = os.path.dirname(python)
    variables = {
        "PATH": f"{directory}:{SYSTEM_PATH}",
        "LANG": "C.UTF-8",
        "PYTHONNOUSERSITE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        **program.private_variables(home),
    }
    if os.path.exists(os.path.join(os.path.dirname(directory), "pyvenv.cfg")):
        variables["VIRTUAL_ENV"] = os.path.dirname(directory)
    return variables


def remove_tree(path: str) -> None:
    """Remove a tree, whatever modes a notebook gave to its directories; links are not followed."""
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)
    for parent, directories, _files in os.walk(path):
        for name in directories:
            if not os.path.islink(os.path.join(parent, name)):
                with contextlib.suppress(OSError):
                    os.chmod(os.path.join(parent, name), 0o700)
    shutil.rmtree(path, ignore_errors=True)
