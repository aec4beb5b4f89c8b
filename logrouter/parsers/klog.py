r"""klog, as Kubernetes and what is built for it logs, and glog, which it comes from.

    - parse: klog
    < I1129 23:44:26.1 12 a.go:7] ready
    > {"time":"2025-11-29T23:44:26.1Z","level":"info","message":"ready","threadid":12,"file":"a.go","line":7}
    < E1129 23:44:26 12 a.go:7] "Failed" n=3
    > {"time":"2025-11-29T23:44:26Z","level":"error","message":"Failed","threadid":12,"file":"a.go","line":7,"n":3}

The fields are named as klog names the parts of its header. Where the message stands in quotation marks and keys and
values follow (`InfoS`, `ErrorS`), these are fields: what klog writes in quotation marks is text, all else a number, a
truth or JSON where it is one. A key that comes twice, or is one of the header's, gets a number, `line#2`.

Values and messages of several lines are one event with `multiline: {start: '^[IWEF]\d{4} '}`.

A time without a year is the latest such time that is at most a day ahead; `I20261129`, of newer versions of glog, has
one. It is a local time of `timezone`. `I0000 00:00:1732923866.123456`, what Abseil writes before it knows its zone, is
one in seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from logrouter.documents import Document, Names, encode_document
from logrouter.memo import Memo
from logrouter.parsers import Looks, ParserConfig
from logrouter.parsers._dates import zone_named
from logrouter.parsers._instants import RecentSeconds, local_second, recent_second, second_of
from logrouter.parsers._klog_pairs import Pair, pairs_of, value_of
from logrouter.parsers._shapes import ESCAPED, Column, Shape, ShapedParser, escaped
from logrouter.parsers._types import json_of

LEVELS: Final = {"I": "info", "W": "warning", "E": "error", "F": "fatal"}
_LINE: Final = re.compile(
    r"(?P<level>[IWEF])(?P<day>(?:(?:19|20)\d\d)?\d{4}) (?P<clock>\d\d:\d\d:(?:\d\d|(?P<unix>\d{9,11})))"
    r"(?P<fraction>\.\d++)? +(?P<threadid>\d{1,18}) (?P<file>[^\s\]]{1,256}):(?P<line>\d{1,9}) ?\] ?(?P<message>.*)",
    re.DOTALL | re.ASCII,
)
"""FormatHeaderPre of https://github.com/kubernetes/klog, internal/buffer/buffer.go; the year is of
https://github.com/google/glog, src/logging.cc."""
_HEADER: Final = ("time", "level", "message", "threadid", "file", "line")
_SHAPES: Final = 256
_SECOND_NS: Final = 1_000_000_000


class KlogConfig(ParserConfig, frozen=True, kw_only=True):
    """It needs no options."""

    timezone: str = "UTC"
    """The zone of the times, by its IANA name, such as `Europe/Stockholm`."""


class _Skeleton(NamedTuple):
    """What the lines of a shape have in common."""

    has_year: bool
    pieces: tuple[bytes, ...]
    """Of a structured message: what stands before each value, and at last what stands behind them all."""
    keys: tuple[bytes, ...]


class Klog(ShapedParser[KlogConfig]):
    """Takes what has the whole header."""

    Config = KlogConfig
    looks = Looks(
        rb"[IWEF](?:(?:19|20)\d\d)?[01]\d[0-3]\d \d\d:\d\d:\d{2,11}(?:\.\d++)? +\d{1,18} [^\s\]]{1,1024}:\d{1,9} ?\]",
        rank=10,
    )

    escaped = ESCAPED - {ord("\\")}  # which is in messages alone

    def __init__(self, config: KlogConfig) -> None:
        super().__init__(config)
        self._zone = zone_named(config.timezone)
        self._yearless = RecentSeconds(_split, self._zone)
        self._of_years = Memo[bytes, bytes](lambda text: self._with_year(text.decode()).encode(), 256)
        self._shapes = Memo(self._shape, _SHAPES)

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        match = _LINE.fullmatch(line.decode("utf-8", "replace"))
        if match is None:
            return None
        try:
            second = self._second(match, received_ns)
        except ValueError:
            return None
        message = match["message"]
        document: Document = {
            "time": f"{second}{match['fraction'] or ''}Z",
            "level": LEVELS[match["level"]],
            "message": message,
            "threadid": int(match["threadid"]),
            "file": match["file"],
            "line": int(match["line"]),
        }
        if pairs := pairs_of(message):
            document["message"] = pairs[0].value
            names = Names(_HEADER)
            document |= {names.unused(pair.key): pair.value for pair in pairs[1:]}
        if not document["message"]:
            del document["message"]
        return encode_document(document)

    def _second(self, match: re.Match[str], received_ns: int) -> str:
        """Raises ValueError."""
        day, clock = match["day"], match["clock"]
        if match["unix"]:
            if not day.endswith("0000"):
                raise ValueError
            return second_of(int(match["unix"]) * _SECOND_NS)
        if len(day) == len("1129"):
            return recent_second(*_split(f"{day} {clock}"), self._zone, received_ns)
        return self._with_year(f"{day} {clock}")

    def _with_year(self, text: str) -> str:
        """Raises ValueError."""
        return local_second(int(text[:4]), *_split(text[4:]), self._zone)

    def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> Sequence[bytes | None]:
        self._yearless.received_at(received_ns)
        return super().parse_all(lines, block, received_ns)

    def shape_of(self, line: bytes) -> Shape | None:
        match = _LINE.fullmatch(line.decode("latin-1"))  # so that places are those of bytes
        if match is None or match["unix"]:
            return None
        has_year = len(match["day"]) > len("1129")
        message = match["message"]
        if message[:1] != '"':
            return self._shapes[_Skeleton(has_year, (), ())]
        pairs = pairs_of(message)
        skeleton = pairs and _skeleton(has_year, message, pairs)
        return self._shapes[skeleton] if skeleton else None

    def _shape(self, skeleton: _Skeleton) -> Shape:
        """Groups: level, day and clock, fraction, thread, file, line, and the message or its parts."""
        has_year, pieces, keys = skeleton
        seconds = self._of_years if has_year else self._yearless
        expression = (
            rb"([IWEF])([0-9]{%d} [0-9:]{8})(\.[0-9]++)? +(0|[1-9][0-9]{0,17}) " % (8 if has_year else 4)
            + rb'([^\s":\]\\]{1,256}):(0|[1-9][0-9]{0,8})\] '
        )
        columns = [
            Column("time", seconds.__getitem__, group=1, part=b',"time":"%b'),
            Column("time", group=2, part=b'%bZ"'),
            Column("level", _JSON_OF_LEVEL.__getitem__, group=0),
            Column("message", may_lack=True, at_once=None if pieces else escaped, group=6),
            Column("threadid", is_json=True, group=3),
            Column("file", group=4),
            Column("line", is_json=True, group=5),
        ]
        if not pieces:
            return Shape(expression + rb'((?!")[^\n]*+)', columns)
        expression += re.escape(pieces[0]) + rb'([^"\\]*+)'
        for number, (key, piece) in enumerate(zip(keys, pieces[1:], strict=False), 7):
            is_quoted = piece.endswith(b'"')
            expression += re.escape(piece) + (rb'([^"\\]*+)' if is_quoted else rb'([^\s"\[\]{}\\]++)')
            columns.append(Column(key.decode(), None if is_quoted else _JSON_OF_VALUE, group=number))
        return Shape(expression + re.escape(pieces[-1]), columns)


def _split(text: str) -> tuple[int, int, str]:
    """Month, day and clock of `1129 23:44:26`. Raises ValueError."""
    return int(text[:2]), int(text[2:4]), text[5:]


def _skeleton(has_year: bool, message: str, pairs: list[Pair]) -> _Skeleton | None:
    """None where a name comes twice, or a value is of the careful way."""
    keys = [pair.key for pair in pairs[1:]]
    if len({*_HEADER, *keys}) < len(_HEADER) + len(keys):
        return None
    if not all(pair.is_quoted or _PLAIN.fullmatch(message, pair.start, pair.end) for pair in pairs):
        return None
    ends = [0, *(pair.end for pair in pairs)]
    starts = [*(pair.start for pair in pairs), len(message)]
    pieces = tuple(message[end:start].encode("latin-1") for end, start in zip(ends, starts, strict=True))
    return _Skeleton(has_year, pieces, tuple(key.encode("latin-1") for key in keys))


_PLAIN: Final = re.compile(r'[^\s"\[\]{}\\]++', re.ASCII)
_JSON_OF_LEVEL: Final = {letter.encode(): b'"%b"' % word.encode() for letter, word in LEVELS.items()}
_JSON_OF_VALUE: Final = json_of(value_of)
