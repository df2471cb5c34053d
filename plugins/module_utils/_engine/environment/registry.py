# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies of one call, by name."""

from __future__ import annotations

from collections.abc import Iterable

from ..values.errors import EngineError
from .strategy import Context, Strategy


class Registry:
    """Holds strategies; ``auto`` is not one of them but the choice among them."""

    def __init__(self, strategies: Iterable[Strategy] = ()):
        self._strategies: dict[str, Strategy] = {}
        for strategy in strategies:
            self.register(strategy)

    def register(self, strategy: Strategy) -> None:
        """Add a strategy. Raises ValueError for a name that is taken or reserved."""
        if strategy.name == "auto" or strategy.name in self._strategies:
            raise ValueError(f"There is a strategy {strategy.name} already.")
        self._strategies[strategy.name] = strategy

    def names(self) -> list[str]:
        """Return the names, sorted."""
        return sorted(self._strategies)

    def choose(self, name: str, context: Context) -> Strategy:
        """Return the strategy of that name, or for ``auto`` the best one available here.

        Raises EngineError for an unknown name, and (``environment_setup_failed``) one that says what each lacks.
        """
        if name != "auto":
            strategy = self._strategies.get(name)
            if strategy is None:
                raise EngineError(
                    f"There is no strategy {name}: choose auto, {', '.join(self.names())} or the full name of a strategy"
                    " of another collection (namespace.collection.name)."
                )
            found = strategy.detect(context)
            if not found.available:
                raise EngineError(f"The strategy {name} cannot work here: {found.why}", code="environment_setup_failed")
            return strategy
        reasons = []
        for strategy in sorted(self._strategies.values(), key=lambda strategy: -strategy.rank):
            if strategy.community:
                continue
            found = strategy.detect(context)
            if found.available:
                return strategy
            reasons.append(f"{strategy.name}: {found.why}")
        raise EngineError(f"No strategy can work here. {' '.join(reasons)}", code="environment_setup_failed")
