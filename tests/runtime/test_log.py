"""logrouter's own log: what is said, how often, and in which form."""

from __future__ import annotations

import os

import orjson
import pytest

from logrouter.runtime.log import LEVELS, RATE_LIMIT_SECONDS, Log, write_stderr


class Written:
    """Collects lines, and is the clock."""

    def __init__(self, level: str = "debug", *, pretty: bool = False) -> None:
        self.lines: list[bytes] = []
        self.now = 1_795_428_000.25
        self.log = Log(level, pretty=pretty, write=self.lines.append, clock=lambda: self.now)

    @property
    def events(self) -> list[dict[str, object]]:
        return [orjson.loads(line) for line in self.lines]


def test_an_event_is_like_any_other() -> None:
    written = Written()
    written.log.error("cannot deliver", sink="es", reason="connection refused", events=3)

    assert b"".join(written.lines) == (
        b'{"time":"2026-11-23T10:00:00.250Z","severity":"error","message":"cannot deliver",'
        b'"service.name":"logrouter","sink":"es","reason":"connection refused","events":3}\n'
    )


@pytest.mark.parametrize("level", LEVELS)
def test_levels(level: str) -> None:
    written = Written(level)
    for name in LEVELS:
        getattr(written.log, name)(f"a message at {name}")

    assert [event["severity"] for event in written.events] == list(LEVELS[LEVELS.index(level) :])


def test_the_same_message_is_said_once_a_minute() -> None:
    written = Written()
    for second in range(125):
        written.now = 1_000_000.0 + second
        written.log.error("cannot deliver", sink="es", reason=f"try {second}")

    assert [(event["reason"], event.get("repeated")) for event in written.events] == [
        ("try 0", None),
        ("try 60", 59),
        ("try 120", 59),
    ]


def test_after_a_quiet_time_nothing_was_kept_back() -> None:
    written = Written()
    for _ in range(3):
        written.log.warning("slow")
        written.now += RATE_LIMIT_SECONDS

    assert [event.get("repeated") for event in written.events] == [None, None, None]


def test_the_limit_is_for_each_message_and_what_it_is_about() -> None:
    written = Written()
    for _ in range(2):
        written.log.error("cannot deliver", sink="a")
        written.log.error("cannot deliver", sink="b")
        written.log.error("cannot close", sink="a")
        written.log.error("cannot read", source="a")
        written.log.error("cannot read", source="b")

    assert [(event["message"], event.get("sink", event.get("source"))) for event in written.events] == [
        ("cannot deliver", "a"),
        ("cannot deliver", "b"),
        ("cannot close", "a"),
        ("cannot read", "a"),
        ("cannot read", "b"),
    ]


def test_what_is_below_the_level_is_not_counted_as_kept_back() -> None:
    written = Written("error")
    written.log.info("x")
    written.log.error("x")

    assert [event.get("repeated") for event in written.events] == [None]


def test_pretty() -> None:
    written = Written(pretty=True)
    written.log.warning("events discarded", sink="es", events=12)
    written.log.info("ready")

    assert written.lines == [
        "logrouter: warning: events discarded · sink=es events=12\n".encode(),
        b"logrouter: info: ready\n",
    ]


def test_anything_can_be_a_field() -> None:
    written = Written()
    written.log.error("odd", path=os.PathLike, error=ValueError("bad"), text="\x1b[31m\n", number=1.5)

    (event,) = written.events
    assert (event["error"], event["text"], event["number"]) == ("bad", "\x1b[31m\n", 1.5)
    assert written.lines[0].count(b"\n") == 1
    assert b"\x1b" not in written.lines[0]


def test_pretty_lines_do_not_drive_the_terminal() -> None:
    written = Written(pretty=True)
    written.log.error("cannot deliver", sink="a", reason="no folder \x1b[2J\nlogrouter: all is well\udcff")

    assert written.lines == [
        b"logrouter: error: cannot deliver \xc2\xb7 sink=a reason=no folder \\x1b[2J\\nlogrouter: all is well\\udcff\n"
    ]


@pytest.mark.parametrize("field", ["half \udcff", {"a": "\ud800"}, 2**80, {1: 2}, {"set"}, b"\xff"])
def test_no_field_is_a_reason_to_fail(field: object) -> None:
    written = Written()
    written.log.error("odd", sink="a", field=field)

    (event,) = written.events
    assert (event["message"], event["sink"]) == ("odd", "a")


@pytest.mark.parametrize("fault", ["closed", "nobody reads"])
def test_a_stderr_that_takes_nothing_does_no_harm(fault: str) -> None:
    kept = os.dup(2)
    reading, writing = os.pipe()
    try:
        os.close(reading)
        os.dup2(writing, 2) if fault == "nobody reads" else os.close(2)
        write_stderr(b"to nobody\n")
        Log().error("to nobody")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(writing)


def test_lines_reach_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    Log(pretty=True).warning("said", sink="a")

    assert capfd.readouterr() == ("", "logrouter: warning: said · sink=a\n")
