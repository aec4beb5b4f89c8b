"""The spool with a log behind it, case by case: isolation, what is kept and what goes, what crashes must not undo."""

from __future__ import annotations

import errno
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from logrouter.cursors import Gap, Note, Tally
from logrouter.event import Chunk, Flag, Offset
from logrouter.routing import Router
from logrouter.runtime.delivery import tick
from logrouter.runtime.disk import read_file, sync_folder
from logrouter.runtime.spool.keeper import Keeper
from logrouter.runtime.spool.local import LocalSpool
from logrouter.testing import CrashingDisk
from tests.runtime.pipelines import make_router
from tests.runtime.spool.model import (
    BLOCK_SECONDS,
    BUDGET_BYTES,
    DURABILITIES,
    MAX_BYTES,
    Durability,
    open_spool,
    settings_for,
)

every_durability = pytest.mark.parametrize("durability", DURABILITIES)


class Place:
    """A disk, and the spools that are opened on it one after the other."""

    def __init__(self, durability: Durability, sinks: str = "a", discarding: str = "", **options: Any) -> None:
        self.disk = CrashingDisk()
        self.said: list[bytes] = []
        self.epoch = 0
        self.durability, self.discarding = durability, discarding
        self.router: Router = options.get("router") or make_router(list(sinks), {})
        self.spool = self.open(sinks)

    def open(self, sinks: str) -> LocalSpool:
        self.epoch += 1
        settings = settings_for(self.durability, sinks, self.discarding)
        return open_spool(self.disk, self.epoch, settings, self.said, router=self.router)

    def crash(self, sinks: str = "a", *, power: bool = False) -> LocalSpool:
        """The process is killed and starts again."""
        self.disk.crash(power=power)
        self.spool = self.open(sinks)
        return self.spool

    async def append(self, events: int = 5, *, width: int = 100) -> None:
        first = self.spool.appended
        payloads = [b'{"n":%d,"x":"%s"}' % (first + place, b"x" * width) for place in range(events)]
        for chunk in self.router.route(Chunk(payloads, bytes([Flag.JSON]) * events, {"source": "app"}, 1_000 + first)):
            await self.spool.append(chunk)

    async def tidy(self) -> None:
        assert self.spool.keeper is not None
        assert await self.spool.keeper.tidy()
        self.spool.wake()


def read_all(spool: LocalSpool, sink: int) -> list[tuple[int, int] | str]:
    """(first, end) of each chunk; a gap as `first..end reason`."""
    found: list[tuple[int, int] | str] = []
    while (item := spool.read(sink)) is not None:
        if isinstance(item, Gap):
            found.append(f"{item.first}..{item.end} {item.reason}")
        else:
            found.append((item.offset.sequence, item.end.sequence))
    return found


def commit_all(spool: LocalSpool, sink: int) -> None:
    end = spool.next(sink)
    delivered = sum(len(item.held.chunk) for item in spool.cursors[sink].in_hand if item.held)
    spool.commit(sink, end, Tally(delivered))


# ── isolation ──


@every_durability
async def test_a_sink_that_never_reads_stops_nobody_before_the_log_is_full(
    autojump_clock: MockClock, durability: Durability
) -> None:
    """Invariants 4, isolation, and 8, bounded."""
    place = Place(durability, "ab")
    started = trio.current_time()
    size = 0
    while size + 1_900 < MAX_BYTES:
        await place.append()
        await place.tidy()
        read_all(place.spool, 0)
        commit_all(place.spool, 0)
        assert place.spool.window.held_bytes <= BUDGET_BYTES
        if place.spool.appended > 60 and durability == "memory":
            break  # its log begins only when the memory is full
        size = place.spool.statistics().disk_bytes or 0
    assert place.spool.statistics().blocked_seconds == 0
    assert trio.current_time() - started < 1
    assert place.spool.waiting(1) == place.spool.appended
    assert not place.spool.ledger(1).discarded


@every_durability
async def test_what_a_lagging_sink_has_missed_it_reads_from_the_log(durability: Durability) -> None:
    place = Place(durability, "ab")
    expected = []
    for first in range(0, 65, 5):
        await place.append()
        await place.tidy()
        read_all(place.spool, 0)
        commit_all(place.spool, 0)
        expected.append((first, first + 5))
    assert place.spool.window.held_bytes <= BUDGET_BYTES < 65 * 200
    assert read_all(place.spool, 1) == expected


async def test_a_source_waits_no_longer_than_it_must_for_a_full_log(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Invariant 4: `block` ends after the timeout, and only the sink that is in the way gives something up."""
    place = Place("disk", "ab")
    nursery.start_soon(place.spool.maintain)
    while not place.spool.statistics().blocked_seconds:
        await place.append()
        read_all(place.spool, 0)
        commit_all(place.spool, 0)
    assert place.spool.statistics().blocked_seconds < BLOCK_SECONDS + 1
    nursery.cancel_scope.cancel()
    assert place.spool.ledger(1).discarded["spool_full"] > 0
    assert not place.spool.ledger(0).discarded


async def test_what_is_kept_to_be_looked_at_goes_when_room_is_needed(nursery: trio.Nursery) -> None:
    place = Place("disk", discarding="a")
    keeper = place.spool.keeper
    assert keeper is not None
    keeper._keep_ns = 10**19
    for _ in range(10):
        await place.append()
        read_all(place.spool, 0)
        commit_all(place.spool, 0)
    await place.append(1)  # this one the sink does not have
    await place.tidy()
    size = keeper.store.size_bytes
    keeper.store.max_bytes = size + 500
    nursery.start_soon(place.append, 5)  # for which there is no room
    await wait_all_tasks_blocked()
    assert place.spool.waiting(0) == 1
    await place.tidy()
    await wait_all_tasks_blocked()
    assert keeper.store.size_bytes < size
    assert place.spool.waiting(0) == 6
    assert not place.spool.ledger(0).discarded


@pytest.mark.parametrize("seed", range(5))
async def test_what_is_deleted_the_cursors_on_the_disk_have_passed(autojump_clock: MockClock, seed: int) -> None:
    """Also where they were synced a moment ago: after a power cut nothing is taken for lost that was delivered."""
    place = Place("disk")
    place.disk.random.seed(seed)
    await place.tidy()
    for _ in range(20):
        await place.append()
        read_all(place.spool, 0)
        commit_all(place.spool, 0)
    keeper = place.spool.keeper
    assert keeper is not None
    assert keeper.deletable(hurried=False)
    await place.tidy()
    assert not keeper.deletable(hurried=False)
    sync_folder(place.disk, keeper.store.folder)  # so that no file comes back
    spool = place.crash(power=True)
    read_all(spool, 0)
    assert spool.ledger(0).lost == {}


@every_durability
async def test_what_is_read_again_is_told_again(autojump_clock: MockClock, durability: Durability) -> None:
    """A gap too: the batch that told of it has not arrived."""
    place = Place(durability)
    for _ in range(3):
        await place.append()
    await place.tidy()
    contents = place.spool.contents
    contents.skip(contents.cursors[0], Gap(place.epoch, 5, 10, 5, "discarded", "spool_full"), 0)
    first = read_all(place.spool, 0)
    place.spool.rewind(0)
    assert read_all(place.spool, 0) == first == [(0, 5), "5..10 spool_full", (10, 15)]


async def test_what_was_discarded_before_it_was_lost_is_counted_once(autojump_clock: MockClock) -> None:
    place = Place("disk")
    for _ in range(3):
        await place.append()
    contents = place.spool.contents
    contents.skip(contents.cursors[0], Gap(place.epoch, 5, 10, 5, "discarded", "spool_full"), 0)
    place.crash()
    await place.append()  # begins another segment
    place.disk.unlink("/spool/segments/000000000001.segment")
    spool = place.crash()
    assert read_all(spool, 0) == ["0..5 missing", "5..10 spool_full", "10..15 missing", (15, 20)]
    assert (spool.ledger(0).discarded, spool.ledger(0).lost) == ({"spool_full": 5}, {"missing": 10})


# ── batches ──


async def test_a_noted_batch_is_not_given_up_after_a_restart(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Invariants 3 and 6: all of it may be at the destination already; it is sent again, cut the same."""
    place = Place("disk", discarding="a")
    await place.append()
    await place.append()
    read_all(place.spool, 0)
    await place.spool.note(0, Note(0, 10))
    spool = place.crash()
    nursery.start_soon(spool.maintain)
    for _ in range(30):
        await place.append()
    nursery.cancel_scope.cancel()
    assert spool.ledger(0).discarded["spool_full"] > 0
    assert read_all(spool, 0)[:2] == [(0, 5), (5, 10)]


async def test_a_batch_that_is_read_again_is_not_given_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Neither when a destination could not be synced."""
    place = Place("disk", discarding="a")
    await place.append()
    await place.append()
    read_all(place.spool, 0)
    await place.spool.note(0, Note(0, 10))
    place.spool.rewind(0)
    nursery.start_soon(place.spool.maintain)
    for _ in range(30):
        await place.append()
    nursery.cancel_scope.cancel()
    assert read_all(place.spool, 0)[:2] == [(0, 5), (5, 10)]


# ── numbers ──


async def test_numbers_go_on_behind_the_cursor_of_a_sink_that_is_configured_no_more() -> None:
    """Else what others have never had would count as lost when it is configured again."""
    place = Place("disk", "a")
    for _ in range(4):
        await place.append()
    read_all(place.spool, 0)
    commit_all(place.spool, 0)
    await place.spool.aclose()
    place.router = make_router(["b"], {})
    spool = place.crash("b")
    await place.append()
    assert read_all(spool, 0) == [(20, 25)]
    commit_all(spool, 0)
    await spool.aclose()
    place.router = make_router(["a", "b"], {})
    spool = place.crash("ab")
    assert (read_all(spool, 1), spool.ledger(1).lost) == ([], {})


# ── chunks in pieces ──

KEYS = [f"k{number}" for number in range(9)]


def many_classes() -> Router:
    """So many rules that a chunk of all combinations is too much for one, and is cut in pieces when it is read."""
    return make_router(list("abcdefghi"), {name: f"{key} == 1" for name, key in zip("abcdefghi", KEYS, strict=True)})


def wild_payloads() -> list[bytes]:
    return [
        b'{"n":%d,%s}' % (n, b",".join(b'"%s":%d' % (key.encode(), n >> place & 1) for place, key in enumerate(KEYS)))
        for n in range(512)
    ]


async def test_pieces_of_a_chunk_are_held_once_and_found_again_when_they_left_memory() -> None:
    router = many_classes()
    place = Place("disk", "abcdefghi", router=router)
    place.spool.window.budget_bytes = 400_000
    chunk = Chunk(wild_payloads(), bytes([Flag.JSON]) * 512, {"source": "app"}, 1)
    pieces = router.route(chunk)
    assert len(pieces) > 1
    keeper = place.spool.keeper
    assert keeper is not None
    keeper.store.append(chunk)  # as one record: it was written by a config with fewer rules
    place.spool.contents.appended = keeper.store.end
    found: list[tuple[int, int]] = []
    for number in range(9):
        spool, read = place.spool, []
        while (item := spool.read(number)) is not None:
            assert isinstance(item, Chunk), item
            read.append((item.offset.sequence, item.end.sequence))
            if number % 2:  # nothing stays for the next
                spool.commit(number, item.end.sequence, Tally(0, len(item)))
                while spool.window._evict(None):
                    pass
        assert sum(held.chunk.size_bytes for held in spool.window) == spool.window.held_bytes
        found = found or read
        assert read == found
        assert read[-1][1] == 512


async def test_a_piece_that_is_in_memory_is_not_loaded_again() -> None:
    """Invariant 8: what it costs was counted twice, and given back once."""
    router = many_classes()
    place = Place("disk", "abcdefghi", router=router)
    place.spool.window.budget_bytes = 400_000
    keeper = place.spool.keeper
    assert keeper is not None
    keeper.store.append(Chunk(wild_payloads(), bytes([Flag.JSON]) * 512, {"source": "app"}, 1))
    place.spool.contents.appended = keeper.store.end
    read_all(place.spool, 0)
    place.spool.commit(0, 512, Tally(0, 512))
    held = place.spool.window.held_bytes
    assert place.spool.window._evict(None)
    read_all(place.spool, 1)
    assert place.spool.window.held_bytes == held
    for number in range(1, 9):
        read_all(place.spool, number)
        place.spool.commit(number, 512, Tally(0, 512))
    assert place.spool.window.held_bytes == 0


# ── too large ──


@every_durability
async def test_an_event_that_the_log_could_never_hold_is_lost_and_stops_nobody(
    autojump_clock: MockClock, durability: Durability
) -> None:
    """Invariants 3 and 4. (It stopped its source for ever.)"""
    place = Place(durability, "ab")
    started = trio.current_time()
    for width in (100, MAX_BYTES // 8 + 1, 100, 2 * MAX_BYTES, 100):
        await place.append(1, width=width)
    assert trio.current_time() == started
    assert b"an event is too large for the spool: it is lost" in place.said[0]
    await place.tidy()
    await place.spool.safe(Offset(1, 5), live=False)
    for sink in (0, 1):
        assert read_all(place.spool, sink) == [(0, 1), "1..2 too_large", (2, 3), "3..4 too_large", (4, 5)]
    place.spool.commit(0, 5, Tally(delivered=3))
    ledger = place.spool.ledger(0)
    assert (ledger.read, ledger.delivered, ledger.lost) == (5, 3, {"too_large": 2})
    spool = place.crash("ab")
    assert spool.ledger(0).lost == spool.ledger(1).lost == {"too_large": 2}
    await spool.aclose()


@every_durability
async def test_the_largest_events_leave_room_for_each_other(
    autojump_clock: MockClock, nursery: trio.Nursery, durability: Durability
) -> None:
    """Invariant 4: two sinks hang, each in the middle of another one, and the third gets all."""
    place = Place(durability, "abc", discarding="abc")
    nursery.start_soon(place.spool.maintain)
    for number in range(40):
        await place.append(1, width=MAX_BYTES // 8 - 30)
        await place.spool.safe(Offset(1, number + 1), live=False)
        if number in (2, 7):
            place.spool.read(number == 7)
        read_all(place.spool, 2)
        commit_all(place.spool, 2)
    nursery.cancel_scope.cancel()
    assert place.spool.ledger(2).delivered == 40
    assert [place.spool.waiting(sink) for sink in (0, 1)] == [
        40 - sum(place.spool.ledger(sink).discarded.values()) for sink in (0, 1)
    ]


# ── the disk ──


async def test_no_descriptor_while_something_is_given_up(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    place = Place("disk", "ab", discarding="ab")
    nursery.start_soon(place.spool.maintain)
    nursery.start_soon(tick, place.spool)
    while not place.spool.ledger(0).discarded:
        place.disk.fail("open", errno.EMFILE)
        await place.append()
        place.disk.heal()
    nursery.cancel_scope.cancel()
    assert place.spool.ledger(0).discarded == place.spool.ledger(1).discarded


async def test_sinks_go_on_while_the_log_cannot_be_written(autojump_clock: MockClock) -> None:
    place = Place("disk", "ab")
    await place.append()
    place.disk.fail("writev", errno.ENOSPC, times=10**6)
    for _ in range(39):
        await place.append()
        read_all(place.spool, 0)
        commit_all(place.spool, 0)
    assert place.spool.ledger(0).delivered == 200
    place.disk.heal()
    await place.append()
    assert b"cannot write" in place.said[0]
    ledger = place.spool.ledger(1)
    assert ledger.settled + place.spool.waiting(1) == place.spool.appended == 205
    assert place.spool.window.held_bytes <= BUDGET_BYTES


async def test_while_the_log_cannot_be_written_a_source_goes_on_as_soon_as_all_sinks_have_settled(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """At once, and not when somebody looks again: a chunk takes as long as sinks take for it."""
    place = Place("disk", "ab")
    place.disk.fail("writev", errno.ENOSPC, times=10**6)
    await place.append()
    spool, went_on = place.spool, trio.Event()
    assert [spool.is_stuck(sink) for sink in (0, 1)] == [False, False]  # nobody waits

    async def go_on() -> None:
        await spool.safe(Offset(place.epoch, 5))
        went_on.set()

    nursery.start_soon(spool.wait_readable, 0)
    nursery.start_soon(go_on)
    for sink in (0, 1):
        await wait_all_tasks_blocked()
        assert not went_on.is_set()
        assert [spool.is_stuck(other) for other in range(sink, 2)] == [True] * (2 - sink)
        assert spool.is_pressed(sink)
        read_all(spool, sink)
        commit_all(spool, sink)
        assert not spool.is_stuck(sink)
    await went_on.wait()
    await place.append()
    assert trio.current_time() == 0
    assert (spool.statistics().blocked_seconds, spool.statistics().disk_bytes) == (0, 0)


@pytest.mark.parametrize("held_up_seconds", [0, 5])
async def test_a_sink_that_moves_loses_nothing_while_the_log_cannot_be_written(
    autojump_clock: MockClock, nursery: trio.Nursery, held_up_seconds: float
) -> None:
    """However slow it is, beside a dead one, and where this process had no core for longer than sources wait."""
    place = Place("disk", "ab")
    place.spool.adjust(block_timeout_seconds=0.5)
    await place.append()
    place.disk.fail("writev", errno.ENOSPC, times=10**6)

    async def move_slowly() -> None:
        while True:
            await trio.sleep(0.8)
            place.spool.read(0)
            commit_all(place.spool, 0)

    nursery.start_soon(move_slowly)
    nursery.start_soon(tick, place.spool)
    for number in range(40):
        if number == 20:
            autojump_clock.jump(held_up_seconds)
        await place.append()
    nursery.cancel_scope.cancel()
    assert place.spool.ledger(0).discarded == {}
    assert place.spool.ledger(0).delivered > 100
    assert place.spool.ledger(1).discarded["spool_full"] > 100


@pytest.mark.parametrize("function", ["fdatasync", "fsync"])
async def test_with_sync_nothing_is_safe_before_the_disk_has_it(
    autojump_clock: MockClock, nursery: trio.Nursery, function: str
) -> None:
    """Invariant 1, ack; and no sink sends what a power cut could take back."""
    place = Place("sync")
    place.disk.fail(function, errno.EIO, times=7)
    await place.append()
    safe = trio.Event()

    async def wait() -> None:
        await place.spool.safe(place.spool.cursors[0].state and Chunk([b""] * 5, bytes(5), {}, 0).end, live=False)
        safe.set()

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    assert not safe.is_set()
    assert read_all(place.spool, 0) == []
    nursery.start_soon(place.spool.maintain)
    await safe.wait()
    assert read_all(place.spool, 0) == [(0, 5)]
    spool = place.crash(power=True)
    assert read_all(spool, 0) == [(0, 5)]
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("seed", range(5))
async def test_with_sync_a_batch_is_noted_on_the_disk_before_it_is_sent(autojump_clock: MockClock, seed: int) -> None:
    """Invariant 6: or a power cut would leave at the destination what nobody knows of."""
    place = Place("sync")
    place.disk.random.seed(seed)
    await place.append()
    await place.tidy()
    read_all(place.spool, 0)
    await place.spool.note(0, Note(0, 5))
    spool = place.crash(power=True)
    assert [(note.first, note.end) for note in spool.notes(0)] == [(0, 5)]


async def test_with_sync_a_note_waits_for_nothing_that_is_written_after_it(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a sink that settles something all the time would never send anything."""
    place = Place("sync")
    await place.append()
    await place.tidy()
    read_all(place.spool, 0)
    synced, fdatasync = [], place.disk.fdatasync

    def sync_while_more_comes(fd: int) -> None:
        fdatasync(fd)
        synced.append(fd)
        if len(synced) < 10:
            place.spool.cursors[0].commit(0, Tally(), None)

    monkeypatch.setattr(place.disk, "fdatasync", sync_while_more_comes)
    await place.spool.note(0, Note(0, 5))
    assert len(synced) == 1


async def test_who_waits_for_the_log_goes_on_when_others_can_write_it_again(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Not when it is looked after the next time."""
    place, went_on = Place("disk"), trio.Event()
    place.disk.fail("writev", errno.ENOSPC)
    await place.append()

    async def go_on() -> None:
        await place.spool.safe(Offset(place.epoch, 5))
        went_on.set()

    nursery.start_soon(go_on)
    await wait_all_tasks_blocked()
    assert not went_on.is_set()
    await place.append()
    await went_on.wait()
    assert trio.current_time() == 0


async def test_the_end_writes_what_is_left_and_deletes_what_is_not_needed() -> None:
    place = Place("memory", "ab")
    for _ in range(6):
        await place.append()
    read_all(place.spool, 0)
    commit_all(place.spool, 0)
    await place.spool.aclose()
    assert place.disk.open_files == 0
    spool = place.crash("ab", power=True)
    assert read_all(spool, 0) == []
    assert read_all(spool, 1) == [(first, first + 5) for first in range(0, 30, 5)]
    commit_all(spool, 1)
    await spool.aclose()
    assert place.disk.listdir("/spool/segments") == []
    assert sorted(place.disk.listdir("/spool/cursors")) == ["a.0", "a.1", "b.0", "b.1"]
    assert read_file(place.disk, "/spool/cursors/a.0").rstrip(b"\0")


async def test_nothing_is_deleted_at_the_end_that_the_cursors_on_disk_still_need() -> None:
    place = Place("disk")
    for _ in range(6):
        await place.append()
    await place.tidy()
    read_all(place.spool, 0)
    commit_all(place.spool, 0)
    place.disk.fail("fdatasync", errno.EIO, times=100)
    await place.spool.aclose()
    place.disk.heal()
    spool = place.crash(power=True)
    assert spool.ledger(0).lost == {}
    assert all("lost" not in str(item) for item in read_all(spool, 0))
    assert spool.ledger(0).lost == {}


@every_durability
async def test_cursors_that_are_not_due_keep_nobody_busy(
    durability: Durability, nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are synced once a second: until then nothing turns for them."""
    place = Place(durability)
    nursery.start_soon(place.spool.maintain)
    keeper = place.spool.keeper
    assert keeper is not None
    looks = []

    async def tidy() -> bool:
        looks.append(trio.current_time())
        return await Keeper.tidy(keeper)

    monkeypatch.setattr(keeper, "tidy", tidy)
    for _ in range(2):
        await place.append()
        await place.spool.safe(Offset(place.epoch, place.spool.appended), live=False)
        read_all(place.spool, 0)
        commit_all(place.spool, 0)
    for _ in range(500):
        await trio.lowlevel.checkpoint()
    assert len(looks) < 20
    nursery.cancel_scope.cancel()
