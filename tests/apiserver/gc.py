# SPDX-License-Identifier: GPL-3.0-or-later
"""Garbage collection by ownerReferences: background, foreground and orphan deletion."""

from __future__ import annotations

from . import errors
from .values import clone


class GarbageCollector:
    """A subscriber of the store; it acts on the thread that delivers events."""

    def __init__(self, server):
        self._server, self._store = server, server.store

    def __call__(self, event: str, resource, obj: dict) -> None:
        uid = obj["metadata"]["uid"]
        if event == "DELETED":
            for place in self._store.dependents(uid):
                self._release(place, uid)
            self._finish_owners(obj)
        elif event == "ADDED":
            self._check_owners(resource, obj)
        if event == "MODIFIED" and obj["metadata"].get("deletionTimestamp"):
            finalizers = obj["metadata"].get("finalizers") or []
            if "orphan" in finalizers:
                for place in self._store.dependents(uid):
                    self._disown(place, uid)
                self._unfinalize((resource.key, *self._place(obj)), "orphan")
            elif "foregroundDeletion" in finalizers:
                self._foreground(resource, obj, uid)

    @staticmethod
    def _place(obj: dict) -> tuple[str, str]:
        return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]

    def _current(self, place) -> tuple | None:
        """(resource, stored state) of a place, if it is still taken."""
        key, namespace, name = place
        resource = self._server.registry.by_key(key)
        found = self._store.find(resource, namespace, name) if resource else None
        return (resource, found) if found else None

    def _delete(self, place, policy: str = "Background") -> None:
        current = self._current(place)
        if current and not current[1].obj["metadata"].get("deletionTimestamp"):
            try:
                self._server.system.delete(current[0].qualified, place[1] or None, place[2], propagation=policy)
            except errors.ApiError as problem:
                if problem.code != 404:
                    raise

    def _keep(self, place, field: str, good) -> None:
        """Leave those entries only of a list in the object's metadata."""
        with self._store.lock:
            current = self._current(place)
            if current:
                obj = clone(current[1].obj)
                rest = [one for one in obj["metadata"].pop(field, []) if good(one)]
                if rest:
                    obj["metadata"][field] = rest
                self._store.replace(current[0], obj, "finalize")

    def _disown(self, place, uid: str) -> None:
        self._keep(place, "ownerReferences", lambda owner: owner.get("uid") != uid)

    def _unfinalize(self, place, finalizer: str) -> None:
        self._keep(place, "finalizers", lambda one: one != finalizer)

    def _release(self, place, uid: str) -> None:
        """An owner is gone: the dependent goes too, unless another owner is left."""
        current = self._current(place)
        if current is None:
            return
        owners = current[1].obj["metadata"].get("ownerReferences", [])
        if any(owner.get("uid") != uid and self._store.by_uid(owner.get("uid", "")) for owner in owners):
            self._disown(place, uid)
        else:
            self._delete(place)

    def _check_owners(self, resource, obj: dict) -> None:
        """An object that is born without any of its owners living goes at once."""
        owners = obj["metadata"].get("ownerReferences") or []
        if owners and not any(self._store.by_uid(owner.get("uid", "")) for owner in owners):
            self._delete((resource.key, *self._place(obj)))

    def _blocking(self, uid: str) -> list:
        found = []
        for place in self._store.dependents(uid):
            current = self._current(place)
            owners = current[1].obj["metadata"].get("ownerReferences", []) if current else []
            if any(owner.get("uid") == uid and owner.get("blockOwnerDeletion") for owner in owners):
                found.append(place)
        return found

    def _foreground(self, resource, obj: dict, uid: str) -> None:
        for place in self._store.dependents(uid):
            self._delete(place, "Foreground" if self._store.dependents(self._uid(place)) else "Background")
        if not self._blocking(uid):
            self._unfinalize((resource.key, *self._place(obj)), "foregroundDeletion")

    def _uid(self, place) -> str:
        current = self._current(place)
        return current[1].obj["metadata"]["uid"] if current else ""

    def _finish_owners(self, obj: dict) -> None:
        """A dependent is gone: an owner that waited for it in foreground deletion may go now."""
        for owner in obj["metadata"].get("ownerReferences") or []:
            place = self._store.by_uid(owner.get("uid", ""))
            current = self._current(place) if place else None
            if current and "foregroundDeletion" in (current[1].obj["metadata"].get("finalizers") or []):
                self._foreground(current[0], current[1].obj, owner["uid"])
