# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server, or the way to it, can answer instead of what was asked for."""

from __future__ import annotations

import json
import re

from ..values.errors import EngineError

# HTTP status: code of the taxonomy table. What stands for all others is below.
_CODES = {
    401: "cluster_unauthorized",
    403: "cluster_forbidden",
    404: "cluster_not_found",
    409: "cluster_conflict",
    429: "cluster_unavailable",
}
# An apply of a field that the server does not know is refused with 500 (kubernetes/kubernetes, issue 122480).
_UNKNOWN_FIELD = "field not declared in schema"
_EXPIRED = "The token may have expired or be that of another cluster: log in again, or give a new one."


class ClusterError(EngineError):
    """A request that failed.

    status: HTTP status, or None where no answer came. reason: the ``reason`` of the server's Status object, such as
    ``AlreadyExists``. causes: its ``details.causes``. retry_after: seconds that the server asked to wait, or None.
    sent: False only where the server certainly did not take the request up, so that repeating any request is safe.
    """

    def __init__(
        self, message: str, code: str, *, status=None, reason=None, causes=(), retry_after=None, sent: bool = True
    ):
        super().__init__(message, code)
        self.status = status
        self.reason = reason
        self.causes = tuple(causes)
        self.retry_after = retry_after
        self.sent = sent

    @property
    def transient(self) -> bool:
        """The same request may be answered if it is sent again."""
        return self.code in ("cluster_unreachable", "cluster_unavailable")


def from_answer(host: str, what: str, status: int, body: bytes | str | None, headers=None) -> ClusterError:
    """Return the error that a server's answer means.

    what: the request in short, such as ``GET /version``. body: a Status object (Kubernetes API conventions, "Response
    Status Kind"), or whatever stood in its place.
    """
    told = _status_object(body)
    message = str(told.get("message") or "").strip().rstrip(".")
    reason = told.get("reason")
    details = told.get("details") or {}
    headers = headers or {}
    after = _seconds(headers.get("Retry-After") or details.get("retryAfterSeconds"))
    broken = status >= 500 and _UNKNOWN_FIELD not in message
    code = _CODES.get(status) or ("cluster_unavailable" if broken else "cluster_refused")
    sentence = {
        "cluster_unauthorized": f"The API server {host} does not accept the credentials. {_EXPIRED}",
        "cluster_forbidden": f"The API server {host} does not allow {what}: {message or 'no reason was given'}.",
        "cluster_unavailable": f"The API server {host} could not answer {what} now ({status}): {message or 'no reason was given'}.",
    }.get(code, f"The API server {host} refused {what} ({status}): {message or 'no reason was given'}.")
    # 429 is answered before a request is looked at; 401 before it is authorised.
    return ClusterError(
        sentence, code, status=status, reason=reason, causes=details.get("causes") or (), retry_after=after,
        sent=status not in (401, 429),
    )  # fmt: skip


def from_exception(host: str, what: str, error: Exception) -> ClusterError:
    """Return the error that an exception of the HTTP library means. It never quotes what was sent."""
    from urllib3 import exceptions as http

    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or isinstance(error, http.SSLError) or "SSLError" in text:
        return ClusterError(_certificate(host, text), "cluster_certificate", sent=False)
    if isinstance(error, (http.ConnectTimeoutError, http.NewConnectionError, http.ProxyError)):
        advice = "check the address, the network between and the proxy"
        return ClusterError(
            f"The API server {host} cannot be reached ({_short(error)}): {advice}.", "cluster_unreachable", sent=False
        )
    if isinstance(error, http.ReadTimeoutError):
        return ClusterError(f"The API server {host} did not answer {what} in time.", "cluster_unreachable")
    if isinstance(error, http.LocationValueError):
        return ClusterError(
            f"{host!r} is not the address of an API server: give a URL such as https://api.example.com:6443.",
            "cluster_config", sent=False,
        )  # fmt: skip
    return ClusterError(
        f"The connection to the API server {host} broke during {what} ({_short(error)}).", "cluster_unreachable"
    )


def _certificate(host: str, text: str) -> str:
    if "unknown ca" in text.lower():
        return f"The API server {host} does not accept the client certificate: give one that its own CA has signed."
    if "WRONG_VERSION_NUMBER" in text or "record layer failure" in text:
        return f"The API server {host} does not speak TLS: give a URL that begins with http://, or another port."
    if "mismatch, certificate is not valid" in text or "doesn't match" in text:
        return f"The certificate of the API server {host} is for another name: use the name that it is made out for."
    if "certificate has expired" in text:
        return f"The certificate of the API server {host} has expired: have it renewed."
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            f"The certificate of the API server {host} is not signed by a CA that is trusted here: "
            "give the cluster's own with ca_cert or in the kubeconfig."
        )
    return (
        f"No TLS connection to the API server {host} could be made ({_library_reason(text)}): check the certificates."
    )


def _library_reason(text: str) -> str:
    found = re.search(r"\[(?:SSL|X509): ([A-Z_]+)\]", text)
    return found.group(1).replace("_", " ").lower() if found else "TLS failure"


def _short(error: Exception) -> str:
    known = re.search(r"\[Errno -?\d+\] ([\w ]+)", str(error))
    return known.group(1).lower() if known else type(error).__name__


def _status_object(body) -> dict:
    if isinstance(body, bytes):
        body = body.decode("utf-8", "replace")
    try:
        told = json.loads(body or "{}")
    except ValueError:
        return {"message": " ".join(str(body).split())[:200]}
    return told if isinstance(told, dict) else {}


def _seconds(value) -> float | None:
    """Retry-After as Kubernetes sends it: a number of seconds (API concepts, "Rate limiting")."""
    try:
        return max(0.0, float(value))
    except (TypeError, ValueError):
        return None
