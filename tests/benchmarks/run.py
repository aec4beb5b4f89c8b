"""Measures the real command, as whole processes, beside a yardstick, and prints tables in Markdown.

    python -m tests.benchmarks.run [--quick] [--rounds N] [--only NAME]

Every run's outputs are checked, line for line, against what the input says must be there: see `cases.py`.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import (
    cases,
    destinations,
    hostile,
    inputs,
    isolation,
    measure,
    peers,
    spool,
    stalls,
    tail,
    wrapped,
)
from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.measure import Usage
from tests.benchmarks.trickle import trickle

LOGROUTER = [sys.executable, "-m", "logrouter"]
YARDSTICK = [sys.executable, str(Path(__file__).with_name("yardstick.py"))]
TRICKLE_YARDSTICK = [sys.executable, str(Path(__file__).with_name("trickle_yardstick.py"))]
SPOOL_PARTS = ("durability", "synced", "dead", "restart", "laggard", "isolation")
TAIL_PARTS = ("tail", "tail-many")
SHIPPING_PARTS = ("shipping", "shipping-start", "latency", "stalls", *(each.name for each in destinations.DESTINATIONS))
ONE_LINE = b'{"time":"2026-11-23T00:00:00Z","level":"info","service":"checkout","message":"hello"}\n'


class Plan(NamedTuple):
    """How much is measured."""

    rounds: int
    small: int
    """Events: the marginal rate is taken between this and `large`."""
    middle: int
    large: int
    trickle_seconds: int
    segments: int
    """Of the backlog that a restart finds."""


FULL = Plan(rounds=5, small=200_000, middle=1_000_000, large=2_000_000, trickle_seconds=12, segments=160)
QUICK = Plan(rounds=3, small=20_000, middle=100_000, large=200_000, trickle_seconds=5, segments=8)


class Row(NamedTuple):
    """Medians of one case at one number of events."""

    case: Case
    events: int
    logrouter: Usage
    yardstick: Usage


def measure_row(case: Case, events: int, rounds: int) -> Row:
    """Both programs in turns, so that what the machine does meanwhile hits both."""
    input_path = inputs.input_file(case.input_kind, events)
    wanted = cases.expected(case, input_path)
    ours, theirs = [], []
    for _ in range(rounds):
        with output_folder() as folder:
            ours.append(measure.run_piped(logrouter_command(case, folder), input_path))
            cases.check(case, folder, input_path, wanted)
        with output_folder() as folder:
            theirs.append(measure.run_piped([*YARDSTICK, case.name, str(folder)], input_path))
            cases.check(case, folder, input_path, wanted)
    return Row(case, events, measure.medians(ours), measure.medians(theirs))


def logrouter_command(case: Case, folder: Path) -> list[str]:
    config = folder / "config.yaml"
    config.write_text(case.config(folder))
    return [*LOGROUTER, "--config", str(config)]


@contextmanager
def output_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="logrouter-benchmark-") as folder:
        yield Path(folder)


def throughput(chosen: Sequence[Case], plan: Plan) -> Iterator[str]:
    """The table of whole runs, then that of marginal rates."""
    rows = [
        measure_row(case, events, plan.rounds) for case in chosen for events in (plan.small, plan.middle, plan.large)
    ]
    yield "| what | events | CPU s | wall s | peak MiB | events per CPU s | yardstick CPU s | ratio |"
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    yield from map(_whole_run, rows)
    yield ""
    yield f"Marginal, between {plan.small:,} and {plan.large:,} events, so without the start:"
    yield ""
    yield "| what | events per CPU s | goal | yardstick | ratio |"
    yield "|---|--:|--:|--:|--:|"
    for case in chosen:
        by_events = {row.events: row for row in rows if row.case is case}
        yield _marginal(by_events[plan.small], by_events[plan.large])


def _whole_run(row: Row) -> str:
    ours, theirs = row.logrouter, row.yardstick
    rate, ratio = row.events / ours.cpu_seconds, theirs.cpu_seconds / ours.cpu_seconds
    return (
        f"| {row.case.title} | {row.events:,} | {ours.cpu_seconds:.2f} | {ours.wall_seconds:.2f} "
        f"| {ours.peak_mib:.1f} | {rate:,.0f} | {theirs.cpu_seconds:.2f} | {ratio:.2f} |"
    )


def _marginal(small: Row, large: Row) -> str:
    events = large.events - small.events
    ours = events / max(0.001, large.logrouter.cpu_seconds - small.logrouter.cpu_seconds)
    theirs = events / max(0.001, large.yardstick.cpu_seconds - small.yardstick.cpu_seconds)
    goal = f"≥ {small.case.goal:,}" if small.case.goal else ""
    return f"| {small.case.title} | {ours:,.0f} | {goal} | {theirs:,.0f} | {ours / theirs:.2f} |"


def start_and_size(plan: Plan) -> Iterator[str]:
    """What a start costs, and memory at rest."""
    with output_folder() as folder:
        routed = logrouter_command(CASES[0], folder)
        nothing = Path(os.devnull)
        start = measure.medians([measure.run_piped(routed, nothing) for _ in range(plan.rounds)])
        bare = measure.medians([measure.run_piped([sys.executable, "-c", ""], nothing) for _ in range(plan.rounds)])
        trio_alone = [sys.executable, "-c", "import trio"]
        trio = measure.medians([measure.run_piped(trio_alone, nothing) for _ in range(plan.rounds)])
        first = sorted(measure.first_line_seconds(LOGROUTER, ONE_LINE) for _ in range(plan.rounds))[plan.rounds // 2]
        idle = measure.idle_mib(LOGROUTER, ONE_LINE)
    yield "| what | measured | goal | bare Python | that and `import trio` |"
    yield "|---|--:|--:|--:|--:|"
    cpu = f"{bare.cpu_seconds:.3f} | {trio.cpu_seconds:.3f}"
    yield f"| start and end, with a config, CPU s | {start.cpu_seconds:.3f} | ≤ 0.15 | {cpu} |"
    yield f"| start and end, wall s | {start.wall_seconds:.3f} | | {bare.wall_seconds:.3f} | {trio.wall_seconds:.3f} |"
    yield f"| first line out, nothing configured, s | {first:.3f} | ≤ 0.2 | | |"
    yield f"| memory idle, MiB | {idle:.1f} | ≤ 40 | {bare.peak_mib:.1f} | {trio.peak_mib:.1f} |"


def trickles(plan: Plan) -> Iterator[str]:
    """Lines one by one."""
    yield "| lines a second | lines | CPU, % of a core | goal | bare trio | late, ms: median | 99 % | worst | goal |"
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for rate, goal in ((1_000, 2), (10_000, 8)):
        with output_folder() as folder:
            case = CASES[0]
            command = logrouter_command(case, folder)
            config = Path(command[-1])
            config.write_text(config.read_text().replace('level != "debug"', 'level != "none"'))  # so that one gets all
            seen = trickle(command, folder / "visible", measure.cpu_seconds, rate, plan.trickle_seconds)
        assert seen.lines == rate * plan.trickle_seconds, f"{seen.lines} lines arrived"
        with output_folder() as folder:
            least = [*TRICKLE_YARDSTICK, str(folder)]
            bare = trickle(least, folder / "visible", measure.cpu_seconds, rate, plan.trickle_seconds)
        yield (
            f"| {rate:,} | {seen.lines:,} | {100 * seen.cpu_share:.1f} | ≤ {goal} | {100 * bare.cpu_share:.1f} "
            f"| {seen.median_ms:.1f} | {seen.p99_ms:.1f} | {seen.worst_ms:.1f} | ≤ 25 |"
        )


def prepare() -> None:
    """Both programs as they are installed: byte code compiled, output buffered, whatever this shell says."""
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        os.environ.pop(name, None)
    with output_folder() as folder:
        case = CASES[-1]  # the one that imports most
        measure.run_piped(logrouter_command(case, folder), inputs.input_file(case.input_kind, 1))


def machine() -> Iterator[str]:
    model = next(
        (line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    version = subprocess.run([*LOGROUTER, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[
        0
    ]
    folder = tempfile.gettempdir()
    listing = subprocess.run(["df", "--output=fstype", folder], capture_output=True, text=True, check=True).stdout
    yield f"- {version}, Python {platform.python_version()}, Linux {platform.release()}"
    yield f"- {model}, {os.cpu_count()} cores; load before the run {os.getloadavg()[0]:.2f}"
    yield f"- input and output on {listing.split()[-1]}, {shutil.disk_usage(folder).free >> 30} GiB free"


def _cpuinfo() -> list[str]:
    return Path("/proc/cpuinfo").read_text().splitlines()


def main() -> None:
    options = _parse()
    prepare()
    plan = QUICK if options.quick else FULL
    plan = plan._replace(rounds=options.rounds or plan.rounds)
    folder = Path(tempfile.gettempdir())
    chosen = [case for case in CASES if options.only in (None, case.name)]
    parts: dict[str, Callable[[], Iterator[str]]] = {
        "start": lambda: start_and_size(plan),
        "throughput": lambda: throughput(chosen, plan),
        "trickle": lambda: trickles(plan),
        "durability": lambda: spool.durability(folder, plan.small, plan.large, plan.rounds),
        "synced": lambda: spool.synced(folder, plan.middle, plan.rounds),
        "dead": lambda: spool.dead_sink(folder, plan.large),
        "restart": lambda: spool.restart(folder, plan.segments),
        "laggard": lambda: spool.laggard(folder, plan.trickle_seconds),
        "isolation": lambda: isolation.isolation(folder, plan.middle, plan.rounds),
        "run": lambda: wrapped.wrapped(folder, plan.small, plan.large, plan.rounds, plan.trickle_seconds),
        "hostile": hostile.hostile,
        "tail": lambda: tail.one_file(plan.small, plan.large, plan.rounds),
        "tail-many": lambda: tail.many_files(1_000, 50_000, plan.trickle_seconds),
        "shipping": lambda: destinations.shipping(options.only, plan.small, plan.middle, plan.rounds),
        "shipping-start": lambda: destinations.start(plan.rounds),
        "latency": lambda: destinations.latency(100, plan.trickle_seconds),
        "stalls": lambda: stalls.stalls(max(plan.small, stalls.LEAST_EVENTS)),
        "peers": lambda: peers.beside(
            min(plan.small, 100_000), min(plan.middle, 500_000), plan.rounds, plan.trickle_seconds
        ),
    }
    _print("machine", machine)
    for name, part in parts.items():
        shipped = name == "shipping" and options.only in SHIPPING_PARTS[4:]
        if options.only in (None, name) or (name == "throughput" and chosen) or shipped:
            _print(name, part)


def _print(name: str, part: Callable[[], Iterator[str]]) -> None:
    print(f"## {name.capitalize()}\n", flush=True)
    for line in part():
        print(line, flush=True)
    print()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, fewer rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help="medians of so many, instead of 5 (quick: 3)")
    names = [
        "start",
        "trickle",
        "run",
        "hostile",
        "peers",
        *TAIL_PARTS,
        *SPOOL_PARTS,
        *SHIPPING_PARTS,
        *(case.name for case in CASES),
    ]
    parser.add_argument("--only", choices=names, help="one part alone")
    return parser.parse_args()


if __name__ == "__main__":
    main()
