# SPDX-License-Identifier: GPL-3.0-or-later
"""Login by OAuth: OpenShift, or a provider of OpenID Connect; what the provider does not do is said in words."""

from __future__ import annotations

import json
import os
import re
import ssl
import tempfile
from pathlib import Path

import certifi
from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthCallbackHandler, OAuthLoginHandler
from oauthenticator.openshift import OpenShiftOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import default

CLUSTER_CA = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")
WELL_KNOWN = "/.well-known/oauth-authorization-server"
_DOWN = (HTTPClientError, OSError, ValueError)
_UNTRUSTED = 60  # of curl: a certificate that cannot be verified


class _Strange(ValueError):
    """An answer that is not what was asked for."""


class _Nameless(ValueError):
    """User info without a user's name."""


class _LoginHandler(OAuthLoginHandler):
    async def get(self):
        try:
            await self.authenticator.prepare()
        except _DOWN as error:
            raise self.authenticator.failure(error) from None
        super().get()


class _CallbackHandler(OAuthCallbackHandler):
    def check_error(self):
        if error := self.get_argument("error", ""):
            said = self.get_argument("error_description", error)
            service = self.authenticator.login_service
            raise web.HTTPError(400, f"{service} has refused the login ({said}): log in again, or ask who runs it.")

    def check_code(self):
        if not self.get_argument("code", ""):
            raise _begin_again()

    def check_state(self):
        try:
            super().check_state()
        except (web.HTTPError, AttributeError, ValueError):
            raise _begin_again() from None


class _Provider:
    """Sessions go on while the provider is down; who is not let in any more has to log in again."""

    login_handler = _LoginHandler
    callback_handler = _CallbackHandler
    authorities: tuple[Path, ...] = ()  # that are trusted beside those of hub_ca_config_map, or of the image

    @default("http_request_kwargs")
    def _http_request_kwargs_default(self):
        """As a file, which pycurl takes too: it knows nothing of SSL_CERT_FILE, and refuses a context of ssl."""
        more = [path for path in self.authorities if path.exists()]
        named = os.environ.get("SSL_CERT_FILE")
        if not self.validate_server_cert or not (more or named):
            return {}
        return {"ca_certs": _bundle([Path(named or ssl.get_default_verify_paths().cafile or certifi.where()), *more])}

    async def prepare(self) -> None:
        """Learn what a login needs to know of the provider."""

    async def fetch(self, req, label="fetching", parse_json=True, **kwargs):
        """Not as oauthenticator does it, whose log has answers whole: one may repeat what was sent."""
        answer = await self.http_client.fetch(req, **kwargs)
        if not parse_json:
            return answer
        where = req.url.partition("?")[0]
        try:
            found = json.loads(answer.body)
        except ValueError:
            raise _Strange(f"{where} answers with something else than JSON") from None
        if not isinstance(found, dict):
            raise _Strange(f"{where} answers with no object of JSON")
        return found

    async def get_token_info(self, handler, params):
        try:
            found = await super().get_token_info(handler, params)
        except HTTPClientError as error:
            if (reason := _reason(error)) == "invalid_grant":
                raise _begin_again() from None
            if not 400 <= error.code < 500:
                raise
            raise self._refused(
                f"refuses the hub ({reason})",
                "client_id, or hub_oauth_client_secret and the Secret of hub_login_secret",
            ) from None
        except web.HTTPError:
            raise _Strange(f"{self.token_url} answers without a token") from None
        return {"token_type": "Bearer", **found}

    def user_info_to_username(self, user_info):
        name = user_info
        for key in self.name_path:
            name = name.get(key) if isinstance(name, dict) else None
        if not name or not isinstance(name, str):
            raise _Nameless(f"there is no {'.'.join(self.name_path)}")
        return name

    async def get_user_groups(self, auth_state):
        """A group alone may be a text."""
        found = auth_state
        for key in self.auth_state_groups_key.split("."):
            if not isinstance(found, dict) or key not in found:
                self.log.warning("%s tells no groups, as there is no %s.", self.login_service, key)
                return set()
            found = found[key]
        found = [found] if isinstance(found, str) else found
        return {group for group in found if isinstance(group, str)} if isinstance(found, list) else set()

    async def authenticate(self, handler, data=None, **kwargs):
        try:
            await self.prepare()
            return await super().authenticate(handler, data, **kwargs)
        except _DOWN as error:
            raise self.failure(error) from None

    async def refresh_user(self, user, handler=None, **kwargs):
        try:
            found = await super().refresh_user(user, handler, **kwargs)
        except _DOWN as error:
            self.log.warning("The groups of %s stay as they were: %s", user.name, _said(error))
            return True
        if isinstance(found, dict) and not await self.check_allowed(user.name, found):
            return False
        return found

    def failure(self, error: Exception) -> web.HTTPError:
        """What a user is told, and the log."""
        if isinstance(error, _Nameless) or 400 <= getattr(error, "code", 0) < 500:
            return self._refused(f"does not tell the hub who you are ({_said(error)})", self.name_settings)
        advice = "try again later; an administrator finds more in the hub's log"
        if _untrusted(error):
            advice = "an administrator gives its authority in hub_ca_config_map"
        return self._told(503, f"cannot be asked ({_said(error)}): {advice}")

    def _refused(self, what: str, settings: str) -> web.HTTPError:
        return self._told(502, f"{what}: an administrator corrects {settings}")

    def _told(self, status: int, what: str) -> web.HTTPError:
        self.log.error("Nobody can log in: %s %s.", self.login_service, what)
        return web.HTTPError(status, f"Nobody can log in at the moment, {self.login_service} {what}.")


class OpenShiftLogin(_Provider, OpenShiftOAuthenticator):
    name_path, name_settings = ("metadata", "name"), "scope or openshift_rest_api_url"

    authorities = (CLUSTER_CA,)  # the API's; the OAuth server is behind the router, whose authority may be another

    @default("openshift_auth_api_url")
    def _openshift_auth_api_url_default(self):
        """Asked at the first login, as the hub starts without it."""
        return ""

    async def prepare(self) -> None:
        if self.openshift_auth_api_url:
            return
        url = self.openshift_url + WELL_KNOWN
        found = (await self.httpfetch(url, validate_cert=self.validate_server_cert)).get("issuer")
        if not isinstance(found, str) or not found:
            raise _Strange(f"{url} answers without an issuer")
        self.openshift_auth_api_url = found


class OpenIDLogin(_Provider, GenericOAuthenticator):
    name_settings = "username_claim, scope or userdata_url"

    @property
    def name_path(self) -> tuple[str, ...]:
        return (self.username_claim,)  # may have dots


def _bundle(paths: list[Path]) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="authorities-", suffix=".crt", delete=False) as bundle:
        bundle.writelines(path.read_text(encoding="utf-8") + "\n" for path in paths)
    return bundle.name


def _begin_again() -> web.HTTPError:
    return web.HTTPError(400, "This login was begun in another browser, ended before, or took too long: log in again.")


def _reason(error: HTTPClientError) -> str:
    """The word of OAuth for what is wrong, or the status."""
    try:
        word = json.loads(error.response.body)["error"]
    except (AttributeError, KeyError, TypeError, ValueError):
        word = ""
    return word if re.fullmatch(r"[a-z_]{1,40}", str(word)) else f"HTTP {error.code}"


def _untrusted(error: Exception) -> bool:
    """Whether the provider's certificate is, by either client of tornado."""
    of_curl = isinstance(error, HTTPClientError) and getattr(error, "errno", 0) == _UNTRUSTED
    return of_curl or isinstance(error, ssl.SSLCertVerificationError)


def _said(error: Exception) -> str:
    """Without anything that was sent."""
    if isinstance(error, _Strange | _Nameless):
        return str(error)
    if _untrusted(error):
        return f"its certificate is not trusted: {getattr(error, 'verify_message', '') or error.message}"
    if isinstance(error, HTTPClientError):
        return str(error.message) if error.code == 599 else f"HTTP {error.code}"
    return getattr(error, "strerror", None) or type(error).__name__
