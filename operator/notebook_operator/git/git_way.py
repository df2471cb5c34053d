# SPDX-License-Identifier: GPL-3.0-or-later
"""How git comes to the host of a repository: one that jobs may name, at an address that was checked, and to no other."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass_environment

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.values.errors import EngineError

from ..hosts import Forbidden, Hosts, canonical

_CODE = "source_unavailable"
_SETTING = "NOTEBOOK_OPERATOR_GIT_HOSTS"
_PROTOCOLS = "http:https:ssh:git"
_PORTS = {"http": 80, "https": 443, "ssh": 22, "git": 9418}
# user@host:path (git-clone(1), "GIT URLS")
_SHORT = re.compile(r"(?:[\w.][\w.-]*@)?([\w.-]+):(?!//)")
# Names that mean a host of the cluster or of the machine, unless they are named.
_NEAR = re.compile(r"[^.:]+|.*\.(?:svc|svc\.cluster\.local|local|localhost|internal)")


@dataclass(frozen=True)
class Way:
    """url: that git is given. settings: of git, each ``name=value``. variables: of its environment. ssh: options of ssh."""

    url: str
    settings: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    ssh: tuple[str, ...] = ()


def find(url: str, patterns: Sequence[str], git: Callable[..., str]) -> Way:
    """Return the way to a repository.

    patterns: globs of hosts that jobs may name, none for all but those of the cluster's own network. git: runs git and returns what
    it says, "" where it fails. What the configuration of git puts in the place of an address is the administrator's word.
    Raises EngineError where no job may name the host, and OSError where its name is not known.
    """
    scheme, host, port = _parts(url)
    name = canonical(host)
    if name is None or not _named(name, patterns):
        raise EngineError(
            f"The repository {url} is on the host {host}, which no job may name here: have {_SETTING} name it.", _CODE
        )
    mirror = git("ls-remote", "--get-url", "--", url).strip()
    if mirror and mirror != url:
        return Way(url, variables={"GIT_ALLOW_PROTOCOL": f"{_PROTOCOLS}:{_scheme(mirror)}"})
    allowed = {"GIT_ALLOW_PROTOCOL": _PROTOCOLS}
    try:
        if _has_proxy(scheme, url, name, git):
            return Way(url, variables=allowed)  # the proxy looks the name up, and says where it goes
        address = Hosts(patterns).address(name, port)
    except Forbidden as error:
        raise EngineError(f"The repository {url} cannot be fetched: {error}", _CODE) from None
    if scheme == "ssh":
        alias = name if port == _PORTS["ssh"] else f"[{name}]:{port}"
        return Way(url, variables=allowed, ssh=(f"HostName={address}", f"HostKeyAlias={alias}"))
    if scheme == "git":
        there = urlsplit(url)._replace(netloc=f"{_bracketed(address)}:{port}").geturl()
        return Way(there, variables={**allowed, "GIT_OVERRIDE_VIRTUAL_HOST": host})
    pinned = () if name == address else (f"http.curloptResolve={host}:{port}:{_bracketed(address)}",)
    return Way(url, settings=pinned, variables=allowed)


def _parts(url: str) -> tuple[str, str, int]:
    short = _SHORT.match(url) if "://" not in url else None
    if short:
        return "ssh", short[1], _PORTS["ssh"]
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise EngineError(f"git.url is {url!r}, which is no address of a repository: correct it.", _CODE) from None


def _named(name: str, patterns: Sequence[str]) -> bool:
    if patterns:
        return Hosts(patterns).match(name)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return not _NEAR.fullmatch(name)
    return True


def _scheme(mirror: str) -> str:
    return mirror.partition("://")[0] if "://" in mirror else "file"


def _has_proxy(scheme: str, url: str, name: str, git: Callable[..., str]) -> bool:
    if scheme not in ("http", "https"):
        return False
    if git("config", "--get-urlmatch", "http.proxy", url).strip():
        return True
    proxies = getproxies_environment()
    return bool(proxies.get(scheme) or proxies.get("all")) and not proxy_bypass_environment(name, proxies)


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
