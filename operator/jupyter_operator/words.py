# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in single texts: images, labels, quantities, names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

# RFC 1035 label, which a Service must have; RFC 1123 subdomain, which most other names are (Kubernetes, "Object Names and IDs").
_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_QUANTITY = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(m|k|[MGTPE]|[KMGTPE]i|[eE][+-]?\d{1,2})?")
_POWERS = {"": 0, "m": -1, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_IMAGE = re.compile(
    r"(?P<name>[A-Za-z0-9][-A-Za-z0-9._]*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*)(:(?P<tag>\w[\w.-]{0,127}))?(@(?P<digest>[a-z0-9+._-]+:[0-9a-fA-F]{32,}))?"
)
_MOVING = ("latest", "stable")  # tags that mean another image tomorrow


@dataclass(frozen=True)
class Image:
    """An image by name. name: with its registry and the registry's port."""

    name: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def of(cls, text: str) -> Image | None:
        """Read ``registry:port/path/name:tag@digest``; None where that is no reference of an image."""
        # A colon before the last slash is that of a port.
        head, slash, last = text.partition("@")[0].rpartition("/")
        name, _colon, tag = last.partition(":")
        digest = text.partition("@")[2]
        rebuilt = f"{head}{slash}{name}" + (f":{tag}" if _colon else "") + (f"@{digest}" if "@" in text else "")
        if rebuilt != text or not _IMAGE.fullmatch(text) or _colon and not tag:
            return None
        return cls(f"{head}{slash}{name}", tag or None, digest or None)

    @property
    def pull_policy(self) -> str:
        """``Always`` for what may be another image tomorrow, ``IfNotPresent`` for all else."""
        return "Always" if not self.digest and (self.tag or "latest") in _MOVING else "IfNotPresent"


def label(text: str) -> tuple[str, str] | None:
    """Return key and value of ``key=value``, parted at the first sign; None where Kubernetes would have no such label."""
    key, sign, value = text.partition("=")
    prefix, slash, name = key.rpartition("/")
    good = sign and _LABEL_NAME.fullmatch(name) and (not value or _LABEL_NAME.fullmatch(value))
    if not good or slash and not is_subdomain(prefix):
        return None
    return key, value


def is_label(text: str) -> bool:
    """Return whether it may be the name of a Service."""
    return bool(_LABEL.fullmatch(text))


def is_subdomain(text: str) -> bool:
    """Return whether it may be a host, or the name of most objects."""
    return len(text) <= 253 and bool(_SUBDOMAIN.fullmatch(text))


def amount(quantity: str) -> Decimal | None:
    """Return the number that a quantity of Kubernetes means (``250m``, ``1.5Gi``); None where it is none."""
    match = _QUANTITY.fullmatch(quantity)
    if match is None:
        return None
    number, unit = Decimal(match[1]), match[2] or ""
    if unit[:1] in ("e", "E") and unit[1:]:
        return number * Decimal(10) ** int(unit[1:])
    if unit.endswith("i"):
        return number * Decimal(1024) ** (" KMGTPE".index(unit[0]))
    return number * Decimal(1000) ** _POWERS[unit]
