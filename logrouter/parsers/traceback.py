r"""Exceptions and panics as fields: of Python, Java, Go, Node, Ruby, .NET, PHP and Rust.

    - parse: traceback
    < app: it failed
    < Traceback (most recent call last):
    <   File "a.py", line 3, in f
    < ValueError: boom
    > {"message":"app: it failed",
    >  "exception.type":"ValueError",
    >  "exception.message":"boom",
    >  "exception.stacktrace":"Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nValueError: boom"}

It takes events of several lines that hold one, as [`multiline`](../multiline.md) joins them; other lines are left to
the parsers behind it. The line that logged the exception is recognised as by [`auto`](auto.md): what that makes of it
are the event's fields. Where nothing logged it, `level` is `error`, and `message` the line that names it.

    - parse: traceback
    < level=error msg="it failed"
    < java.lang.IllegalStateException: no disk
    <   at app.Disk.write(Disk.java:12)
    > {"level":"error",
    >  "msg":"it failed",
    >  "exception.type":"java.lang.IllegalStateException",
    >  "exception.message":"no disk",
    >  "exception.stacktrace":"java.lang.IllegalStateException: no disk\n  at app.Disk.write(Disk.java:12)"}
    < panic: no disk
    <
    < goroutine 1 [running]:
    > {"level":"error",
    >  "message":"panic: no disk",
    >  "exception.type":"panic",
    >  "exception.message":"no disk",
    >  "exception.stacktrace":"panic: no disk\n\ngoroutine 1 [running]:"}

The fields are named as in OpenTelemetry's conventions for exceptions; `profile: ecs` of the sink `elasticsearch` makes
`error.type`, `error.message` and `error.stack_trace` of them. Of several, one the cause of the next, type and
message are those of the last that was raised; all stand in `exception.stacktrace`. The type of a panic is `panic`, that
of what Go's runtime dies of `fatal error`. An event that only holds frames, without an exception's name, is not taken.

`auto`, which is what a source does that says nothing else, does the same, and so do the parsers of loggers (`python`,
`java`, `go`, `rust` …) for their own lines. Write `parse: [traceback, …]` for lines of other formats.
"""

from __future__ import annotations

from functools import cached_property

from logrouter.parsers import Parser, ParserConfig
from logrouter.parsers._dates import zone_named
from logrouter.parsers.auto import Auto, AutoConfig


class TracebackConfig(ParserConfig, frozen=True, kw_only=True):
    """It knows the language by the event."""

    timezone: str = "UTC"
    """The zone of times that do not say theirs, by its IANA name, such as `Europe/Stockholm`."""


class Traceback(Parser[TracebackConfig]):
    """Takes exceptions out of events, and leaves the rest to `auto`."""

    Config = TracebackConfig

    def __init__(self, config: TracebackConfig) -> None:
        super().__init__(config)
        zone_named(config.timezone)

    @cached_property
    def _auto(self) -> Auto:
        return Auto(AutoConfig(timezone=self.config.timezone))

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        return self._auto.parse_exception(line, received_ns)
