"""Files as container runtimes write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hypothesis import strategies as st


class Written(NamedTuple):
    """What a container wrote at once, or the runtime took at once."""

    stream: str
    content: bytes
    second: int = 0
    ends: bool = True
    """With a newline; else its line goes on."""


def time_of(second: int) -> str:
    return f"2026-01-31T23:59:{second:02d}.5Z"


def cri(written: Written) -> bytes:
    tag = "F" if written.ends else "P"
    return f"{time_of(written.second)} {written.stream} {tag} ".encode() + written.content + b"\n"


def docker(written: Written) -> bytes:
    log = written.content.decode() + ("\n" if written.ends else "")
    return json.dumps({"log": log, "stream": written.stream, "time": time_of(written.second)}).encode() + b"\n"


FORMATS: dict[str, Callable[[Written], bytes]] = {"cri": cri, "docker": docker}


def contents(writings: Sequence[Written]) -> dict[str, bytes]:
    """What came to each stream in all."""
    return {
        name: b"".join(one.content + b"\n" * one.ends for one in writings if one.stream == name)
        for name in ("stdout", "stderr")
    }


_CONTENTS = st.sampled_from([b"a", b"", b"one two", b"\xc3\xa9", b"2026 stdout F x", b'{"a":1}', b"x" * 70, b"y" * 200])


def writings(most: int = 30) -> st.SearchStrategy[list[Written]]:
    """Streams in long and short turns, whole lines and parts of them, times that go on and stand still."""
    one = st.builds(Written, st.sampled_from(["stdout"] * 3 + ["stderr"]), _CONTENTS, st.just(0), st.booleans())

    def timed(made: list[tuple[Written, int]]) -> list[Written]:
        second = 0
        found = []
        for written, step in made:
            second = min(59, second + step)
            found.append(written._replace(second=second))
        return found

    return st.lists(st.tuples(one, st.sampled_from([0, 0, 0, 1])), max_size=most).map(timed)
