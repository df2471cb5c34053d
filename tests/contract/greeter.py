# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator for kopf, as small as they come: what becomes of a Greeting is in its status. CONTRACT_GROUP: its API group."""

from __future__ import annotations

import os

import kopf

GREETING = (os.environ["CONTRACT_GROUP"], "v1", "greetings")


@kopf.on.create(*GREETING)
def created(spec, patch, **_kwargs):
    patch.status["said"] = f"Hello, {spec['name']}!"


@kopf.on.update(*GREETING, field="spec.name")
def updated(old, new, patch, **_kwargs):
    patch.status["said"] = f"Goodbye, {old}, and hello, {new}!"


@kopf.on.resume(*GREETING)
def resumed(status, patch, **_kwargs):
    patch.status["resumed"] = status.get("resumed", 0) + 1


@kopf.on.delete(*GREETING)
def deleted(spec, patch, retry, **_kwargs):
    if retry == 0:  # the second time it lets go of the Greeting, which has the first one's words by then
        patch.status["said"] = f"Goodbye, {spec['name']}!"
        raise kopf.TemporaryError("Let it be heard first.", delay=0.1)
