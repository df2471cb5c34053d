# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository of a job, fetched at one ref, with credentials that stand in no argument and no address."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.repository import require_sound
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.stop import Stop
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.verdict.sanitize import clean, shorten

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


def fetch(repository: Repository, directory: Path, secret: Mapping[str, bytes], stop: Stop, seconds: float) -> str:
    """Check the repository out at its ref below the directory, which is new; return the commit.

    secret: entries of the credentials Secret. seconds: for one try; what may pass is tried three times.
    Raises EngineError (``source_unavailable``), and Stopped.
    """
    repository.check()
    git = _Git(repository, directory, secret, stop, seconds)
    for pause in (*_PAUSES, None):
        problem = git.fetch()
        if problem is None:
            return git.run("rev-parse", "HEAD")[1].strip()
        if pause is None or not _PASSING.search(problem):
            break
        stop.wait(pause)
        stop.check()
    raise EngineError(
        f"The source {repository.url} at {repository.ref} cannot be fetched ({problem}); check the address, the ref and the"
        " credentials.",
        _CODE,
    )


class _Git:
    def __init__(
        self, repository: Repository, directory: Path, secret: Mapping[str, bytes], stop: Stop, seconds: float
    ):
        self._repository, self._directory, self._stop, self._seconds = repository, directory, stop, seconds
        self._secrets = [value.decode(errors="replace").strip() for value in secret.values()]
        directory.mkdir(mode=0o700)
        # Beside the repository, so that no run sees them.
        self._private = directory.with_name(f"{directory.name}.credentials")
        self._environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", **self._credentials(secret)}
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

    def fetch(self) -> str | None:
        """Check the ref out; return what git says where it cannot."""
        url, ref = self._repository.url, self._repository.ref
        problem, _out = self.run("fetch", "--quiet", "--depth", "1", "--no-tags", "--", url, ref)
        wanted = "FETCH_HEAD"
        if problem and _COMMIT.fullmatch(ref) and not _PASSING.search(problem):
            # A short commit, or a server that gives none but the ends of branches and tags.
            all_of_it = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
            problem, _out = self.run("fetch", "--quiet", "--", url, *all_of_it)
            wanted = f"{ref}^{{commit}}"
        return problem or self.run("checkout", "--quiet", "--detach", wanted, "--")[0]

    def run(self, *words: str) -> tuple[str | None, str]:
        """Run git in the repository; return what it says where it fails, and its output."""
        self._stop.check()
        helper = (
            ("-c", "credential.helper=", "-c", f"credential.helper={_HELPER}")
            if "GIT_PASSWORD" in self._environment
            else ()
        )
        command = ["git", *helper, "-C", str(self._directory), *words]
        with subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            self._stop.listen(process.kill)
            try:
                out, said = process.communicate(timeout=self._seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                return f"it timed out after {self._seconds:g} s", ""
        self._stop.check()
        return (self._shown(said) if process.returncode else None), out

    def _shown(self, said: str) -> str:
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        telling = next(
            (line for line in lines if line.startswith(("fatal:", "error:", "ERROR:"))), lines[-1] if lines else ""
        )
        return shorten(clean(telling, self._secrets).rstrip("."), 400) or "git failed"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
