"""The error logs of nginx and Apache. They come by the dozen, not by the thousand: there is no fast way for them."""

from __future__ import annotations

import re
from datetime import datetime, tzinfo
from typing import Any, Final

from logrouter import times
from logrouter.documents import encode_document
from logrouter.parsers._dates import MONTHS, utc_ns

_NGINX: Final = re.compile(
    r"(\d{4})/(\d\d)/(\d\d) (\d\d:\d\d:\d\d) \[([a-z]{4,6})\] (\d{1,9})#(\d{1,9}): (?:\*(\d{1,18}) )?(.*)",
    re.DOTALL | re.ASCII,
)
"""ngx_log_error_core of src/core/ngx_log.c."""
_NGINX_CONTEXT: Final = ("client", "server", "request", "subrequest", "upstream", "host", "referrer")
"""In the order in which ngx_http_log_error_handler (src/http/ngx_http_request.c) and its callers append them."""

_APACHE: Final = re.compile(
    rf"\[[A-Z][a-z]{{2}} ({'|'.join(MONTHS)}) ( \d|\d\d) (\d\d:\d\d:\d\d(?:\.\d{{1,9}})?) (\d{{4}})\]"
    r" \[(?:([\w-]*):)?([a-z]\w{2,9})\]"
    r"(?: \[pid (\d{1,18})(?::tid (\w{1,18}))?\])?"
    r"(?: ([\w.-]{1,99}\(\d{1,9}\)):)?"
    r"(?: (\(\d{1,9}\)[^:\[]{1,199}):)?"
    r"(?: \[(client|remote) ([^\] ]{1,255}?)(?::(\d{1,5}))?\])?"
    r" (.*)",
    re.DOTALL | re.ASCII,
)
"""https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat, and the format of 2.2, without module and port."""
_REFERRER: Final = ", referer: "


def nginx_error(line: str, zone: tzinfo) -> bytes | None:
    """The JSON object that a line of nginx's error log stands for, or None."""
    match = _NGINX.fullmatch(line)
    if match is None:
        return None
    year, month, day, clock, level, pid, tid, connection, rest = match.groups()
    time = _utc_text(f"{year}-{month}-{day}T{clock}", zone)
    if time is None:
        return None
    fields: dict[str, Any] = {"time": time, "level": level, "pid": int(pid), "tid": int(tid)}
    if connection is not None:
        fields["cid"] = int(connection)
    message, context = _context(rest)
    return encode_document({**fields, "message": message, **context})


def _context(text: str) -> tuple[str, dict[str, str]]:
    """The message, and what nginx says after it of the request: `, client: 10.0.0.1, server: _, request: "GET /"`."""
    start = text.find(", client: ")
    if start < 0:
        return text, {}
    message, found = text[:start], {}
    places = [(start, "client")]
    for name in _NGINX_CONTEXT[1:]:
        place = text.find(f", {name}: ", places[-1][0] + 1)
        if place >= 0:
            places.append((place, name))
    ends = [place for place, _ in places[1:]] + [len(text)]
    for (place, name), end in zip(places, ends, strict=True):
        value = text[place + len(name) + 4 : end]
        quoted = len(value) > 1 and value[0] == value[-1] == '"'
        found[name] = value[1:-1] if quoted else value
    return message, {name: value for name, value in found.items() if value}


def apache_error(line: str, zone: tzinfo) -> bytes | None:
    """The JSON object that a line of Apache's error log stands for, or None."""
    match = _APACHE.fullmatch(line)
    if match is None:
        return None
    month, day, clock, year, module, level, pid, tid, file, error, side, address, port, message = match.groups()
    time = _utc_text(f"{year}-{MONTHS[month]}-{day.replace(' ', '0')}T{clock}", zone)
    if time is None:
        return None
    if module is None and port:  # 2.2 wrote no ports: it is the end of an IPv6 address
        address, port = f"{address}:{port}", None
    message, _, referrer = message.partition(_REFERRER)
    fields: dict[str, Any] = {
        "time": time,
        "level": level,
        "module": module,
        "pid": pid and int(pid),
        "tid": int(tid) if (tid or "").isdigit() else tid,
        "file": file,
        "error": error,
        side or "client": address,
        "port": port and int(port),
        "message": message,
        "referrer": referrer,
    }
    return encode_document({name: value for name, value in fields.items() if value not in (None, "")})


def _utc_text(local: str, zone: tzinfo) -> str | None:
    """A local time as RFC 3339 in UTC; None where there is none such."""
    try:
        return times.format_rfc3339(utc_ns(datetime.fromisoformat(local), zone))
    except (ValueError, OverflowError):
        return None
