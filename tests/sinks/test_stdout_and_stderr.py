from __future__ import annotations

from typing import Any

import pytest

from logrouter.event import Flag
from logrouter.sinks import SinkContext, Write
from logrouter.sinks.blackhole import BlackholeConfig, BlackholeSink
from logrouter.sinks.stderr import StderrConfig, StderrSink
from logrouter.sinks.stdout import StdoutConfig, StdoutSink
from logrouter.testing import batch_of, instructions, slice_of

EVENTS = batch_of(slice_of([b'{"level":"info","message":"hi"}', b"a b"]))


def stdout(terminal: bool = False, wants_colour: bool = False, **options: Any) -> StdoutSink:
    return StdoutSink(StdoutConfig(**options), SinkContext("out", terminal=terminal, colour=wants_colour))


def test_programs_get_json() -> None:
    assert instructions(stdout(), EVENTS) == [Write(b'{"level":"info","message":"hi"}\n{"message":"a b"}\n')]


def test_people_get_text_in_colour() -> None:
    plain = b"00:00:00.000Z INFO     hi\n00:00:00.000Z          a b\n"
    assert instructions(stdout(terminal=True), EVENTS) == [Write(plain)]
    (coloured,) = instructions(stdout(terminal=True, wants_colour=True), EVENTS)
    assert b"\x1b[32mINFO" in coloured.data


def test_the_option_decides_over_the_terminal() -> None:
    assert instructions(stdout(terminal=True, format="raw"), EVENTS)[0].data.endswith(b"}\na b\n")
    assert instructions(stdout(format="logfmt"), EVENTS) == [Write(b'level=info message=hi\nmessage="a b"\n')]
    (always,) = instructions(stdout(format="pretty", colour="always"), EVENTS)
    assert b"\x1b[" in always.data
    (never,) = instructions(stdout(terminal=True, wants_colour=True, colour="never"), EVENTS)
    assert b"\x1b[" not in never.data


def test_raw_pieces_are_joined_over_batches() -> None:
    sink = stdout(format="raw")
    assert instructions(sink, batch_of(slice_of([b"AA"], [Flag.PARTIAL_START]))) == [Write(b"AA")]
    assert instructions(sink, batch_of(slice_of([b"BB"], [Flag.PARTIAL_END], first=1))) == [Write(b"BB\n")]


def test_raw_has_no_attributes() -> None:
    with pytest.raises(ValueError, match="raw lines have no room"):
        stdout(format="raw", include=("meta",))


def test_each_has_its_descriptor() -> None:
    assert StdoutSink.descriptor == 1
    assert StderrSink.descriptor == 2
    sink = StderrSink(StderrConfig(), SinkContext("err"))
    assert instructions(sink, batch_of(slice_of([b"{}"]))) == [Write(b"{}\n")]


def test_nothing_is_written_for_nothing() -> None:
    assert instructions(stdout(), batch_of()) == []


def test_the_blackhole_does_nothing() -> None:
    assert instructions(BlackholeSink(BlackholeConfig(), SinkContext("none")), EVENTS) == []


@pytest.mark.parametrize(
    ("sink", "name"), [(StdoutSink, "stdout"), (StderrSink, "stderr"), (BlackholeSink, "blackhole")]
)
def test_their_urls_have_no_path(sink: Any, name: str) -> None:
    for url in (f"{name}:", f"{name}://", f"{name}:/"):
        assert sink.options_from_url(url) == {}
    with pytest.raises(ValueError, match=f"takes nothing after its name: write {name}: alone"):
        sink.options_from_url(f"{name}:x.log")
