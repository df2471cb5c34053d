# SPDX-License-Identifier: GPL-3.0-or-later
"""Points in time, and pauses that keep to them."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 10.0  # seconds


@dataclass(frozen=True)
class Deadline:
    """A point in time by the monotonic clock, in seconds."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the point in time that is so many seconds away."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Return the seconds left, at least 0."""
        return max(0.0, self.at - time.monotonic())

    def passed(self) -> bool:
        """Return whether it is over."""
        return self.left() <= 0


def pause(failures: int, retry_after: float | None = None) -> float:
    """Return the seconds to wait after so many failures in a row (1, 2, …): doubled each time, up to LONGEST_PAUSE.

    retry_after: what the server asked for (RFC 9110, section 10.2.3), which is kept to. A random part keeps many clients
    from coming back at the same moment.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, 10))
    return max(retry_after or 0.0, longest * random.uniform(0.5, 1.0))
