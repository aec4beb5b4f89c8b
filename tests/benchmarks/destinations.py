"""What it costs to ship to destinations that answer: a counting server, a process of its own, stands for each."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks import inputs, measure
from tests.benchmarks.measure import Usage

SERVER = [sys.executable, "-m", "tests.benchmarks.counting_server"]
LOGROUTER = [sys.executable, "-m", "logrouter"]
YARDSTICK = [sys.executable, str(Path(__file__).with_name("shipping_yardstick.py"))]
BATCH_AGE_SECONDS = 0.1
LATE_GOAL_SECONDS = BATCH_AGE_SECONDS + 0.05


@dataclass(frozen=True)
class Destination:
    """One row: a sink, as YAML with the server's port in the place of PORT."""

    name: str
    title: str
    sink: str
    goal: int
    on_disk: bool = False
    """Whether the spool has a folder, so `durability: disk`."""

    def config(self, port: int, folder: Path) -> str:
        spool = f"spool: {{directory: {folder}/spool}}\n" if self.on_disk else ""
        return f"{spool}sinks:\n  it: {self.sink.replace('PORT', str(port))}\n"


_ES = 'type: elasticsearch, url: "http://127.0.0.1:PORT", index: app'
DESTINATIONS = (
    Destination("elasticsearch", "Elasticsearch bulk, gzip", f"{{{_ES}, id: none}}", 500_000),
    Destination("elasticsearch-ids", "the same with ids, `durability: disk`", f"{{{_ES}}}", 300_000, on_disk=True),
    Destination(
        "loki",
        "Loki push, 2 labels",
        '{type: loki, url: "http://127.0.0.1:PORT", labels: {app: "{service}", level: "{severity}"},'
        " max_age: never, out_of_order: never}",  # its events are old: as if they were of now
        350_000,
    ),
    Destination(
        "s3",
        "S3, zstd, objects of 8 MiB",
        '{type: s3, bucket: logs, region: eu-north-1, endpoint: "http://127.0.0.1:PORT", object_size: 8MiB,'
        " compression: zstd, access_key_id: a, secret_access_key: b}",
        450_000,
    ),
)


@contextmanager
def counting_server() -> Iterator[int]:
    """A counting server's port."""
    with subprocess.Popen(SERVER, stdout=subprocess.PIPE) as server:
        try:
            yield int(measure.pipe(server.stdout).readline())
        finally:
            server.kill()


def counts(port: int) -> dict[str, Any]:
    """What has come since this was asked last."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/counts")
    told: dict[str, Any] = orjson.loads(connection.getresponse().read())
    connection.close()
    return told


def shipping(chosen: str | None, small: int, large: int, rounds: int) -> Iterator[str]:
    """The marginal rate between two numbers of events, so without the start."""
    yield "| what | events | CPU s | wall s | peak MiB | goal | events per CPU s, marginal | goal | yardstick | ratio |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for destination in DESTINATIONS:
        if chosen in (None, "shipping", destination.name):
            (few, fewer), (many, more) = (_ship_both(destination, events, rounds) for events in (small, large))
            rate = (large - small) / max(0.001, many.cpu_seconds - few.cpu_seconds)
            theirs = (large - small) / max(0.001, more.cpu_seconds - fewer.cpu_seconds)
            yield (
                f"| {destination.title} | {large:,} | {many.cpu_seconds:.2f} | {many.wall_seconds:.2f} "
                f"| {many.peak_mib:.1f} | ≤ 110 | {rate:,.0f} | ≥ {destination.goal:,} | {theirs:,.0f} "
                f"| {rate / theirs:.2f} |"
            )


def _ship_both(destination: Destination, events: int, rounds: int) -> tuple[Usage, Usage]:
    """Medians of logrouter and of the yardstick, in turns."""
    ours, theirs = [], []
    with counting_server() as port:
        for _ in range(rounds):
            ours.append(_ship(destination, events, port))
            theirs.append(_arrived([*YARDSTICK, destination.name, str(port)], events, port))
    return measure.medians(ours), measure.medians(theirs)


def _ship(destination: Destination, events: int, port: int) -> Usage:
    with tempfile.TemporaryDirectory(prefix="logrouter-benchmark-") as folder:
        return _arrived(_command(destination, port, Path(folder)), events, port)


def _arrived(command: list[str], events: int, port: int) -> Usage:
    """What a command used to ship so many events. Every event must have come, once."""
    used = measure.run_piped(command, inputs.input_file("json", events))
    arrived = counts(port)["events"]
    assert arrived == events, f"{command}: {arrived} of {events} events have come"
    return used


def _command(destination: Destination, port: int, folder: Path) -> list[str]:
    config = folder / "config.yaml"
    config.write_text(destination.config(port, folder))
    return [*LOGROUTER, "--config", str(config)]


def start(rounds: int) -> Iterator[str]:
    """What a start costs where HTTP is to be spoken: one event, so that it is."""
    yield "| what | CPU s | goal |"
    yield "|---|--:|--:|"
    with counting_server() as port:
        used = measure.medians([_ship(DESTINATIONS[0], 1, port) for _ in range(rounds)])
    yield f"| start and end, one event to Elasticsearch | {used.cpu_seconds:.3f} | ≤ 0.3 |"


def latency(rate: int, seconds: int) -> Iterator[str]:
    """Events one by one; how late each is at the destination."""
    with counting_server() as port, tempfile.TemporaryDirectory(prefix="logrouter-benchmark-") as folder:
        config = Path(folder) / "config.yaml"
        sink = f"{{{_ES.replace('PORT', str(port))}, batch: {{age: {BATCH_AGE_SECONDS * 1000:.0f}ms}}}}"
        config.write_text(f"sinks:\n  it: {sink}\n")
        with measure.running([*LOGROUTER, "--config", str(config)]) as process:
            stdin = measure.pipe(process.stdin)
            stdin.write(b'{"level":"info","message":"the start is measured elsewhere"}\n')
            while not counts(port)["events"]:
                time.sleep(0.05)
            begun = time.monotonic()
            for number in range(rate * seconds):
                time.sleep(max(0.0, begun + number / rate - time.monotonic()))
                stdin.write(b'{"sent":%.6f,"level":"info","message":"one of few"}\n' % time.monotonic())
        late = counts(port)["late"]
    assert len(late) == rate * seconds, f"{len(late)} events have come"
    median, p99 = late[len(late) // 2], late[len(late) * 99 // 100]
    yield "| events a second | batch age | late, ms: median | 99 % | goal | worst |"
    yield "|--:|--:|--:|--:|--:|--:|"
    yield (
        f"| {rate} | {BATCH_AGE_SECONDS * 1000:.0f} ms | {median * 1000:.0f} | {p99 * 1000:.0f} "
        f"| ≤ {LATE_GOAL_SECONDS * 1000:.0f} | {late[-1] * 1000:.0f} |"
    )
