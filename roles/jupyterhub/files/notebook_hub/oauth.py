# SPDX-License-Identifier: GPL-3.0-or-later
"""Login by OAuth: OpenShift, or a provider of OpenID Connect; what the provider does not do is said in words."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
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
    authorities: tuple[Path, ...] = ()  # that are trusted beside those of hub_ca_config_map, or of the image

    @default("http_request_kwargs")
    def _http_request_kwargs_default(self):
        """As a file, which pycurl takes too: it knows nothing of SSL_CERT_FILE, and refuses a context of ssl."""
        more = [path for path in self.authorities if path.exists()]
        named = os.environ.get("SSL_CERT_FILE")
        if not self.validate_server_cert or not (more or named):
            return {}
        return {"ca_certs": _bundle([Path(named or ssl.get_default_verify_paths().cafile or os.devnull), *more])}

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
    authorities = (CLUSTER_CA,)  # the API's; the OAuth server is behind the router, whose authority may be another


class OpenIDLogin(_Provider, GenericOAuthenticator):
    pass


def _bundle(paths: list[Path]) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="authorities-", suffix=".crt", delete=False) as bundle:
        bundle.writelines(path.read_text(encoding="utf-8") + "\n" for path in paths)
    return bundle.name


def _said(error: Exception) -> str:
    code = getattr(error, "code", None)
    return f"HTTP {code}" if code and code != 599 else type(error).__name__
