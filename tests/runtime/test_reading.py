"""A source at work whose streams can be read again: killed at any moment, each event is in the spool once, in order."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from logrouter.chain import Chain
from logrouter.config.settings import Settings, SinkSettings, SpoolSettings
from logrouter.crashing import Killed
from logrouter.cursors import Gap, Tally
from logrouter.documents import Document
from logrouter.event import Chunk
from logrouter.facts import Facts
from logrouter.framing import LineFraming
from logrouter.ingest import Ingest
from logrouter.parsing import AUTO
from logrouter.policy import SinkRouting
from logrouter.positions import Position, of_source
from logrouter.projection import recognise_line
from logrouter.routing import Router
from logrouter.rules import Rule
from logrouter.runtime.disk import make_folders
from logrouter.runtime.log import Log
from logrouter.runtime.reading import RunningSource
from logrouter.runtime.spool import keeper
from logrouter.runtime.spool.local import LocalSpool
from logrouter.runtime.spool.resuming import spool_over
from logrouter.runtime.spool.store import Store
from logrouter.sinks import SinkConfig
from logrouter.sources import Emit, Source, SourceConfig, Stream
from logrouter.steps import DISCARD, Outcome, Step, StepConfig
from logrouter.steps.dedupe import Dedupe, DedupeConfig
from logrouter.steps.discard import Discard, DiscardConfig
from logrouter.steps.split import Split, SplitConfig
from logrouter.testing import CrashingDisk
from tests.runtime.observed import run_at_once
from tests.runtime.pipelines import make_router
from tests.runtime.spool.logs import new_store, walk

CHUNK_BYTES = 400
"""Of a few lines: what one read gives takes several."""
LOG = Log("error", write=lambda line: None)


class TextSource(Source[SourceConfig]):
    """Reads texts that can be read again, in reads of random sizes. Its position: how many bytes of whole lines."""

    Config = SourceConfig

    def __init__(self, texts: Mapping[str, bytes], random: Random, read_bytes: int = 2_000) -> None:
        """`read_bytes`: what it reads at once, at most."""
        super().__init__(SourceConfig())
        self._read_bytes = read_bytes
        self.acknowledged: list[tuple[str, int]] = []
        self.resumed: dict[str, int] = {}
        self._texts = texts
        self._random = random

    def resume(self, positions: Mapping[str, bytes]) -> None:
        self.resumed = {key: int(position) for key, position in positions.items()}

    def acknowledge(self, key: str, position: bytes) -> None:
        self.acknowledged.append((key, int(position)))

    async def run(self, emit: Emit) -> None:
        """Read all of each text, in turns."""
        framings = {key: LineFraming(self.config.max_line) for key in self._texts}
        starts = {key: self.resumed.get(key, 0) for key in self._texts}
        streams = {key: Stream(key, {"stream": key}, b"%d" % start) for key, start in starts.items()}
        unfinished = dict(starts)
        while unfinished:
            key = self._random.choice(list(unfinished))
            data = self._texts[key][unfinished[key] :][: self._random.randint(1, self._read_bytes)]
            if not data:
                del unfinished[key]
                continue
            unfinished[key] += len(data)
            frame = framings[key].feed(data)
            position = unfinished[key] - framings[key].held_bytes
            await emit(frame, 1, streams[key], b"%d" % position)

    def stop(self) -> None:
        """It is never asked to."""


def open_spool(disk: CrashingDisk, epoch: int, durability: Any = "disk", *, router: Router | None = None) -> LocalSpool:
    for folder in ("/spool/segments", "/spool/cursors"):
        make_folders(disk, folder)
    store = Store("/spool/segments", max_bytes=2**22, epoch=epoch, disk=disk)
    store.segment_bytes = 3_000
    sinks = {"a": SinkSettings(type="file", config=SinkConfig())}
    settings = Settings(sources={}, sinks=sinks, spool=SpoolSettings(durability=durability, directory="/spool"))
    spool = spool_over(store, "/spool/cursors", settings, router or make_router(["a"], {}), LOG, disk=disk)
    spool.chunk_bytes = CHUNK_BYTES
    return spool


def running(spool: LocalSpool, source: TextSource, chain: Chain) -> RunningSource:
    ingest = Ingest(spool.routers.current, {"source": "app"}, AUTO, chain)
    return RunningSource("app", source, ingest, chain, spool, LOG)


def everything(disk: CrashingDisk) -> dict[str, list[bytes]]:
    """The payloads of each stream, as the log holds them."""
    found: dict[str, list[bytes]] = {}
    for chunk in walk(new_store("/spool/segments", disk)):
        assert isinstance(chunk, Chunk), "a torn record costs nothing: its lines are read again"
        found.setdefault(str(chunk.attributes["stream"]), []).extend(chunk.payloads)
    return found


def test_what_one_stream_writes_says_nothing_of_another() -> None:
    """A Rust app beside a Python app, whose loggers may write the same: in whichever order they are read."""
    rust, python = b"2026-11-29T23:44:26Z  INFO app: x\n", b"2026-11-29 23:44:26,123 - app - INFO - x\n"
    either = b"2026-11-29T23:44:26Z ERROR app: x\n"
    for seed in range(4):
        disk = CrashingDisk()
        texts = {"rust": rust + either * 9, "python": python + either * 9}
        trio.run(running(open_spool(disk, 1), TextSource(texts, Random(seed), 40), no_steps()).run)
        found = everything(disk)
        assert [b'"target"' in payload for payload in found["rust"]] == [True] * 10
        assert [b'"logger"' in payload for payload in found["python"]] == [True] * 10


def no_steps() -> Chain:
    return Chain([])


def discarding() -> Chain:
    return Chain([("discard", Discard(DiscardConfig(when=Rule.parse("n == 3"))))])


MANY = b'{"many":[%s],"n":%%d}' % b",".join(b"%d" % n for n in range(70))
"""An event that becomes more than one chunk, where it is split."""


def splitting() -> Chain:
    return Chain([("split", Split(SplitConfig(field="many", number="number")))])


class EveryThird(Step[StepConfig]):
    """Takes out every third event that it sees. How many these were it knows only while the process lives."""

    Config = StepConfig
    decides = True

    def __init__(self, passed: dict[int, bool]) -> None:
        """`passed`: what it has decided last of each event, over all lives."""
        super().__init__(StepConfig())
        self._passed = passed
        self._seen = 0

    def apply(self, document: Document, facts: Facts) -> Outcome:
        self._seen += 1
        self._passed[document["n"]] = passes = self._seen % 3 != 0
        return None if passes else DISCARD


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    count=st.integers(1, 150),
    lives=st.lists(st.integers(1, 3_000), min_size=1, max_size=6),
    random=st.randoms(use_true_random=False),
)
def test_no_line_is_decided_about_again_once_its_events_are_in_the_spool(
    count: int, lives: Sequence[int], random: Random
) -> None:
    """Else what a step lets pass now would be taken for what it let pass before it was killed."""
    disk = CrashingDisk()
    passed: dict[int, bool] = {}
    texts = {"one": b"".join(b'{"n":%d}\n' % n for n in range(count))}
    for epoch, steps in enumerate([*lives, 0]):
        if steps:
            disk.kill_after(steps)
        with suppress(Killed, BaseExceptionGroup):
            chain = Chain([("third", EveryThird(passed))])
            trio.run(running(open_spool(disk, epoch), TextSource(texts, random), chain).run)
        if steps:
            disk.crash()
    assert everything(disk)["one"] == [b'{"n":%d}' % n for n in range(count) if passed[n]]


@pytest.mark.slow
@pytest.mark.parametrize("make_chain", [no_steps, discarding, splitting])
@settings(deadline=None, max_examples=40)
@given(
    lines=st.lists(st.sampled_from([b'{"n":%d}', b"text %d", b"", b'{"n":3}', b"x" * 300 + b"%d", MANY]), max_size=60),
    lives=st.lists(st.integers(1, 6_000), max_size=6),
    random=st.randoms(use_true_random=False),
)
def test_killed_at_any_moment_each_line_is_in_the_spool_once(
    make_chain: Any, lines: Sequence[bytes], lives: Sequence[int], random: Random
) -> None:
    """Invariant 7: position rides with data."""
    numbered = [line % number if b"%d" in line else line for number, line in enumerate(lines)]
    texts = {"one": b"".join(line + b"\n" for line in numbered), "two": b"".join(b"%d\n" % n for n in range(40))}
    disk = CrashingDisk()
    for epoch, steps in enumerate([*lives, 0]):
        if steps:
            disk.kill_after(steps)
        with suppress(Killed, BaseExceptionGroup):
            chain = make_chain()
            router = Router([SinkRouting("a", None)], further=chain.references)
            trio.run(running(open_spool(disk, epoch, router=router), TextSource(texts, random), chain).run)
        if steps:
            disk.crash()
    chain, facts = make_chain(), Facts({}, 1, {})
    events = [event for line in numbered if line for event in chain.apply(line, recognise_line(line), facts)]
    wanted = {"one": [payload for payload, _ in events], "two": [b"%d" % n for n in range(40)]}
    assert everything(disk) == {key: lines for key, lines in wanted.items() if lines}


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(lives=st.lists(st.integers(100, 60_000), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_killed_between_the_pieces_of_a_chunk_each_line_is_in_the_spool_once(lives: Sequence[int], seed: int) -> None:
    """While each chunk waited for room a router has followed for which it has too many classes."""
    events = [
        b'{"n":%d,%b}' % (n, b",".join(b'"f%d":%d' % (bit, n >> bit & 1) for bit in range(9))) for n in range(600)
    ]
    rules = [SinkRouting(f"s{bit}", Rule.parse(f"f{bit} == 1")) for bit in range(9)]
    texts, disk = {"one": b"\n".join(events) + b"\n"}, CrashingDisk()
    for epoch, steps in enumerate([*lives, 0]):
        if steps:
            disk.kill_after(steps)
        with suppress(Killed, BaseExceptionGroup):
            spool = open_spool(disk, epoch)
            spool.chunk_bytes = 100_000
            at_work = running(spool, TextSource(texts, Random(seed), 60_000), no_steps())
            spool.routers.follow(Router([SinkRouting("a", None), *rules]), 0)
            trio.run(at_work.run)
        if steps:
            disk.crash()
    assert everything(disk) == {"one": events}


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(
    lines=st.lists(st.sampled_from([b"a", b"b", b"c", b"d" * 200, b"%d", b"e%d"]), max_size=80),
    lives=st.lists(st.integers(1, 6_000), max_size=6),
    random=st.randoms(use_true_random=False),
)
def test_what_a_step_remembers_is_gone_when_it_is_killed_and_no_line_with_it(
    lines: Sequence[bytes], lives: Sequence[int], random: Random
) -> None:
    """It may pass a repeat once more for that; but what is read again is never taken for more than it was."""
    numbered = [line % (number // 3) if b"%d" in line else line for number, line in enumerate(lines)]
    texts = {"one": b"".join(line + b"\n" for line in numbered)}
    disk = CrashingDisk()
    for epoch, steps in enumerate([*lives, 0]):
        if steps:
            disk.kill_after(steps)
        with suppress(Killed, BaseExceptionGroup):
            chain = Chain([("dedupe", Dedupe(DedupeConfig()))])
            trio.run(running(open_spool(disk, epoch), TextSource(texts, random), chain).run)
        if steps:
            disk.crash()
    found = everything(disk).get("one", [])
    assert list(dict.fromkeys(found)) == list(dict.fromkeys(numbered))
    if not lives:
        assert found == list(dict.fromkeys(numbered))


def test_a_source_is_told_what_is_safe_once_the_next_is_read_and_at_the_end() -> None:
    texts = {"one": b"".join(b"%d\n" % n for n in range(500))}
    source = TextSource(texts, Random(1))
    trio.run(running(open_spool(CrashingDisk(), 1), source, no_steps()).run)
    positions = [position for _, position in source.acknowledged]
    assert positions == sorted(set(positions))
    assert len(positions) > 1
    assert positions[-1] == len(texts["one"])


def test_a_source_is_told_also_of_what_was_left_out_at_the_end() -> None:
    texts = {"one": b'{"n":3}\n' * 500, "two": b"text\n" + b'{"n":3}\n'}
    chain = discarding()
    router = Router([SinkRouting("a", None)], further=chain.references)
    source = TextSource(texts, Random(1))
    trio.run(running(open_spool(CrashingDisk(), 1, router=router), source, chain).run)
    assert dict(source.acknowledged) == {key: len(text) for key, text in texts.items()}


async def test_and_while_it_is_left_out_once_its_position_is_written(autojump_clock: MockClock) -> None:
    spool = open_spool(CrashingDisk(), 1)
    source = TextSource({}, Random(1))
    at_work = running(spool, source, no_steps())
    empty, stream = LineFraming(100).finish(), Stream("quiet", {})
    for position in (b"1", b"2"):
        await at_work.emit(empty, 1, stream, position)
    assert source.acknowledged == []
    await trio.sleep(keeper.POSITIONS_SECONDS + 1)
    assert spool.keeper is not None
    await spool.keeper.tidy()
    await at_work.emit(empty, 1, stream, b"3")
    assert source.acknowledged == [("quiet", 2)]
    await at_work.emit(LineFraming(100).feed(b"line\n"), 1, stream, b"4")
    await at_work.emit(LineFraming(100).feed(b"line\n"), 1, stream, b"5")
    await trio.sleep(keeper.POSITIONS_SECONDS + 1)
    await spool.keeper.tidy()
    await at_work.emit(empty, 1, stream, b"6")
    assert source.acknowledged == [("quiet", 2), ("quiet", 4), ("quiet", 5)]


async def test_a_source_is_not_told_of_what_is_in_memory_alone(autojump_clock: MockClock) -> None:
    """A live one goes on though the log cannot be written: what it read from must not be deleted before it is."""
    disk = CrashingDisk()
    spool = open_spool(disk, 1)
    source = TextSource({}, Random(1))
    at_work = running(spool, source, no_steps())
    stream, framing = Stream("app", {}), LineFraming(100)
    real, disk.open = disk.open, refuse  # type: ignore[method-assign]
    for position in (b"1", b"2", b"3"):
        await at_work.emit(framing.feed(b"line\n"), 1, stream, position)
    assert spool.keeper is not None
    assert spool.keeper.bypassed
    assert source.acknowledged == []
    disk.open = real  # type: ignore[method-assign]
    for position in (b"4", b"5"):
        await at_work.emit(framing.feed(b"line\n"), 1, stream, position)
    assert source.acknowledged[-1] == ("app", 4)


def refuse(*arguments: object) -> int:
    raise OSError(errno.EIO, "the disk is broken")


@pytest.mark.parametrize("durability", ["memory", "disk"])
def test_positions_are_kept_also_of_what_was_delivered_before_it_was_kept(durability: str) -> None:
    texts = {"one": b"".join(b"%d\n" % n for n in range(200))}
    disk = CrashingDisk()

    async def deliver_all_and_stop() -> None:
        spool = open_spool(disk, 1, durability)
        await running(spool, TextSource(texts, Random(1)), no_steps()).run()
        while (chunk := spool.read(0)) is not None:
            assert not isinstance(chunk, Gap)
        spool.commit(0, spool.appended, Tally(delivered=200))
        await spool.aclose()

    trio.run(deliver_all_and_stop)
    found = open_spool(disk, 2, durability).positions("app")
    assert {key: position.reached for key, position in found.items()} == {"one": b"%d" % len(texts["one"])}


@pytest.mark.parametrize("durability", ["disk", "sync"])
async def test_positions_are_kept_where_no_event_tells_them(
    durability: str, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, and not only at the end: a source that has been quiet since its start may be killed as well."""

    monkeypatch.setattr(keeper, "in_thread", run_at_once)
    disk = CrashingDisk()
    spool = open_spool(disk, 1, durability)
    at_work = running(spool, TextSource({}, Random(1)), no_steps())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(spool.maintain)
        for position in (b"1", b"2"):
            await at_work.emit(LineFraming(100).finish(), 1, Stream("quiet", {}), position)
            await trio.sleep(keeper.POSITIONS_SECONDS + 1)
            found = new_store("/spool/segments", disk)
            assert of_source(found.positions, "app") == {"quiet": Position(position)}
        nursery.cancel_scope.cancel()


async def test_more_positions_than_a_chunk_can_carry_go_with_several(autojump_clock: MockClock) -> None:
    disk = CrashingDisk()
    spool = open_spool(disk, 1)
    spool.keep_positions = lambda carried: None  # type: ignore[method-assign]  # chunks must do
    source = TextSource({}, Random(1))
    at_work = running(spool, source, no_steps())
    streams = [Stream(f"{number}", {}) for number in range(2000)]
    for stream in streams:
        await at_work.emit(LineFraming(100).finish(), 1, stream, b"%0100d" % 1)
    for number in range(10):
        await at_work.emit(LineFraming(100).feed(b"line\n"), 1, streams[1000], b"%d" % number)
        found = of_source(new_store("/spool/segments", disk).positions, "app")
        assert found["1000"] == Position(b"%d" % number)
    assert len(found) == 2000


def test_a_stream_that_is_gone_is_forgotten() -> None:
    disk = CrashingDisk()

    async def read_and_forget() -> None:
        spool = open_spool(disk, 1)
        at_work = running(spool, TextSource({}, Random(1)), no_steps())
        framing, stays, goes = LineFraming(100), Stream("stays", {}), Stream("goes", {})
        for stream in (stays, goes):
            await at_work.emit(framing.feed(b"a\n"), 1, stream, b"2")
        await at_work.emit(framing.finish(), 1, goes, b"")
        await at_work.emit(framing.feed(b"b\n"), 1, stays, b"4")  # this chunk tells of it

    trio.run(read_and_forget)
    assert set(open_spool(disk, 2).positions("app")) == {"stays"}
