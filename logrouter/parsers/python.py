r"""What Python's logging writes in its usual formats, and what gunicorn, uvicorn, Celery, Django, Airflow, loguru …

    - parse: python
    < ERROR:root:disk is full
    > {"level":"ERROR","message":"disk is full","logger":"root"}
    < 2026-11-29 23:44:26,123 - app.views - WARNING - slow
    > {"time":"2026-11-29T23:44:26.123Z","level":"WARNING","message":"slow","logger":"app.views"}
    < [2026-11-29 23:44:26 +0100] [12] [INFO] Booting worker with pid: 12
    > {"time":"2026-11-29T22:44:26Z","level":"INFO","message":"Booting worker with pid: 12","pid":12}
    < INFO:     127.0.0.1:5000 - "GET /a HTTP/1.1" 200 OK
    > {"level":"INFO","client":"127.0.0.1","port":5000,"method":"GET","path":"/a","protocol":"HTTP/1.1","status":200}

It knows, whichever it is, line by line:

    logging     INFO:root:x                          the format of basicConfig
                TIME - app - INFO - x                also without the name, and padded
                TIME INFO app: x                     also [INFO] for INFO, without the name, or the name first
                TIME INFO [MainThread] app: x        also " - " for ": "
                [TIME] INFO in app: x                Flask; also [TIME] INFO: x, [TIME] [INFO] x
                INFO TIME app 12 140120 x            verbose in Django's documentation
    Alembic     INFO  [app] x
    Airflow     [TIME] {file.py:12} INFO - x
    Celery      [TIME: INFO/MainProcess] x           and with the task
    Django      [29/Nov/2026 23:44:26] "GET / HTTP/1.1" 200 1234
    http.server 127.0.0.1 - - [29/Nov/2026 23:44:26] "GET / HTTP/1.1" 200 -
    gunicorn    [TIME] [12] [INFO] x
    loguru      TIME | INFO     | app:main:12 - x
    Odoo        TIME 12 INFO database odoo.http: x
    OpenStack   TIME 12 INFO nova.compute [context] x
    structlog   TIME [info     ] x   [app] key=value
    uvicorn     INFO:     x

The name of a logger becomes `logger`; the rest is called as `logging` calls it, shorter where others do (`pid`, `file`,
`line`). Times are local, of `timezone`, unless they say theirs. The traceback that
[`multiline`](../multiline.md) has joined to a line becomes `exception.type`, `exception.message` and
`exception.stacktrace`.
"""

from __future__ import annotations

from typing import Final

from logrouter.parsers._dates import MONTHS
from logrouter.parsers._layouts import (
    CLOCK,
    Kind,
    Layout,
    LayoutsConfig,
    LayoutsParser,
    iso_time,
    looks_of,
    number,
)
from logrouter.parsers._trailing import PAIRS_OF_STRUCTLOG

_LEVELS: Final = "CRITICAL|DEBUG|ERROR|FATAL|INFO|NOTICE|SUCCESS|TRACE|WARNING|WARN"


def _iso(text: str) -> str:
    day, month, year = text[:11].split("/")
    return f"{year}-{MONTHS[month]}-{day}T{text[12:]}"


_THREAD_NAME: Final = r'[^\]"\x00-\x1f]*+'
_NAMED: Final = r"[\w$]++(?:[./-][\w$]++)*+"
_KINDS: Final = {
    "level": Kind(_LEVELS),
    "padded_level": Kind(
        "(?:INFO|WARN): {5}|(?:DEBUG|ERROR|TRACE|FATAL): {4}|WARNING: {2}|CRITICAL: ", lambda text: text.rstrip(": ")
    ),
    "small_level": Kind("critical|debug|error|exception|info|notset|warning|warn"),
    "logger": Kind(r"\w[\w.-]*+"),
    "asctime": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}"),
    "common": iso_time(rf"\d\d/(?:{'|'.join(MONTHS)})/\d{{4}} {CLOCK}", _iso),
    "file": Kind(r"[\w./-]+\.py"),
    "function": Kind(r"[\w.<>]++"),
    "module": Kind(r"[\w.-]++"),
    "thread": number(),
    "thread_name": Kind(_THREAD_NAME),
    "named": Kind(_NAMED),
    "process": Kind(r"[\w.()-]++"),
    "task_name": Kind(r"[\w.]++"),
    "task_id": Kind(r"[\w-]++"),
    "context": Kind(r'[^\]"\n\t]*+'),
    "database": Kind(r"[\w.?-]++"),
    "client": Kind(r"[\d:f][\w.:%-]*+"),
    "address": Kind(r"(?:[\w.%-]++|\[?[\da-fA-F:.%]+\]?)(?=:\d)"),
    "port": number("0|[1-9][0-9]{0,4}"),
    "method": Kind("[A-Z]{1,32}+"),
    "path": Kind(r'[^\s"]++'),
    "protocol": Kind("HTTP/[0-9.]++"),
    "status": number("[1-9][0-9]{2}"),
    "size": number(),
}
_NO_LEVEL: Final = rf"(?!(?:{_LEVELS})\b)"
_NOT_OF_THREAD: Final = rf"(?!\[{_THREAD_NAME}\] ++{_NAMED}(?::\d++)?+ ?+(?:--?|:) )"
_NOT_SPRING: Final = r"(?!(?:\[[^\]\s]*+\] )?+\d++ --- \[)"
"""No line of Spring Boot, which would be a message here: in a source of several files a Python app may come first."""
_NOT_CASSANDRA: Final = r"(?!\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [\w$-]++\.java:\d++ - )"
_REQUEST: Final = '"<method> <path> <protocol>"'
_TEXTS: Final = (
    # https://docs.python.org/3/library/logging.html#logging.basicConfig, and the formats of its HOWTO and cookbook
    "<level>:<logger>:<message>",
    f"<time> - (?:{_NO_LEVEL}<logger> ++- )?+<level> ++- <message>",
    rf"<time> ++<level>:?+ ++{_NOT_SPRING}{_NOT_OF_THREAD}(?:<logger>: )?+<message>",
    # log4j has the same, and its fields are called so as well
    r"<time> ++<level>:?+ ++\[ *+<thread:thread_name>\] ++<logger:named>(?::<line>)?+ ?+(?:--?|:) <message>",
    r"<time> \[<level> *+\] ++(?:<logger>: )?+<message>",
    rf"<time:asctime> {_NO_LEVEL}(?!\d++ )<logger> ++<level> ++<message>",
    "<time>:<level>:(?:<logger>:)?+<message>",
    # https://alembic.sqlalchemy.org/en/latest/tutorial.html#editing-the-ini-file
    rf"<level> ++\[<logger>\] {_NOT_CASSANDRA}<message>",
    # https://docs.scrapy.org/en/latest/topics/settings.html#log-format
    r"<time> \[(?!\d++\])<logger>\] <level>: <message>",
    # the same with %(process)d; two blanks behind the colon are PostgreSQL's
    r"<time> \[<pid>\] <level>: (?! )<message>",
    # https://flask.palletsprojects.com/en/stable/logging/#basic-configuration
    r"\[<time>\] <level> in <module>: <message>",
    # bunyan, which is for Node, writes as much
    r"\[<time>\] ++<level>(?::| -) <message>",
    r"\[<time>\] \[<level> *+\] <message>",
    # https://docs.djangoproject.com/en/5.2/topics/logging/#examples
    "<level> <time> <module> <pid> <thread> <message>",
    # django/core/servers/basehttp.py, django.utils.log.ServerFormatter
    rf"\[<time:common>\] {_REQUEST} <status> <size>",
    # http/server.py, BaseHTTPRequestHandler.log_message; werkzeug/serving.py
    rf"<client> - - \[<time:common>\] {_REQUEST} <status> (?:-|<size>)",
    r"<client> - - \[<time:common>\] code <status>, message <message>",
    # airflow/config_templates/config.yml, log_format
    r"\[<time>\] \{{1,2}<file>:<line>\}{1,2} <level> - <message>",
    # celery/app/defaults.py, worker_log_format and worker_task_log_format
    r"\[<time>: <level>/<process>\] (?:<task_name>\[<task_id>\]: )?+<message>",
    # gunicorn/glogging.py, error_fmt
    r"\[<time>\] \[<pid>\] \[<level>\] <message>",
    # loguru/_defaults.py, LOGURU_FORMAT
    r"<time> \| <level> ++\| <logger>:<function>:<line> - <message>",
    # odoo/netsvc.py
    r"<time> <pid> <level> <database> <logger>: <message>",
    # https://docs.openstack.org/oslo.log/latest/configuration, logging_context_format_string
    r"<time> <pid> <level> <logger> \[<context>\] <message>",
    # uvicorn/config.py, LOGGING_CONFIG
    rf"<level:padded_level><client:address>:<port> - {_REQUEST} <status>(?: [\w '-]*+)?+",
    r"<level:padded_level>(?!\S++ - \"[A-Z])<message>",
)
LAYOUTS: Final = [
    *(Layout(text, _KINDS) for text in _TEXTS),
    # structlog/dev.py, ConsoleRenderer
    Layout(r"<time> \[<level:small_level> *+\] <message>", _KINDS, PAIRS_OF_STRUCTLOG),
]


class Python(LayoutsParser[LayoutsConfig]):
    """Knows the formats of `LAYOUTS`."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = looks_of(LAYOUTS, 45)
