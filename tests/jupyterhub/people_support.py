# SPDX-License-Identifier: GPL-3.0-or-later
"""People of one test, who log in, start servers and leave none behind."""

from __future__ import annotations

from hub_support import Hub, Person, until


class People:
    def __init__(self, hub: Hub):
        self._hub, self._there = hub, {}

    def __call__(self, name: str) -> Person:
        person = self._there[name] = Person(self._hub)
        person.login(name)
        return person

    def leave(self) -> None:
        for name, person in self._there.items():
            if person.server(name):
                person.stop_server(name)


def start(person: Person, name: str, **options) -> dict:
    """Start a server by the API and return what KubeSpawner would have sent."""
    answer = person.ask(f"/hub/api/users/{name}/server", body=options, method="POST")
    assert answer.status in (201, 202), answer.text
    until(lambda: person.server(name).get("ready"))
    return person.hub.pod(name)


def refused(person: Person, name: str, **options) -> tuple[int, str]:
    """Status and sentence of a start by the API that is refused."""
    answer = person.ask(f"/hub/api/users/{name}/server", body=options, method="POST")
    assert answer.status >= 400, answer.text
    return answer.status, answer.message
