# SPDX-License-Identifier: GPL-3.0-or-later
"""The strategies of one call, by name."""

from __future__ import annotations

from collections.abc import Iterable

from ..values.errors import EngineError
from .strategy import Context, Strategy

# Names that users may know, and the way to go.
_GONE = {
    "kaniko": "Kaniko is archived by its makers since June 2025 and has no strategy: choose buildah, which builds in a Job of"
    " any Kubernetes as well, or shipwright."
}


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

    def choose(self, name: str, context: Context, community: str | None = None) -> Strategy:
        """Return the strategy of that name, or for ``auto`` the best one available here.

        community: the strategy of another collection that ``auto`` may take too.
        Raises EngineError for an unknown name, and (``environment_setup_failed``) one that says what each lacks.
        """
        if name != "auto":
            strategy = self._strategies.get(name)
            if name in _GONE:
                raise EngineError(_GONE[name])
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
            if strategy.rank < 0 or (strategy.community and strategy.name != community):
                continue
            found = strategy.detect(context)
            if found.available:
                return strategy
            reasons.append(f"{strategy.name}: {found.why}")
        raise EngineError(f"No strategy can work here. {' '.join(reasons)}", code="environment_setup_failed")
