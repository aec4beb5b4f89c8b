"""How long single steps of the event loop take while events are shipped: what runs in between waits for so long."""

from __future__ import annotations

import io
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import trio

from logrouter import config
from logrouter.cli._route import settle_memory
from logrouter.runtime.log import Log
from logrouter.runtime.topology import Topology
from logrouter.testing import ScriptedSource
from tests.benchmarks import inputs
from tests.benchmarks.destinations import DESTINATIONS, counting_server

READ_BYTES = 512 * 1024
"""As much as stdin reads at once."""
GOAL_SECONDS = 0.005
LEAST_EVENTS = 200_000
"""Fewer are shipped before all is warm."""
WARM_UP_STEPS = 200
"""The first use of a library reads its files."""


class Steps(trio.abc.Instrument):
    """How long the steps of each task took."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._begun = 0.0
        self._count = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._begun = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self._count += 1
        if self._count > WARM_UP_STEPS:
            self.seconds[task.name.rpartition(".")[2]].append(time.thread_time() - self._begun)


def stalls(events: int) -> Iterator[str]:
    """The longest step of each kind of task, for each destination. In CPU time, so that other work does not count."""
    reads = _reads(inputs.input_file("json", events))
    yield "| what | steps | 99.9 % of them, ms | the longest, ms | of | goal |"
    yield "|---|--:|--:|--:|---|--:|"
    for destination in DESTINATIONS:
        with counting_server() as port:
            text = "sinks:" + destination.config(port, Path("/nonexistent")).partition("sinks:")[2]
            steps = _run(text, reads)
        every = sorted(seconds for taken in steps.seconds.values() for seconds in taken)
        longest, task = max((max(taken), name) for name, taken in steps.seconds.items())
        yield (
            f"| {destination.title} | {len(every):,} | {every[len(every) * 999 // 1000] * 1000:.1f} "
            f"| {longest * 1000:.1f} | `{task}` | ≤ {GOAL_SECONDS * 1000:.0f} |"
        )


def _reads(path: Path) -> list[bytes]:
    data = io.BytesIO(path.read_bytes())
    return list(iter(lambda: data.read(READ_BYTES), b""))


def _run(text: str, reads: list[bytes]) -> Steps:
    settings = config.load((), {"LOGROUTER_CONFIG_YAML": text}, system_folder=Path("/nonexistent"))
    topology = Topology(settings, Log("error"))
    topology.parts.sources[0].source = ScriptedSource(reads)
    steps = Steps()
    settle_memory()
    assert trio.run(topology.run, instruments=[steps]) == 0
    return steps
