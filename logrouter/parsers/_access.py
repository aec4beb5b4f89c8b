"""Access logs: the formats as their servers define them, and what makes fields of their lines.

A format is written as the server's own `LogFormat` or `log_format`, with our names for the fields. Two expressions come
out of it: the careful one, which is the definition, for a line decoded, and the quick one for a block (`_shapes.py`),
which knows neither escapes nor odd requests, nor clients that were asked who they are. What stands beside each other
and is mostly the same is one group there, and looked up: the user and the second, the protocol and the status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import msgspec

from logrouter import times
from logrouter.documents import Document, encode_document
from logrouter.memo import Memo
from logrouter.parsers._dates import MONTHS
from logrouter.parsers._escapes import unescaped
from logrouter.parsers._shapes import Column, Shape
from logrouter.possessive import portable

COMMON: Final = '{client} {identity} {user} [{time}] "{request}" {status} {size}'
"""Apache's `%h %l %u %t "%r" %>s %b` (https://httpd.apache.org/docs/2.4/logs.html#common)."""
COMBINED: Final = COMMON + ' "{referrer}" "{user_agent}"'
"""Apache's, and nginx's default (https://nginx.org/en/docs/http/ngx_http_log_module.html#log_format)."""
_OF_ENVOY: Final = '[{time}] "{request}" {status} {response_flags} '
_PROXIED: Final = (
    "{bytes_received} {bytes_sent} {duration_ms} {upstream_service_time}"
    ' "{forwarded_for}" "{user_agent}" "{request_id}" "{authority}" "{upstream_host}"'
)
FORMATS: Final[Mapping[str, str]] = {
    # Debian's apache2.conf
    "vhost_combined": "{vhost}:{port} " + COMBINED,
    "combined": COMBINED,
    # conf/nginx.conf of nginx itself
    "nginx_main": COMBINED + ' "{forwarded_for}"',
    # https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/
    "ingress_nginx": COMBINED + " {request_length} {request_time} [{proxy_upstream_name}]"
    " [{proxy_alternative_upstream_name}] {upstream_addr} {upstream_response_length} {upstream_response_time}"
    " {upstream_status} {req_id}",
    # https://doc.traefik.io/traefik/observability/access-logs/#format
    "traefik": COMBINED + ' {request_count} "{router}" "{server}" {duration_ms}ms',
    "common": COMMON,
    # https://github.com/rack/rack, lib/rack/common_logger.rb
    "rack": COMMON + " {request_time}",
    # https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage#default-format-string
    "envoy": _OF_ENVOY + _PROXIED,
    # https://istio.io/latest/docs/tasks/observability/logs/access-log/#default-access-log-format
    "istio": _OF_ENVOY + "{response_code_details} {connection_termination_details}"
    ' "{upstream_transport_failure_reason}" ' + _PROXIED + " {upstream_cluster} {upstream_local_address}"
    " {downstream_local_address} {downstream_remote_address} {requested_server_name} {route_name}",
}
"""In the order in which they are tried: what stands before the client could pass for one, and a user of two words."""
_QUICK_COMMON: Final = '{client} - {user_and_time} "{method} {path} {protocol_and_status} {size}'
"""What stands for `COMMON` in the quick way."""
_QUICK: Final = {COMMON: _QUICK_COMMON, '"{request}" {status}': '"{method} {path} {protocol_and_status}'}
_UNESCAPED: Final = ("traefik", "envoy", "istio")
"""Those that write everything as it is (https://github.com/traefik/traefik, pkg/middlewares/accesslog)."""

_NUMBER: Final = r"(?:[1-9][0-9]{0,17}|0)"
_PART: Final = re.compile(r"\{(\w+)\}")


class _Kind(NamedTuple):
    """How a field looks in a line: the careful expression and the quick one, with a group for what is not `-`."""

    careful: str
    quick: str = ""
    """In it NEXT stands for what follows the field. Default: the quick way knows the field only with others."""
    is_number: bool = False


def _number(careful: str, quick: str = _NUMBER) -> _Kind:
    return _Kind(f"-|{careful}", f"(?:-|({quick}))", is_number=True)


_WORD: Final = _Kind(r'[^ "]++', r'(?:-(?=NEXT)|([^\s"]++))')
_QUOTED: Final = _Kind(r'(?:[^"\\]++|\\.)*+', r'(?:-(?=NEXT)|([^"]*+))')
_BRACKETED: Final = _Kind(r"[^] ]*", r'(?:-(?=NEXT)|([^]\s"]*+))')
_WHOLE: Final = _number("[0-9]{1,18}")
_TRIED: Final = r"[^ ,]++(?:(?:, | : )[^ ,]++)*+"
"""Something of each server that nginx has asked, one after the other."""
_SECONDS: Final = r"(?:0|[1-9][0-9]{0,14})\.[0-9]{3,4}"
_KINDS: Final[Mapping[str, _Kind]] = {
    "vhost": _Kind(r'[^ ":]++', r"(?:-(?=NEXT)|([0-9A-Za-z_.%-]++))"),
    "port": _Kind("-|[0-9]{1,5}", "(0|[1-9][0-9]{0,4})", is_number=True),
    # never unknown: it tells an address from a vhost and its port
    "client": _Kind(r'(?!- )[^ "]++', "([0-9A-Za-z_.:%][0-9A-Za-z_.:%-]*+)"),
    # with the blanks that a user may have
    "user": _Kind(r'(?:[^"\\]|\\.){1,256}?'),
    "time": _Kind(r"[^]]{1,40}"),
    "request": _Kind(_QUOTED.careful),
    # Envoy writes 0 where nothing was answered
    "status": _Kind("-|0|[0-9]{3}", is_number=True),
    "size": _WHOLE,
    "referrer": _QUOTED,
    "user_agent": _QUOTED,
    "forwarded_for": _QUOTED,
    "request_length": _WHOLE,
    "request_time": _number(r"[0-9]{1,15}\.[0-9]{1,9}", _SECONDS),
    "proxy_upstream_name": _BRACKETED,
    "proxy_alternative_upstream_name": _BRACKETED,
    "upstream_addr": _Kind(_TRIED, r'(?:-(?=NEXT)|([^\s",]++))'),
    "upstream_response_length": _number(_TRIED),
    "upstream_response_time": _number(_TRIED, _SECONDS),
    "upstream_status": _number(_TRIED, "[1-9][0-9]{2}"),
    "request_count": _WHOLE,
    "router": _QUOTED,
    "server": _QUOTED,
    "duration_ms": _WHOLE,
    "bytes_received": _WHOLE,
    "bytes_sent": _WHOLE,
    "upstream_service_time": _WHOLE,
    "request_id": _QUOTED,
    "authority": _QUOTED,
    "upstream_host": _QUOTED,
    "upstream_transport_failure_reason": _QUOTED,
}
"""Those that are not words."""
_QUICK_KINDS: Final[Mapping[str, str]] = {
    "time": "([0-9T:.-]{20,40}+Z)",
    "user_and_time": r'((?:-|[^\s"\[]{1,256}+) \[[^]]{1,40}+)\]',
    "method": "([A-Z]{1,32}+)",
    # a single range takes half the time, and most paths are of it
    "path": r'([#-~]++[^\s"]*+)',
    "protocol_and_status": r'(HTTP/[0-9.]{1,16}+" (?:-|[1-9][0-9]{2}))',
}
"""Those that the quick way alone knows."""
_REQUEST_FIELDS: Final = ("method", "path", "protocol")


class AccessFormat:
    """One of `FORMATS`. Immutable."""

    def __init__(self, name: str) -> None:
        parts = _PART.split(FORMATS[name])
        self._fields = parts[1::2]
        between = [re.escape(text) for text in parts[::2]]
        careful = between[0]
        for field, text in zip(self._fields, between[1:], strict=True):
            careful += f"({_KINDS.get(field, _WORD).careful}){text}"
        self._careful = re.compile(portable(careful), re.DOTALL | re.ASCII)
        self._unescape = unescaped if name not in _UNESCAPED else str
        quick = FORMATS[name]
        for text, stand_in in _QUICK.items():
            quick = quick.replace(text, stand_in)
        self.shape = _shape(quick)

    def parse(self, line: str) -> bytes | None:
        """The JSON object that a line stands for, or None."""
        match = self._careful.fullmatch(line)
        if match is None:
            return None
        document: Document = {}
        for field, text in zip(self._fields, match.groups(), strict=True):
            if field == "time":
                try:
                    document[field] = utc_text(text)
                except ValueError:
                    return None
            elif field == "request":
                document.update(_request(self._unescape(text)))
            elif text not in ("-", ""):
                is_number = _KINDS.get(field, _WORD).is_number
                document[field] = _json_number(text) if is_number else self._unescape(text)
        return encode_document(document)


def _shape(log_format: str) -> Shape:
    parts = _PART.split(log_format)
    fields, between = parts[1::2], [re.escape(text) for text in parts[::2]]
    expression = between[0]
    for field, text in zip(fields, between[1:], strict=True):
        following = text[:1] if text[:1] != "\\" else text[:2]
        quick = _QUICK_KINDS.get(field) or _KINDS.get(field, _WORD).quick.replace("NEXT", following)
        expression += quick + text
    return Shape(expression.encode(), [_column(field) for field in fields])


def _column(field: str) -> Column:
    if field == "time":
        return Column(field, _JSON_TIMES.__getitem__)
    if field in _LOOKED_UP:
        return Column(field, _LOOKED_UP[field].__getitem__, part=b"%b")
    return Column(field, is_json=_KINDS.get(field, _WORD).is_number, may_lack=True)


def utc_text(text: str) -> str:
    """`10/Oct/2000:13:55:36 -0700` as `2000-10-10T20:55:36Z`, which it may be already. Raises ValueError."""
    match = _TIME.fullmatch(text)
    if match is not None:
        day, month, year, clock, zone = match.groups()
        text = f"{year}-{MONTHS[month]}-{day}T{clock}{zone}"
    elif not _TIME_OF_ENVOY.fullmatch(text):
        raise ValueError
    time_ns = times.parse(text)
    if time_ns is None:
        raise ValueError
    return times.format_rfc3339(time_ns)


_TIME: Final = re.compile(rf"([0-9]{{2}})/({'|'.join(MONTHS)})/([0-9]{{4}}):([0-9:]{{8}}) ([+-][0-9]{{4}})")
_TIME_OF_ENVOY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
_TIMES: Final = Memo[str, str](utc_text, 256)
_JSON_TIMES: Final = Memo[bytes, bytes](lambda text: b'"%b"' % utc_text(text.decode()).encode(), 4096)


def _user_and_time(text: bytes) -> bytes:
    """`- [10/Oct/2000:13:55:36 -0700` as members of an object, with a comma before each. Raises ValueError."""
    user, _, time = text.decode().partition(" [")
    return _members(({} if user == "-" else {"user": user}) | {"time": _TIMES[time]})


def _protocol_and_status(text: bytes) -> bytes:
    """The same of `HTTP/1.1" 200`."""
    protocol, _, status = text.decode().partition('" ')
    return _members({"protocol": protocol} | ({} if status == "-" else {"status": int(status)}))


def _members(document: Document) -> bytes:
    return b"," + encode_document(document)[1:-1]


_LOOKED_UP: Final[Mapping[str, Memo[bytes, bytes]]] = {
    "user_and_time": Memo(_user_and_time, 1024),
    "protocol_and_status": Memo(_protocol_and_status, 256),
}


def _request(text: str) -> Document:
    """The parts of a request line; where it is none, it stays whole."""
    if text == _NO_REQUEST:
        return {}
    match = _REQUEST_LINE.fullmatch(text)
    if match is not None:
        return {name: part for name, part in zip(_REQUEST_FIELDS, match.groups(), strict=True) if part}
    return {"request": text} if text not in ("-", "") else {}


_NO_REQUEST: Final = "- - -"
"""What Envoy writes of a connection that is none of HTTP."""


_REQUEST_LINE: Final = re.compile(r"([A-Za-z_-]{1,32}) ([^ ].*?)(?: (HTTP/[0-9.]+))?", re.DOTALL)
"""Method, path and protocol: HTTP/0.9 had none, and some clients leave blanks in the path."""


def _json_number(text: str) -> msgspec.Raw | str:
    """A number with the digits that it has; a text where it is something else."""
    if _JSON_NUMBER.fullmatch(text):
        return msgspec.Raw(text.encode())
    return msgspec.Raw(b"%d" % int(text)) if _DIGITS.fullmatch(text) else text


_DIGITS: Final = re.compile("[0-9]{1,18}")
_JSON_NUMBER: Final = re.compile(_NUMBER + r"(?:\.[0-9]{1,18})?")
