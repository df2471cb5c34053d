# SPDX-License-Identifier: GPL-3.0-or-later
"""One API server, as one user: requests with time-outs, of which only what is safe is repeated."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlencode

from .connection import Connection, connect
from .deadline import Deadline, pause
from .discovery import Discovery
from .errors import ClusterError, from_answer, from_exception
from .login import log_in, token_name

MANAGER = "mlops.notebooks"  # our field manager (server-side apply)
PAGE = 500  # objects of one answer to a list
# Kubernetes, "Receiving resources as Tables" and "Partial object metadata".
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 60.0  # seconds without a byte
PATIENCE = 30.0  # seconds of repeating where the caller names no deadline
FIRST_PATIENCE = 3.0  # the same while the server has not answered at all: the address is more likely wrong
# Reviews are POSTs that write nothing.
_REVIEWS = ("accessreviews", "rulesreviews", "selfsubjectreviews", "tokenreviews", "subjectreviews")


class Cluster:
    """Requests to one API server. Safe to use from several threads.

    host: URL of the server. namespace: where to work unless another is named.
    """

    def __init__(self, auth: dict):
        """Connect by the options of ``kubernetes.core.k8s_auth_options``; sends nothing unless a password is given.

        Raises ClusterError where the options cannot be used or the login fails.
        """
        self._auth = auth
        self._lock = threading.Lock()
        self._password_token: str | None = None
        self._answered = False
        connection = self._connect()
        self.namespace = connection.namespace
        self._client, self._dynamic = _clients(connection)
        self._headers = {_Repeatable(name): value for name, value in connection.headers}
        self.host = connection.configuration.host
        self.discovery = Discovery(self._discover)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_exception) -> None:
        self.close()

    def close(self) -> None:
        """End the connections; a token that a password bought is given back, so that it serves nobody else."""
        name = token_name(self._password_token or "")
        if name:
            with contextlib.suppress(ClusterError):
                self.delete(f"/apis/oauth.openshift.io/v1/useroauthaccesstokens/{name}", deadline=Deadline.after(5))
        self._client.rest_client.pool_manager.clear()

    def get(self, path: str, query: dict | None = None, deadline: Deadline | None = None) -> dict:
        """Return one object or list. Raises ClusterError."""
        return self.request("GET", path, query=query, deadline=deadline)

    def items(
        self, path: str, query: dict | None = None, deadline: Deadline | None = None, *, metadata_only: bool = False
    ) -> Iterator[dict]:
        """Yield the objects of a list, page by page; metadata_only: without all else of them. Raises ClusterError."""
        query = {**(query or {}), "limit": PAGE}
        accept = _METADATA if metadata_only else "application/json"
        while True:
            page = self.request("GET", path, query=query, accept=accept, deadline=deadline)
            yield from page.get("items", ())
            query["continue"] = page["metadata"].get("continue")
            if not query["continue"]:
                return

    def create(self, path: str, body: dict, query: dict | None = None, deadline: Deadline | None = None) -> dict:
        """Create an object in a collection, once.

        Where the answer is lost, a named object is read back: what is found with our field manager is what we made.
        Raises ClusterError.
        """
        if path.endswith(_REVIEWS):
            return self.request("POST", path, body=body, repeat=True, deadline=deadline)
        query = {"fieldManager": MANAGER, **(query or {})}
        name = body.get("metadata", {}).get("name")
        deadline = deadline or self._patience()
        failures = 0
        while True:
            try:
                return self.request("POST", path, body=body, query=query, deadline=deadline)
            except ClusterError as error:
                in_doubt = error.transient and error.sent
                taken = failures and error.reason == "AlreadyExists"
                if not name or not (in_doubt or taken):
                    raise
                try:
                    made = self.find(f"{path}/{name}", deadline=deadline)
                except ClusterError:  # the first failure is what has to be told
                    raise error from None
                if made is not None and _is_written_by_us(made):
                    return made
                failures += 1
                if made is not None or pause(failures) >= deadline.left():
                    raise
            time.sleep(pause(failures))

    def delete(self, path: str, body: dict | None = None, deadline: Deadline | None = None) -> dict | None:
        """Delete an object; None where there is none (any more). Raises ClusterError."""
        try:
            return self.request("DELETE", path, body=body, repeat=True, deadline=deadline)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def find(self, path: str, deadline: Deadline | None = None) -> dict | None:
        """Return one object, or None where there is none. Raises ClusterError for all else."""
        try:
            return self.get(path, deadline=deadline)
        except ClusterError as error:
            if error.status == 404:
                return None
            raise

    def request(
        self, method: str, path: str, *, query: dict | None = None, body=None, content_type: str = "application/json",
        accept: str = "application/json", repeat: bool | None = None, deadline: Deadline | None = None,
    ) -> dict:  # fmt: skip
        """Send a request and return the JSON object that answers it.

        repeat: sending it twice is as good as sending it once; by default true for GET only. Others are repeated only
        where the server certainly did not take the request up. deadline: when to give up; by default PATIENCE from now.
        Raises ClusterError.
        """
        repeat = method == "GET" if repeat is None else repeat
        deadline = deadline or self._patience()

        def send():
            return self.send(method, path, query, body, content_type, accept, deadline)

        return self._answered_by(send, f"{method} {path}", repeat, deadline)

    def _answered_by(self, send, what: str, repeat: bool, deadline: Deadline) -> dict:
        """Send, and send again as far as that is safe; return the JSON object that answers."""
        failures, renewed = 0, False
        while True:
            used = self.credentials
            try:
                return self.read(send(), what)
            except ClusterError as error:
                if error.status == 401 and not renewed and self.renew(used):
                    renewed = True
                    continue
                failures += 1
                wait = pause(failures, error.retry_after)
                safe = error.transient and (repeat or not error.sent)
                if not safe or wait >= deadline.left():
                    raise
                time.sleep(wait)

    def send(self, method, path, query=None, body=None, content_type="application/json", accept="application/json",
             deadline: Deadline | None = None, read_timeout: float = READ_TIMEOUT):  # fmt: skip
        """Send a request once and return the open response of urllib3, whose body the caller reads and closes.

        Raises ClusterError for any status of 300 or more, and where no answer comes.
        """
        from kubernetes.client.rest import ApiException
        from urllib3.exceptions import HTTPError

        left = deadline.left() if deadline else READ_TIMEOUT
        timeouts = (max(0.05, min(CONNECT_TIMEOUT, left)), max(0.05, min(read_timeout, left)))
        what = f"{method} {path}"
        try:
            response = self._dynamic.request(
                method,
                path,
                body=body,
                query_params=[(name, value) for name, value in (query or {}).items() if value is not None],
                header_params={"Accept": accept, **self._headers},
                content_type=content_type,
                serialize=False,
                _request_timeout=timeouts,
            )
            self._answered = True
            return response
        except ApiException as error:
            if error.status:
                self._answered = True
                raise from_answer(self.host, what, error.status, error.body, error.headers) from None
            raise from_exception(self.host, what, error) from None
        except (HTTPError, OSError) as error:
            raise from_exception(self.host, what, error) from None

    def upload(self, path: str, stream, size: int, query: dict | None = None, deadline: Deadline | None = None) -> dict:
        """POST a binary file of ``size`` bytes without holding it in memory, once; return the JSON object that answers.

        It is sent anew only where the server certainly did not take it up. Raises ClusterError.
        """
        deadline = deadline or self._patience()

        def send():
            stream.seek(0)
            return self._send_file(path, stream, size, query, deadline)

        return self._answered_by(send, f"POST {path}", False, deadline)

    def _send_file(self, path: str, stream, size: int, query: dict | None, deadline: Deadline):
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        what = f"POST {path}"
        headers = {"Accept": "application/json", "Content-Type": "application/octet-stream", **self._headers}
        headers["Content-Length"] = str(size)
        for setting in self._client.configuration.auth_settings().values():
            headers[setting["key"]] = setting["value"]
        try:
            response = self._client.rest_client.pool_manager.request(
                "POST", self.host + path + (f"?{urlencode(query)}" if query else ""), body=stream, headers=headers,
                preload_content=False, retries=False, timeout=Timeout(CONNECT_TIMEOUT, max(0.05, deadline.left())),
            )  # fmt: skip
            self._answered = True
            if response.status < 300:
                return response
            raise from_answer(self.host, what, response.status, response.data, response.headers)
        except (HTTPError, OSError) as error:
            raise from_exception(self.host, what, error) from None

    def renew(self, used: dict) -> bool:
        """Read the credentials anew from where they came; return whether they are others than those used."""
        with self._lock:
            configuration = self._client.configuration
            if configuration.api_key == used:
                try:
                    fresh = self._connect().configuration
                except ClusterError:
                    return False
                configuration.api_key = fresh.api_key
                configuration.refresh_api_key_hook = fresh.refresh_api_key_hook
            return configuration.api_key != used

    @property
    def credentials(self) -> dict:
        """What requests are sent with now, to be handed to ``renew`` where the server refuses it. Never to be shown."""
        return self._client.configuration.api_key

    def _patience(self) -> Deadline:
        return Deadline.after(PATIENCE if self._answered else FIRST_PATIENCE)

    def _connect(self) -> Connection:
        connection = connect(self._auth)
        username, password = self._auth.get("username"), self._auth.get("password")
        if username and password and not self._auth.get("api_key"):
            token = log_in(connection.configuration, username, password)
            connection.configuration.api_key = {"authorization": f"Bearer {token}"}
            connection.configuration.refresh_api_key_hook = None  # that of a kubeconfig would put its own token back
            self._password_token = token
        return connection

    def _discover(self, path: str, accept: str) -> dict:
        return self.request("GET", path, accept=accept)

    def rediscover(self) -> None:
        """Forget what the server serves, for who asks again after something may have been installed."""
        self.discovery = Discovery(self._discover)

    def read(self, response, what: str) -> dict:
        """Return the JSON object of an open response of ``send``. Raises ClusterError where it breaks off or is none."""
        from urllib3.exceptions import HTTPError

        try:
            data = response.data
        except (HTTPError, OSError) as error:
            raise from_exception(self.host, what, error) from None
        try:
            return json.loads(data)
        except ValueError:
            raise ClusterError(
                f"What answers at {self.host} is not an API server: {what} gave no JSON; check host and proxy.",
                "cluster_refused", status=response.status,
            ) from None  # fmt: skip


def _is_written_by_us(found: dict) -> bool:
    return any(entry.get("manager") == MANAGER for entry in found["metadata"].get("managedFields", ()))


def _clients(connection: Connection):
    import urllib3
    from kubernetes.client import ApiClient
    from kubernetes.dynamic import DynamicClient

    if not connection.configuration.verify_ssl:  # the user has said so; a line for each request helps nobody
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    client = ApiClient(connection.configuration)
    client.sanitize_for_serialization = _as_it_is
    return client, DynamicClient(client, discoverer=lambda *_arguments: None)


def _as_it_is(body):
    """Take the place of a walk through each body: ours hold nothing that is not JSON."""
    return body


class _Repeatable(str):
    """A header name that a dict holds more than once: each is its own key."""

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other

    def lower(self):
        return self
