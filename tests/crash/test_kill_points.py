"""Killed at named points, and started again: nothing that was safe is missing, nothing is there twice.

See `killed_at.py` for the points.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from logrouter.runtime.spool.journal import Journal
from tests.crash.feeding import (
    READ_BYTES,
    SINKS,
    contents,
    is_notice,
    is_torn,
    lines_read,
    number_of,
    numbered,
    numbers_of,
    run_until_killed,
    wanted,
)
from tests.crash.killed_at import MOMENTS, POINTS
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, spool_options

pytestmark = pytest.mark.slow

LAUNCHER = Path(__file__).parent / "killed_at.py"
WITHOUT_CHECK = """
import sys
from logrouter.runtime import preflight
preflight.check_places = lambda settings, streams: None
from logrouter.__main__ import main
sys.exit(main())
"""
"""A logrouter that does not look at its destinations before it starts."""
LINES = 40_000
LATER = range(LINES, LINES + 1_000)
COUNTS = {"append": 40, "seal": 4, "sync": 3, "delete": 2, "note": 20, "commit": 20, "switch": 5, "send": 20}
"""Which call of a point is the last."""
SMALL = {"max_size": "16MiB", "memory": "2MiB", "sync_interval": "5ms"}
"""Segments of 1 MiB, and much coming and going."""


def arguments(durability: str) -> tuple[str, ...]:
    return (*SINKS, *spool_options(durability=durability, **SMALL))


def killed(
    workplace: Workplace, point: str, moment: str, durability: str, lines: Sequence[bytes], count: int | None = None
) -> int:
    """Run until it is killed at a point. Gives how many lines were read."""
    command = (LAUNCHER, point, moment, str(count or COUNTS[point]), *arguments(durability))
    return lines_read(lines, run_until_killed(workplace, command, lines))


def assert_complete(workplace: Workplace, lines: Sequence[bytes], read: int) -> None:
    """All files hold what was read, but for the last read before the kill, and then the later lines, all once; and each
    sink's ledger tells what its files hold (invariant 3)."""
    numbers = numbers_of(workplace.lines("all"))
    kept = len(numbers) - len(LATER)
    assert numbers == [*range(kept), *LATER]
    assert kept <= read
    assert sum(map(len, lines[kept + 1 : read])) <= READ_BYTES  # the first of them had begun before that read
    for sink, written in contents(workplace).items():
        assert numbers_of(written) == wanted(sink, numbers), sink
        state = Journal(str(workplace.folder / "spool" / "cursors" / sink)).load()
        assert state is not None
        ledger = state.ledger
        assert ledger.delivered == len(numbers_of(written)), sink
        assert ledger.delivered + ledger.unmatched == len(numbers), sink
        assert ledger.read == ledger.settled, sink


@pytest.mark.parametrize("durability", ["disk", "sync"])
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_each_sink_gets_what_was_read_once(
    workplace: Workplace, point: str, moment: str, durability: str
) -> None:
    """Invariants 1, 5 and 6: what was safe is delivered by the next run, in order, and not twice."""
    lines = numbered(0, LINES)
    read = killed(workplace, point, moment, durability, lines)
    done = workplace.route(b"".join(numbered(LATER.start, LATER.stop)), *arguments(durability))

    assert_complete(workplace, lines, read)
    torn = [is_notice(line) for line in workplace.lines("all")].count(True)  # never safe, but known to have been there
    if point not in ("sync", "delete"):  # in a thread; the other may be writing a record
        assert torn == ((point, moment) == ("append", "during"))
    assert done.returncode == (74 if torn else 0)
    told = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert Counter(told) == ({"events lost": 3, "discarded or lost in this run": 3} if torn else {})
    assert not os.listdir(workplace.folder / "spool" / "segments")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("point", "count"), [("switch", 1), ("switch", 2), ("note", 1), ("send", 1), ("commit", 1)])
def test_killed_again_while_it_starts(workplace: Workplace, point: str, moment: str, count: int) -> None:
    """Invariant 6: a batch that is sent again is cut the same, however often it is begun."""
    lines = numbered(0, LINES)
    read = killed(workplace, "send", "during", "disk", lines)
    killed(workplace, point, moment, "disk", [], count)
    done = workplace.route(b"".join(numbered(LATER.start, LATER.stop)), *arguments("disk"))

    assert (done.returncode, done.stderr) == (0, b"")
    assert_complete(workplace, lines, read)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("point", ["note", "commit", "switch", "send"])
def test_killed_with_events_in_memory_nothing_is_there_twice(workplace: Workplace, point: str, moment: str) -> None:
    """Invariants 5 and 6 for `memory` with a folder: what was not delivered is lost, and the rest is there once."""
    lines = numbered(0, LINES)
    killed(workplace, point, moment, "memory", lines)
    done = workplace.route(b"".join(numbered(LATER.start, LATER.stop)), *arguments("memory"))

    assert done.returncode in (0, 74)
    torn = 0
    for sink, written in contents(workplace).items():
        torn += [is_torn(line) for line in written].count(True)
        numbers = numbers_of(line for line in written if not is_torn(line))
        later = wanted(sink, LATER)
        assert numbers == [*wanted(sink, range(LINES))[: len(numbers) - len(later)], *later], sink
    assert torn <= ((point, moment) == ("send", "during"))


def test_what_is_read_after_a_kill_is_not_taken_for_what_was_noted_before(workplace: Workplace) -> None:
    """Invariant 3: the events of noted batches were lost with the memory. Those that come later are others.

    (They had the same sequences, and stood for what had arrived already.)
    """
    before, between = numbered(0, LINES), numbered(LATER.stop, LATER.stop + LINES, width=120)
    killed(workplace, "send", "after", "memory", before)
    read = killed(workplace, "note", "before", "disk", between, 4)
    done = workplace.route(b"".join(numbered(LATER.start, LATER.stop)), *arguments("disk"))

    assert done.returncode in (0, 74)
    for sink, written in contents(workplace).items():
        numbers = [n for n in numbers_of(written) if n >= LINES]
        kept = [n for n in numbers if n >= LATER.stop]
        assert kept == wanted(sink, range(LATER.stop, LATER.stop + LINES))[: len(kept)], sink
        assert numbers == [*kept, *wanted(sink, LATER)], sink
        if sink == "all":
            assert sum(map(len, between[len(kept) + 1 : read])) <= READ_BYTES


def test_what_was_on_its_way_is_not_discarded(workplace: Workplace) -> None:
    """Invariants 3 and 6: it may have arrived. A sink that is dead after the kill discards only what comes behind it.

    (It discarded batches that stood in its file already.)
    """
    sinks = ("--sink", "all=file:all", "--sink", "gone=file:gone/out")
    spool = spool_options(when_full="discard_oldest", **SMALL)
    arguments = (*sinks, *spool, "--set", "shutdown_timeout=300ms")
    run_until_killed(workplace, (LAUNCHER, "send", "after", "20", *arguments), numbered(0, LINES))
    folder = (workplace.folder / "gone").rename(workplace.folder / "elsewhere")
    (workplace.folder / "gone").write_text("no folder\n")
    arrived = len((folder / "out").read_bytes().splitlines())
    # That the folder is a file is no mistake here: so it may be while it runs.
    dead = ("-c", WITHOUT_CHECK, *arguments)
    router = workplace.start([sys.executable, *dead], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    router.communicate(b"".join(numbered(LATER.start, LATER.start + 150_000)), timeout=TOO_LONG_SECONDS)
    assert router.returncode == 75
    (workplace.folder / "gone").unlink()
    folder.rename(workplace.folder / "gone")
    done = workplace.route(b"", *arguments[:-1], "shutdown_timeout=25s")

    assert done.returncode == 0
    numbers = numbers_of(workplace.lines("all"))
    place = 0
    for line in workplace.lines("gone/out"):
        if is_notice(line):
            assert place >= arrived > 1000
            place += json.loads(line)["logrouter.discarded"]
        else:
            assert number_of(line) == numbers[place]
            place += 1
    assert place == len(numbers)
