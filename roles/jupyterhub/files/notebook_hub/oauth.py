# SPDX-License-Identifier: GPL-3.0-or-later
"""Login by OAuth: OpenShift, or a provider of OpenID Connect; what the provider does not do is said in words."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from oauthenticator.generic import GenericOAuthenticator
from oauthenticator.oauth2 import OAuthLoginHandler
from oauthenticator.openshift import OpenShiftOAuthenticator
from tornado import web
from tornado.httpclient import HTTPClientError
from traitlets import default

CLUSTER_CA = Path("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt")


class _LoginHandler(OAuthLoginHandler):
    async def get(self):
        try:
            await asyncio.to_thread(lambda: self.authenticator.authorize_url)
        except (HTTPClientError, OSError, ValueError) as error:
            raise self.authenticator.failure(error) from None
        result = super().get()
        if asyncio.iscoroutine(result) or isinstance(result, asyncio.Future):
            await result


class _Provider:
    """Sessions go on while the provider is down; who is not let in any more has to log in again."""

    login_handler = _LoginHandler

    async def authenticate(self, handler, data=None, **kwargs):
        try:
            return await super().authenticate(handler, data, **kwargs)
        except (HTTPClientError, OSError, ValueError) as error:
            raise self.failure(error) from None
        except web.HTTPError as error:
            if error.status_code < 500:
                raise
            raise self.failure(error) from None

    async def refresh_user(self, user, handler=None, **kwargs):
        try:
            found = await super().refresh_user(user, handler, **kwargs)
        except (HTTPClientError, OSError, ValueError) as error:
            self.log.warning("The groups of %s stay as they were: %s", user.name, _said(error))
            return True
        if isinstance(found, dict) and not await self.check_allowed(user.name, found):
            return False
        return found

    def failure(self, error: Exception) -> web.HTTPError:
        """What a user is told. The log has the status only, as an answer may repeat what was sent."""
        self.log.error("%s cannot be asked for a login: %s", self.login_service, _said(error))
        code = getattr(error, "code", 0)
        if 400 <= code < 500:
            return web.HTTPError(
                502,
                f"Nobody can log in at the moment, {self.login_service} refuses the hub ({code}): "
                "an administrator corrects client_id or the OAuth client secret.",
            )
        return web.HTTPError(
            503,
            f"Nobody can log in at the moment, {self.login_service} cannot be asked ({_said(error)}): "
            "try again later; an administrator finds more in the hub's log.",
        )


class OpenShiftLogin(_Provider, OpenShiftOAuthenticator):
    @default("http_request_kwargs")
    def _http_request_kwargs_default(self):
        """The OAuth server is behind the router: its authority may be another than the API's, so both are trusted."""
        if not self.validate_server_cert or not CLUSTER_CA.exists():
            return {}
        trust = ssl.create_default_context()
        trust.load_verify_locations(CLUSTER_CA)
        return {"ssl_options": trust}


class OpenIDLogin(_Provider, GenericOAuthenticator):
    pass


def _said(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"HTTP {code}" if code and code != 599 else type(error).__name__
