"""Whole processes that deliver to OpenSearch, and are killed while they do: each event is there, and once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.feeding import READ_BYTES, Feeding, lines_read, numbered
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, spool_options, wait_until
from tests.services.opensearch import OpenSearch

KILLS = 5
LINES = 10_000
"""Offered to each run."""
PATIENCE_SECONDS = 240.0
"""OpenSearch takes a thousand events a second where the machine is busy."""


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    with ExitStack() as stack:
        yield Workplace(tmp_path, stack)


def indexed(server: OpenSearch, index: str) -> int:
    """How many events the index has taken so far."""
    answer = server.http.get(f"/{index}/_stats/indexing")
    return int(answer.json()["_all"]["primaries"]["indexing"]["index_total"]) if answer.is_success else 0


def run_until_indexed(
    workplace: Workplace, options: Sequence[str], lines: Sequence[bytes], server: OpenSearch, enough: int
) -> int:
    """Feed logrouter, and kill it as soon as enough is delivered. How many lines it has read."""
    feeding = Feeding(lines, keep_open=True)
    router = workplace.start_router(*options, stdin=feeding.read_end)
    feeding.start()
    wait_until(lambda: indexed(server, "killed") >= enough, "some events to be delivered")
    router.kill()
    router.communicate(timeout=TOO_LONG_SECONDS)
    return lines_read(lines, feeding.stop())


def test_killed_in_the_midst_each_event_is_there_once(opensearch: OpenSearch, workplace: Workplace) -> None:
    """What is missing is the end of what a run has read: it was not in the spool yet."""
    url = f"elasticsearch+{opensearch.url}/?index=killed"
    options = ["--sink", f"es={url}", "--set", "sinks.es.batch.events=200", *spool_options()]
    chance = random.Random(7)
    runs = [numbered(run * LINES, (run + 1) * LINES) for run in range(KILLS)]
    read = []
    for run in runs:
        enough = indexed(opensearch, "killed") + chance.randrange(1, LINES // 2)
        read.append(run_until_indexed(workplace, options, run, opensearch, enough))

    last = workplace.start_router(*options)
    _, complaints = last.communicate(timeout=PATIENCE_SECONDS)
    assert last.returncode == 0, complaints
    found = Counter(document["_source"]["n"] for document in opensearch.documents("killed"))
    assert set(found.values()) == {1}
    at_most_lost = 2 * READ_BYTES // min(map(len, runs[0]))
    for run, lines in enumerate(read):
        delivered = sorted(n - run * LINES for n in found if n // LINES == run)
        assert delivered == list(range(len(delivered)))
        assert lines - at_most_lost <= len(delivered) <= lines
