"""Fakes for tests of logrouter and of what plugs into it.

slice_of([b'{"a":1}', b"text"])     events as a sink gets them
instructions(sink, batch)           what a sink wants done
FaultyDisk()                        the real file system, with faults at chosen calls
"""

from __future__ import annotations

import errno
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from logrouter.event import Attributes, Flag
from logrouter.sinks import Batch, Delivered, Instruction, Sink, Slice

Fault = Callable[..., Any]


def slice_of(
    payloads: Sequence[bytes],
    flags: Sequence[int] | None = None,
    *,
    attributes: Attributes | None = None,
    received_ns: int = 0,
    first: int = 0,
    columns: tuple[list[str] | str, ...] = (),
    collides: bytes | None = None,
) -> Slice:
    """A slice of these events, one after the other. Without `flags`, what begins with a brace is JSON."""
    if flags is None:
        flags = [Flag.JSON if payload.startswith(b"{") else 0 for payload in payloads]
    sequences = range(first, first + len(payloads))
    given = {"source": "app", "stream": "stdin"} if attributes is None else attributes
    return Slice(list(payloads), bytes(flags), given, received_ns, 1, sequences, columns, collides)


def batch_of(*slices: Slice) -> Batch:
    """A batch of these slices."""
    return Batch(list(slices))


def instructions(sink: Sink[Any], batch: Batch) -> list[Instruction]:
    """What a sink yields for a batch, when every reply is None and all is delivered."""
    conversation = sink.send(batch)
    found = []
    while True:
        try:
            found.append(next(conversation))
        except StopIteration as done:
            if done.value != Delivered():
                raise AssertionError(f"not delivered: {done.value}") from None
            return found


class FaultyDisk:
    """The functions of `os`, counted, and made to fail where a test says so.

    disk.fail("write", errno.ENOSPC)           the next write fails
    disk.fail("fdatasync", errno.EIO, times=2)
    disk.write_short(3)                        the next write writes 3 bytes
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        """How often each function was called."""
        self._faults: defaultdict[str, list[Fault]] = defaultdict(list)

    def fail(self, function: str, number: int, *, times: int = 1) -> None:
        """Make the next calls of a function raise OSError with this errno."""

        def raise_error(*arguments: Any, **options: Any) -> None:
            raise OSError(number, os.strerror(number))

        self._faults[function] += [raise_error] * times

    def write_short(self, length: int) -> None:
        """Make the next write take no more than so many bytes."""
        self._faults["write"].append(lambda fd, data: os.write(fd, data[:length]))

    def fill_up_after(self, length: int) -> None:
        """Make the next write take so many bytes, and the one after it find the disk full."""
        self.write_short(length)
        self.fail("write", errno.ENOSPC)

    def __getattr__(self, function: str) -> Callable[..., Any]:
        real = getattr(os, function)

        def call(*arguments: Any, **options: Any) -> Any:
            self.calls[function] += 1
            faults = self._faults[function]
            return (faults.pop(0) if faults else real)(*arguments, **options)

        return call
