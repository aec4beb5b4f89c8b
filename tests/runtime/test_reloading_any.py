"""Reloads at any moment: whatever comes, goes and changes, each sink has what its rules of then let through, once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from logrouter.event import Chunk
from logrouter.routing import Router
from logrouter.runtime.concluding import EXIT_OK
from logrouter.runtime.spool.local import LocalSpool
from logrouter.runtime.spool.members import Members
from tests.runtime.observed import run_at_once
from tests.runtime.pipelines import numbers
from tests.runtime.reloaded import Reloaded, settled

SINKS = "abc"
RULES = {"all": lambda n: True, "n >= 40": lambda n: n >= 40, "n < 90": lambda n: n < 90, "n != 7": lambda n: n != 7}
PLENTY = {"SHUTDOWN_TIMEOUT": "9000s", "SPOOL__BLOCK_TIMEOUT": "never"}


class SinkPlan(NamedTuple):
    """A sink in one config."""

    variant: int
    rule: str


Plan = dict[str, SinkPlan]
plans = st.dictionaries(
    st.sampled_from(SINKS),
    st.builds(SinkPlan, st.sampled_from([0, 0, 1]), st.sampled_from(list(RULES))),
    min_size=1,
)
deeds = st.one_of(
    st.tuples(st.just("feed"), st.integers(1, 30)),
    st.tuples(st.just("reload"), plans),
    st.tuples(st.just("wait"), st.sampled_from([0.0, 0.1, 3.0])),
    st.tuples(st.just("break"), st.sampled_from(SINKS)),
    st.tuples(st.just("mend"), st.sampled_from(SINKS)),
)


def configured(plan: Plan) -> tuple[dict[str, str], dict[str, str]]:
    """The URLs and the options."""
    matches = {f"SINK_{name.upper()}__MATCH": sink.rule for name, sink in plan.items() if sink.rule != "all"}
    return {name: f"file:{name}{sink.variant}" for name, sink in plan.items()}, {**PLENTY, **matches}


class Life(NamedTuple):
    """From where on which config was in force."""

    first: int
    plan: Plan


class Story:
    """What happened: which event got which sequence, and which config was in force from where on."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.appended: list[int] = []
        self.lives = [Life(0, plan)]
        self.delivered: dict[str, int] = {}
        """By sinks that have been forgotten."""

    def saw_append(self, chunk: Chunk) -> None:
        assert chunk.offset.sequence == len(self.appended)
        self.appended += numbers(chunk.payloads)

    def saw_swap(self) -> None:
        self.lives.append(Life(len(self.appended), self.plan))

    def may_have(self, sink: str) -> tuple[set[int], set[int]]:
        """The events that it must have, and those that it may have.

        A sink that has changed, or is there again, applies its new rules to what the one before has not come to.
        """
        must, may = set[int](), set[int]()
        bounds = [*self.lives, Life(len(self.appended), {})]
        for place, (life, following) in enumerate(pairwise(bounds)):
            if sink not in life.plan:
                continue
            rules = [life.plan[sink].rule, *self._rules_after(sink, place)]
            for number in self.appended[life.first : following.first]:
                verdicts = [RULES[rule](number) for rule in rules]
                if all(verdicts):
                    must.add(number)
                if any(verdicts):
                    may.add(number)
        return must, may

    def _rules_after(self, sink: str, place: int) -> Iterator[str]:
        """Those by which a sink goes after it has changed, or was removed, since a life."""
        goes_on = True
        for life in self.lives[place + 1 :]:
            found = life.plan.get(sink)
            goes_on = goes_on and found is not None and found.variant == self.lives[place].plan[sink].variant
            if found is not None and not goes_on:
                yield found.rule


@contextmanager
def watched(story: Story) -> Iterator[None]:
    """Have the story told."""
    add, reroute, forget = LocalSpool._add, Members.reroute, Members.forget

    def added(spool: LocalSpool, chunk: Chunk, refused: bool) -> None:
        story.saw_append(chunk)
        add(spool, chunk, refused)

    def rerouted(members: Members, router: Router) -> None:
        story.saw_swap()
        reroute(members, router)

    def forgotten(members: Members, number: int) -> None:
        cursor = members._contents.cursors[number]
        assert cursor.ledger.read == cursor.ledger.settled
        story.delivered[cursor.name] = story.delivered.get(cursor.name, 0) + cursor.ledger.delivered
        forget(members, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalSpool, "_add", added)
        patch.setattr(Members, "reroute", rerouted)
        patch.setattr(Members, "forget", forgotten)
        patch.setattr("trio.to_thread.run_sync", run_at_once)
        yield


async def play(story: Story, script: list[tuple[str, Any]], **options: str) -> Reloaded:
    """Run a topology to its end, and do what the script says meanwhile."""
    urls, matches = configured(story.plan)
    run = Reloaded(urls, **matches, **options)
    run.needs_sync = False
    for transports in run.transports.values():
        transports[0].needs_sync = False

    async def do_all() -> None:
        async with trio.open_nursery() as reloads:
            for verb, what in script:
                match verb:
                    case "feed":
                        run.source.feed(what)
                    case "wait":
                        await trio.sleep(what)
                    case "reload":
                        await settled()
                        story.plan = what
                        urls, matches = configured(what)
                        run.configure(urls, **matches, **options)
                        reloads.start_soon(run.topology.reloading.ask)
                        await settled()
                    case _:
                        run.break_down(what, verb == "break")
            for name in SINKS:
                run.break_down(name, False)
            await trio.sleep(90)

    await run.to_the_end(do_all)
    return run


def check(story: Story, run: Reloaded) -> None:
    """Each sink has what it must have, nothing else, once, and in order."""
    assert run.code == EXIT_OK
    assert not run.topology.parts.leaving
    for name in run.transports:
        must, may = story.may_have(name)
        found = run.numbers(name)
        assert len(found) == len(set(found)), name
        assert sorted(found) == found, name
        assert must <= set(found) <= may, name
    for delivery in run.topology.parts.deliveries:
        before = story.delivered.get(delivery.name, 0)
        assert run.ledger(delivery.name).delivered + before == len(run.numbers(delivery.name))


def tell(plan: Plan, script: list[tuple[str, Any]], **options: str) -> tuple[Story, Reloaded]:
    """What happens in such a script, on virtual time."""
    story = Story(plan)

    async def main() -> Reloaded:
        return await play(story, script, **options)

    with watched(story):
        return story, trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.slow
@given(plan=plans, script=st.lists(deeds, max_size=20), memory=st.sampled_from(["1MiB", "16MiB"]))
@settings(max_examples=100, deadline=None)
def test_each_sink_has_its_events_once_and_in_order(plan: Plan, script: list[tuple[str, Any]], memory: str) -> None:
    check(*tell(plan, script, SPOOL__MEMORY=memory))


@pytest.mark.slow
@given(plan=plans, script=st.lists(deeds, max_size=20), durability=st.sampled_from(["memory", "disk", "sync"]))
@settings(max_examples=20, deadline=None)
def test_with_a_spool_on_disk_too(plan: Plan, script: list[tuple[str, Any]], durability: str) -> None:
    with TemporaryDirectory() as folder:
        story, run = tell(
            plan, script, SPOOL__MEMORY="1MiB", SPOOL__DIRECTORY=f"{folder}/spool", SPOOL__DURABILITY=durability
        )
        check(story, run)
        cursors = {path.name[:-2] for path in Path(folder, "spool", "cursors").iterdir()}
        assert cursors == {delivery.name for delivery in run.topology.parts.deliveries}
