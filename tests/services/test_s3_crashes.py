"""Whole processes that deliver to S3, and are killed while they do: each event is in one object, once."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import pytest

from tests.crash.feeding import READ_BYTES, Feeding, lines_read, number_of, numbered
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, spool_options, wait_until
from tests.services.s3 import S3Server

KILLS = 5
LINES = 60_000
"""Offered to each run: 15 MB."""


def run_until_stored(
    workplace: Workplace, options: Sequence[str], lines: Sequence[bytes], server: S3Server, bucket: str, enough: int
) -> int:
    """Feed logrouter, and kill it as soon as enough is stored. How many lines it has read."""
    feeding = Feeding(lines, keep_open=True)
    router = workplace.start_router(*options, stdin=feeding.read_end)
    feeding.start()
    wait_until(lambda: server.stored_bytes(bucket) >= enough, "some events to be stored")
    router.kill()
    router.communicate(timeout=TOO_LONG_SECONDS)
    return lines_read(lines, feeding.stop())


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param("object_size=300KiB", id="whole"),
        pytest.param("object_size=18MiB", id="parts"),
        pytest.param("object_size=18MiB&object_age=1s", id="age"),
        pytest.param("object_size=20KiB&compression=zstd", id="compressed"),
    ],
)
def test_killed_in_the_midst_each_event_is_there_once(s3_server: S3Server, workplace: Workplace, cut: str) -> None:
    """What is missing is the end of what a run has read: it was not in the spool yet."""
    bucket = s3_server.make_bucket()
    compression = "" if "compression" in cut else "&compression=none"
    url = f"s3+{s3_server.url}/{bucket}/app/?region={s3_server.region}&{cut}{compression}"
    options = ["--sink", f"s3={url}", *spool_options()]
    environment = {"AWS_ACCESS_KEY_ID": s3_server.access_key, "AWS_SECRET_ACCESS_KEY": s3_server.secret_key}
    workplace.add_environment(environment)
    chance = random.Random(7)
    runs = [numbered(run * LINES, (run + 1) * LINES, 250) for run in range(KILLS)]
    read = []
    for run in runs:
        most = 200_000 if "zstd" in cut else 9_000_000
        enough = s3_server.stored_bytes(bucket) + chance.randrange(1, most)
        read.append(run_until_stored(workplace, options, run, s3_server, bucket, enough))

    last = workplace.start_router(*options)
    _, complaints = last.communicate(timeout=TOO_LONG_SECONDS)
    assert last.returncode == 0, complaints
    found = Counter(number_of(line + b"\n") for line in s3_server.lines(bucket))
    assert set(found.values()) == {1}
    assert s3_server.uploads(bucket) == []
    at_most_lost = 2 * READ_BYTES // min(map(len, runs[0]))
    for run, count in enumerate(read):
        delivered = sorted(n - run * LINES for n in found if n // LINES == run)
        assert delivered == list(range(len(delivered)))
        assert count - at_most_lost <= len(delivered) <= count
