# SPDX-License-Identifier: GPL-3.0-or-later
"""When the hub stops a server that nobody uses: after what its profile says, or what holds for all."""

from __future__ import annotations

from .settings import read

OFTEN = 60  # seconds between two looks, at the least


def configure(c) -> None:
    """Set up the idle culler, which is a program of its own beside the hub."""
    settings = read()
    culling = settings["culling"]
    limits = {profile["name"]: profile.get("server_timeout") for profile in settings["profiles"]}
    after = culling.get("server_after") or 0
    c.IdleCuller.timeout, c.IdleCuller.max_age = after, culling.get("max_age") or 0
    used = [limit for limit in (after, c.IdleCuller.max_age, *limits.values()) if limit]
    c.IdleCuller.cull_every = culling.get("server_interval") or max(
        1, min(OFTEN, *(limit // 2 for limit in used or [OFTEN]))
    )
    c.IdleCuller.cull_arbiter_hook = arbiter(limits)


def arbiter(limits: dict[str, int | None]):
    """Judge a server by its profile's limit; 0 is never, None the limit of all."""

    def judge(inactive, inactive_limit, server: dict) -> bool:
        limit = limits.get((server.get("user_options") or {}).get("profile"))
        limit = inactive_limit if limit is None else limit
        return bool(limit) and inactive.total_seconds() >= limit

    return judge
