r"""What Ruby's Logger writes, which Rails, Sinatra and most gems log with, and WEBrick.

    - parse: ruby
    < W, [2026-11-29T23:44:26.123456 #1234]  WARN -- shop: nearly full
    > {"time":"2026-11-29T23:44:26.123456Z","level":"WARN","message":"nearly full","pid":1234,"progname":"shop"}
    < [2026-11-29 23:44:26] INFO  WEBrick::HTTPServer#start: pid=1234 port=8000
    > {"time":"2026-11-29T23:44:26Z","level":"INFO","message":"WEBrick::HTTPServer#start: pid=1234 port=8000"}

What is logged as `unknown` has no level: Logger writes `ANY`. Times are local, of `timezone`. The exception that was
logged, with the backtrace that [`multiline`](../multiline.md) has joined to it, becomes `exception.type`,
`exception.message` and `exception.stacktrace`.
"""

from __future__ import annotations

from typing import Final

from logrouter.parsers._layouts import CLOCK, Kind, Layout, LayoutsConfig, LayoutsParser, iso_time, looks_of

_KINDS: Final = {
    "time": iso_time(rf"\d\d\d\d-\d\d-\d\dT{CLOCK}"),
    "spaced": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d"),
    "level": Kind("DEBUG|INFO|WARN|ERROR|FATAL|ANY", lambda word: None if word == "ANY" else word),
    "padded_level": Kind("(?:INFO|WARN) |DEBUG|ERROR|FATAL", str.rstrip),
    "progname": Kind(r'(?:[^:"\n\t]++|:(?! ))*+'),
}
LAYOUTS: Final = [
    # https://github.com/ruby/logger, lib/logger/formatter.rb: "%.1s, [%s #%d] %5s -- %s: %s\n"
    Layout(r"[DIWEFA], \[<time> #<pid>\] ++<level> -- <progname>: <message>", _KINDS),
    # https://github.com/ruby/webrick, lib/webrick/log.rb
    Layout(r"\[<time:spaced>\] <level:padded_level> <message>", _KINDS),
]


class Ruby(LayoutsParser[LayoutsConfig]):
    """Knows the layouts of `LAYOUTS`."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = looks_of(LAYOUTS, 21)
