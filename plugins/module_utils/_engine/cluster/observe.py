# SPDX-License-Identifier: GPL-3.0-or-later
"""Hearing of every change to the objects of a selection, by one watch, for as long as somebody listens."""

from __future__ import annotations

from collections.abc import Callable

from .client import Cluster
from .deadline import Deadline
from .discovery import Resource
from .goals import PENDING, Goal
from .wait import _Waiting


def observe(
    cluster: Cluster,
    resource: Resource,
    selector: str,
    deadline: Deadline,
    *,
    on_change: Callable[[dict], None],
    on_gone: Callable[[str], None],
    going: Callable[[], bool],
    namespace: str | None = None,
) -> None:
    """Call ``on_change`` with each object of the selection, as it is now and whenever it changes, until the deadline.

    on_gone: called with the name of an object that was seen and is not there any more. going: asked after each; False ends
    the watch. An object may be told of more than once without a change.
    Raises ClusterError where the server refuses for good; without the right to watch it polls, without that to list it fails.
    """
    _Observing(cluster, resource, selector, deadline, on_change, on_gone, going, namespace).run()


class _Observing(_Waiting):
    """The exchange of waiting, with an outcome that only the listener settles."""

    def __init__(self, cluster, resource, selector, deadline, on_change, on_gone, going, namespace):
        super().__init__(
            cluster, resource, (), Goal(lambda _found: PENDING), deadline, namespace, selector, None, on_change, None
        )
        self.open = {"the listener"}
        self._gone, self._going = on_gone, going

    def _list(self):
        before, self.seen = self.seen, set()
        listed = super()._list()
        for name in before - self.seen:
            self._missing(name)
        self._ask()  # where there is nothing, nothing would ever ask
        return listed

    def _fetch(self):
        raise self.trouble  # what is not known cannot be asked for by name

    def _judge(self, found: dict) -> None:
        self.seen.add(found["metadata"]["name"])
        self.on_change(found)
        self._ask()

    def _missing(self, name: str) -> None:
        self.seen.discard(name)
        self._gone(name)
        self._ask()

    def _ask(self) -> None:
        if not self._going():
            self.open.clear()
