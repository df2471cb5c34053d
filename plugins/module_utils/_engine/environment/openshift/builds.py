# SPDX-License-Identifier: GPL-3.0-or-later
"""BuildConfigs and their builds on the server: reading, starting once, cancelling, deleting."""

from __future__ import annotations

import re
import time
import uuid

from ...cluster.client import Cluster
from ...cluster.deadline import Deadline, pause
from ...cluster.discovery import Resource
from ...cluster.errors import ClusterError
from ...cluster.events import is_over_quota, messages
from ...cluster.removal import remove_this
from ...values.errors import EngineError
from .inputs import Wanted, binary_query, builder_of, is_asked_by, request
from .outcome import config_of, has_ended, number_of
from .source import Upload

BUILDS = Resource("build.openshift.io", "v1", "builds", "Build", True)
CONFIGS = Resource("build.openshift.io", "v1", "buildconfigs", "BuildConfig", True)
TAGS = Resource("image.openshift.io", "v1", "imagestreamtags", "ImageStreamTag", True)
_ACCOUNT = re.compile(r"serviceaccounts? \"[\w.-]+\" not found|service account", re.IGNORECASE)


class Builds:
    """Requests about the builds of one namespace. patience: seconds to wait for what a new namespace may still lack."""

    def __init__(self, cluster: Cluster, namespace: str | None, deadline: Deadline, patience: float):
        self.cluster = cluster
        self.namespace = namespace or cluster.namespace
        self.deadline = deadline
        self.patience = patience

    def path(self, name: str | None = None, subresource: str | None = None) -> str:
        """Return the URL path of the builds, of one, or of its subresource."""
        return BUILDS.path(self.namespace, name, subresource)

    def config(self, name: str) -> dict:
        """Return a BuildConfig. Raises ClusterError (``cluster_not_found``) where there is none."""
        found = self.cluster.find(CONFIGS.path(self.namespace, name), deadline=self.deadline)
        if found is None:
            raise ClusterError(
                f"There is no BuildConfig {name} in the namespace {self.namespace}: create it, or correct name or namespace.",
                "cluster_not_found", status=404,
            )  # fmt: skip
        return found

    def get(self, name: str, config: str | None = None) -> dict | None:
        """Return a build, None where there is none. Raises EngineError where it is of another BuildConfig."""
        found = self.cluster.find(self.path(name), deadline=self.deadline)
        if found is not None and config and config_of(found) != config:
            raise EngineError(
                f"Build {name} is not of BuildConfig {config}, but of {config_of(found)}: name one of both."
            )
        return found

    def of(self, config: str) -> list[dict]:
        """Return the builds of a BuildConfig, and no other's, the oldest first."""
        # OpenShift cuts the label's value at 63 characters.
        query = {"labelSelector": f"openshift.io/build-config.name={config[:63].rstrip('-.')}"}
        listed = self.cluster.items(self.path(), query, self.deadline)
        return sorted((build for build in listed if config_of(build) == config), key=number_of)

    def digest_of_tag(self, reference: dict) -> str | None:
        """Return the digest that an ImageStreamTag stands for now, None where there is none."""
        namespace = reference.get("namespace") or self.namespace
        found = self.cluster.find(TAGS.path(namespace, reference["name"]), deadline=self.deadline)
        return ((found or {}).get("image") or {}).get("metadata", {}).get("name")

    def start(self, config: dict, wanted: Wanted, inputs: str, upload: Upload | None) -> dict:
        """Start one build, and never a second one, and return it.

        A lost answer is resolved by looking for the build that carries the marker of this request. A service account
        that a new namespace still lacks is waited for. Raises ClusterError.
        """
        marker, until, failures = uuid.uuid4().hex, Deadline.after(self.patience), 0
        while True:
            try:
                return self._instantiate(config, wanted, inputs, marker, upload)
            except ClusterError as error:
                failures += 1
                in_doubt = error.transient and error.sent
                if in_doubt and (made := self._asked_by(config, marker)):
                    return made
                missing = not error.transient and bool(_ACCOUNT.search(error.message))
                wait = pause(failures, error.retry_after)
                over = wait >= min(self.deadline.left(), until.left() if missing else self.deadline.left())
                # Where the server may still be at work on the lost request, only looking again is safe.
                if over or not missing:
                    raise _told(error, config) from None
                time.sleep(wait)

    def _asked_by(self, config: dict, marker: str) -> dict | None:
        """Return the build that carries the marker; it is looked for as long as the server may still be making it."""
        for failures in (1, 2, 3, 4):
            made = [build for build in self.of(config["metadata"]["name"]) if is_asked_by(build, marker)]
            if made:
                return made[0]
            time.sleep(min(pause(failures), self.deadline.left()))
        return None

    def _instantiate(self, config, wanted: Wanted, inputs: str, marker: str, upload: Upload | None) -> dict:
        name = config["metadata"]["name"]
        if upload:
            path = CONFIGS.path(self.namespace, name, "instantiatebinary")
            query = binary_query(wanted, inputs, marker)
            return self.cluster.upload(path, upload.stream, upload.size, query, self.deadline)
        path = CONFIGS.path(self.namespace, name, "instantiate")
        body = request(config, wanted, inputs, marker)
        return self.cluster.request("POST", path, body=body, deadline=self.deadline)

    def cancel(self, name: str, deadline: Deadline | None = None) -> dict:
        """Ask for the cancellation of a build; asking twice does no harm."""
        body, kind = {"status": {"cancelled": True}}, "application/merge-patch+json"
        return self.cluster.request(
            "PATCH", self.path(name), body=body, content_type=kind, repeat=True, deadline=deadline or self.deadline
        )

    def delete(self, build: dict) -> None:
        """Delete this very build, with its pod; one of the same name that came in its place is left alone."""
        remove_this(self.cluster, BUILDS, build, self.deadline)

    def refusals(self, build: dict) -> tuple[str, ...]:
        """Return why the pod of the build was not created, the newest last; () where that may not be seen."""
        name = build["metadata"]["name"]
        try:
            return tuple(messages(self.cluster, self.namespace, name, "FailedCreate", kind="Build"))
        except ClusterError as error:
            return (error.message,) if error.status == 403 else ()


def unfinished(builds: list[dict]) -> list[dict]:
    """Return those that have not ended."""
    return [build for build in builds if not has_ended(build)]


def _told(error: ClusterError, config: dict) -> ClusterError:
    """Say what a refusal to start means."""
    builder, code = builder_of(config["spec"]).get("name"), error.code
    if error.status in (404, 422) and builder and (builder in error.message or "imagestream" in error.message.lower()):
        code = "builder_image_unavailable"
    elif not error.transient and _ACCOUNT.search(error.message):
        code = "builder_account_missing"
    elif error.status == 403 and is_over_quota(error.message):
        code = "quota_exceeded"
    return ClusterError(
        error.message, code, status=error.status, reason=error.reason, causes=error.causes, sent=error.sent
    )
