"""Lines that belong together become one event (`multiline`): a traceback, and the line that logged it.

    bytes → whole lines → a joiner takes them apart into events → those that nothing can change any more are given out

A joiner is a pure function of the lines from the start of an event on, and any cut of a stream into reads gives the
same events. What may go on with the next read is held: whole lines as well as the unfinished one. `flush` gives out the
whole lines when nothing has come for a while.

An event of more than `max_line` is cut between two of its lines, into pieces that are marked as those of a long line
are; each piece but the last holds as many of its lines as fit. What follows a cut is looked at for what it is, so that
no more is ever held than `max_line` and the few lines behind it that a joiner looks at. Where only empty lines follow,
which are left out, the piece that is marked as the last is the event behind them, if any comes. A single line over
`max_line` is cut by itself, and joined to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from logrouter.event import Flag
from logrouter.framing import IN_LINE, NOTHING, Frame, LineFraming, joined

IN_EVENT: Final = b"*"
"""The memo of a framing that has given out pieces of an event of several lines."""
MEMOS: Final = IN_LINE + IN_EVENT
"""All that there are, each a character."""
_MUCH_BYTES: Final = 64 * 1024
_GROWTH: Final = 16
"""So much of one event is looked at again only when it has grown by a sixteenth: small reads would make it dear."""


class Joiner(Protocol):
    """What tells which lines are one event."""

    lookahead_lines: int
    """So many lines, from the end of an event on, decide where that is."""

    def split(self, text: bytes) -> list[bytes]:
        """The events in whole lines, all with their newline, of which another stands before the first. Events are given
        without their last one. The first begins where an event does."""

    def undecided(self, events: Sequence[bytes]) -> int:
        """How many of the last events of a text may be others when more lines come."""


class JoiningFraming(LineFraming):
    """One stream's framing, where several lines may be one event."""

    def __init__(self, max_line_bytes: int, joiner: Joiner, memo: bytes = b"", *, at_start: bool = False) -> None:
        super().__init__(max_line_bytes, memo, at_start=at_start)
        self.joiner = joiner
        self._whole_bytes = 0
        """How much of what is held is whole lines."""
        self._in_event = memo == IN_EVENT
        self._enough_bytes = 0
        """With fewer whole lines it need not be looked for the end of an event."""

    @property
    def memo(self) -> bytes:
        return IN_EVENT if self._in_event else super().memo

    @property
    def holds_lines(self) -> bool:
        return self._whole_bytes > 0

    def take_over(self, other: LineFraming) -> None:
        super().take_over(other)
        held = b"".join(self._held)
        self._whole_bytes = held.rfind(b"\n") + 1
        self._in_event = other.memo == IN_EVENT

    def _feed(self, data: bytes) -> Frame:
        end = data.rfind(b"\n") + 1
        if end == 0:
            self._hold(data)
            return self._cut_held()
        if self._held_bytes + end < self._enough_bytes:
            self._whole_bytes = self._held_bytes + end
            self._hold(data)
            return self._cut_held()
        whole_bytes = self._held_bytes + end
        frame, kept = self._events(b"".join((b"\n", *self._held, memoryview(data)[:end])), is_all=False)
        self._keep(kept, data[end:])
        if len(kept) == whole_bytes > _MUCH_BYTES:
            self._enough_bytes = min(whole_bytes + whole_bytes // _GROWTH, self.max_line_bytes)
        return joined(frame, self._cut_held()) if self._unfinished_bytes > self.max_line_bytes else frame

    def flush(self) -> Frame:
        """The whole lines that are held, as nothing has come for a while."""
        held = b"".join(self._held)
        text, rest = held[: self._whole_bytes], held[self._whole_bytes :]
        self._keep(b"", rest)
        return self._events(b"\n" + text, is_all=True)[0]

    def finish(self) -> Frame:
        """The end of the stream: all that is held."""
        text = b"".join((b"\n", *self._held))
        if text[-1:] != b"\n":
            text += b"\n"
        self._keep(b"", b"")
        frame = self._events(text, is_all=True)[0]
        self._in_event = False
        return frame

    @property
    def _unfinished_bytes(self) -> int:
        return self._held_bytes - self._whole_bytes

    def _keep(self, whole: bytes, rest: bytes) -> None:
        self._held = [part for part in (whole, rest) if part]
        self._whole_bytes, self._held_bytes = len(whole), len(whole) + len(rest)
        self._enough_bytes = 0

    def _cut_held(self) -> Frame:
        """Pieces of an unfinished line that is too long, after the lines before it: they are joined to none of it."""
        if self._unfinished_bytes <= self.max_line_bytes + 1:
            return NOTHING
        before = self.flush()
        self._in_event = False
        return joined(before, super()._cut_held())

    def _events(self, raw: bytes, *, is_all: bool) -> tuple[Frame, bytes]:
        """What whole lines give out, and those of them that are kept, as they came. They are as a joiner wants them."""
        text = raw.replace(b"\r\n", b"\n") if b"\r" in raw else raw
        if self.in_line or self._in_event or (len(text) > self.max_line_bytes and self._has_long(text)):
            return self._events_one_by_one(raw, text, is_all=is_all)
        events = self.joiner.split(text)
        kept_events = 0 if is_all else self.joiner.undecided(events)
        kept_bytes = 0
        if kept_events:
            kept_bytes = sum(map(len, events[-kept_events:])) + kept_events
            del events[-kept_events:]
        if len(text) > self.max_line_bytes and (
            kept_bytes > self.max_line_bytes or max(map(len, events), default=0) > self.max_line_bytes
        ):
            return self._events_one_by_one(raw, text, is_all=is_all)
        end = len(text) - kept_bytes
        block, empty = text[1 : end - 1], 0
        if not all(events):
            kept = [event for event in events if event]
            events, block, empty = kept, b"\n".join(kept), len(events) - len(kept)
        return Frame(events, block, {}, empty), _as_it_came(raw, text, end)

    def _has_long(self, text: bytes) -> bool:
        return max(map(len, text.split(b"\n"))) > self.max_line_bytes

    def _events_one_by_one(self, raw: bytes, text: bytes, *, is_all: bool) -> tuple[Frame, bytes]:
        """The same where something is too long, or goes on what was."""
        cutting = _Cutting(self.max_line_bytes, self._in_event)
        frames = []
        place = stop = 1
        while place < len(text):
            if place == stop:
                stop = self._next_long(text, place)
            if place == stop or self.in_line:
                end = text.index(b"\n", place)
                cutting.in_event = False
                frames += [cutting.take(), self._frame_irregular([text[place:end]])]
                place = stop = end + 1
                continue
            before, place = place, self._take_some(cutting, text, place, stop, is_all=is_all or stop < len(text))
            if place == before:
                break
        self._in_event = cutting.in_event
        frame = NOTHING
        for following in (*frames, cutting.take()):
            frame = joined(frame, following)
        return frame, _as_it_came(raw, text, place)

    def _next_long(self, text: bytes, place: int) -> int:
        """Where the next line that is too long begins, or the text ends."""
        while place < len(text):
            end = text.index(b"\n", place)
            if end - place > self.max_line_bytes:
                break
            place = end + 1
        return place

    def _take_some(self, cutting: _Cutting, text: bytes, start: int, stop: int, *, is_all: bool) -> int:
        """Take events, up to one that has to be cut. Gives the place behind what was taken.

        Not more is looked at than is needed for one that is cut to be sure: it is looked at again behind the cut.
        """
        enough = start + (self.joiner.lookahead_lines + 2) * (self.max_line_bytes + 1)
        if enough < stop:
            stop, is_all = text.rindex(b"\n", start, enough) + 1, False
        events = self.joiner.split(text[start - 1 : stop])
        decided = len(events) if is_all else len(events) - self.joiner.undecided(events)
        place = start
        for number, event in enumerate(events):
            if len(event) > self.max_line_bytes:
                sure_bytes = len(event) if number < decided else self._sure_bytes(text, place, stop)
                return place if sure_bytes <= self.max_line_bytes else place + cutting.cut(event) + 1
            if number >= decided:
                break
            cutting.add(event)
            place += len(event) + 1
        return place

    def _sure_bytes(self, text: bytes, start: int, stop: int) -> int:
        """How much of the last event stays its own, whatever comes."""
        for _ in range(self.joiner.lookahead_lines + 1):
            stop = text.rfind(b"\n", start, stop)
            if stop < 0:
                return 0
        return stop - start


class _Cutting:
    """Events that are given out, and pieces of those that are too long."""

    def __init__(self, max_bytes: int, in_event: bool) -> None:
        self.in_event = in_event
        self._max_bytes = max_bytes
        self._events: list[bytes] = []
        self._marks: dict[int, int] = {}
        self._empty = 0

    def add(self, event: bytes) -> None:
        """An event, or the last piece of one."""
        if not event:
            self._empty += 1
            return
        if self.in_event:
            self._marks[len(self._events)] = Flag.PARTIAL_END
            self.in_event = False
        self._events.append(event)

    def cut(self, event: bytes) -> int:
        """As many lines of an event as fit. Gives their length."""
        end = event.rfind(b"\n", 0, self._max_bytes + 1)
        self._marks[len(self._events)] = Flag.PARTIAL_MIDDLE if self.in_event else Flag.PARTIAL_START
        self._events.append(event[:end])
        self.in_event = True
        return end

    def take(self) -> Frame:
        """What was added since this was asked last."""
        frame = Frame(self._events, b"\n".join(self._events), self._marks, self._empty)
        self._events, self._marks, self._empty = [], {}, 0
        return frame


def _as_it_came(raw: bytes, text: bytes, place: int) -> bytes:
    """What stands from a place in the text on, with the CR that ends of lines had."""
    if len(raw) == len(text):
        return raw[place:]
    return raw.split(b"\n", text.count(b"\n", 0, place))[-1]
