"""Killed again and again at any moment, under load, with one spool through it all."""

from __future__ import annotations

import json
import os
import random

import pytest

from tests.crash.feeding import (
    READ_BYTES,
    SINKS,
    contents,
    is_notice,
    lines_read,
    number_of,
    numbered,
    numbers_of,
    run_until_killed,
    wanted,
)
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, spool_options, wait_for_port, wait_until
from tests.e2e.status import settled, status, waiting

pytestmark = pytest.mark.slow

KILLS = 50
LINES = 30_000
"""Offered to each run."""
SPEEDS = (2e6, 8e6, float("inf"))
"""Bytes a second."""
SEED = int(os.environ.get("CRASH_SEED", "5"))


def test_killed_at_any_moment_each_line_that_was_safe_is_there_once(workplace: Workplace, port: int) -> None:
    """Invariants 1, 3, 5 and 6, over many kills: what is lost is the end of each run; the ledgers tell what is there.

    Each run has its own durability and memory: what the last one has left is delivered under any config.
    """
    chance = random.Random(SEED)
    read = []
    lines = numbered(0, KILLS * LINES)
    for run in range(KILLS):
        command = ("-m", "logrouter", *SINKS, *_spool(chance))
        offered = lines[run * LINES : (run + 1) * LINES]
        seconds, speed, starting = chance.uniform(0.0, 0.6), chance.choice(SPEEDS), chance.random() < 0.2
        read_bytes = run_until_killed(workplace, command, offered, seconds, speed, while_it_starts=starting)
        read.append(lines_read(offered, read_bytes))
    last = numbered(KILLS * LINES, KILLS * LINES + 1000)
    router = workplace.start_router(*SINKS, *_spool(chance), "--set", f"admin.listen=127.0.0.1:{port}")
    wait_for_port(port)
    pipe(router.stdin).write(b"".join(last))
    wait_until(lambda: status(port)["sources"]["stdin"]["events"] == 1000 and not waiting(port), "all to be delivered")
    sinks = status(port)["sinks"]
    pipe(router.stdin).close()
    assert router.wait(TOO_LONG_SECONDS) in (0, 74)

    files = contents(workplace)
    numbers = numbers_of(files["all"])
    expected = []
    for run in range(KILLS):
        kept = sum(1 for n in numbers if n // LINES == run)
        first = run * LINES
        assert sum(map(len, lines[first + kept + 1 : first + read[run]])) <= READ_BYTES, run
        expected += range(first, first + kept)
    assert numbers == [*expected, *map(number_of, last)]
    for name, written in files.items():
        assert numbers_of(written) == wanted(name, numbers), name
        ledger = sinks[name]
        assert ledger["read"] == settled(ledger), name
        assert ledger["delivered"] == len(numbers_of(written)), name
        assert ledger["delivered"] + ledger["unmatched"] == len(numbers)
        if name != "some":  # raw lines tell of no gaps
            told = sum(json.loads(line)["logrouter.lost"] for line in written if is_notice(line))
            assert sum(ledger["lost"].values()) == told


def _spool(chance: random.Random) -> list[str]:
    return spool_options(
        durability=chance.choice(["disk", "sync"]),
        max_size="16MiB",
        memory=chance.choice(["1MiB", "2MiB", "8MiB"]),
        sync_interval="20ms",
    )
