"""Tracebacks as runtimes write them: the texts beside this file, made by programs, or taken from documentation.

# source: CPython 3.11, run by hand
=== a title
| line of the first event
| another one of the same event
> line that begins the next event
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Vector(NamedTuple):
    """Lines, and the events they are."""

    title: str
    events: tuple[bytes, ...]

    @property
    def text(self) -> bytes:
        return b"\n".join(self.events) + b"\n"


def _read(path: Path) -> list[Vector]:
    vectors: list[Vector] = []
    title, events = "", list[list[bytes]]()
    for line in [*path.read_bytes().split(b"\n"), b"=== "]:
        mark, text = line[:1], line[2:]
        if mark == b"=":
            if events:
                vectors.append(Vector(title, tuple(b"\n".join(event) for event in events)))
            title, events = f"{path.stem}: {line[4:].decode()}", []
        elif mark == b">":
            events.append([text])
        elif mark == b"|":
            events[-1].append(text)
    return vectors


VECTORS = [vector for path in sorted(Path(__file__).parent.glob("*.txt")) for vector in _read(path)]
