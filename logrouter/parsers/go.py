r"""What Go's loggers write for people to read: `log`, slog, logrus, zap, hclog, zerolog, log15, Gin, CoreDNS …

    - parse: go
    < 2026/11/29 23:44:26 main.go:12: listening on :80
    > {"time":"2026-11-29T23:44:26Z","message":"listening on :80","file":"main.go","line":12}
    < 2026-11-29T23:44:26.123Z [WARN]  agent: slow: took=3s
    > {"time":"2026-11-29T23:44:26.123Z","level":"WARN","message":"slow","logger":"agent","took":"3s"}

It knows, whichever it is, line by line:

    log       2026/11/29 23:44:26 main.go:12: x              with microseconds, and [INFO] before x
    slog      2026/11/29 23:44:26 INFO x key=value           its default; its TextHandler writes logfmt
    logrus    INFO[0012] x                     key=value     on a terminal, or with ForceColors; else logfmt
    zap       TIME⇥INFO⇥app⇥app/main.go:12⇥x⇥{"key": 1}      its console encoder, as of Caddy and Istio
    hclog     TIME [INFO]  app: x: key=value                 Consul, Nomad, Vault, Terraform
    zerolog   11:44PM INF main.go:12 > x key=value           its ConsoleWriter, also with other times
    log15     INFO [11-29|23:44:26] x          key=value     geth; Grafana before version 9
    capnslog  2026-11-29 23:44:26.123456 I | app: x          etcd before version 3.5
    Calico    TIME [INFO][12] app/main.go 12: x key=value
    CoreDNS   [INFO] plugin/errors: x                        and its log of queries
    Gin       [GIN] 2026/11/29 - 23:44:26 | 200 | 1.2ms | 127.0.0.1 | GET "/a"
    NATS      [12] 2026/11/29 23:44:26.123456 [INF] x
    Telegraf  TIME I! [inputs.cpu] x

What stands behind the message as `key=value` or as a JSON object becomes fields; values of the former stay texts, as in
logfmt. The short levels of logrus, and letters for levels, are written out. Times are local, of `timezone`, unless they
say theirs; one without a date, or a year, is the last such time before the line was read.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from logrouter import times
from logrouter.parsers._layouts import CLOCK, Kind, Layout, LayoutsConfig, LayoutsParser, iso_time, looks_of, number
from logrouter.parsers._trailing import OBJECT, PAIRS, PAIRS_OF_HCLOG


def _iso_of_log(text: str) -> str:
    return text.replace("/", "-", 2)


def _iso_of_gin(text: str) -> str:
    return text.replace("/", "-").replace(" - ", "T")


def _iso_of_log15(text: str) -> str:
    return f"--{text.replace('|', 'T')}"


def _iso_of_kitchen(text: str) -> str:
    hour, minute = text[:-2].split(":")
    if not 1 <= int(hour) <= 12:
        raise ValueError
    return f"T{int(hour) % 12 + 12 * (text[-2] == 'P'):02d}:{minute}:00"


def _iso_of_epoch(text: str) -> str:
    try:
        time_ns = times.parse(Decimal(text))
    except InvalidOperation as error:
        raise ValueError from error
    if time_ns is None:
        raise ValueError
    return times.format_rfc3339(time_ns)


_LEVELS: Final = "DEBUG|ERROR|ERR|FATAL|INFO|PANIC|TRACE|WARN"
_SLOG_LEVELS: Final = r"(?:DEBUG|ERROR|INFO|WARN)(?:[+-]\d{1,3})?"
_LOGRUS_LEVELS: Final = {
    "TRAC": "trace", "DEBU": "debug", "INFO": "info", "WARN": "warning", "ERRO": "error", "FATA": "fatal",
    "PANI": "panic",
}  # fmt: skip
"""Logrus writes the first four letters."""
_LETTERS: Final = {
    "T": "trace", "D": "debug", "I": "info", "N": "notice", "W": "warning", "E": "error", "C": "critical",
}  # fmt: skip
_KINDS: Final = {
    "log": iso_time(rf"\d\d\d\d/\d\d/\d\d {CLOCK}", _iso_of_log),
    "gin": iso_time(rf"\d\d\d\d/\d\d/\d\d - {CLOCK}", _iso_of_gin),
    "hclog": iso_time(r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(?:Z|[+-]\d{4})"),
    "kitchen": iso_time(r"\d{1,2}:\d\d[AP]M", _iso_of_kitchen, is_cut_short=True),
    "log15": iso_time(r"\d\d-\d\d\|\d\d:\d\d:\d\d(?:\.\d{3})?+", _iso_of_log15, is_cut_short=True),
    "capnslog": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}"),
    "calico": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"),
    "epoch": iso_time(r"\d\.\d{1,20}e\+0?9|\d{10}(?:\.\d{1,9})?+", _iso_of_epoch),
    "file": Kind(r'[^\s":]+\.go'),
    "level": Kind(_LEVELS),
    "slog_level": Kind(_SLOG_LEVELS),
    "any_level": Kind("DEBUG|ERROR|INFO|WARN|DPANIC|PANIC|FATAL|debug|error|info|warn|dpanic|panic|fatal"),
    "logrus_level": Kind("|".join(_LOGRUS_LEVELS), _LOGRUS_LEVELS.__getitem__),
    "zerolog_level": Kind("TRC|DBG|INF|WRN|ERR|FTL|PNC"),
    "log15_level": Kind("TRCE|TRACE|DBUG|DEBUG|INFO|WARN|EROR|ERROR|CRIT"),
    "calico_level": Kind("DEBUG|INFO|WARNING|ERROR|FATAL|PANIC"),
    "coredns_level": Kind("DEBUG|INFO|WARNING|ERROR|FATAL"),
    "letter": Kind("[TDINWEC]", _LETTERS.__getitem__),
    "package": Kind(r"[\w./-]++"),
    "plugin": Kind(r"[\w./-]++(?:::[\w./-]++)?+"),
    "place": Kind(r"[\w./-]+\.go"),
    "elapsed": Kind(r"\d{4,9}", int),
    "function": Kind(r"[\w./*()-]+\(\)"),
    "logger": Kind(r"[\w./@-]++"),
    "status": number("[1-9][0-9]{2}"),
    "latency": Kind(r'[^\s"|]++'),
    "client": Kind(r'[^\s"|]*+'),
    "method": Kind("[A-Z]{1,32}+"),
    "path": Kind(r'[^"\n\t]*+'),
    "address": Kind(r"[\d.]++|\[[\da-fA-F:.%\w]++\]"),
    "port": number("0|[1-9][0-9]{0,4}"),
    "id": number(),
    "name": Kind(r'[^\s"]++'),
    "size": number(),
    "do": Kind("true|false", is_number=True),
    "rflags": Kind(r"[a-z,]*+"),
    "duration": Kind(r"[\d.]++s"),
}
_QUERY: Final = '"<type> <class> <name> <protocol> <size> <do> <bufsize:size>" <rcode> <rflags> <rsize:size> <duration>'
_NGINX: Final = r"\[[a-z]++\] \d++#\d++: "
"""Its error log has the same time: where both are in one source a Go app may come first."""
_LOCATION: Final = "(?:<file>:<line>: )?+"
LAYOUTS: Final = [
    # https://pkg.go.dev/log#pkg-constants
    Layout(rf"<time:log> {_LOCATION}(?!(?:{_SLOG_LEVELS}) |{_NGINX})(?:\[<level>\]:?+ ++)?+<message>", _KINDS),
    # https://pkg.go.dev/log/slog: the default handler
    Layout(rf"<time:log> {_LOCATION}<level:slog_level> <message>", _KINDS, PAIRS),
    # https://github.com/sirupsen/logrus, text_formatter.go, printColored
    Layout(
        r"<level:logrus_level>\[(?:<elapsed>|<time>)\](?:<file>:<line> (?:<function> )?+)?+ ?+<message>",
        _KINDS,
        PAIRS,
    ),
    # https://pkg.go.dev/go.uber.org/zap/zapcore#NewConsoleEncoder
    *(
        Layout(
            rf"<time:{kind}>\t<level:any_level>\t(?:(?!\S++\.go:\d)<logger>\t(?!\{{))?+(?:<file>:<line>\t)?+<message>",
            _KINDS,
            OBJECT,
        )
        for kind in ("time", "epoch", "log")
    ),
    # https://github.com/hashicorp/go-hclog, intlogger.go, logPlain
    Layout(
        r"<time:hclog> \[<level>\] ++(?:<file>:<line>: )?+(?:<logger>: )?+<message>",
        _KINDS,
        PAIRS_OF_HCLOG,
    ),
    # https://github.com/rs/zerolog, console.go
    *(
        Layout(rf"<time:{kind}> <level:zerolog_level> (?:<file>:<line> > )?+<message>", _KINDS, PAIRS)
        for kind in ("time", "kitchen")
    ),
    # https://github.com/inconshreveable/log15, format.go, TerminalFormat; go-ethereum, log/format.go
    Layout(r"<level:log15_level> ?+\[<time:log15>\] <message>", _KINDS, PAIRS, telling=2),
    # https://github.com/coreos/pkg, capnslog/formatters.go, PrettyFormatter
    Layout(r"<time:capnslog> <level:letter> \| <logger:package>: <message>", _KINDS, telling=2),
    # https://github.com/projectcalico/calico, libcalico-go/lib/logutils, Formatter
    Layout(r"<time:calico> \[<level:calico_level>\]\[<pid>\] <file:place> <line>: <message>", _KINDS, PAIRS, telling=3),
    # https://coredns.io/plugins/log/, https://coredns.io/plugins/errors/
    Layout(r"\[<level:coredns_level>\] plugin/<plugin:package>: <message>", _KINDS, telling=1),
    Layout(rf"\[<level:coredns_level>\] <client:address>:<port> - <id> {_QUERY}", _KINDS, telling=4),
    # https://github.com/nats-io/nats-server, logger/log.go
    Layout(r"\[<pid>\] <time:log> \[<level:zerolog_level>\] <message>", _KINDS, telling=3),
    # https://github.com/influxdata/telegraf, logger
    Layout(r"<time> <level:letter>! (?:\[<plugin>\] )?+<message>", _KINDS, telling=2),
    # https://github.com/gin-gonic/gin, logger.go, defaultLogFormatter
    Layout(r'\[GIN\] <time:gin> \| ++<status> \| ++<latency> \| ++<client> \| <method> ++"<path>"', _KINDS),
]


class Go(LayoutsParser[LayoutsConfig]):
    """Knows the layouts of `LAYOUTS`."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = looks_of(LAYOUTS, 43)
