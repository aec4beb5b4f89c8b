"""What lines cost that are made to be dear: for each parser the worst of those that its contract test knows.

Linear time means that a KiB costs the same however long the line is; squared, it would cost four times as much in a
line of four times the length.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time_ns
from typing import Any

from logrouter.parsers import Parser
from tests.contracts.test_parsers import EXAMPLE_OPTIONS, NAMES, PIECES, RECEIVED_NS, STARTS, parser_of

SHORT_BYTES = 16 * 1024
LONG_BYTES = 64 * 1024
ROUNDS = 3
LINES = [(start, piece) for start in STARTS for piece in PIECES]
"""How lines begin, and what is repeated after that."""


def hostile() -> Iterator[str]:
    """By parser: what a KiB of the dearest long line costs, and of the short one that is made alike."""
    yield f"| parser | the dearest line | µs a KiB, {SHORT_BYTES >> 10} KiB | {LONG_BYTES >> 10} KiB | growth |"
    yield "|---|---|--:|--:|--:|"
    for name in NAMES:
        short, long, line = max(
            (_cost(parser, start, piece) for parser in map(parser_of, EXAMPLE_OPTIONS[name]) for start, piece in LINES),
            key=lambda cost: cost[1],
        )
        yield f"| `{name}` | `{line}` | {short:.1f} | {long:.1f} | {long / short:.2f} |"


def _cost(parser: Parser[Any], start: bytes, piece: bytes) -> tuple[float, float, str]:
    """Of a KiB in a short line and in a long one, in µs, and what they are."""
    short, long = (start + piece * (size // len(piece)) for size in (SHORT_BYTES, LONG_BYTES))
    shown = f"{start!r} and {piece!r}, again and again".replace("|", "\\|").replace("b'", "'")
    return _micros_a_kib(parser, short), _micros_a_kib(parser, long), shown


def _micros_a_kib(parser: Parser[Any], line: bytes) -> float:
    spent = []
    for _ in range(ROUNDS):
        began = process_time_ns()
        parser.parse_all([line], line, RECEIVED_NS)
        spent.append(process_time_ns() - began)
    return min(spent) / 1000 / (len(line) / 1024)
