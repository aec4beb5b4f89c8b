"""`logrouter run` measured: what an app feels of it, and what it costs beside the pipe. Outputs are checked."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks import cases, inputs, measure
from tests.benchmarks.cases import CASES
from tests.benchmarks.measure import Usage
from tests.benchmarks.spool import emptied

LOGROUTER = [sys.executable, "-m", "logrouter"]
APP = [sys.executable, "-I", "-S", str(Path(__file__).with_name("wrapped_app.py"))]
NOTHING = Path(os.devnull)
ROUTE = CASES[0]
RATE = 20_000
WAYS = ("pipe", "spool")


def wrapped(folder: Path, small: int, large: int, rounds: int, seconds: int) -> Iterator[str]:
    """All of it."""
    yield from felt(folder, rounds, seconds)
    yield ""
    yield from flooded(folder, large, rounds)
    yield ""
    yield from cost(folder, small, large, rounds)
    yield ""
    yield from start(folder, rounds)


def ways(way: str, here: Path) -> list[str]:
    """The flags for a way of capturing; pipe: with the spool in memory."""
    return ["--no-tee", "--capture", way, *(["--set", f"spool.directory={here}/spool"] if way == "spool" else [])]


def run_app(here: Path, flags: Sequence[str], app: Sequence[str], config: str) -> tuple[Usage, list[float]]:
    """What `logrouter run` used, all its processes together, and what the app found."""
    (here / "config.yaml").write_text(config)
    command = [*LOGROUTER, "run", "--config", str(here / "config.yaml"), *flags, "--", *app, str(here / "result")]
    used = measure.run_piped(command, NOTHING)
    return used, [float(figure) for figure in (here / "result").read_text().split()]


def felt(folder: Path, rounds: int, seconds: int) -> Iterator[str]:
    """How long an app's writes take."""
    yield f"| an app that writes {RATE:,} lines a second, one by one | 99 % of writes, ms | the longest, ms | goal |"
    yield "|---|--:|--:|--:|"
    config = "sinks: {all: {type: file, path: %s/all, format: raw}}"
    found: dict[str, list[list[float]]] = {name: [] for name in ("`app | cat > file`", *WAYS)}
    for _ in range(rounds):
        for name, results in found.items():
            with emptied(folder) as here:
                paced = [*APP, "paced", str(RATE), str(seconds)]
                if name in WAYS:
                    results.append(run_app(here, ways(name, here), paced, config % here)[1])
                    assert (here / "all").read_bytes().count(b"\n") == results[-1][0]
                else:
                    results.append(through_cat(here, paced))
    for name, results in found.items():
        p99, longest = (1000 * median(result[place] for result in results) for place in (1, 2))
        shown = f"`--capture {name}`" if name in WAYS else name
        yield f"| {shown} | {p99:.3f} | {longest:.1f} | {'≤ 1' if name in WAYS else ''} |"


def through_cat(here: Path, app: Sequence[str]) -> list[float]:
    """`app | cat > file`: what the app found, and how long it all took at the end."""
    began = time.monotonic()
    with (here / "all").open("wb") as file:
        writer = subprocess.Popen([*app, str(here / "result")], stdout=subprocess.PIPE)
        with writer, subprocess.Popen(["cat"], stdin=writer.stdout, stdout=file):
            writer.stdout.close()  # type: ignore[union-attr]
    return [*map(float, (here / "result").read_text().split()), time.monotonic() - began]


def flooded(folder: Path, events: int, rounds: int) -> Iterator[str]:
    """How long an app takes to get rid of very much."""
    path = inputs.input_file("json", events)
    mib = path.stat().st_size / 2**20
    yield f"| a flood of {mib:,.0f} MiB | the app, s | of `app \\| cat > file` | goal | to the end, s |"
    yield "|---|--:|--:|--:|--:|"
    config = "sinks: {all: {type: file, path: %s/all, format: raw}}"
    app: dict[str, list[float]] = {name: [] for name in ("cat", *WAYS)}
    whole: dict[str, list[float]] = {name: [] for name in app}
    for _ in range(rounds):
        for name in app:
            with emptied(folder) as here:
                if name == "cat":
                    took, _, all_seconds = through_cat(here, [*APP, "copy", str(path)])
                else:
                    used, (took, _) = run_app(here, ways(name, here), [*APP, "copy", str(path)], config % here)
                    all_seconds = used.wall_seconds
                assert (here / "all").stat().st_size == path.stat().st_size
                app[name].append(took)
                whole[name].append(all_seconds)
    for name, seconds in app.items():
        shown = f"`--capture {name}`" if name in WAYS else "`app \\| cat > file`"
        ratio = f"{median(seconds) / median(app['cat']):.2f} | ≤ 1.3" if name in WAYS else "|"
        yield f"| {shown} | {median(seconds):.2f} | {ratio} | {median(whole[name]):.2f} |"


def cost(folder: Path, small: int, large: int, rounds: int) -> Iterator[str]:
    """The route to 3 files: CPU of supervisor and router together, beside `app | logrouter`."""
    yield "| route to 3 files | events per CPU s, marginal | of the pipe | goal | peak MiB |"
    yield "|---|--:|--:|--:|--:|"
    for way in WAYS:
        used: dict[str, dict[int, list[tuple[float, float]]]] = {"piped": {}, "run": {}}
        for events in (small, large):
            path = inputs.input_file(ROUTE.input_kind, events)
            wanted = cases.expected(ROUTE, path)
            for _ in range(rounds):
                for name in used:
                    with emptied(folder) as here:
                        used[name].setdefault(events, []).append(_routed(name, way, here, path))
                        cases.check(ROUTE, here, path, wanted)
        rates = {}
        for name, by_events in used.items():
            few, many = (median(cpu for cpu, _ in by_events[events]) for events in (small, large))
            rates[name] = (large - small) / max(0.001, many - few)
        peaks = {name: median(peak for _, peak in by_events[large]) for name, by_events in used.items()}
        level = "disk" if way == "spool" else "memory"
        yield f"| `app \\| logrouter`, `durability: {level}` | {rates['piped']:,.0f} | | | {peaks['piped']:.1f} |"
        share = rates["run"] / rates["piped"]
        yield f"| `logrouter run --capture {way}` | {rates['run']:,.0f} | {share:.0%} | ≥ 70 % | {peaks['run']:.1f} |"


def _routed(name: str, way: str, here: Path, path: Path) -> tuple[float, float]:
    """CPU seconds of what is ours, and its peak of memory."""
    if name == "run":
        used, (_, app_cpu) = run_app(here, ways(way, here), [*APP, "copy", str(path)], ROUTE.config(here))
        return used.cpu_seconds - app_cpu, used.peak_mib
    (here / "config.yaml").write_text(ROUTE.config(here))
    flags = ["--set", f"spool.directory={here}/spool"] if way == "spool" else []
    used = measure.run_piped([*LOGROUTER, "--config", str(here / "config.yaml"), *flags], path)
    return used.cpu_seconds, used.peak_mib


def start(folder: Path, rounds: int) -> Iterator[str]:
    """From the start to an app's first line on stdout, and what stays in memory beside it."""
    yield "| what | `--capture pipe` | `--capture spool` | goal |"
    yield "|---|--:|--:|--:|"
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    supervisors: dict[str, list[float]] = {way: [] for way in WAYS}
    both: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            with emptied(folder) as here:
                began = time.monotonic()
                command = [*LOGROUTER, "run", *ways(way, here), "--", "sh", "-c", "echo hello; read line"]
                with measure.running(command) as process:
                    assert measure.pipe(process.stdout).readline()
                    seconds[way].append(time.monotonic() - began)
                    time.sleep(0.5)
                    supervisors[way].append(measure.resident_mib(process.pid))
                    both[way].append(supervisors[way][-1] + measure.resident_mib(_router_of(process.pid)))
    for what, found, goal in (
        ("first line out, s", seconds, "≤ 0.25"),
        ("the supervisor's memory, MiB", supervisors, "≤ 12"),
        ("with the router's, MiB", both, "≤ 55"),
    ):
        yield f"| {what} | {median(found['pipe']):.2f} | {median(found['spool']):.2f} | {goal} |"


def _router_of(pid: int) -> int:
    """The child that is in a session of its own."""
    children = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return next(child for child in children if os.getsid(child) == child)
