"""What every parser of layouts keeps to, and the lines of each."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers._colours import without_colours
from logrouter.parsers._layouts import LayoutsParser
from logrouter.possessive import portable

RECEIVED_NS = 1_795_996_800_000_000_000
"""2026-11-30T00:00:00Z."""
Vectors = list[tuple[str, dict[str, Any]]]
MESSAGES = st.from_regex(r'[A-Za-z"\\é][A-Za-z"\\é=,{}\t ]{0,30}[A-Za-z"é]', fullmatch=True)
"""Some of what apps say."""
_LINES = Path(__file__).parent / "lines"
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|(.))")


def vectors(name: str) -> Vectors:
    """What `lines/NAME.txt` holds: lines behind `<`, with escapes for what would not be seen, and their fields behind
    `>`."""
    rows = [row for row in (_LINES / f"{name}.txt").read_text().splitlines() if row[:1] in ("<", ">")]
    return [
        (_ESCAPE.sub(_character, before[2:]), json.loads(after[2:]))
        for before, after in zip(rows[::2], rows[1::2], strict=True)
    ]


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else {"n": "\n", "t": "\t", "\\": "\\"}[match[2]]


def parsed(parser: LayoutsParser[Any], line: str | bytes, received_ns: int = RECEIVED_NS) -> Any:
    """The fields of a line, or None. The same whether it comes alone or in a block."""
    raw = line.encode() if isinstance(line, str) else line
    made = parser.parse(raw, received_ns)
    assert list(parser.parse_all([raw] * 9, b"\n".join([raw] * 9), received_ns)) == [made] * 9
    return made and json.loads(made)


def is_quick(parser: LayoutsParser[Any], lines: list[str]) -> bool:
    """Whether none of some lines must go the careful way. The parser is of no use any more."""
    careful: list[bytes] = []

    def parse(line: bytes, received_ns: int) -> bytes | None:
        careful.append(line)
        return None

    raw = [line.encode() for line in lines]
    parser.parse = parse  # type: ignore[method-assign]
    parser.parse_all(raw, b"\n".join(raw), RECEIVED_NS)
    return not careful


def nearly(lines: Sequence[str]) -> st.SearchStrategy[bytes]:
    """One of the lines, perhaps with something put into it or left out."""

    @st.composite
    def changed(draw: st.DrawFn) -> bytes:
        line = draw(st.sampled_from(lines)).encode()
        for _ in range(draw(st.integers(0, 2))):
            place, length = draw(st.integers(0, len(line))), draw(st.integers(0, 3))
            line = line[:place] + draw(_PUT_IN) + line[place + length :]
        return line

    return changed()


_PUT_IN = st.sampled_from([
    b"", b'"', b"'", b"\\", b" ", b"-", b"\xff", b"\t", b"[", b"]", b"(", b": ", b" - ", b"=", b" a=b", b"\n", b"\r",
    b"\xc3\xa9", b"0", b"00", b"\x1b[0m", b"INFO", b"ERROR ", b"x.y", b"::", b"{", b"}", b"\x7f", b"\x00",
])  # fmt: skip


def keeps_to_it(parser: LayoutsParser[Any], vectors: Vectors) -> None:
    """Asserts for lines that are nearly those of the vectors: the quick way gives what the careful one does; no line is
    of two layouts; and each that is taken begins as the parser says that its lines begin."""
    begin = re.compile(portable(parser.looks.begin)) if parser.looks else None

    @given(st.lists(nearly([line for line, _ in vectors]), min_size=1, max_size=8))
    @settings(deadline=None)
    def check(lines: list[bytes]) -> None:
        made = [parser.parse(line, RECEIVED_NS) for line in lines]
        assert list(parser.parse_all(lines, b"\n".join(lines), RECEIVED_NS)) == made
        for line, one in zip(lines, made, strict=True):
            plain = without_colours(line)
            text = plain.decode("utf-8", "replace")
            read = [layout.read(text, parser._times) is not None for layout in parser.layouts]
            assert sum(read) <= 1
            if one is not None and begin is not None and text[:1] != "{":
                assert begin.match(plain)

    check()
