# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP to registries: proxies and CAs of the environment, time-outs, bounded retries, and logins that stay at their host."""

from __future__ import annotations

import os
import ssl
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from ...values.errors import EngineError

_CONNECT, _READ = 10, 30  # seconds
_LONGEST_PAUSE = 15  # seconds, whatever a server asks for
_REDIRECTS = 5
_OTHER = "correct the name, or have the registry's operator look at it"
_BUSY = (429, 500, 502, 503, 504)


class Refused(Exception):
    """Why there is no answer, in words without secrets; advice: what to do. code: of the taxonomy."""

    code = "builder_image_unavailable"

    def __init__(self, why: str, advice: str):
        super().__init__(why)
        self.advice = advice


class OutOfReach(Refused):
    """A failure of the network or of the server, which another try may not meet."""

    code = "network_unavailable"

    def __init__(self, why: str, advice: str = "check the name, the network and HTTPS_PROXY"):
        super().__init__(why, advice)


class NotTls(OutOfReach):
    """What answers speaks no TLS."""


class Answer:
    """status, headers, and the body, as far as it was asked for. url: where it came from at the end."""

    def __init__(self, url: str, status: int, headers, body: bytes):
        self.url, self.status, self.headers, self.body = url, status, headers, body


def is_loopback(host: str | None) -> bool:
    """Return whether a host name is this machine by its very name."""
    return host in ("localhost", "::1") or (host or "").startswith("127.")


def host_of(url: str) -> str:
    """Return host and port of a URL for people: a login in it is not theirs to see."""
    return urlsplit(url).netloc.rpartition("@")[2]


def origin(url: str) -> tuple[str, str]:
    """Return what a login holds for: scheme and host with port."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


class Transport:
    """Sends requests one after the other. Raises Refused, never an error of urllib3.

    plain: whether this machine itself may be asked without TLS; no other ever is.
    """

    def __init__(self, plain: bool):
        self.plain = plain
        self._pools: dict = {}

    def send(self, method: str, url: str, headers: dict, limit: int, body: str | None = None) -> Answer:
        """Send a request and follow redirects, without ``Authorization`` to another origin; limit: bytes of the answer.

        A body may hold a secret, so that a request with one is not redirected.
        """
        headers = {"User-Agent": "mlops.notebooks", **headers}
        for _redirect in range(_REDIRECTS):
            parts = urlsplit(url)
            if parts.scheme != "https" and not (self.plain and parts.scheme == "http" and is_loopback(parts.hostname)):
                raise Refused(f"{host_of(url)} is to be asked without TLS", _OTHER)
            answer = self._once(method, url, headers, limit, body)
            location = answer.headers.get("Location")
            if answer.status not in (301, 302, 303, 307, 308) or not location or body is not None:
                return answer
            target = urljoin(url, location)
            if origin(target) != origin(url):
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
            url = target
        raise Refused("too many redirects", _OTHER)

    def _once(self, method: str, url: str, headers: dict, limit: int, body: str | None) -> Answer:
        from urllib3.exceptions import HTTPError, LocationValueError

        try:
            response = self._pool(url).request(
                method, url, headers=headers, body=body, redirect=False, preload_content=False, retries=_retries()
            )
            try:
                content = b"" if method == "HEAD" else response.read(limit + 1)
            finally:
                # The rest of a body that is too long is not read for the sake of the connection.
                response.close()
        except (HTTPError, LocationValueError, OSError) as error:
            raise _refused(host_of(url), error) from None
        if len(content) > limit:
            raise Refused(f"the answer is longer than {limit} bytes", _OTHER)
        return Answer(url, response.status, response.headers, content)

    def _pool(self, url: str):
        import urllib3
        from urllib3.util import Timeout, make_headers, parse_url

        proxy = _proxy(urlsplit(url))
        if proxy not in self._pools:
            options = {"timeout": Timeout(connect=_CONNECT, read=_READ), "ssl_context": _trust()}
            if proxy:
                login = parse_url(proxy).auth
                headers = make_headers(proxy_basic_auth=unquote(login)) if login else None
                self._pools[proxy] = urllib3.ProxyManager(proxy, proxy_headers=headers, **options)
            else:
                self._pools[proxy] = urllib3.PoolManager(**options)
        return self._pools[proxy]


def _proxy(parts) -> str | None:
    """Return the proxy that the environment has for a URL; none for this machine itself."""
    if is_loopback(parts.hostname) or urllib.request.proxy_bypass(parts.netloc):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _trust() -> ssl.SSLContext:
    """Return the CAs of the system or of ``SSL_CERT_FILE``, and those of ``REQUESTS_CA_BUNDLE`` beside them."""
    context = ssl.create_default_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if bundle:
        try:
            context.load_verify_locations(**{"capath" if Path(bundle).is_dir() else "cafile": bundle})
        except OSError:
            raise EngineError(
                f"REQUESTS_CA_BUNDLE names {bundle}, which holds no certificates that can be read: correct or unset it."
            ) from None
    return context


def _retries():
    from urllib3.util import Retry

    class Bounded(Retry):
        """Waits as long as the server asks, within reason."""

        def get_retry_after(self, response):
            asked = super().get_retry_after(response)
            return asked and min(asked, _LONGEST_PAUSE)

    # Every request here only reads, and a token that is asked for twice harms nobody.
    return Bounded(
        total=3, connect=1, read=1, other=0, redirect=0, status=3, status_forcelist=_BUSY, backoff_factor=0.5,
        allowed_methods=None, raise_on_status=False,
    )  # fmt: skip


def _refused(host: str, error: Exception) -> Refused:
    """Return what an error of urllib3 means; its own words may hold the login of a proxy."""
    chain = list(_chain(error))
    kinds = {type(one).__name__ for one in chain}
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in chain):
        advice = "add its CA to those of this machine, or name it in SSL_CERT_FILE"
        return Refused(f"the certificate of {host} is not trusted", advice)
    if "ProxyError" in kinds:
        return OutOfReach(f"the proxy does not connect to {host}")
    if "SSLError" in kinds:
        return NotTls(f"no TLS connection to {host} comes about")
    if any("Timeout" in kind for kind in kinds):
        return OutOfReach(f"{host} does not answer in time")
    if "gaierror" in kinds or any("resolve" in str(one) for one in chain):
        return OutOfReach(f"the name of {host} cannot be resolved")
    return OutOfReach(f"{host} cannot be reached")


def _chain(error):
    """Yield an error and those that it came from, in the ways that urllib3 keeps them."""
    for _level in range(6):
        if not isinstance(error, BaseException):
            return
        yield error
        error = getattr(error, "reason", None) or error.__cause__ or next(iter(error.args[:1]), None)
