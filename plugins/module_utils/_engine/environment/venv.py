# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategy ``venv``: a virtual environment on this machine that holds the requirements and the runner."""

from __future__ import annotations

import dataclasses
import os
import time

from ..values.environment import Environment
from ..values.errors import EngineError
from ..values.resolution import Resolution
from .buildlog import BuildLog
from .bytecode import BytecodeStore
from .failures import explain_os
from .interpreter import Interpreter, choose
from .key import content_key
from .lines import parse_all
from .store import Store
from .strategy import Context, Detection, Plan, Strategy
from .venv_build import RECIPE, RUNNER, VenvBuild, inventory, inventory_digest


class VenvStrategy(Strategy):
    """Local virtual environments, kept by content key below the cache directory."""

    name = "venv"
    community = False

    def __init__(self):
        self._interpreters: dict[tuple, Interpreter] = {}

    def detect(self, context: Context) -> Detection:
        """Available wherever a Python is that fits."""
        try:
            found = self._interpreter(context.base, None)
        except EngineError as error:
            return Detection(False, error.message)
        return Detection(True, f"Python {found.version} at {found.path}")

    def plan(self, context: Context, resolution: Resolution) -> Plan:
        """Return the environment that a resolution needs. Raises EngineError for lines that no installer would take."""
        interpreter = self._interpreter(context.base, resolution.python_requires)
        lines = parse_all(resolution.requirements, context.source)
        return Plan(
            key=content_key(self.name, RECIPE, interpreter.__dict__, lines, RUNNER),
            requirements=resolution.requirements,
            imports=resolution.top_level_imports(),
            details={"interpreter": interpreter, "lines": lines},
        )

    def find(self, context: Context, key: str) -> Environment | None:
        """Return a complete environment whose interpreter is still there."""
        store = Store(context.cache_dir)
        manifest = store.manifest(key)
        python = os.path.join(store.path(key), "bin", "python")
        if manifest is None or not os.access(python, os.X_OK):
            return None
        return Environment(
            kind="venv",
            reference=store.path(key),
            digest=manifest["digest"],
            key=key,
            cached=True,
            strategy=self.name,
            python=python,
            python_version=manifest["python_version"],
        )

    def verify(self, context: Context, environment: Environment) -> str | None:
        """Compare what is installed with what was installed when the environment was made."""
        found = inventory(environment.python, ())
        if found is None:
            return f"The interpreter {environment.python} does not start."
        if inventory_digest(found["installed"]) != environment.digest:
            return "What is installed is no longer what was installed."
        return None

    def create(self, context: Context, plan: Plan, log: BuildLog, replace: bool = False) -> Environment:
        """Build in place, under the key's lock; the environment counts from the moment its manifest is written."""
        store, began, said = Store(context.cache_dir), time.time(), []
        deadline = None if context.timeout is None else time.monotonic() + context.timeout

        def waiting() -> None:
            if replace:
                store.require_unused(plan.key)
            if not said:
                said.append(log.say("waiting for another run that makes it"))

        try:
            store.prepare()
            with store.building(plan.key, deadline, waiting):
                found = self.find(context, plan.key)
                if replace and found and store.manifest(plan.key)["created"] < began:
                    found = None
                if found is None:
                    store.clear(plan.key)
                    VenvBuild(context, plan, log, store, deadline).run()
        except OSError as error:
            raise explain_os(error, context.cache_dir) from error
        return found or _made(self.find(context, plan.key))

    def delete(self, context: Context, key: str) -> bool:
        """Remove an environment that no run uses."""
        return Store(context.cache_dir).delete(key)

    def prune(self, context: Context, keep: tuple[str, ...]) -> list[str]:
        """Remove the environments unused for longest, and bytecode that none took."""
        if context.max_age is not None:
            BytecodeStore(context.cache_dir, "", None).prune(context.max_age)
        return Store(context.cache_dir).prune(context.max_size, context.max_age, keep)

    def _interpreter(self, base: str | None, python_requires: str | None) -> Interpreter:
        wish = (base, python_requires)
        if wish not in self._interpreters:
            self._interpreters[wish] = choose(base, python_requires)
        return self._interpreters[wish]


def _made(environment: Environment | None) -> Environment:
    if environment is None:
        raise EngineError("The environment vanished as soon as it was made.", code="environment_setup_failed")
    return dataclasses.replace(environment, cached=False)
