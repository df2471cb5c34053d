# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers that own objects: they know the names of what each of theirs controls."""

from __future__ import annotations

from .actor import Actor, controllers


class Owner(Actor):
    child, kind = "pods", ""

    def __init__(self, server, activity):
        super().__init__(server, activity)
        self._children: dict[str, set[str]] = {}

    def observe(self, event: str, plural: str, obj: dict) -> None:
        if event == "DELETED":
            self._children.pop(obj["metadata"]["uid"], None)
        elif plural == self.child:
            for owner in controllers(obj, self.kind):
                self._children.setdefault(owner["uid"], set()).add(obj["metadata"]["name"])

    def children(self, owner: dict) -> list[dict]:
        uid = owner["metadata"]["uid"]
        names, found = self._children.setdefault(uid, set()), []
        for name in sorted(names):
            child = self.system.find(self.child, owner["metadata"]["namespace"], name)
            if child is None:
                names.discard(name)
            elif any(one["uid"] == uid for one in controllers(child, self.kind)):
                found.append(child)
        return found

    def adopt(self, owner: dict, child: dict) -> dict:
        self._children.setdefault(owner["metadata"]["uid"], set()).add(child["metadata"]["name"])
        return child
