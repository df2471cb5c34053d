# SPDX-License-Identifier: GPL-3.0-or-later
"""Logging in to OpenShift by user name and password, through the ``openshift`` package."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import threading

from .errors import ClusterError

_SECONDS = 30  # the package's own requests have no time-out


def log_in(configuration, username: str, password: str) -> str:
    """Return a token of OpenShift's OAuth server for the user.

    configuration: a ``kubernetes.client.Configuration`` with host, CA and proxy.
    Raises ClusterError: ``cluster_config`` where the package is missing or the server has no such login,
    ``cluster_unauthorized`` where the password is wrong, ``cluster_unreachable`` where no answer comes.
    """
    try:
        from openshift.helper import userpassauth
    except ImportError:
        raise ClusterError(
            "Logging in by username and password needs the Python package openshift: "
            "install it (pip install openshift) or give api_key instead.", "cluster_config", sent=False,
        ) from None  # fmt: skip
    session = _session(userpassauth, configuration, username, password)
    with _proxy(configuration):
        error = _within(_SECONDS, session.get_token)
    if error is not None:
        raise _explain(error, userpassauth, configuration.host, username) from None
    return session.token["access_token"]


def token_name(token: str) -> str | None:
    """Return the name of the token's own object, by which its user may delete it.

    OpenShift 4, "Managing user-owned OAuth access tokens": ``sha256~`` and the unpadded base64url of the SHA-256 of what
    follows that prefix in the token. None for a token of another kind.
    """
    prefix = "sha256~"
    if not token.startswith(prefix):
        return None
    digest = hashlib.sha256(token[len(prefix) :].encode()).digest()
    return prefix + base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _session(userpassauth, configuration, username: str, password: str):
    from kubernetes.client import Configuration

    class Session(userpassauth.OCPLoginConfiguration):
        def __init__(self):
            # The package's own constructor passes an argument that newer kubernetes packages do not take.
            Configuration.__init__(self, host=configuration.host)
            self.verify_ssl, self.ssl_ca_cert = configuration.verify_ssl, configuration.ssl_ca_cert
            self.ocp_username, self.ocp_password = username, password

    return Session()


@contextlib.contextmanager
def _proxy(configuration):
    """The package asks through `requests`, which takes proxies from the environment only."""
    wanted = {"HTTPS_PROXY": configuration.proxy, "NO_PROXY": configuration.no_proxy}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: value for name, value in wanted.items() if value})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _within(seconds: float, function) -> BaseException | None:
    """Return what the function raised, or a TimeoutError where it takes longer; None where it ended well."""
    outcome: list[BaseException | None] = []

    def work():
        try:
            function()
            outcome.append(None)
        except Exception as error:  # each is explained by the caller
            outcome.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return outcome[0] if outcome else TimeoutError()


def _explain(error: BaseException, userpassauth, host: str, username: str) -> ClusterError:
    status = getattr(error, "req_info", {}).get("req_status_code")
    if isinstance(error, userpassauth.OCPLoginRequestException) and "OAuth API" in str(error):
        return ClusterError(
            f"The API server {host} has no OpenShift login ({status}): give api_key or a kubeconfig.",
            "cluster_config", status=status,
        )  # fmt: skip
    if status in (401, 403):
        return ClusterError(
            f"OpenShift at {host} does not accept the password of user {username!r}: correct username or password.",
            "cluster_unauthorized", status=status,
        )  # fmt: skip
    if status is not None:
        return ClusterError(
            f"The OpenShift login at {host} failed with status {status}: try again, or give api_key.",
            "cluster_unavailable", status=status,
        )  # fmt: skip
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return ClusterError(
            f"A certificate of the OpenShift login at {host} is not signed by a CA that is trusted here: "
            "give one with ca_cert that covers the API server and the OAuth route.", "cluster_certificate", sent=False,
        )  # fmt: skip
    kind = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return ClusterError(
        f"The OpenShift login at {host} cannot be reached ({kind}): check the address, the network and the proxy.",
        "cluster_unreachable", sent=False,
    )  # fmt: skip
