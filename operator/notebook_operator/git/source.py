# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository of a job, fetched at one ref, with credentials that stand in no argument and no address."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.repository import require_sound
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, shorten

from . import git_way

# pylint: disable=ansible-bad-function

_CODE = "source_unavailable"
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
# What git and curl say where another try may end otherwise.
_PASSING = re.compile(
    r"Could not (?:resolve|connect)|Failed to connect|timed out|Connection (?:refused|reset)|early EOF|RPC failed|unexpected(?:ly)? disconnect"
    r"|returned error: (?:429|5\d\d)|hung up",
    re.IGNORECASE,
)
_PAUSES = (2.0, 8.0)  # seconds before each new try
# Git asks the helper, which knows the names of the variables only.
_HELPER = '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$GIT_USERNAME" "$GIT_PASSWORD"; }; f'
_SSH = "ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=30"
_KNOWN_HOSTS = ("ssh-knownhosts", "known_hosts")
# What a repository, or a server, could otherwise have git do: go elsewhere, fetch more, run something.
_STRICT = (
    "http.followRedirects=false",
    "transfer.bundleURI=false",
    "fetch.recurseSubmodules=false",
    "submodule.recurse=false",
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
)
_MEGABYTE = 1024 * 1024
# No file that git writes is larger: blocks are of 512 bytes (POSIX, "ulimit").
_LIMITED = ("sh", "-c", 'ulimit -f "$1" 2> /dev/null; shift; exec "$@"', "sh")
_BLOCK, _ENTRY = 512, 4096  # bytes
_REDIRECTED = re.compile(r"returned error: 30[1278]|redirect", re.IGNORECASE)
_TOO_LARGE = re.compile(r"signal 25|File too large")
# Links may lead to what is not there yet, but not to where something may come to be that is no job's.
_MOVING = ("/proc", "/dev", "/sys", tempfile.gettempdir())


@dataclass(frozen=True)
class Repository:
    """url: without credentials. ref: branch, tag or commit. secret: name of the Secret with the credentials."""

    url: str
    ref: str
    secret: str | None = None

    def check(self) -> None:
        """Refuse what is not safe to hand to git. Raises EngineError."""
        try:
            require_sound(self.url, self.ref, "")
        except EngineError as error:
            # The rules are those of the modules, and so are their names of options.
            told = error.message.replace("source.secret", "git.credentialsSecret").replace("source.", "git.")
            raise EngineError(told, error.code) from None


def fetch(
    repository: Repository, directory: Path, secret: Mapping[str, bytes], stop: Stop, seconds: float, *,
    hosts: Sequence[str] = (), megabytes: int = 2048,
) -> str:  # fmt: skip
    """Check the repository out at its ref below the directory, which is new; return the commit.

    secret: entries of the credentials Secret. seconds: for one try; what may pass is tried three times. hosts: globs of those that
    may be asked, see git_way. megabytes: that one file of git, and all files of the tree, may have.
    Raises EngineError (``source_unavailable``), and Stopped.
    """
    repository.check()
    stop.check()
    git = _Git(repository, directory, secret, stop, seconds, megabytes)
    for pause in (*_PAUSES, None):
        problem = git.fetch(hosts)
        if problem is None:
            _require_within(repository, directory)
            return git.run("rev-parse", "HEAD")[1].strip()
        if pause is None or not _PASSING.search(problem):
            break
        stop.wait(pause)
        stop.check()
    advice = "check the address, the ref and the credentials"
    if _REDIRECTED.search(problem):
        advice = "it redirects, which is not followed: give the address that it leads to, such as one that ends in .git"
    if _TOO_LARGE.search(problem):
        advice = f"it is larger than the {megabytes} MiB that NOTEBOOK_OPERATOR_FETCH_MEGABYTES allows"
    raise EngineError(
        f"The source {repository.url} at {repository.ref} cannot be fetched ({problem}); {advice}.", _CODE
    )


def _require_within(repository: Repository, directory: Path) -> None:
    """Raise EngineError where a link of the tree leads out of it to something that is there, or may come to be there."""
    root = os.path.realpath(directory)
    for place, below, files in os.walk(root):
        for name in (*below, *files):
            path = os.path.join(place, name)
            if not os.path.islink(path):
                continue
            target = os.path.realpath(path)
            if os.path.commonpath((root, target)) != root and (os.path.exists(target) or target.startswith(_MOVING)):
                raise EngineError(
                    f"The source {repository.url} at {repository.ref} holds the link {os.path.relpath(path, root)}, which leads out of"
                    " it: replace it by what it leads to.",
                    _CODE,
                )


class _Git:
    def __init__(
        self, repository: Repository, directory: Path, secret: Mapping[str, bytes], stop: Stop, seconds: float, megabytes: int
    ):  # fmt: skip
        self._repository, self._directory, self._stop, self._seconds = repository, directory, stop, seconds
        self._bytes = megabytes * _MEGABYTE
        self._secrets = [value.decode(errors="replace").strip() for value in secret.values()]
        self._settings: tuple[str, ...] = _STRICT
        directory.mkdir(mode=0o700)
        # Beside the repository, so that no run sees them.
        self._private = directory.with_name(f"{directory.name}.credentials")
        self._environment = {
            **os.environ, "GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "LC_ALL": "C", **self._credentials(secret)
        }  # fmt: skip
        self.run("init", "--quiet")

    def _credentials(self, secret: Mapping[str, bytes]) -> dict[str, str]:
        texts = {name: value.decode(errors="replace") for name, value in secret.items()}
        if "ssh-privatekey" in texts:
            return self._key(texts)
        password = texts.get("password") or texts.get("token")
        if secret and not password:
            raise EngineError(
                f"The Secret {self._repository.secret} holds no credentials for git: give it username and password, or token, or"
                " ssh-privatekey and ssh-knownhosts.",
                _CODE,
            )
        return (
            {"GIT_USERNAME": texts.get("username", "git").strip(), "GIT_PASSWORD": password.strip()} if password else {}
        )

    def _key(self, texts: dict[str, str]) -> dict[str, str]:
        known = next((texts[name] for name in _KNOWN_HOSTS if texts.get(name)), None)
        if known is None:
            raise EngineError(
                f"The Secret {self._repository.secret} has a key and no ssh-knownhosts, so that any host could take the place of"
                " the right one: add the lines of ssh-keyscan as ssh-knownhosts.",
                _CODE,
            )
        self._private.mkdir(mode=0o700)
        files = {"key": texts["ssh-privatekey"].rstrip() + "\n", "known_hosts": known.rstrip() + "\n"}
        for name, text in files.items():
            with open(self._private / name, "w", encoding="utf-8", opener=_private) as file:
                file.write(text)
        return {
            "GIT_SSH_COMMAND": f"{_SSH} -i '{self._private}/key' -o UserKnownHostsFile='{self._private}/known_hosts'"
        }

    def fetch(self, hosts: Sequence[str]) -> str | None:
        """Check the ref out; return what git says where it cannot. Raises EngineError for a host that no job may name."""
        try:
            way = git_way.find(self._repository.url, hosts, lambda *words: self.run(*words)[1])
        except OSError:
            return "Could not resolve the name of its host"
        self._take(way)
        url, ref = way.url, self._repository.ref
        problem, _out = self.run("fetch", "--quiet", "--depth", "1", "--no-tags", "--", url, ref)
        wanted = "FETCH_HEAD"
        if problem and _COMMIT.fullmatch(ref) and not _PASSING.search(problem):
            # A short commit, or a server that gives none but the ends of branches and tags.
            all_of_it = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            problem, _out = self.run("fetch", "--quiet", "--", url, *all_of_it)
            wanted = f"{ref}^{{commit}}"
        return problem or self._size(wanted) or self.run("checkout", "--quiet", "--detach", wanted, "--")[0]

    def _take(self, way: git_way.Way) -> None:
        self._settings = (*_STRICT, *way.settings)
        self._environment |= way.variables
        if way.ssh and "GIT_SSH_COMMAND" not in self._environment:
            self._environment["GIT_SSH_COMMAND"] = "ssh"  # as it is configured, to the host that was checked
        for option in way.ssh:
            if f"-o '{option}'" not in self._environment["GIT_SSH_COMMAND"]:
                self._environment["GIT_SSH_COMMAND"] += f" -o '{option}'"

    def _size(self, commit: str) -> str | None:
        """Return a problem where the files of the tree are more than may be."""
        problem, out = self.run("ls-tree", "-r", "--full-tree", "--format=%(objectsize)", commit)
        size = sum(_ENTRY + (int(one) if one.isdigit() else 0) for one in out.split())
        return problem or (f"File too large: the tree has {size // _MEGABYTE} MiB" if size > self._bytes else None)

    def run(self, *words: str) -> tuple[str | None, str]:
        """Run git in the repository; return what it says where it fails, and its output."""
        self._stop.check()
        helper = (
            ("-c", "credential.helper=", "-c", f"credential.helper={_HELPER}")
            if "GIT_PASSWORD" in self._environment
            else ()
        )
        settings = [word for setting in self._settings for word in ("-c", setting)]
        command = [
            *_LIMITED, str(self._bytes // _BLOCK), "git", *settings, *helper, "-C", str(self._directory), *words
        ]  # fmt: skip
        with subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process:
            self._stop.listen(lambda: _end(process))
            try:
                out, said = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired:
                _end(process)
                return f"it timed out after {self._seconds:g} s", ""
        self._stop.check()
        return (self._shown(said) if process.returncode else None), out

    def _shown(self, said: str) -> str:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        telling = next(
            (line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))), lines[-1] if lines else ""
        )
        return shorten(clean(telling, self._secrets).rstrip("."), 400) or "git failed"


def _end(process: subprocess.Popen) -> None:
    """End git and all that it started."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
