"""Tracebacks as runtimes write them: the texts beside this file, by hand, and those in `made/`, by `regenerate.py`.

# source: CPython 3.11, run by hand
=== a title
! ["ValueError", "boom"]
> line of the first event, which holds this exception, its type and message
| another one of the same event
> line that begins the next event
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple


class Vector(NamedTuple):
    """Lines, and the events they are."""

    title: str
    events: tuple[bytes, ...]
    raised: dict[int, list[str]]
    """Which of them hold an exception, its type and message. Not told of those that were collected by hand."""
    is_made: bool

    @property
    def text(self) -> bytes:
        return b"\n".join(self.events) + b"\n"


def _read(path: Path) -> list[Vector]:
    vectors: list[Vector] = []
    title, events, raised = "", list[list[bytes]](), dict[int, list[str]]()
    for line in [*path.read_bytes().split(b"\n"), b"=== "]:
        mark, text = line[:1], line[2:]
        if mark == b"=":
            if events:
                vectors.append(
                    Vector(title, tuple(b"\n".join(event) for event in events), raised, path.parent.name == "made")
                )
            title, events, raised = f"{path.stem}: {line[4:].decode()}", [], {}
        elif mark == b"!":
            raised[len(events)] = json.loads(text)
        elif mark == b">":
            events.append([text])
        elif mark == b"|":
            events[-1].append(text)
    return vectors


_HERE = Path(__file__).parent
VECTORS = [
    vector for path in (*sorted(_HERE.glob("*.txt")), *sorted(_HERE.glob("made/*.txt"))) for vector in _read(path)
]
