r"""What PHP logs: its own errors and `error_log`, PHP-FPM, the built-in web server, and Monolog.

    - parse: php
    < [29-Nov-2026 23:44:26 Europe/Stockholm] PHP Warning:  Undefined variable $disk in /app/disk.php on line 3
    > {"time":"2026-11-29T22:44:26Z",
    >  "level":"warning",
    >  "message":"Undefined variable $disk",
    >  "type":"Warning",
    >  "file":"/app/disk.php",
    >  "line":3}
    < [29-Nov-2026 23:44:26] WARNING: [pool www] child 12 exited on signal 9 (SIGKILL)
    > {"time":"2026-11-29T23:44:26Z","level":"warning","message":"child 12 exited on signal 9 (SIGKILL)","pool":"www"}

It knows, whichever it is, line by line:

    error_log           [TIME UTC] PHP Warning:  x in a.php on line 3       and texts of error_log
    on the command line PHP Warning:  x in a.php on line 3                  or, displayed, Warning: x in a.php on line 3
    PHP-FPM             [TIME] NOTICE: [pool www] x
    php -S              [Sun Nov 29 23:44:26 2026] 127.0.0.1:1234 [404]: GET /a - x
    Monolog             [TIME] app.WARNING: x                               Laravel, Symfony

`type` is the word that PHP has for an error, and `level` what PHP tells syslog of it: `error` of a fatal or a parse
error, `info` of what is deprecated, else `warning` or `notice`. Times are local, of `timezone`, unless they say theirs.
The stack trace that [`multiline`](../multiline.md) has joined to a line becomes `exception.type`, `exception.message`
and `exception.stacktrace`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from logrouter.parsers import Looks
from logrouter.parsers._dates import MONTHS
from logrouter.parsers._layouts import Kind, Layout, LayoutsConfig, LayoutsParser, iso_time, number
from logrouter.parsers._local_times import LocalTimes

LEVELS: Final = {
    "Fatal error": "error",
    "Recoverable fatal error": "error",
    "Parse error": "error",
    "Warning": "warning",
    "Notice": "notice",
    "Deprecated": "info",
    "Strict Standards": "info",
}
"""https://github.com/php/php-src, main/main.c, php_error_cb: error_type_str and syslog_type_int."""

_zone = lru_cache(maxsize=16)(LocalTimes)


def _iso(text: str) -> str:
    date, clock, *zone = text.split(" ")
    local = f"{date[7:]}-{MONTHS[date[3:6]]}-{date[:2]}T{clock}"
    if not zone:
        return local
    return local + zone[0] if zone[0][0] in "+-" else _zone(zone[0]).utc_text(local)


def _iso_of_asctime(text: str) -> str:
    _, month, day, clock, year = text.split()
    return f"{year}-{MONTHS[month]}-{int(day):02d}T{clock}"


_MONTH: Final = f"(?:{'|'.join(MONTHS)})"
_DATE: Final = rf"\d\d-{_MONTH}-\d{{4}} \d\d:\d\d:\d\d"
_ASCTIME: Final = rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) {_MONTH} [ \d]\d \d\d:\d\d:\d\d \d{{4}}"
_TYPES: Final = "|".join(LEVELS)
_KINDS: Final = {
    "zoned": iso_time(rf"{_DATE} (?:[A-Z]\w*+(?:/[A-Z][\w+-]*+)*+|[+-]\d\d:\d\d)", _iso),
    "fpm": iso_time(rf"{_DATE}(?:\.\d{{6}})?+", _iso),
    "asctime": iso_time(_ASCTIME, _iso_of_asctime),
    "level": Kind("DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|ALERT|EMERGENCY"),
    "fpm_level": Kind("DEBUG|NOTICE|WARNING|ERROR|ALERT", str.lower),
    "severity": Kind(_TYPES, LEVELS.__getitem__),
    "type": Kind(_TYPES),
    "channel": Kind(r"[\w-]++(?:\.[\w-]++)*?"),
    "file": Kind(r'[^\s"]++'),
    "client": Kind(r"\[?[\d:a-fA-F.]+\]?(?=:\d)"),
    "port": number("0|[1-9][0-9]{0,4}"),
    "status": number("[1-9][0-9]{2}"),
    "method": Kind("[A-Z]{1,32}+"),
    "path": Kind(r'[^\s"]++'),
    "pool": Kind(r"[\w.-]++"),
}
_ERROR: Final = "(?=<type>:)<level:severity>:"
_PLACED: Final = "<message> in <file> on line <line>"
_NOT_PLACED: Final = r"(?!.* in [^\s\"]++ on line (?:0|[1-9][0-9]{0,8})(?!.))<message>"
_TEXTS: Final = (
    # main/main.c, php_error_cb and php_log_err_with_severity; sapi/cli/php_cli_server.c
    *(
        rf"{time}PHP {_ERROR}  {rest}"
        for time in (r"\[<time:zoned>\] ", r"\[<time:asctime>\] ", "")
        for rest in (_PLACED, _NOT_PLACED)
    ),
    rf"\[<time:zoned>\] (?!PHP (?:{_TYPES}):  )<message>",
    # as it is displayed
    f"{_ERROR} {_PLACED}",
    rf"{_ERROR} (?=Uncaught [A-Z\\]){_NOT_PLACED}",
    # sapi/fpm/fpm/zlog.c
    r"\[<time:fpm>\] <level:fpm_level>: (?:\[pool <pool>\] )?+<message>",
    # sapi/cli/php_cli_server.c, php_cli_server_log_response
    r"\[<time:asctime>\] <client>:<port> \[<status>\]: (?:<method> )?+<path>",
    r"\[<time:asctime>\] <client>:<port> \[<status>\]: (?:<method> )?+<path> - <message>",
    r"\[<time:asctime>\] <client>:<port> (?=(?:Accepted|Closing)(?!.))<message>",
    r"\[<time:asctime>\] (?=PHP \d)<message>",
    # https://github.com/Seldaek/monolog, src/Monolog/Formatter/LineFormatter.php
    r"\[<time>\] <channel>\.<level>: <message>",
)
LAYOUTS: Final = [Layout(text, _KINDS) for text in _TEXTS]
_BEGIN: Final = "|".join((  # less than the layouts say: it is compiled in a tenth of the time
    r"\[\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d(?: [^\]\n]++\] |(?:\.\d{6})?+\] [A-Z]++: )",
    r"\[[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\] (?:PHP |[^ \n]*:\d++ )",
    r"PHP [A-Z][A-Za-z ]++:  ",
    rf"(?:{_TYPES}): (?:Uncaught [A-Z\\]|[^\n]* on line \d)",
    r"\[\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^\]\n]*+\] [\w-]++(?:\.[\w-]++)*?\.[A-Z]{4,9}: ",
))  # fmt: skip


class Php(LayoutsParser[LayoutsConfig]):
    """Knows the layouts of `LAYOUTS`."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = Looks(_BEGIN.encode(), 22)
