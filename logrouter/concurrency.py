"""How many requests may be under way to one destination: as many as it takes without slowing down.

Additive increase and multiplicative decrease, as TCP does it (RFC 5681 §3.1): each answer adds a share of a request, so
that a round of answers adds one; a refusal (429, 503, no answer) halves; and answers that take much longer than they
usually do take a tenth away, before the destination has to refuse. Pure: times come from outside.
"""

from __future__ import annotations

from typing import Final

RISING: Final = 2.0
"""An answer that takes so many times as long as usual says that requests queue up at the destination."""
SLACK_SECONDS: Final = 0.02
"""Below that much more than usual it is noise."""
_USUAL_SHARE: Final = 0.05
"""What one answer counts in what is usual."""


class Concurrency:
    """The limit for one destination. Begins with one request, and never goes below."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.limit = 1.0
        self.usual_seconds: float | None = None
        """How long an answer usually takes; None: there was none yet."""

    @property
    def places(self) -> int:
        """How many requests may be under way now."""
        return int(self.limit)

    def answered(self, seconds: float, under_way: int) -> None:
        """A request was answered after so long, while so many (itself included) were under way."""
        usual = seconds if self.usual_seconds is None else self.usual_seconds
        self.usual_seconds = usual + _USUAL_SHARE * (seconds - usual)
        if seconds > RISING * usual + SLACK_SECONDS:
            self.limit = max(1.0, self.limit * 0.9)
        elif under_way >= self.places:  # else the limit was not what held it back
            self.limit = min(float(self.most), self.limit + 1 / self.limit)

    def refused(self) -> None:
        """The destination gets too much at once, or does not answer."""
        self.limit = max(1.0, self.limit / 2)
