"""Lines of redis-server 7.0, and what the sources of Redis and Valkey say (serverLogRaw of src/server.c)."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers._layouts import LayoutsConfig
from logrouter.parsers.redis import LEVELS, ROLES, Redis
from tests.parsers.layouts import MESSAGES, is_quick, parsed, vectors

PARSER = Redis(LayoutsConfig())
VECTORS = vectors("redis")


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "20999:M 30 Nov 2026 00:16:45.625 hello",
        "20999:Q 30 Nov 2026 00:16:45.625 * x",
        "20999:M 31 Nov 2026 00:16:45.625 * x",
        "020999:M 30 Nov 2026 00:16:45.625 * x",
        "20999:M 30 Nov 2026 00:16:45.625 *x",
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


@given(
    st.integers(1, 4_194_304),
    st.sampled_from(sorted(ROLES)),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
    st.sampled_from(sorted(LEVELS)),
    MESSAGES,
)
@settings(deadline=None)
def test_what_redis_writes_is_what_is_parsed(pid: int, role: str, time: datetime, sign: str, message: str) -> None:
    clock = f"{time:%H:%M:%S}.{time.microsecond // 1000:03d}"
    milliseconds = f".{time.microsecond // 1000:03d}" if time.microsecond >= 1000 else ""
    assert parsed(PARSER, f"{pid}:{role} {time:%d %b} {time.year:04d} {clock} {sign} {message}") == {
        "time": f"{time.year:04d}-{time:%m-%dT%H:%M:%S}{milliseconds}Z",
        "level": LEVELS[sign],
        "message": message,
        "pid": pid,
        "role": ROLES[role],
    }


def test_times_are_of_the_zone_that_is_named() -> None:
    parser = Redis(LayoutsConfig(timezone="Europe/Stockholm"))
    assert parsed(parser, "1:M 30 Nov 2026 00:16:41.709 * x")["time"] == "2026-11-29T23:16:41.709Z"
    assert parsed(parser, "1:M 1795997805814 * x")["time"] == "2026-11-30T00:16:45.814Z"


def test_the_quick_way_takes_what_is_usual() -> None:
    assert is_quick(Redis(LayoutsConfig()), [line for line, _ in VECTORS if " Dec " not in line])
