# SPDX-License-Identifier: GPL-3.0-or-later
"""What whoever starts a server is told where it does not start: one sentence, in the page and in the API."""

from __future__ import annotations

import asyncio
import json

from aiohttp import ClientError
from kubernetes_asyncio.client import ApiException
from tornado import web


def refusal(status: int, sentence: str) -> web.HTTPError:
    """An error whose sentence is shown by the hub's pages and API, and by the page of a start that takes long."""
    error = web.HTTPError(status, sentence)
    error.jupyterhub_message = sentence
    return error


def message(error: ApiException) -> str:
    """The cluster's own words."""
    try:
        return json.loads(error.body)["message"].rstrip(".")
    except (KeyError, TypeError, ValueError):
        return f"{error.status} {error.reason}"


def telling(base: type) -> type:
    """A class of spawners that tells what the cluster says of a pod or volume that it does not take."""

    class TellingSpawner(base):
        def start(self):
            return asyncio.ensure_future(self._told(super().start()))

        async def _told(self, begun):
            try:
                return await begun
            except ApiException as error:
                said = message(error)
                self.log.warning("No server for %s: %s", self.user.name, said)
                if error.status in (401, 403):
                    raise refusal(403, f"The cluster refuses your server ({said}): ask an administrator.") from None
                raise refusal(503, f"The cluster did not take your server ({said}): try again later.") from None
            except ClientError as error:
                self.log.warning("No server for %s: %s", self.user.name, error)  # it may have the cluster's address
                raise refusal(
                    503, "The cluster did not answer when your server was to start: try again later."
                ) from None

    return TellingSpawner
