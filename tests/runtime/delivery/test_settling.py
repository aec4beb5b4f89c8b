"""What a sink has in hand: committed in order, never before a sync that began after it was sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from logrouter.cursors import Memory, Tally
from logrouter.errors import DestinationError
from logrouter.runtime.delivery.settling import SYNC_DELAY_SECONDS, InHand, Settling
from logrouter.runtime.transports import PlainTransport

ROOM_BYTES = 100


class Slow(PlainTransport):
    """A transport whose syncs take until they are let go."""

    needs_sync = True

    def __init__(self) -> None:
        self.syncs = 0
        """How many have begun."""
        self.fails = False
        self.join: Callable[[], None] = lambda: None
        self._going = trio.lowlevel.ParkingLot()

    async def sync(self) -> None:
        self.syncs += 1
        await self._going.park()
        if self.fails:
            self.fails = False
            raise DestinationError("the disk is ill")

    def on_sync(self, join: Callable[[], None]) -> None:
        self.join = join

    async def let_go(self, *, fails: bool = False) -> None:
        """Let the sync that is under way end, if there is one."""
        self.fails = fails
        self._going.unpark()
        await wait_all_tasks_blocked()
        self.fails = False

    @property
    def is_syncing(self) -> bool:
        return len(self._going) > 0


class Committed:
    """As much of a spool as is asked here."""

    in_hand_bytes = ROOM_BYTES

    def __init__(self) -> None:
        self.commits: list[tuple[int, int, Memory | None]] = []
        """End, delivered events, and what was carried, of each commit."""
        self.put_down = 0
        self.stuck = False

    def is_stuck(self, sink: int) -> bool:
        return self.stuck

    def commit(self, sink: int, end: int, tally: Tally, carried: Memory | None = None) -> None:
        self.commits.append((end, tally.delivered, carried))

    def sent(self, sink: int) -> None:
        self.put_down += 1


class Hand:
    """A settling at work, and batches of ten events."""

    def __init__(self, nursery: trio.Nursery, *, needs_sync: bool = True) -> None:
        self.transport, self.spool = Slow(), Committed()
        self.transport.needs_sync = needs_sync
        spool: Any = self.spool
        self.settling = Settling(0, self.transport, spool)
        self.end = 0
        nursery.start_soon(self.settling.run)

    def begin(self, size_bytes: int = 10) -> InHand:
        self.end += 10
        return self.settling.begin(self.end, size_bytes)

    def done(self, batch: InHand, *, written: bool = True, carried: Memory | None = None) -> None:
        self.settling.done(batch, Tally(10 if written else 0, 0 if written else 10), carried, written=written)

    def send(self, size_bytes: int = 10) -> None:
        self.done(self.begin(size_bytes))

    async def sync(self) -> None:
        """Begin one, now."""
        self.transport.join()
        await wait_all_tasks_blocked()

    @property
    def ends(self) -> list[int]:
        """Of the commits."""
        return [end for end, _, _ in self.spool.commits]


async def test_a_sync_begins_at_once_where_the_spool_can_take_nothing_before(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    hand = Hand(nursery)
    hand.send()
    hand.settling.look()
    await wait_all_tasks_blocked()
    assert hand.transport.syncs == 0
    hand.spool.stuck = True
    hand.settling.look()  # somebody began to wait
    await wait_all_tasks_blocked()
    assert hand.transport.syncs == 1
    hand.send()
    hand.settling.look()
    await hand.transport.let_go()
    assert hand.ends == [10]
    assert hand.transport.syncs == 2  # of what was sent meanwhile
    await hand.transport.let_go()
    hand.send()
    await wait_all_tasks_blocked()
    assert hand.transport.syncs == 3
    await hand.transport.let_go()
    assert hand.ends == [10, 20, 30]
    hand.settling.look()
    await wait_all_tasks_blocked()
    assert hand.transport.syncs == 3  # there is nothing to sync
    assert trio.current_time() == 0


async def test_what_needs_no_sync_is_committed_at_once_and_in_order(nursery: trio.Nursery) -> None:
    hand = Hand(nursery, needs_sync=False)
    first, second, third = hand.begin(), hand.begin(), hand.begin()
    assert [hand.settling.is_first(batch) for batch in (first, second, third)] == [True, False, False]
    hand.done(third, carried={"part": 3})
    hand.done(second, written=False)
    assert hand.spool.commits == []
    hand.done(first)
    assert hand.spool.commits == [(30, 20, {"part": 3})]
    assert hand.transport.syncs == 0
    nursery.cancel_scope.cancel()


async def test_nothing_is_committed_before_a_sync_that_began_after_it(nursery: trio.Nursery) -> None:
    """Invariant 2."""
    hand = Hand(nursery)
    hand.send()
    await hand.sync()
    hand.send()
    await hand.transport.let_go()
    assert hand.ends == [10]
    await hand.sync()
    assert hand.ends == [10]
    await hand.transport.let_go()
    assert hand.ends == [10, 20]
    assert hand.settling.syncs == 2
    nursery.cancel_scope.cancel()


async def test_what_was_on_its_way_as_a_sync_began_waits_for_the_next(nursery: trio.Nursery) -> None:
    hand = Hand(nursery)
    hand.send()
    on_its_way = hand.begin()
    await hand.sync()
    hand.done(on_its_way)
    await hand.transport.let_go()
    assert hand.ends == [10]
    nursery.cancel_scope.cancel()


async def test_what_was_not_written_waits_only_for_what_stands_in_front_of_it(nursery: trio.Nursery) -> None:
    hand = Hand(nursery)
    hand.done(hand.begin(), written=False)
    assert hand.ends == [10], "nothing of it is at the destination"
    hand.send()
    await hand.sync()
    hand.done(hand.begin(), written=False)
    assert hand.ends == [10]
    await hand.transport.let_go()
    assert hand.spool.commits[1:] == [(30, 10, None)]
    nursery.cancel_scope.cancel()


async def test_a_sync_is_due_after_a_while_and_when_much_is_in_hand(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    hand = Hand(nursery)
    hand.send()
    await trio.sleep(SYNC_DELAY_SECONDS - 0.01)
    hand.settling.look()
    await wait_all_tasks_blocked()
    assert hand.transport.syncs == 0
    await trio.sleep(0.01)
    hand.settling.look()
    await wait_all_tasks_blocked()
    await hand.transport.let_go()
    assert (hand.transport.syncs, hand.ends) == (1, [10])
    hand.send(ROOM_BYTES * 3 // 4 - 1)
    await wait_all_tasks_blocked()
    assert hand.transport.syncs == 1
    hand.send(1)
    await wait_all_tasks_blocked()
    assert hand.transport.syncs == 2
    nursery.cancel_scope.cancel()


async def test_others_are_joined_where_there_is_something_to_sync(nursery: trio.Nursery) -> None:
    hand = Hand(nursery)
    await hand.sync()
    assert hand.transport.syncs == 0
    hand.send()
    await hand.sync()
    await hand.sync()
    await hand.transport.let_go()
    assert (hand.transport.syncs, hand.transport.is_syncing) == (1, False), "it has joined already"
    nursery.cancel_scope.cancel()


async def test_sending_waits_while_too_much_is_in_hand(nursery: trio.Nursery) -> None:
    """Invariant 8."""
    hand = Hand(nursery)
    waiting = trio.Event()

    async def wait() -> None:
        await hand.settling.wait_for_room()
        waiting.set()

    hand.send(ROOM_BYTES)
    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    assert not waiting.is_set()
    await hand.transport.let_go()
    assert waiting.is_set()
    await hand.settling.wait_for_room()  # not any more
    nursery.cancel_scope.cancel()


@pytest.mark.parametrize("wait", ["wait_for_room", "drain"])
async def test_a_sync_that_fails_is_told_to_whoever_waits(nursery: trio.Nursery, wait: str) -> None:
    hand = Hand(nursery)
    hand.send(ROOM_BYTES)
    nursery.start_soon(getattr(hand.settling, wait))
    await wait_all_tasks_blocked()
    await hand.transport.let_go(fails=True)
    assert str(hand.settling.failure) == "the disk is ill"
    assert (hand.ends, hand.settling.syncs, len(nursery.child_tasks)) == ([], 0, 1)
    hand.settling.forget()
    hand.end = 0
    hand.send()
    await hand.settling.wait_for_room()
    await wait_all_tasks_blocked()
    await hand.sync()
    await hand.transport.let_go()
    assert (hand.settling.failure, hand.ends) == (None, [10])
    nursery.cancel_scope.cancel()


async def test_draining_syncs_until_nothing_is_left(nursery: trio.Nursery) -> None:
    hand = Hand(nursery)
    await hand.settling.drain()
    hand.send()
    late = hand.begin()
    nursery.start_soon(hand.settling.drain)
    await wait_all_tasks_blocked()
    await hand.transport.let_go()
    assert (hand.ends, len(nursery.child_tasks)) == ([10], 2)
    hand.done(late)
    while hand.transport.is_syncing:
        await hand.transport.let_go()
    assert (hand.ends, len(nursery.child_tasks)) == ([10, 20], 1)
    nursery.cancel_scope.cancel()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(1, 40)),
        st.tuples(st.sampled_from(["written", "unwanted"]), st.integers(0, 5)),
        st.tuples(st.sampled_from(["sync", "let go", "fail"]), st.just(0)),
    ),
    max_size=40,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(steps)
def test_whatever_comes_in_whichever_order(script: list[tuple[str, int]]) -> None:
    """Invariant 2: of what is committed each was sent, in order, and covered by a sync. In the end all is."""

    async def drive() -> None:
        async with trio.open_nursery() as nursery:
            hand = Hand(nursery)
            on_their_way: list[InHand] = []
            order: list[InHand] = []
            covered: dict[int, bool] = {}
            """End → whether it needs no sync any more, of those that were sent."""
            candidates: list[int] = []
            """What the sync that is under way covers."""
            committed = 0
            for verb, number in script:
                match verb:
                    case "begin":
                        on_their_way.append(hand.begin(number))
                        order.append(on_their_way[-1])
                    case "written" | "unwanted" if on_their_way:
                        batch = on_their_way.pop(number % len(on_their_way))
                        covered[batch.end] = verb == "unwanted"
                        hand.done(batch, written=verb == "written")
                    case "sync":
                        hand.transport.join()
                    case "let go":
                        for end in candidates if hand.transport.is_syncing else ():
                            covered[end] = True
                        await hand.transport.let_go()
                    case "fail" if hand.transport.is_syncing:
                        await hand.transport.let_go(fails=True)
                        hand.settling.forget()
                        hand.end = committed
                        order, on_their_way, candidates = [b for b in order if b.end <= committed], [], []
                        covered = {end: its for end, its in covered.items() if end <= committed}
                syncs = hand.transport.syncs
                known = list(covered)
                await wait_all_tasks_blocked()
                if hand.transport.syncs > syncs or (verb == "let go" and hand.transport.is_syncing):
                    candidates = known
                for end in hand.ends[hand.ends.index(committed) + 1 if committed else 0 :]:
                    assert end > committed
                    run = [batch.end for batch in order if batch.end <= end]
                    assert all(covered.get(its) for its in run), f"{end} is committed: {covered}"
                    committed = end
            for batch in on_their_way:
                hand.done(batch)
            nursery.start_soon(hand.settling.drain)
            await wait_all_tasks_blocked()
            for _ in range(2):  # one sync may have begun before the last batch was sent
                await hand.transport.let_go()
            assert max(hand.ends, default=0) == hand.end
            nursery.cancel_scope.cancel()

    trio.run(drive, clock=MockClock(autojump_threshold=0))
