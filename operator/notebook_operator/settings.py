# SPDX-License-Identifier: GPL-3.0-or-later
"""What whoever runs the operator says, by environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_PREFIX = "NOTEBOOK_OPERATOR_"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")  # a DNS subdomain, as names of objects are
_NUMBERS = ("jobs", "fetch_seconds", "verdict_days", "jobs_per_namespace", "builds_per_namespace")


@dataclass(frozen=True)
class Reach:
    """What jobs may have the operator ask and change beyond their own namespaces.

    git_hosts: globs of hosts of repositories, none = any but those of the operator's own network. model_hosts: globs of hosts
    of models. model_namespaces: further namespaces whose models may be looked at. triggers: what a success restarts is
    restarted. fetch_megabytes: that a repository may take.
    """

    git_hosts: tuple[str, ...] = ()
    model_hosts: tuple[str, ...] = ()
    model_namespaces: tuple[str, ...] = ()
    triggers: bool = False
    fetch_megabytes: int = 2048

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Reach:
        """Make the value of NOTEBOOK_OPERATOR_GIT_HOSTS, _MODEL_HOSTS and _MODEL_NAMESPACES (comma-separated), _TRIGGERS and
        _FETCH_MEGABYTES. Raises ValueError, with a sentence.
        """
        names = {name: _names(environment, name.upper()) for name in ("git_hosts", "model_hosts", "model_namespaces")}
        return cls(
            **names,
            triggers=_one_of(environment, "TRIGGERS", "off", "on") == "on",
            fetch_megabytes=_number(environment, "fetch_megabytes") or cls.fetch_megabytes,
        )


def _names(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = (one.strip().lower() for one in environment.get(_PREFIX + name, "").split(","))
    return tuple(one for one in found if one)


@dataclass(frozen=True)
class Settings:
    """namespaces: that are watched; empty = the operator's own, ``*`` = all of the cluster. jobs: that are worked on at once.

    fetch_seconds: that fetching a repository may take. verdict_days: after which a verdict does not count any more.
    jobs_per_namespace, builds_per_namespace: at once, None = as many as jobs may be.
    """

    namespaces: tuple[str, ...] = ()
    jobs: int = 100
    fetch_seconds: int = 300
    verdict_days: int = 90
    jobs_per_namespace: int | None = None
    builds_per_namespace: int | None = None
    reach: Reach = Reach()

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Make the settings of NOTEBOOK_OPERATOR_NAMESPACES (comma-separated), and of the variables that are numbers.

        Raises ValueError, with a sentence, for a number that is none of at least 1.
        """
        names = environment.get(f"{_PREFIX}NAMESPACES", "").split(",")
        numbers = {name: _number(environment, name) for name in _NUMBERS}
        given = {name: number for name, number in numbers.items() if number is not None}
        return cls(
            namespaces=tuple(name.strip() for name in names if name.strip()), reach=Reach.of(environment), **given
        )


@dataclass(frozen=True)
class Leading:
    """lease: by which the process that works is chosen, empty = there is one only. seconds: that it holds without renewal."""

    lease: str = ""
    seconds: int = 15

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Leading:
        """Make the value of NOTEBOOK_OPERATOR_LEASE and _LEASE_SECONDS. Raises ValueError, with a sentence."""
        name = environment.get(f"{_PREFIX}LEASE", "").strip()
        if name and not _NAME.fullmatch(name):
            raise ValueError(f"{_PREFIX}LEASE is {name!r}: give the name of a Lease, such as notebook-operator.")
        return cls(name, _number(environment, "lease_seconds") or cls.seconds)


@dataclass(frozen=True)
class Monitoring:
    """metrics_port, probe_port: 0 = none. certificates: directory of those of the metrics; without, they are on 127.0.0.1 only.

    metrics_auth: ``kubernetes`` asks the cluster, ``none`` lets everybody read. address: of both ports, empty = all.
    log_format: ``text`` or ``json``.
    """

    metrics_port: int = 0
    certificates: str = ""
    metrics_auth: str = "kubernetes"
    probe_port: int = 0
    address: str = ""
    log_format: str = "text"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Monitoring:
        """Make the value of NOTEBOOK_OPERATOR_METRICS_PORT, _METRICS_CERTIFICATES, _METRICS_AUTH, _PROBE_PORT, _ADDRESS and
        _LOG_FORMAT, which is json in a pod unless it is told. Raises ValueError, with a sentence.
        """
        in_pod = "KUBERNETES_SERVICE_HOST" in environment
        return cls(
            metrics_port=_port(environment, "METRICS_PORT"),
            certificates=environment.get(f"{_PREFIX}METRICS_CERTIFICATES", "").strip(),
            metrics_auth=_one_of(environment, "METRICS_AUTH", "kubernetes", "none"),
            probe_port=_port(environment, "PROBE_PORT"),
            address=environment.get(f"{_PREFIX}ADDRESS", "").strip(),
            log_format=_one_of(environment, "LOG_FORMAT", *(("json", "text") if in_pod else ("text", "json"))),
        )


def _port(environment: Mapping[str, str], name: str) -> int:
    text = environment.get(_PREFIX + name, "").strip() or "0"
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise ValueError(f"{_PREFIX}{name} is {text!r}: give a port, or 0 for none.")
    return int(text)


def _one_of(environment: Mapping[str, str], name: str, *values: str) -> str:
    """Return the value of a variable, by default the first of those that it may have."""
    text = environment.get(_PREFIX + name, "").strip() or values[0]
    if text not in values:
        raise ValueError(f"{_PREFIX}{name} is {text!r}: give {' or '.join(values)}.")
    return text


def _number(environment: Mapping[str, str], name: str) -> int | None:
    variable = _PREFIX + name.upper()
    text = environment.get(variable, "").strip()
    if text and not (text.isdigit() and int(text)):
        raise ValueError(f"{variable} is {text!r}: give a whole number of at least 1.")
    return int(text) if text else None
