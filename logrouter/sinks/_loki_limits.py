"""What Loki takes of an event: how old, how long. Known before it is sent, or learned from an answer."""

from __future__ import annotations

from typing import Final, NamedTuple

from logrouter import times
from logrouter.instructions import Rejected
from logrouter.sinks._loki_streams import Stream

TOO_OLD: Final = "too_old"
TOO_FAR_AHEAD: Final = "too_far_ahead"
TOO_FAR_BEHIND: Final = "too_far_behind"
TOO_LONG: Final = "line_too_long"

EVER_NS: Final = 2**64
"""Longer than any two times lie apart."""


class Sent(NamedTuple):
    """An event as Loki sees it."""

    stream: Stream
    time_ns: int
    length: int
    """Of its line, in bytes."""


class Limits(NamedTuple):
    """What lies outside of one of these is refused."""

    oldest_ns: int = -EVER_NS
    newest_ns: int = EVER_NS
    longest: int = EVER_NS
    behind_ns: int = EVER_NS
    """How far an event may lie behind the newest of its stream."""

    def refusal(self, event: Sent) -> Rejected | None:
        """Why the event is refused, if it is."""
        if event.length > self.longest:
            return Rejected(TOO_LONG, f"{event.length:,} bytes, of {self.longest:,}")
        if event.time_ns < self.oldest_ns:
            return Rejected(TOO_OLD, times.format_rfc3339(event.time_ns))
        if event.time_ns > self.newest_ns:
            return Rejected(TOO_FAR_AHEAD, times.format_rfc3339(event.time_ns))
        if event.time_ns < event.stream.newest_ns - self.behind_ns:
            newest = times.format_rfc3339(event.stream.newest_ns)
            return Rejected(TOO_FAR_BEHIND, f"{times.format_rfc3339(event.time_ns)}, of a stream that is at {newest}")
        return None
