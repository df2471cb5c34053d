# SPDX-License-Identifier: GPL-3.0-or-later
"""A bucket for each user: claimed by an ObjectBucketClaim, and given to servers by reference.

Keys are in the Secret that the provisioner makes under the claim's name. Only the kubelet reads it: the hub has no right to
Secrets, and a pod's definition says where the keys are, not what they are.
"""

from __future__ import annotations

import asyncio
import json

from aiohttp import ClientError
from kubernetes_asyncio.client import ApiException
from kubernetes_asyncio.watch import Watch
from kubespawner.clients import shared_client
from kubespawner.slugs import safe_slug
from tornado import web

from .told import message, refusal

CLAIMS = ("objectbucket.io", "v1alpha1")
PLURAL = "objectbucketclaims"
USER = "hub.jupyter.org/username"  # as an annotation the name itself, as a label what of it can be a label
AUTHORITIES = "/etc/jupyterhub-buckets"  # where servers find the certificates of the store
REQUEST = 10  # seconds for one answer of the API server
AGAIN = 1  # seconds until a request is repeated that the cluster could not answer
TRANSIENT = (409, 410, 429, 500, 502, 503, 504)


async def prepare(spawner, settings: dict) -> None:
    """Have the bucket of the spawner's user, and let the server that starts know of it.

    settings is what hub.json says. Raises HTTPError, with one sentence for whoever starts the server.
    """
    buckets = settings.get("buckets") or {}
    if not buckets.get("enabled"):
        return
    claim = Claim(spawner, settings)
    try:
        await claim.ensure()
    except web.HTTPError as error:
        spawner.log.warning("No bucket for %s: %s", spawner.user.name, error.log_message)
        raise
    spawner.environment = {**spawner.environment, **environment(claim.name, buckets)}
    if buckets.get("ca_config_map"):
        _mount(spawner, buckets)


async def forget(spawner, settings: dict) -> None:
    """Delete the claim of a user who is deleted, where buckets are not to be kept; with it goes what is in the bucket."""
    buckets = settings.get("buckets") or {}
    if not buckets.get("enabled") or buckets.get("retain", True) or spawner.name:
        return
    await Claim(spawner, settings).delete()


def deleting(base: type, settings: dict) -> type:
    """A class of spawners that treats buckets as `retain` says when a user is deleted."""

    class BucketSpawner(base):
        async def delete_forever(self):
            try:
                await super().delete_forever()
            finally:
                await forget(self, settings)

    return BucketSpawner


def environment(claim: str, buckets: dict) -> dict:
    """The variables of a server, under the names that boto3, s3fs and OpenShift AI look for."""

    def given(key: str) -> dict:
        return {"valueFrom": {"configMapKeyRef": {"name": claim, "key": key}}}

    def secret(key: str) -> dict:
        return {"valueFrom": {"secretKeyRef": {"name": claim, "key": key}}}

    # The kubelet puts in what the provisioner says; how a port speaks no provisioner says, and by default it is TLS.
    endpoint = buckets.get("endpoint_url") or "https://$(BUCKET_HOST):$(BUCKET_PORT)"
    region = buckets.get("region") or "us-east-1"
    found: dict = {name: given(name) for name in ("BUCKET_NAME", "BUCKET_HOST", "BUCKET_PORT")}
    found["AWS_S3_BUCKET"] = given("BUCKET_NAME")
    found |= {name: secret(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    found |= dict.fromkeys(("S3_ENDPOINT_URL", "AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3"), endpoint)
    found |= {"AWS_DEFAULT_REGION": region, "SHARED_BUCKETS": json.dumps(buckets.get("shared") or [])}
    if buckets.get("ca_config_map"):
        found["AWS_CA_BUNDLE"] = f"{AUTHORITIES}/{_authority(buckets)}"
    return found


def claim_name(hub: str, user: str) -> str:
    """The name of a user's claim: a DNS label that no other user of the hub has."""
    prefix = f"{hub}-bucket-"
    return prefix + safe_slug(user, max_length=63 - len(prefix))


class Claim:
    """The claim of one user."""

    def __init__(self, spawner, settings: dict):
        self._user, self._namespace = spawner.user.name, spawner.namespace
        self._hub, self._buckets = settings["name"], settings["buckets"]
        self._api, self._core = shared_client("CustomObjectsApi"), shared_client("CoreV1Api")
        self.name = claim_name(self._hub, self._user)
        self._wait, self._phase = float(self._buckets.get("wait") or 60), ""
        self._place = (*CLAIMS, self._namespace, PLURAL)

    async def ensure(self) -> None:
        """Return when the claim is bound; one request where it is already so, two where its quota has changed."""
        try:
            async with asyncio.timeout(self._wait):
                await self._until_bound()
        except ApiException as error:
            raise self._explain(error) from None
        except TimeoutError:
            raise refusal(503, f"{await self._state_of_affairs()}: start the server again later.") from None

    async def _until_bound(self) -> None:
        while True:
            try:
                found = await self._read() or await self._create()
                if self._is_bound(found):
                    await self._correct(found)
                    return
                self._phase = (found.get("status") or {}).get("phase") or "Pending"
                if await self._sees_bound(found["metadata"]["resourceVersion"]):
                    return
            except ApiException as error:
                if error.status not in TRANSIENT:
                    raise
                await asyncio.sleep(AGAIN)
            except (ClientError, TimeoutError):
                await asyncio.sleep(AGAIN)

    async def delete(self) -> None:
        try:
            await self._api.delete_namespaced_custom_object(*self._place, self.name, _request_timeout=REQUEST)
        except ApiException as error:
            if error.status != 404:
                raise

    async def _read(self) -> dict | None:
        try:
            return await self._api.get_namespaced_custom_object(*self._place, self.name, _request_timeout=REQUEST)
        except ApiException as error:
            if error.status == 404:
                return None
            raise

    async def _create(self) -> dict:
        try:
            return await self._api.create_namespaced_custom_object(
                *self._place, self._wanted(), _request_timeout=REQUEST
            )
        except ApiException as error:
            found = await self._read() if error.status == 409 else None  # another server of the user was quicker
            if found is None:
                raise
            return found

    def _wanted(self) -> dict:
        slug = safe_slug(self._user)
        labels = {"app.kubernetes.io/name": "jupyterhub", "app.kubernetes.io/instance": self._hub}
        labels |= {
            "app.kubernetes.io/managed-by": "mlops.notebooks",
            "app.kubernetes.io/component": "bucket",
            USER: slug,
        }
        metadata = {"name": self.name, "labels": labels, "annotations": {USER: self._user}}
        spec = {"generateBucketName": f"{self._hub}-{slug}"[:26].rstrip("-"), "additionalConfig": self._quota()}
        if self._buckets.get("storage_class"):
            spec["storageClassName"] = self._buckets["storage_class"]
        return {"apiVersion": "/".join(CLAIMS), "kind": "ObjectBucketClaim", "metadata": metadata, "spec": spec}

    def _quota(self) -> dict:
        wanted = {"maxSize": self._buckets.get("max_size"), "maxObjects": self._buckets.get("max_objects")}
        return {name: str(value) for name, value in wanted.items() if value}

    async def _correct(self, found: dict) -> None:
        """Bring the quota of a bound claim to what the settings say."""
        present = found["spec"].get("additionalConfig") or {}
        wanted = self._quota()
        changed = {
            name: wanted.get(name) for name in ("maxSize", "maxObjects") if wanted.get(name) != present.get(name)
        }
        if changed:
            body = {"spec": {"additionalConfig": changed}}
            await self._api.patch_namespaced_custom_object(
                *self._place, self.name, body, _content_type="application/merge-patch+json", _request_timeout=REQUEST
            )

    def _is_bound(self, found: dict) -> bool:
        """Whether the claim is bound; HTTPError where it never will be."""
        metadata = found["metadata"]
        if (metadata.get("annotations") or {}).get(USER) != self._user:
            raise refusal(
                409, f"The claim {self.name} is not that of {self._user}: ask an administrator to rename or remove it."
            )
        if metadata.get("deletionTimestamp"):
            raise refusal(409, f"Your bucket is being removed with its claim {self.name}: try again when it is gone.")
        phase = (found.get("status") or {}).get("phase")
        if phase in ("Failed", "Released"):
            raise refusal(
                500,
                f"Your bucket was not made, its claim {self.name} is {phase}: an administrator finds out why from the claim's events.",
            )
        return phase == "Bound"

    async def _sees_bound(self, since: str) -> bool:
        """Whether the claim was bound before one watch ended."""
        async with Watch().stream(
            self._api.list_namespaced_custom_object,
            *self._place,
            field_selector=f"metadata.name={self.name}",
            resource_version=since,
            timeout_seconds=int(self._wait) + 1,
        ) as events:
            async for event in events:
                if event["type"] == "DELETED":
                    raise refusal(
                        409, f"The claim {self.name} of your bucket was removed meanwhile: start the server again."
                    )
                if event["type"] in ("ADDED", "MODIFIED") and self._is_bound(event["raw_object"]):
                    return True
        return False

    async def _state_of_affairs(self) -> str:
        """Why the bucket is not there; with what the provisioner said last, where it said something."""
        if not self._phase:
            return f"Your bucket is not to be had, the cluster did not answer for {self._wait:g} s"
        state = f"Your bucket is not ready, after {self._wait:g} s its claim {self.name} is still {self._phase}"
        try:
            found = await self._core.list_namespaced_event(
                self._namespace,
                field_selector=f"involvedObject.name={self.name},type=Warning",
                _request_timeout=REQUEST,
            )
        except (ApiException, ClientError, TimeoutError):
            return state
        return f"{state} ({found.items[-1].message.rstrip('.')})" if found.items else state

    def _explain(self, error: ApiException) -> web.HTTPError:
        said = message(error)
        if error.status == 404:
            return refusal(
                500,
                "The cluster makes no buckets, it has no ObjectBucketClaims: ask an administrator to install what makes them.",
            )
        if error.status in (401, 403):
            return refusal(
                403, f"The cluster refuses the claim {self.name} of your bucket ({said}): ask an administrator."
            )
        return refusal(
            500, f"The cluster does not take the claim {self.name} of your bucket ({said}): ask an administrator."
        )


def _authority(buckets: dict) -> str:
    return buckets.get("ca_key") or "ca-bundle.crt"


def _mount(spawner, buckets: dict) -> None:
    """Let the server have the certificates of the store; once, though a spawner starts many servers."""
    key = _authority(buckets)
    volume = {
        "name": "bucket-ca",
        "configMap": {"name": buckets["ca_config_map"], "items": [{"key": key, "path": key}]},
    }
    spawner.volumes = _with(spawner.volumes, volume)
    spawner.volume_mounts = _with(
        spawner.volume_mounts, {"name": "bucket-ca", "mountPath": AUTHORITIES, "readOnly": True}
    )


def _with(present, added: dict):
    """A list or mapping, as KubeSpawner takes both, with one more in it."""
    if isinstance(present, dict):
        return {**present, added["name"]: added}
    return [*(one for one in present if one["name"] != added["name"]), added]
