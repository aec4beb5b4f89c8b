"""Figures for people: sizes and spans of time, rounded, and tables of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Final

_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_GAP: Final = "  "


def rounded_size(size_bytes: int) -> str:
    """Bytes as `512B`, `1.5KiB`, `64.0MiB`."""
    if size_bytes < 1024:
        return f"{size_bytes}B"
    size = float(size_bytes)
    units = iter(_UNITS)
    unit = ""
    while size >= 1023.95 and unit != _UNITS[-1]:  # what would be shown as 1024.0
        size, unit = size / 1024, next(units)
    return f"{size:.1f}{unit}"


def rounded_span(seconds: float) -> str:
    """A span of time by its two largest units: `0s`, `12s`, `3m20s`, `2h05m`, `3d4h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600}h"


def to_the_second(time: str | None) -> str:
    """A time as RFC 3339 in UTC, without the fraction of its second. None: `-`."""
    return "-" if time is None else f"{time[:19]}Z" if time[:1].isdigit() else time


def counted(number: int, noun: str) -> str:
    """`1 event`, `2 events`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], numbers: Collection[str] = ()) -> list[str]:
    """Lines of columns as wide as they must be. `numbers`: the titles of those that stand at the right."""
    lines = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = [title in numbers for title in titles]
    return [
        _GAP.join(
            text.rjust(width) if is_right else text.ljust(width)
            for text, width, is_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    ]
