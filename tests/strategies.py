"""Hypothesis strategies: hostile streams and events, cut anywhere."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st


def chunked(data: bytes) -> st.SearchStrategy[list[bytes]]:
    """The same bytes in pieces, cut anywhere: what reads of a pipe may give."""

    def cut(places: list[int]) -> list[bytes]:
        edges = [0, *sorted(set(places)), len(data)]
        return [data[start:end] for start, end in pairwise(edges) if start < end]

    return st.lists(st.integers(0, len(data)), max_size=8).map(cut)


FIELD_NAMES = (
    "level",
    "severity",
    "http",
    "http.status",
    "status",
    "a",
    "a.b",
    "b",
    "c",
    "message",
    "path",
    "ok",
    "time",
)
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 200, 404, 500, 2**63, 2**64, 10**30, 0.0, 1.0, 500.5, 1e300]),
    st.sampled_from(
        ["", "error", "info", "W", "500", "1", "é", "\u2028", '"', "\\", "a\nb", "\x00", "2026-11-23T10:00:00Z"]
    ),
)
values = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELD_NAMES), inner, max_size=3),
    max_leaves=6,
)
documents = st.dictionaries(st.sampled_from(FIELD_NAMES), values, max_size=6)
"""JSON objects in which dotted and nested keys, scalars and containers meet under the same names."""


def _as_json(document: dict[str, Any], style: int) -> bytes:
    if style == 0:
        return json.dumps(document).encode()
    if style == 1:
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    text = json.dumps(document, indent=None, separators=(" , ", " : "))
    return f"  {text} \t".encode() if style == 2 else text.replace('"level"', '"\\u006cevel"').encode()


json_lines = st.builds(_as_json, documents, st.integers(0, 3))
hostile_lines = st.sampled_from(
    [
        b'{"a":1}{"b":2}',
        b'{"a":1e400}',
        b'{"z":1e400,"level":"error"}',
        b'{"z":1e99999999999999999999,"level":"error"}',
        b'{"a":18446744073709551616}',
        b'{"a":NaN}',
        b'{"level":"\\ud800"}',
        b'{"level":"error","level":"info"}',
        b'{"http":{"status":500},"http":{"x":1}}',
        b'{"http.status":1,"http":{"status":2}}',
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"level":"\xff"}',
        b'{"\xff":"error"}',
        b'\xef\xbb\xbf{"level":"error"}',
        b"{}",
        b"{",
        b"{main} started",
        b"[1]",
        b'"error"',
        b"null",
        b"  at java.lang.Thread.run",
        b"\x00\x01\x02\xfe\xff",
        b'{"level":"error"}\x00',
        b'{"level":"error"}\r',
        b'\r{"level":"error"}',
        b'{"level":["error"],"status":[500]}',
        b'{"level":{"x":1},"status":{"y":[1]}}',
        b'{"ok":true,"status":1}',
        b'{"ok":1,"status":true}',
        b'{"ok":1.0,"status":200.0}',
        "tëxt with “quotes” and \t tabs".encode(),
    ]
)
text_lines = st.binary(min_size=1, max_size=30).map(lambda line: line.replace(b"\n", b"."))
lines = st.one_of(json_lines, hostile_lines, text_lines)
"""One line of anything, without its newline; never empty."""


def tens(what: str, part: int, whole: int) -> str:
    """A share in steps of ten percent, for `event`: seen with `--hypothesis-show-statistics`."""
    return f"{what}: {10 * part // max(whole, 1) * 10:3} %"
