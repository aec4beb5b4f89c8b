r"""What Ruby's Logger writes, which Rails, Sinatra and most gems log with, and Sidekiq, Fluentd, WEBrick.

    - parse: ruby
    < W, [2026-11-29T23:44:26.123456 #1234]  WARN -- shop: nearly full
    > {"time":"2026-11-29T23:44:26.123456Z","level":"WARN","message":"nearly full","pid":1234,"progname":"shop"}
    < [2026-11-29 23:44:26] INFO  WEBrick::HTTPServer#start: pid=1234 port=8000
    > {"time":"2026-11-29T23:44:26Z","level":"INFO","message":"WEBrick::HTTPServer#start: pid=1234 port=8000"}

    < 2026-11-29T23:44:26.123Z pid=12 tid=1a2 class=Mail jid=b4a577 elapsed=1.005 INFO: done
    > {"time":"2026-11-29T23:44:26.123Z",
    >  "level":"INFO",
    >  "message":"done",
    >  "pid":12,
    >  "tid":"1a2",
    >  "class":"Mail",
    >  "jid":"b4a577",
    >  "elapsed":1.005}
    < 2026-11-29 23:44:26 +0100 [warn]: #0 [out_es] failed to flush the buffer. retry_times=0
    > {"time":"2026-11-29T22:44:26Z",
    >  "level":"warn",
    >  "message":"[out_es] failed to flush the buffer. retry_times=0",
    >  "worker":0}

What is logged as `unknown` has no level: Logger writes `ANY`. Times are local, of `timezone`. The exception that was
logged, with the backtrace that [`multiline`](../multiline.md) has joined to it, becomes `exception.type`,
`exception.message` and `exception.stacktrace`.
"""

from __future__ import annotations

from typing import Final

from logrouter.parsers._layouts import CLOCK, Kind, Layout, LayoutsConfig, LayoutsParser, iso_time, looks_of, number

_KINDS: Final = {
    "time": iso_time(rf"\d\d\d\d-\d\d-\d\dT{CLOCK}"),
    "spaced": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d"),
    "level": Kind("DEBUG|INFO|WARN|ERROR|FATAL|ANY", lambda word: None if word == "ANY" else word),
    "padded_level": Kind("(?:INFO|WARN) |DEBUG|ERROR|FATAL", str.rstrip),
    "utc": iso_time(r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"),
    "zoned": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?+ [+-]\d{4}"),
    "small_level": Kind("trace|debug|info|warn|error|fatal"),
    "class": Kind(r"[\w:]++"),
    "tags": Kind(r'[^\s"]++'),
    "elapsed": number(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?"),
    "worker": number("0|[1-9][0-9]{0,4}"),
    "progname": Kind(r'(?:[^:"\n\t]++|:(?! ))*+'),
}
LAYOUTS: Final = [
    # https://github.com/ruby/logger, lib/logger/formatter.rb: "%.1s, [%s #%d] %5s -- %s: %s\n"
    Layout(r"[DIWEFA], \[<time> #<pid>\] ++<level> -- <progname>: <message>", _KINDS),
    # https://github.com/sidekiq/sidekiq, lib/sidekiq/logger.rb, Formatters::Pretty
    Layout(
        r"<time:utc> pid=<pid> tid=<tid>(?: class=<class>)?+(?: jid=<jid>)?+(?: bid=<bid>)?+(?: tags=<tags>)?+"
        r"(?: elapsed=<elapsed>)?+ <level>: <message>",
        _KINDS,
        telling=2,
    ),
    # https://github.com/fluent/fluentd, lib/fluent/log.rb
    Layout(r"<time:zoned> \[<level:small_level>\]: (?:#<worker> )?+<message>", _KINDS, telling=2),
    # https://github.com/ruby/webrick, lib/webrick/log.rb
    Layout(r"\[<time:spaced>\] <level:padded_level> <message>", _KINDS),
]


class Ruby(LayoutsParser[LayoutsConfig]):
    """Knows the layouts of `LAYOUTS`."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = looks_of(LAYOUTS, 21)
