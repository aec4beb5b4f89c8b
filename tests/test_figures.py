"""Sizes and spans as people read them, and tables."""

from __future__ import annotations

import pytest

from logrouter.figures import counted, rounded_size, rounded_span, table


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.0KiB"),
        (1536, "1.5KiB"),
        (2**20 - 1, "1.0MiB"),
        (2**20, "1.0MiB"),
        (64 * 2**20, "64.0MiB"),
        (5 * 2**30, "5.0GiB"),
        (3 * 2**40, "3.0TiB"),
        (5000 * 2**40, "5000.0TiB"),
    ],
)
def test_sizes(size: int, shown: str) -> None:
    assert rounded_size(size) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (59.9, "59s"),
        (60, "1m00s"),
        (200, "3m20s"),
        (3600, "1h00m"),
        (7500, "2h05m"),
        (86_400, "1d0h"),
        (3 * 86_400 + 4 * 3600, "3d4h"),
    ],
)
def test_spans(seconds: float, shown: str) -> None:
    assert rounded_span(seconds) == shown


def test_counted() -> None:
    assert [counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]


def test_a_table() -> None:
    assert table(("NAME", "N", "LAST"), [("a", "100", "x"), ("longer", "1", "")], numbers=("N",)) == [
        "NAME      N  LAST",
        "a       100  x",
        "longer    1",
    ]
