# SPDX-License-Identifier: GPL-3.0-or-later
"""All notebooks: takes what is seen of them and their children, however often and late, and has done what follows from it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.client import Cluster
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.discovery import Resource
from ansible_collections.mlops.notebooks.plugins.module_utils._engine.cluster.kinds import PODS

from . import state
from .children import DEPLOYMENTS, INSTANCE, Plan, stands
from .reconcile import Reconciler
from .refusal import Refusal
from .seat import Seat, trimmed
from .work import Work

Key = tuple[str, str]


class Notebooks:
    """on_namespace: called once with each namespace that a notebook is seen in."""

    def __init__(self, cluster: Cluster, plan: Plan, on_namespace: Callable[[str], None]):
        self._plan, self._reconciler = plan, Reconciler(cluster, plan)
        self._seats: dict[Key, Seat] = {}
        self._orphans: dict[Key, dict[str, state.Pod]] = {}  # pods that were seen before their notebook
        self._namespaces: set[str] = set()
        self._on_namespace = on_namespace
        self._lock, self._opening = threading.Lock(), threading.Lock()
        self._work = Work(self._handle, plan.settings.workers)

    def see(self, found: dict) -> None:
        """Take a notebook that is there or has changed."""
        fresh = trimmed(found)
        metadata = fresh["metadata"]
        key = (metadata["namespace"], metadata["name"])
        with self._lock:
            seat = self._seats.get(key)
            if seat is not None and seat.uid == metadata["uid"]:
                if not seat.take(fresh):
                    return
            else:
                if seat is not None:
                    seat.gone = True
                self._seats[key] = Seat(fresh)
        with self._opening:  # what is known of pods comes before what is said of them
            if key[0] not in self._namespaces:
                self._namespaces.add(key[0])
                self._on_namespace(key[0])
        self._work.add(key)

    def forget(self, found: dict) -> None:
        """Take a notebook that goes: its children go with it, by the cluster."""
        key = (found["metadata"]["namespace"], found["metadata"]["name"])
        with self._lock:
            seat = self._seats.get(key)
            if seat is not None and seat.uid == found["metadata"]["uid"]:
                seat.gone = True
                del self._seats[key]

    def child(self, resource: Resource, found: dict) -> None:
        """Take a child that is there or has changed."""
        key = _owner(found)
        with self._lock:
            seat = self._seats.get(key)
        if resource == PODS:
            self._pod(key, seat, found)
        elif seat is not None:
            if resource == DEPLOYMENTS:
                self._refused(key, seat, state.refusal_of(found))
            if self._has_drifted(seat, resource, found):
                self._again(key, seat)

    def lost(self, resource: Resource, namespace: str, name: str) -> None:
        """Take a child that is there no more."""
        with self._lock:
            if resource == PODS:
                found = [(key, seat) for key, seat in self._seats.items() if key[0] == namespace and name in seat.pods]
                for known in [*(seat.pods for _key, seat in found), *self._orphans.values()]:
                    known.pop(name, None)
            else:
                found = [(key, seat) for key, seat in self._seats.items() if key == (namespace, name)]
        for key, seat in found:
            seat.whole = seat.whole or resource != PODS
            self._work.add(key)

    def running(self) -> list[Seat]:
        """Return those whose server answers."""
        with self._lock:
            seats = list(self._seats.values())
        runs = [seat for seat in seats if seat.asked is not None and seat.asked.stopped is None]
        return [seat for seat in runs if state.of_all(list(seat.pods.values()), "").ready]

    def _pod(self, key: Key, seat: Seat | None, found: dict) -> None:
        name = found["metadata"]["name"]
        with self._lock:
            known = seat.pods if seat is not None else self._orphans.setdefault(key, {})
            before = known.get(name)
            pod = known[name] = state.of_pod(found, before)
            if seat is None or pod == before:
                return
            # A pod that starts needs the Secret and the ConfigMap, which are not watched: they are looked at when one appears.
            appears = before is None and seat.had_pods and not pod.over
            seat.whole = seat.whole or appears or pod.said.reason == "PodNotConfigured"
            seat.had_pods = True
        self._work.add(key)

    def _refused(self, key: Key, seat: Seat, words: str) -> None:
        if words != seat.refused:
            seat.refused = words
            self._work.add(key)

    def _again(self, key: Key, seat: Seat) -> None:
        seat.whole = True
        self._work.add(key)

    def _has_drifted(self, seat: Seat, resource: Resource, found: dict) -> bool:
        if seat.asked is None:
            return False  # nothing was made yet, or what was made before is left alone
        try:
            wanted = self._plan.manifests(seat.asked, seat.found, None)
        except Refusal:
            return False
        return any(kind == resource and not stands(found, manifest) for kind, manifest in wanted)

    def _handle(self, key: Key) -> None:
        with self._lock:
            seat = self._seats.get(key)
            if seat is not None:
                seat.pods.update(self._orphans.pop(key, {}))
                seat.had_pods = seat.had_pods or bool(seat.pods)
        if seat is None or seat.gone:
            return
        pause = self._reconciler.run(seat)
        if pause is not None and not seat.gone:
            self._work.after(pause, key)


def _owner(found: dict) -> Key:
    metadata = found["metadata"]
    return metadata["namespace"], (metadata.get("labels") or {}).get(INSTANCE, "")
