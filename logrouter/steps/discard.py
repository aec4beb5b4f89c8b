"""Discard events: take them out, counted, before they are stored or sent anywhere.

    - discard: path == "/healthz"
    < {"path": "/healthz", "status": 200}
    > (discarded)
    < {"path": "/cart", "status": 200}
    > {"path": "/cart", "status": 200}

Discarded events are counted by step, so that nothing is missing without a trace. To keep a part of them, see `sample`.
It stands before the spool only, never in a route: a route that should not have an event says so in its `match`.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from logrouter.documents import Document
from logrouter.facts import Facts
from logrouter.rules import Rule
from logrouter.steps import DISCARD, Step, StepConfig


class DiscardConfig(StepConfig, frozen=True, kw_only=True):
    """`when` must be given: without it, every event would be discarded. A rule alone is short for `{when: …}`."""

    when: Rule
    """Which events to discard, as a rule. Needed: without it, every event would be discarded."""


class Discard(Step[DiscardConfig]):
    """Discards all that it is asked about: `when` has said yes already."""

    Config: ClassVar[type[StepConfig]] = DiscardConfig
    short = "when", str
    decides: ClassVar[bool] = True
    only_discards: ClassVar[bool] = True

    def apply(self, document: Document, facts: Facts) -> Literal["discard"]:
        return DISCARD
