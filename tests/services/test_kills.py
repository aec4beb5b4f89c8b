"""logrouter killed again and again in mid-delivery, restarted with the same spool: what the servers hold afterwards.

What was not safe may be lost: the read in progress. All else is there, in OpenSearch, S3 and Loki once. VictoriaLogs
keeps all that it is sent, so that there it is at least once.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress

from tests.crash.feeding import READ_BYTES, Feeding, lines_read, number_of, numbered
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, wait_until
from tests.e2e.status import settled, status, waiting
from tests.services.destinations import (
    Destination,
    by_bulk_in_victorialogs,
    by_loki_in_victorialogs,
    configure,
    in_loki,
    in_opensearch,
    in_s3,
)
from tests.services.load import PATIENCE_SECONDS
from tests.services.loki import Loki
from tests.services.opensearch import OpenSearch
from tests.services.s3 import S3Server
from tests.services.victorialogs import VictoriaLogs

KILLS = 20
LINES = 10_000
"""Offered to each run."""
SEED = int(os.environ.get("CRASH_SEED", "5"))


def test_killed_in_mid_delivery_all_that_was_safe_is_at_every_server(
    workplace: Workplace, port: int, opensearch: OpenSearch, s3_server: S3Server, victorialogs: VictoriaLogs
) -> None:
    """One process delivers to all of them, so that each kill strikes each in mid-delivery."""
    destinations = [
        in_opensearch(opensearch),
        in_s3(s3_server, object_age="200ms", object_size="64KiB"),
        by_bulk_in_victorialogs(victorialogs),
        by_loki_in_victorialogs(victorialogs),
    ]
    configure(workplace, *destinations, spool={"directory": "spool", "max_size": "64MiB", "sync_interval": "20ms"})
    kill_again_and_again(workplace, port, destinations, bytes_per_second=400_000, width=200)


def test_killed_in_mid_delivery_loki_shows_each_line_once(workplace: Workplace, port: int, loki: Loki) -> None:
    destination = in_loki(loki)
    configure(workplace, destination, spool={"directory": "spool", "max_size": "64MiB", "sync_interval": "20ms"})
    kill_again_and_again(workplace, port, [destination], bytes_per_second=400_000, width=200)


def test_killed_between_parts_each_line_is_in_one_object(workplace: Workplace, port: int, s3_server: S3Server) -> None:
    """An upload that was open is gone on with, and in the end none is left."""
    options = {"object_size": "12MiB", "object_age": "2s", "compression": "none", "key": "lines/"}
    destination = in_s3(s3_server, **options)
    configure(workplace, destination, spool={"directory": "spool", "max_size": "256MiB", "sync_interval": "20ms"})
    kill_again_and_again(workplace, port, [destination], bytes_per_second=40e6, width=2000)
    assert s3_server.uploads(destination.options["bucket"]) == []


def kill_again_and_again(
    workplace: Workplace, port: int, destinations: Sequence[Destination], bytes_per_second: float, width: int
) -> None:
    """Run after run with lines of its own, each killed; and a last one that ends by itself. Then look."""
    chance = random.Random(SEED)
    lines = numbered(0, KILLS * LINES, width)
    runs = [lines[first : first + LINES] for first in range(0, len(lines), LINES)]
    read = [lines_read(run, _kill_while_delivering(workplace, port, run, bytes_per_second, chance)) for run in runs]
    last = numbered(len(lines), len(lines) + 1000, width)
    ledgers = _deliver_all(workplace, port, last)

    numbers = next(destination.numbers() for destination in destinations if destination.once)
    expected: list[int] = []
    for run, offered in enumerate(runs):
        first, kept = run * LINES, sum(1 for n in numbers if n // LINES == run)
        assert sum(map(len, offered[kept + 1 : read[run]])) <= READ_BYTES, run
        expected += range(first, first + kept)
    expected += map(number_of, last)
    for destination in destinations:
        destination.check(expected)
        ledger = ledgers[destination.name]
        assert ledger["read"] == settled(ledger), destination.name
        assert ledger["delivered"] == len(expected), destination.name


def _kill_while_delivering(
    workplace: Workplace, port: int, lines: Sequence[bytes], bytes_per_second: float, chance: random.Random
) -> int:
    """Gives how many bytes it has read."""
    feeding = Feeding(lines, bytes_per_second, keep_open=True)
    router = workplace.start_router("--set", f"admin.listen=127.0.0.1:{port}", stdin=feeding.read_end)
    feeding.start()
    wait_until(lambda: _is_delivering(port), "batches to be on their way to all", PATIENCE_SECONDS)
    with suppress(subprocess.TimeoutExpired):
        router.wait(chance.uniform(0, 0.25))
    router.kill()
    _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    read_bytes = feeding.stop()
    assert router.returncode == -signal.SIGKILL, complaints
    assert all(b'"events lost"' in line for line in complaints.splitlines()), complaints
    return read_bytes


def _is_delivering(port: int) -> bool:
    """Whether each destination has taken something from this run."""
    try:
        told = status(port)
    except OSError:  # it does not listen yet
        return False
    return all(sink["sent_bytes"] for sink in told["sinks"].values())


def _deliver_all(workplace: Workplace, port: int, lines: Sequence[bytes]) -> dict[str, dict[str, int]]:
    """What is left, and these. Gives the ledgers of the sinks."""
    router = workplace.start_router("--set", f"admin.listen=127.0.0.1:{port}")
    pipe(router.stdin).write(b"".join(lines))
    pipe(router.stdin).flush()
    wait_until(lambda: _has_delivered(port, len(lines)), "all to be delivered", PATIENCE_SECONDS)
    sinks: dict[str, dict[str, int]] = status(port)["sinks"]
    _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    assert router.returncode in (0, 74), complaints
    return sinks


def _has_delivered(port: int, events: int) -> bool:
    try:
        return status(port)["sources"]["stdin"]["events"] == events and not waiting(port)
    except OSError:
        return False
