"""Steps that thin out whole chunks by their rows: as each event alone, read whole, through the same steps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.chain import Chain
from logrouter.documents import decode_document, encode_document
from logrouter.event import Chunk, Flag
from logrouter.facts import Facts
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.policy import SinkRouting
from logrouter.projection import recognise_line
from logrouter.routing import Router
from logrouter.steps import Asked, Step, StepConfig
from tests.steps.conftest import steps_from

SECOND = 10**9
RESOURCE = {"service.name": "shop"}
ATTRIBUTES = {"source": "app"}
LONG = "x" * 70
LINES = (
    *(f'{{"k":"{text}"}}'.encode() for text in ("a", "b", "", "1", "true", LONG, LONG + "y", "x" * 64)),
    *(f'{{"k":{value}}}'.encode() for value in ("1", "1.0", "true", "null", "[1]", '{"z":1}', '{"z":"a"}', "1e400")),
    b'{"k":"\\u0061"}',
    b'{"k":"\\ud800"}',
    b'{"time":"2026-03-01T12:00:00Z","k":"a"}',
    b'{"k":"a","ts":5}',
    b'{"k": "a", "ts": 6, "time": null}',
    b'{"ts":"\\n","k":"a"}',
    b'{"u":{"time":1},"k":"a"}',
    b'{"u":{"time":2},"k":"a"}',
    b'{"time":{"ts":3},"u":[{"time":2}],"k":"a"}',
    b'{"s":"{\\"time\\":1}","k":"a"}',
    b'{"s":"{\\"time\\":2}","k":"a"}',
    b'{"\\u006b" : "a" , "level":"error"}',
    b'{"k":"b","k":"a"}',
    b'{"k":18446744073709551616}',
    b'{"k":"a","u":{"v":"a"}}',
    b'{"k":"b","u.v":"a","level":"error"}',
    b'{"u":{"v":{"w":1}},"n":3,"s":0.5}',
    b'{"k":"a","n":{"m":1},"s":"high"}',
    b'{"k":"a","n":true}',
    b'{"\\u0073":0.5,"k":"b"}',
    b'{ "k" : "b" } ',
    b"{}",
    b"a",
    b"{a",
    b"\xff",
)
STEPS = (
    "- throttle: {rate: 2/s, by: k}",
    "- throttle: {rate: 1/m, burst: 3, by: k, max_keys: 3}",
    "- throttle: {rate: 1/s, by: [k, u.v, '{level}']}\n- sample: {keep: 0.5, by: ['{k}', u]}",
    "- throttle: {rate: 3/s, burst: 5}",
    "- throttle: {rate: 1/s, by: '{k}', when: level != 'error', count_field: n.m}",
    "- throttle: {rate: 1/s, by: k, count_field: k.m}",
    "- throttle: {rate: 2/s, by: k}\n- throttle: {rate: 2/s, by: k, count_field: throttled}",
    "- throttle: {rate: 2/s, by: throttled}\n- throttle: {rate: 2/s, by: throttled}",
    "- dedupe: {by: [k], window: 2s}",
    "- dedupe: {by: [k, u.v], window: 2s, max_keys: 2}",
    "- dedupe: {by: [k, '{level} {k}', meta.partial], window: 1s, memory: 60B}",
    "- dedupe: {by: ['{missing}'], window: 1s, count_field: k.n}",
    "- dedupe: {by: [severity, time], window: 1s, when: not exists(u)}\n- set: {x: 1}",
    "- dedupe: {window: 2s}",
    "- dedupe: {window: 1s, max_keys: 2, ignore: [k, level]}\n- dedupe: {}",
    "- throttle: {rate: 1/s, by: k}\n- dedupe: {window: 1s, ignore: [u.v], when: k != 'a', memory: 60B}",
    "- sample: {keep: 0.5, by: k, rate_field: s}",
    "- sample: {keep: 0.4, by: u}\n- sample: {keep: 0.7, by: k, rate_field: n.m}",
    "- sample: {keep: 0.6}\n- discard: {when: level == 'error'}\n- dedupe: {by: [k]}\n- remove: [k]",
    "- discard: {when: k == 'b'}\n- throttle: {rate: 2/s, by: u.v}\n- redact: {fields: [k]}",
)
chunks = st.lists(
    st.tuples(st.integers(-SECOND, 3 * SECOND), st.lists(st.sampled_from(LINES), min_size=1, max_size=14)),
    min_size=1,
    max_size=6,
)
"""How much later than the one before it a chunk comes, and its lines."""


def chain_of(yaml: str) -> Chain:
    return Chain(steps_from(yaml))


def ingest_of(chain: Chain) -> Ingest:
    return Ingest(
        Router([SinkRouting("s", None)], resource=RESOURCE, further=chain.references), ATTRIBUTES, chain=chain
    )


def events_of(found: list[Chunk]) -> list[tuple[bytes, int]]:
    return [pair for chunk in found for pair in zip(chunk.payloads, chunk.flags, strict=True)]


def slowly(chain: Chain, lines: list[bytes], marks: dict[int, int], now_ns: int) -> list[tuple[bytes, int]]:
    """Each line through all steps, one after the other."""
    made = []
    for place, line in enumerate(lines):
        flags, mark = recognise_line(line), marks.get(place, 0)
        flags = (flags & ~Flag.JSON) | mark if mark else flags
        made += chain.apply(line, flags, Facts(ATTRIBUTES, now_ns, RESOURCE, flags))
    return made


def told(events: list[tuple[bytes, int]]) -> list[tuple[bytes, int]]:
    """With JSON written in one way: what no step touched keeps its blanks."""
    return [(encode_document(decode_document(pair[0])), pair[1]) if pair[1] & Flag.JSON else pair for pair in events]


def overdue(chain: Chain, now_ns: int, *, ending: bool = False) -> list[Any]:
    return list(chain.overdue(now_ns, RESOURCE, ending=ending))


def figures(chain: Chain) -> list[dict[str, int]]:
    """What the steps say of what they remember. Repeats are held with the blanks that they came with."""
    return [{name: n for name, n in named.step.figures.items() if name != "held_bytes"} for named in chain.steps]


@pytest.mark.slow
@pytest.mark.parametrize("yaml", STEPS)
@settings(max_examples=25, deadline=None)
@given(chunks, st.dictionaries(st.integers(0, 20), st.sampled_from([Flag.PARTIAL_START, Flag.PARTIAL_END]), max_size=1))
def test_chunks_are_thinned_out_as_their_events_one_by_one(
    yaml: str, some: list[tuple[int, list[bytes]]], marks: dict[int, int]
) -> None:
    fast, slow = chain_of(yaml), chain_of(yaml)
    ingest = ingest_of(fast)
    now_ns = 1_700_000_000 * SECOND
    for gap, lines in some:
        now_ns += gap
        if "memory" in yaml:  # what has no room depends on its blanks
            lines = [line for line in lines if told([(line, recognise_line(line))])[0][0] == line] or [b"a"]
        here = {place: mark for place, mark in marks.items() if place < len(lines)}
        found = ingest.chunks(Frame(lines, b"\n".join(lines), here, 0), now_ns)
        assert told(events_of(found)) == told(slowly(slow, lines, here, now_ns))
        if gap % 3 == 0:
            assert overdue(fast, now_ns) == overdue(slow, now_ns)
        assert figures(fast) == figures(slow)
    assert (+fast.discarded, +fast.failed, fast.reasons) == (+slow.discarded, +slow.failed, slow.reasons)
    assert overdue(fast, now_ns, ending=True) == overdue(slow, now_ns, ending=True)


@pytest.mark.parametrize(
    ("yaml", "steps"),
    [
        ("- throttle: {rate: 1/s}", 1),
        ("- discard: {when: a == 1}", 0),
        ("- discard: {when: a == 1}\n- sample: {keep: 0.5}\n- discard: {when: a == 2}\n- set: {b: 1}", 2),
        ("- dedupe: {by: [a]}\n- throttle: {rate: 1/s}\n- dedupe: {}\n- sample: {keep: 0.5}", 4),
        ("- set: {b: 1}\n- throttle: {rate: 1/s}", 0),
    ],
)
def test_which_steps_need_not_read_events_whole(yaml: str, steps: int) -> None:
    assert chain_of(yaml).thinning == steps


class Plugged(Step[StepConfig]):
    """Says that it thins out, and fails."""

    Config = StepConfig
    thins = True

    def thin_out(self, asked: Asked) -> None:
        raise ValueError("of the event: secret")


def test_where_a_step_fails_all_events_pass_marked_and_counted() -> None:
    chain = Chain([("plugged", Plugged(StepConfig()))])
    (chunk,) = ingest_of(chain).chunks(Frame([b'{"a":1}', b"text"], b'{"a":1}\ntext', {}, 0), SECOND)
    assert list(chunk.payloads) == [b'{"a":1}', b"text"]
    assert chunk.flags == bytes((Flag.JSON | Flag.STEP_FAILED, Flag.STEP_FAILED))
    assert (chain.failed, chain.reasons) == ({"plugged": 2}, {"plugged": "ValueError"})


def test_what_cannot_be_written_into_one_event_is_told_in_the_next() -> None:
    chain = chain_of("- throttle: {rate: 1/s, burst: 2, by: k, count_field: n.m}")
    ingest = ingest_of(chain)
    line, stubborn = b'{"k":"a"}', b'{"k":"a","n":1}'
    ingest.chunks(Frame([line] * 5, b"\n".join([line] * 5), {}, 0), SECOND)
    (chunk,) = ingest.chunks(Frame([stubborn, line, line], b"\n".join([stubborn, line, line]), {}, 0), 9 * SECOND)
    assert list(zip(chunk.payloads, chunk.flags, strict=True)) == [
        (stubborn, Flag.JSON | Flag.STEP_FAILED),
        (b'{"k":"a","n":{"m":3}}', Flag.JSON),
    ]
    assert chain.failed == {"throttle": 1}
