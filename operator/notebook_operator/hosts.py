# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that the operator itself asks at the word of a job, and the addresses that nobody may lead it to."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?")
# Where clouds tell whoever asks from inside what only machines are to know; most of it is link-local besides.
_METADATA = tuple(
    ipaddress.ip_network(one)
    for one in ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254")
)
# IPv6 addresses that are IPv4 addresses in another form: compatible and NAT64 (RFC 4291, 2.5.5.1; RFC 6052, 2.1).
_EMBEDDED = tuple(ipaddress.ip_network(one) for one in ("::/96", "64:ff9b::/96"))


class Forbidden(Exception):
    """A host may not be asked. Its text is a sentence."""


@dataclass(frozen=True)
class Hosts:
    """patterns: globs of names, and addresses. An address of this machine, of its network or of the cloud's own has to be named."""

    patterns: Sequence[str] = ()

    def match(self, host: str) -> bool:
        """Return whether a name or an address is among them."""
        return any(fnmatchcase(host, pattern.lower()) for pattern in self.patterns)

    def require(self, host: str, address: str) -> None:
        """Raise Forbidden where a host leads to an address that no job may have the operator ask."""
        what = _inward(address)
        if what and address not in self.patterns:
            raise Forbidden(
                f"{host} leads to {address}, {what}, which no job may have the operator ask: correct the address."
            )

    def address(self, host: str, port: int) -> str:
        """Return the address of a host, looked up once, so that a name cannot lead elsewhere a moment later.

        Raises Forbidden where any of its addresses may not be asked, and OSError where the name is not known.
        """
        found = [entry[4][0] for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        for address in found:
            self.require(host, address)
        return found[0]


def canonical(host: str | None) -> str | None:
    """Return a host of a URL in the one form that rules are about, None where it is none."""
    name = (host or "").lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name if _NAME.fullmatch(name) else None


def _inward(text: str) -> str | None:
    """Return what an address is that leads into the machine, its network or its cloud; None where it leads to others."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if address.version == 6:
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _EMBEDDED):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None and address != ipaddress.ip_address("::1"):
            address = inner
    if address.is_loopback or address.is_unspecified or (address.version == 4 and address.packed[0] == 0):
        return "an address of the operator's own machine"
    if address.is_link_local or any(address in network for network in _METADATA if network.version == address.version):
        return "a link-local address, or one of the cloud's own"
    if address.is_multicast or address == ipaddress.ip_address("255.255.255.255"):
        return "an address of no single host"
    return None
