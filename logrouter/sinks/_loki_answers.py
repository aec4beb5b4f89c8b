"""What Loki's answers to a push mean for each of its events.

Read from Loki 3.7 (pkg/validation/validate.go, pkg/distributor/distributor.go, pkg/ingester/stream.go). It tells with
words what a status alone does not: 400 and 429 leave some of a push stored and some not.

- The distributor looks at every entry and refuses single ones (400). All others are stored. Each complaint names its
  stream and a limit, and by the limit we find the events: `entry for stream '{…}' has timestamp too old: …, oldest
  acceptable timestamp is: …`. Several are joined by `; `, the same ones counted (`12 errors like: …`).
- The ingester refuses entries of a stream that are far behind its newest (400), names the first ten, and how many there
  are: `total ignored: 3 out of 9 for stream: {…}`. It tells of one stream only (see _loki_grouping.py), and of the
  others nothing is known: they are sent again.
- It refuses too much of one stream at once (429) in the same words: all of it where Loki shards streams (by default),
  else what came after the burst. And new streams where there are too many (429). Nobody can tell for sure what of the
  push is stored, so all is sent again.
- A tenant's limit (429) is asked before anything is stored.

To send again does no harm: Loki keeps entries of the same stream, time and line once. To take for delivered what was
not would lose it. So what is not sure is tried again, and what no message here explains is either the sink's trouble
(tried again, and told), or, where it speaks of a stream, found by halving.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from logrouter import times
from logrouter.http_sink import refusal, shown
from logrouter.instructions import Delivered, EventOutcome, Halve, Outcome, Rejected, Response, Retry
from logrouter.pages import is_page
from logrouter.sinks._loki_limits import EVER_NS, TOO_FAR_BEHIND, Limits, Sent

_STORED = (200, 204)
"""Not all of 2xx: 260 is how Loki answers by default where an operator has blocked a tenant. Nor is all of 200: some
gateway may ask whoever comes to sign in, on a page."""
_SECOND = 1_000_000_000
"""Loki writes its limits in whole seconds."""

_LABELS = r"""\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\}"""
_OF_ENTRY: Final = re.compile(
    rf"(?:(?P<count>\d+) errors like: )?(?:entry for stream '{_LABELS}' has timestamp too "
    r"(?:old: \S+, oldest acceptable timestamp is: (?P<oldest>[^;\s]+)|new: (?P<ahead>[^;\s]+))"
    rf"|[Mm]ax entry size '(?P<longest>\d+)' bytes exceeded for stream '{_LABELS}' while adding an entry with length)"
)
_OF_STREAM: Final = re.compile(r"stream '|for stream\b")
"""What the distributor says of a stream's labels or metadata begins so."""
_OF_CONFIG: Final = re.compile(r"missing required labels|structured metadata, but this feature is disallowed")
"""Complaints of streams that are the same for all, and go away only when somebody changes a config."""

_BEHIND: Final = re.compile(
    r"entry with timestamp (\S+ \S+) \S+ \S+ ignored, reason: 'entry (?:too far behind|out of order)"
)
_CUTOFF: Final = re.compile(r"entry too far behind, .*?oldest acceptable timestamp is: ([^']+)'")
_TOTAL: Final = re.compile(r"total ignored: (\d+) out of (\d+)")
_STREAM: Final = re.compile(rf"for stream: ({_LABELS})")
_TOO_LARGE: Final = re.compile(r"received message larger than max|message size too large")
"""gRPC between Loki's own parts takes 4 MiB, unless told otherwise."""
_NO_SCHEMA: Final = re.compile(r"no schema config found for time")
"""What is older than all that Loki's schema_config knows, and where it takes any age, is a fault of its own to Loki."""


def settled(response: Response, sent: Callable[[], Sequence[Sent]]) -> Outcome:
    """What has become of the events of a push. `sent` gives them in their order, and is asked only where it matters."""
    if response.status in _STORED:
        return Retry(f"what answers is not Loki: {shown(response.body)}") if is_page(response.body) else Delivered()
    text = response.body.decode("utf-8", "replace")
    if response.status == 413 or (response.status >= 500 and _TOO_LARGE.search(text)):
        return Halve("request too large", shown(response.body))
    if response.status >= 500 and _NO_SCHEMA.search(text):
        return Halve("refused", shown(response.body))
    if response.status == 400 and _TOTAL.search(text):
        return _by_stream(response, text, sent())
    if response.status == 400 and _OF_STREAM.search(text):
        return _by_entry(response, text, sent)
    return refusal(response)


def _by_entry(response: Response, text: str, sent: Callable[[], Sequence[Sent]]) -> Outcome:
    """The distributor has refused single entries, and all others are stored."""
    if _OF_CONFIG.search(text):
        return refusal(response)
    complaints = list(_OF_ENTRY.finditer(text))
    if not complaints or _OF_STREAM.search(_OF_ENTRY.sub("", text)):
        return Halve("refused", shown(response.body))
    events = sent()
    sure, perhaps = _limits(complaints, events)
    return [_judged(event, sure, perhaps, shown(response.body)) for event in events]


def _limits(complaints: Sequence[re.Match[str]], events: Sequence[Sent]) -> tuple[Limits, Limits]:
    """What the distributor surely refuses, and what it perhaps does: it writes its limits in whole seconds."""
    oldest = [time_ns for found in complaints if (time_ns := times.parse(found["oldest"])) is not None]
    longest = min((int(found["longest"]) for found in complaints if found["longest"]), default=EVER_NS)
    cutoff_ns, newest_ns = max(oldest, default=-EVER_NS), _first_ahead_ns(complaints, events) - 1
    return Limits(cutoff_ns, newest_ns, longest), Limits(cutoff_ns + _SECOND, newest_ns, longest)


def _first_ahead_ns(complaints: Sequence[re.Match[str]], events: Sequence[Sent]) -> int:
    """The time of the first event that is too far ahead. Each is named by its second, and no limit is told: of those
    within the first such second it is the newest, as many as were named."""
    named = Counter[int]()
    for found in complaints:
        if (second_ns := times.parse(found["ahead"])) is not None:
            named[second_ns] += int(found["count"] or 1)
    if not named:
        return EVER_NS
    first_ns = min(named)
    inside = sorted(event.time_ns for event in events if first_ns <= event.time_ns < first_ns + _SECOND)
    return next(iter(inside[-named[first_ns] :]), first_ns)


def _judged(event: Sent, sure: Limits, perhaps: Limits, detail: str) -> EventOutcome:
    if refused := sure.refusal(event):
        return Rejected(refused.reason, detail)
    # Within the second of a limit nobody knows. Sent again, it soon lies on one side of it.
    return Retry("its time is at the limit of what Loki takes") if perhaps.refusal(event) else Delivered()


def _by_stream(response: Response, text: str, sent: Sequence[Sent]) -> Outcome:
    """An ingester has ignored some entries of one stream. What it has of the others is not known."""
    labels, total = _STREAM.search(text), _TOTAL.search(text)
    mine = [place for place, event in enumerate(sent) if labels and event.stream.is_named(labels[1])]
    if not mine or not total:
        return Halve("refused", shown(response.body))
    events = [sent[place] for place in mine]
    # Loki may split a stream, by rate or by time: then the numbers are those of a part.
    ignored = int(total[1]) if int(total[2]) == len(mine) else None
    settled = _of_age(response, text, events, ignored)
    if isinstance(settled, Halve):
        return settled
    outcomes: list[EventOutcome] = [refusal(response)] * len(sent)
    for place, outcome in zip(mine, settled, strict=True):
        outcomes[place] = outcome
    return outcomes


def _of_age(
    response: Response, text: str, events: Sequence[Sent], ignored: int | None
) -> Sequence[EventOutcome] | Halve:
    """Too far behind the newest of the stream: those that are named; of more, the oldest, as many as are told."""
    told = _CUTOFF.search(text)
    cutoff_ns = times.parse(told[1]) if told else None
    if cutoff_ns is None and ignored is None:
        return Halve("refused", shown(response.body))
    by_age = sorted(range(len(events)), key=lambda place: events[place].time_ns)
    behind = [place for place in by_age if cutoff_ns is None or events[place].time_ns < cutoff_ns + _SECOND]
    rest: EventOutcome = Delivered()
    if ignored is None or ignored > len(behind):  # others were ignored for other reasons
        rest = refusal(response)
    named_ns = {times.parse(found[1]) for found in _BEHIND.finditer(text)}
    named = [place for place, event in enumerate(events) if event.time_ns in named_ns]
    refused = frozenset(behind[:ignored] if len(named) != ignored else named)
    if not named_ns <= {events[place].time_ns for place in refused}:
        return Halve("refused", shown(response.body))  # more than are named, and not the oldest
    rejected = Rejected(TOO_FAR_BEHIND, shown(response.body))
    return [rejected if place in refused else rest for place in range(len(events))]
