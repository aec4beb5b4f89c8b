"""CRI: what kubelet has containerd and CRI-O write of a container, one line at a time.

    - parse: cri
    < 2026-11-29T23:44:26.123456789Z stdout F ready
    > {"time":"2026-11-29T23:44:26.123456789Z","message":"ready","stream":"stdout"}
    < 2026-11-30T00:44:26.5+01:00 stderr P the beginning of a long li
    > {"time":"2026-11-29T23:44:26.5Z","message":"the beginning of a long li","stream":"stderr","partial":true}

A line that the runtime has cut (P) is `partial`; all but its last piece are. For the files of a node there is the
source `cri`, which joins the pieces, knows pod and container, and reads what is in a line as if there were no runtime;
this parser is for such lines that come another way. What is in `message` the step `parse` takes apart.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from logrouter.container_logs import Cri as CriFormat
from logrouter.parsers import Looks, Parser, ParserConfig
from logrouter.parsers._instants import utc_second

_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class CriConfig(ParserConfig, frozen=True):
    """It has no options."""


class ContainerEvent(msgspec.Struct, omit_defaults=True, gc=False):
    """What a runtime tells of a line."""

    time: str
    message: str
    stream: str
    partial: bool = False
    attrs: dict[str, str] | None = None


class Cri(Parser[CriConfig]):
    """The format of `logrouter.container_logs`."""

    Config = CriConfig
    looks = Looks(
        rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (?:stdout|stderr) [FP](?:[: ]|(?![^\n]))",
        rank=10,
    )

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        parts = CriFormat.split(line)
        time = parts and utc_time(parts[0].decode("latin-1"))
        if not parts or not time:
            return None
        _, stream, tag, content = parts
        return encode(ContainerEvent(time, content.decode("utf-8", "replace"), stream.decode(), partial=tag == b"P"))


encode = msgspec.json.Encoder().encode


def utc_time(text: str) -> str | None:
    """RFC 3339 in UTC; None where it is no time."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    try:
        return f"{utc_second(match[1], match[3])}{match[2] or ''}Z"
    except ValueError:
        return None
