"""logrouter's own log: what is said, how often, and in which form."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import orjson
import pytest

from logrouter.runtime.log import LEVELS, LINE_BYTES, RATE_LIMIT_SECONDS, Log, write_stderr


class Written:
    """Collects lines, and is the clock."""

    def __init__(self, level: str = "debug", *, pretty: bool = False) -> None:
        self.lines: list[bytes] = []
        self.now = 1_795_428_000.25
        self.passed = 0.0
        """Seconds by the clock that never goes back."""
        self.full = False
        self.log = Log(level, pretty=pretty, write=self._write, clock=lambda: self.now, monotonic=lambda: self.passed)

    def _write(self, line: bytes) -> None:
        if self.full:
            raise BlockingIOError
        self.lines.append(line)

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


def test_that_it_is_over_is_said_as_often_as_that_it_is_wrong() -> None:
    written = Written()

    def trouble(begin: float, end: float) -> None:
        for second in range(int(begin), int(end)):
            written.passed = float(second)
            written.log.error("cannot deliver", sink="es")
        written.passed = end
        written.log.over("delivering again", trouble="cannot deliver", sink="es")
        written.log.over("delivering again", trouble="cannot deliver", sink="loki")

    trouble(0, 10)
    trouble(20, 30)  # within the minute: of neither is said anything
    trouble(50, 65)  # and this one lasts longer: both are
    said = [(event["message"], event.get("repeated")) for event in written.events]
    assert said == [
        ("cannot deliver", None),
        ("delivering again", None),
        ("cannot deliver", 9 + 10 + 10),
        ("delivering again", None),
    ]
    assert {event["sink"] for event in written.events} == {"es"}


def test_that_it_is_over_is_said_once_it_can_be_and_at_its_level() -> None:
    written = Written()
    written.log.error("cannot deliver", sink="es")
    written.full = True
    written.log.over("delivering again", trouble="cannot deliver", sink="es")
    written.full = False
    written.log.over("delivering again", trouble="cannot deliver", sink="es")
    assert [event["message"] for event in written.events] == [
        "cannot deliver",
        "log lines could not be written",
        "delivering again",
    ]
    written.log.set_level("error")
    written.passed = 100.0
    written.log.error("cannot deliver", sink="es")
    written.log.over("delivering again", trouble="cannot deliver", sink="es")
    assert written.events[-1]["message"] == "cannot deliver"


def test_the_same_message_is_said_once_a_minute() -> None:
    written = Written()
    for second in range(125):
        written.passed = float(second)
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
        written.passed += RATE_LIMIT_SECONDS

    assert [event.get("repeated") for event in written.events] == [None, None, None]


def test_a_clock_that_is_set_back_silences_nothing() -> None:
    written = Written()
    written.log.error("cannot deliver")
    written.now -= 3600
    written.passed += RATE_LIMIT_SECONDS
    written.log.error("cannot deliver")

    assert len(written.events) == 2


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


def test_several_things_of_one_sink_are_told_apart_by_what_they_are_about() -> None:
    written = Written()
    for _ in range(2):
        written.log.warning("events were refused", about="too_long", sink="a", reason="too_long")
        written.log.warning("events were refused", about="too_old", sink="a", reason="too_old")
        written.log.warning("events were refused", about="too_old", sink="b", reason="too_old")
    written.passed += RATE_LIMIT_SECONDS
    written.log.warning("events were refused", about="too_old", sink="a", reason="too_old")

    assert [(event["sink"], event["reason"], event.get("repeated")) for event in written.events] == [
        ("a", "too_long", None),
        ("a", "too_old", None),
        ("b", "too_old", None),
        ("a", "too_old", 1),
    ]
    assert all("about" not in event for event in written.events)


def test_what_was_said_longest_ago_is_forgotten() -> None:
    written = Written()
    for number in range(3000):
        written.log.warning("cannot read", about=f"/logs/{number}", source="apps")
    written.log.warning("cannot read", about="/logs/2999", source="apps")
    assert len(written.lines) == 3000

    written.log.warning("cannot read", about="/logs/0", source="apps")
    assert len(written.lines) == 3001
    assert len(written.log._last) == 1024
    assert not written.log._lasting


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


@pytest.mark.parametrize("pretty", [False, True])
@pytest.mark.parametrize("letter", ["x", "ä", "\x1b", '"', "\udcff"])
def test_a_line_is_never_longer_than_a_pipe_takes_at_once(letter: str, pretty: bool) -> None:
    written = Written(pretty=pretty)
    written.log.error("cannot deliver", sink="es", reason=letter * 5000, events=7, answer=letter * 9000)

    (line,) = written.lines
    assert LINE_BYTES // 2 < len(line) <= LINE_BYTES
    if not pretty:
        (event,) = written.events
        assert (event["message"], event["sink"], event["events"]) == (
            "cannot deliver",
            "es",
            "7" if letter == "\udcff" else 7,
        )
        assert str(event["reason"]).endswith("…")
        assert str(event["answer"]).endswith("…")


def test_a_line_of_very_many_fields_says_at_least_what_it_is() -> None:
    written = Written()
    written.log.error("odd", **{f"field {number}": number for number in range(1000)})

    assert [event["message"] for event in written.events] == ["odd"]


def test_what_could_not_be_written_is_counted_and_told_when_it_can_be() -> None:
    written = Written("error")
    written.full = True
    written.log.error("cannot deliver", sink="a")
    written.log.error("cannot deliver", sink="b")
    written.full = False
    for _ in range(2):
        written.log.error("cannot deliver", sink="a")  # the first was never said

    assert [(event["message"], event.get("lines")) for event in written.events] == [
        ("log lines could not be written", 2),
        ("cannot deliver", None),
    ]


def test_how_often_it_was_kept_back_is_not_forgotten_when_it_cannot_be_said() -> None:
    written = Written()
    for full in (False, False, True, False):
        written.full = full
        written.log.error("cannot deliver")
        written.passed += RATE_LIMIT_SECONDS / 2

    assert written.events[-1]["repeated"] == 1


@contextmanager
def stderr_is_a_pipe() -> Iterator[int]:
    """Gives the end that is read."""
    kept = os.dup(2)
    reading, writing = os.pipe()
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield reading
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        with suppress(OSError):
            os.close(reading)


@pytest.mark.parametrize("what", ["its reader has gone", "it is closed"])
def test_a_stderr_that_takes_nothing_does_no_harm(what: str) -> None:
    with stderr_is_a_pipe() as reading:
        os.close(reading if what == "its reader has gone" else 2)
        with pytest.raises(OSError, match=r"Bad file descriptor|Broken pipe"):
            write_stderr(b"to nobody\n")
        Log().error("to nobody")


def test_nobody_waits_for_a_stderr_that_is_full() -> None:
    log = Log()

    def say_it_all() -> None:
        for number in range(100):
            log.error("said", sink=str(number), text="x" * LINE_BYTES)

    with stderr_is_a_pipe() as reading:
        saying = threading.Thread(target=say_it_all, daemon=True)
        saying.start()
        saying.join(5.0)
        waited = saying.is_alive()
        lines = [orjson.loads(line) for line in os.read(reading, 1024 * 1024).splitlines()]
        log.error("read again")
        told = [orjson.loads(line) for line in os.read(reading, 1024 * 1024).splitlines()]
    assert not waited
    assert [line["sink"] for line in lines] == [str(number) for number in range(len(lines))]
    assert [line["message"] for line in told] == ["log lines could not be written", "read again"]
    assert told[0]["lines"] == 100 - len(lines)
    assert 0 < len(lines) < 100


def test_lines_reach_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    Log(pretty=True).warning("said", sink="a")

    assert capfd.readouterr() == ("", "logrouter: warning: said · sink=a\n")
