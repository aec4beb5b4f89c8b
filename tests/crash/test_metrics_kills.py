"""Metrics out of events, killed again and again: what is counted is what a file that has each line once holds."""

from __future__ import annotations

import json
import random

import pytest

from tests.crash.feeding import numbered, numbers_of, run_until_killed
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, spool_options

pytestmark = pytest.mark.slow

KILLS = 15
LINES = 20_000
CONFIG = """
sinks:
  all: {type: file, path: all}
  numbers:
    type: metrics
    metrics:
      lines: {type: counter, labels: {kind: "{kind}"}}
      length: {type: histogram, value: n, buckets: [1000, 100000]}
"""


def test_each_event_counts_once_over_all_kills(workplace: Workplace) -> None:
    chance = random.Random(11)
    config = workplace.write("logrouter.yaml", CONFIG)
    arguments = ("--config", config, *spool_options(durability="disk", memory="2MiB", sync_interval="20ms"))
    lines = numbered(0, KILLS * LINES)
    for run in range(KILLS):
        offered = lines[run * LINES : (run + 1) * LINES]
        run_until_killed(workplace, ("-m", "logrouter", *arguments), offered, chance.uniform(0.0, 1.0), 8e6)
    last = workplace.start_router(*arguments)
    pipe(last.stdin).close()
    assert last.wait(TOO_LONG_SECONDS) in (0, 74)

    numbers = numbers_of(workplace.lines("all"))
    kept = json.loads((workplace.folder / "spool" / "metrics" / "numbers.json").read_bytes())["metrics"]
    assert len(numbers) > LINES
    counted = {kind: count for (kind,), count in kept["lines_total"]["series"]}
    assert counted == {str(kind): sum(n % 3 == kind for n in numbers) for kind in range(3)}
    ((_, (*buckets, total)),) = kept["length"]["series"]
    assert total == sum(numbers)
    assert buckets == [
        sum(n <= 1000 for n in numbers),
        sum(1000 < n <= 100_000 for n in numbers),
        sum(n > 100_000 for n in numbers),
    ]
