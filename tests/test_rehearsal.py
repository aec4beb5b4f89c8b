"""The rehearsal is the pipeline: what it shows line by line is what a chunk of them all would become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter.assembly import assemble, make_sink
from logrouter.config import Settings, load
from logrouter.event import Flag
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.rehearsal import Passage, Rehearsal
from logrouter.runtime.tailing import Part
from logrouter.sinks import Append, Batch, Write
from tests.strategies import lines

CONFIG = """
sources: {app: {type: stdin, parse: [json, logfmt], keep_original: true}}
steps:
  - discard: {when: a == 1}
  - set: {b: 2}
    when: exists(level)
  - redact: {patterns: [email]}
  - convert: {status: int, ok: bool}
  - set: {converted: true, when: status > 1 and exists(ok)}
  - sample: {keep: 0.7}
  - split: c
routes:
  - {name: bad, match: 'severity >= "error"', steps: [{set: {alert: true}}], to: [errors], stop: true}
  - {name: rest, match: exists(b), to: [errors, all]}
sinks: {errors: "file:e-{level}.ndjson", all: "stdout:?format=json", raw: "stderr:?format=raw"}
"""
RECEIVED_NS = 1_764_460_800_000_000_000
Left = dict[tuple[str, str], bytes]
"""By sink and target, what leaves."""


@cache
def settings() -> Settings:
    return load((), {"LOGROUTER_CONFIG_YAML": CONFIG})


def in_earnest(frame: Frame) -> tuple[list[tuple[bytes, int]], Left]:
    """Events behind the steps, and what leaves, as the runtime has it but for the transports."""
    assembly = assemble(settings(), {name: make_sink(name, settings()) for name in settings().sinks})
    config = settings().sources["app"].config
    ingest = Ingest(assembly.router, {"source": "app"}, config.parse, assembly.chains["app"], keep_original=True)
    chunks = ingest.chunks(frame, RECEIVED_NS)
    left: Left = defaultdict(bytes)
    for name, number in assembly.numbers.items():
        for chunk in chunks:
            if (part := assembly.router.slice(chunk, number)) is not None:
                for instruction in assembly.sinks[name].send(Batch([part])):
                    assert isinstance(instruction, Append | Write)
                    left[name, instruction.path if isinstance(instruction, Append) else ""] += instruction.data
    return [event for chunk in chunks for event in zip(chunk.payloads, chunk.flags, strict=True)], left


def rehearsed(passages: Iterable[Passage]) -> tuple[list[tuple[bytes, int]], Left]:
    arrivals = [arrival for passage in passages for arrival in passage.arrivals]
    left: Left = defaultdict(bytes)
    for arrival in arrivals:
        for name, leaving in arrival.sinks.items():
            for one in leaving:
                left[name, one.to] += one.data
    return [(arrival.event.payload, arrival.event.flags) for arrival in arrivals], left


@pytest.mark.slow
@given(
    st.lists(lines.filter(bool), min_size=1, max_size=12),
    st.dictionaries(st.integers(0, 11), st.just(Flag.PARTIAL_START)),
)
def test_it_shows_what_would_become_of_all(some: list[bytes], marks: dict[int, int]) -> None:
    frame = Frame(some, b"\n".join(some), {place: mark for place, mark in marks.items() if place < len(some)}, 0)
    passages = list(Rehearsal(settings(), "app", {}).passages([Part(frame)], RECEIVED_NS))
    assert [passage.line for passage in passages] == some
    assert rehearsed(passages) == in_earnest(frame)
    for passage in passages:
        assert (passage.steps[-1].effect == "taken out") == (not passage.arrivals)


def test_routes_behind_one_with_stop_are_not_asked() -> None:
    rehearsal = Rehearsal(settings(), "app", {})
    (arrival,) = next(
        passage for passage in (rehearsal.passage(b'{"level":"error"}', 0) for _ in range(9)) if passage.arrivals
    ).arrivals
    assert arrival.routes == {"bad": True}
    assert arrival.sinks.keys() == {"errors", "raw"}


def test_what_a_step_could_do_is_there_for_the_next() -> None:
    config = "steps: [{convert: {a: int, b: int}}, {set: {c: 1, when: a == 1}}]"
    passage = Rehearsal(load((), {"LOGROUTER_CONFIG_YAML": config}), "stdin", {}).passage(b'{"a":"1","b":"x"}', 0)
    assert [(step.name, step.effect) for step in passage.steps] == [("convert", "failed"), ("set", "changed")]
    assert [arrival.event.payload for arrival in passage.arrivals] == [b'{"a":1,"b":"x","c":1}']
