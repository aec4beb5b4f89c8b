"""Steps that fail on some events say so, those of all sources and those of routes alike."""

from __future__ import annotations

from logrouter.chain.named import Tally
from logrouter.runtime.log import Log


def tell_failed(log: Log, tally: Tally, **where: str) -> None:
    """Say on how many events which steps have failed, and why they did last: nothing of the events."""
    told = {**where, "failed": dict(tally.failed), "reasons": dict(tally.reasons)}
    log.warning("steps fail on some events", about=", ".join(tally.reasons.values()), **told)
