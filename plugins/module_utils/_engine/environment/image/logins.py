# SPDX-License-Identifier: GPL-3.0-or-later
"""The logins to registries that this machine holds, where podman, buildah, skopeo and docker look for them."""

from __future__ import annotations

# The engine knows no AnsibleModule, so no run_command.
# pylint: disable=ansible-bad-function
import base64
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from ...values.errors import EngineError

_HELPER_SECONDS = 30
# The user name by which a credential helper says that its secret is an identity token (docker-credential-helpers).
_TOKEN_USER = "<token>"


@dataclass(frozen=True)
class Login:
    """User and password, or an identity token in the place of both."""

    user: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)


def find_login(host: str, repository: str, auth: dict | None = None) -> Login | None:
    """Return the login for a repository, None where there is none.

    auth: the content of a ``.dockerconfigjson``, which goes before the files of this machine. Of one file the key with the
    longest path wins; of several files the first that has a login (containers-auth.json(5)).
    Raises EngineError for a file that is no JSON.
    """
    found = _login_in(auth or {}, host, repository)
    for path in _files():
        found = found or _login_in(_read(path), host, repository)
    return found


def _files() -> list[Path]:
    named = os.environ.get("REGISTRY_AUTH_FILE")
    if named:  # by intent of the user the only one, as for podman
        return [Path(named)]
    home = Path.home()
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return [
        Path(runtime, "containers", "auth.json") if runtime else Path(f"/run/containers/{os.getuid()}/auth.json"),
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config") / "containers" / "auth.json",
        Path(os.environ.get("DOCKER_CONFIG") or home / ".docker") / "config.json",
    ]


def _read(path: Path) -> dict:
    try:
        content = json.loads(path.read_bytes())
    except OSError:
        return {}
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise EngineError(f"The login file {path} is no JSON object: log in anew, or correct or remove it.")
    return content


def _login_in(content: dict, host: str, repository: str) -> Login | None:
    """Return the login that one file has: by the helper of the host, else by its longest key, else by the general helper."""
    helper = _mapping(content, "credHelpers").get(host)
    if helper:
        return _from_helper(helper, host)
    logins = {_place(key): entry for key, entry in _mapping(content, "auths").items() if isinstance(entry, dict)}
    place = f"{host}/{repository}"
    while place:
        # docker leaves an empty entry where its credsStore holds the login.
        login = _from_entry(logins.get(place) or {})
        if login:
            return login
        place = place.rpartition("/")[0]
    store = content.get("credsStore")
    # The key of docker's own registry is older than its name.
    return _from_helper(store, "https://index.docker.io/v1/" if host == "docker.io" else host) if store else None


def _mapping(content: dict, name: str) -> dict:
    value = content.get(name)
    return value if isinstance(value, dict) else {}


def _place(key: str) -> str:
    """Return ``host[/path]`` of a key, which docker writes as URL of an API version too."""
    if "://" in key:
        parts = urlsplit(key)
        key = parts.netloc + parts.path
    host, _slash, path = key.rstrip("/").partition("/")
    path = "" if path in ("v1", "v2") else path
    return "/".join(filter(None, ("docker.io" if host == "index.docker.io" else host, path)))


def _from_entry(entry: dict) -> Login | None:
    user, password, token = (entry.get(name) for name in ("username", "password", "identitytoken"))
    try:
        both = base64.b64decode(entry.get("auth") or "").decode()
    except (ValueError, TypeError):
        both = ""
    if both:
        user, _colon, password = both.partition(":")
    if token:
        return Login(identity_token=token)
    return Login(user, password) if user and password else None


def _from_helper(helper: str, key: str) -> Login | None:
    """Ask ``docker-credential-<helper>``, which gets the key by stdin and gives the secret by stdout."""
    try:
        done = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=key.encode(), capture_output=True, timeout=_HELPER_SECONDS,
            check=True,
        )  # fmt: skip
        answer = json.loads(done.stdout)
        user, secret = answer["Username"], answer["Secret"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return None  # it has none, or is not installed: the registry tells whether that matters
    return Login(identity_token=secret) if user == _TOKEN_USER else Login(user, secret)
