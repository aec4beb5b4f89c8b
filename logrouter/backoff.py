"""How long to wait before the next try: capped exponential backoff with full jitter.

Full jitter (any time between nothing and the present limit) spreads the retries of many routers best; see
"Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """The waits of one destination. `random` gives floats in [0, 1)."""

    def __init__(self, random: Callable[[], float], initial_seconds: float = 0.2, cap_seconds: float = 30.0) -> None:
        self._random = random
        self._initial_seconds = initial_seconds
        self._cap_seconds = cap_seconds
        self.failures = 0

    def next_seconds(self) -> float:
        """Another try has failed: how long to wait."""
        limit = min(self._cap_seconds, self._initial_seconds * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return limit * self._random()

    def reset(self) -> None:
        """A try has succeeded."""
        self.failures = 0
