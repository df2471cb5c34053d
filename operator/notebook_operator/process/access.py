# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may read the metrics: whom the cluster knows by a token, and allows ``get`` on the path /metrics."""

from __future__ import annotations

import hashlib
import logging
import threading
import time

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.deadline import Deadline
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.errors import ClusterError

PATH = "/metrics"
_LOG = logging.getLogger(__name__)
_TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_REMEMBERED = 30.0  # seconds
_MOST = 256  # answers that are remembered
_LONGEST = 16 * 1024  # characters of a token
_SECONDS = 5.0  # for both reviews


class Access:
    """Asks the cluster, and remembers its answer for a short time, by a hash of the token. Safe to use from several threads."""

    def __init__(self, cluster: Cluster, seconds: float = _REMEMBERED):
        self._cluster, self._remembered = cluster, seconds
        self._known: dict[bytes, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def check(self, authorization: str) -> int:
        """Return the HTTP status that a header ``Authorization`` is worth: 200, 401, 403, or 503 where nobody can say."""
        scheme, _space, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST:
            return 401
        digest, now = hashlib.sha256(token.encode()).digest(), time.monotonic()
        with self._lock:
            status, until = self._known.get(digest, (0, 0.0))
        if now < until:
            return status
        try:
            status = self._ask(token)
        except ClusterError as error:
            _LOG.warning("It cannot be said who may read the metrics: %s", error.message)
            return 503
        with self._lock:
            self._known.pop(digest, None)
            while len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]  # the oldest
            self._known[digest] = status, time.monotonic() + self._remembered
        return status

    def _ask(self, token: str) -> int:
        deadline = Deadline.after(_SECONDS)
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
        found = self._cluster.create(_TOKEN_REVIEWS, review, deadline=deadline).get("status") or {}
        if not found.get("authenticated"):
            return 401
        user = found.get("user") or {}
        spec = {
            "user": user.get("username", ""),
            "uid": user.get("uid", ""),
            "groups": user.get("groups") or [],
            "extra": user.get("extra") or {},
            "nonResourceAttributes": {"path": PATH, "verb": "get"},
        }
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        told = self._cluster.create(_ACCESS_REVIEWS, review, deadline=deadline).get("status") or {}
        return 200 if told.get("allowed") and not told.get("denied") else 403
