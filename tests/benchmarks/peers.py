"""Fluent Bit and rsyslog beside logrouter: the same work on the same machine, in turns, so that all else hits both.

`BENCH_FLUENT_BIT` names the program of the first (not `LOGROUTER_…`: logrouter takes that for its own). What they are
told stands in `fluent_bit.py` and `rsyslog.py`. Every output is checked: each line must be there, and of every so many
each field.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks import inputs, measure, rsyslog
from tests.benchmarks.cases import CASES
from tests.benchmarks.fluent_bit import JOBS, ONE_FILE, PIPE, ROUTES, THREE_FILES, pipeline
from tests.benchmarks.measure import Usage
from tests.benchmarks.peer_runs import (
    LOGROUTER,
    NOBODY,
    config_file,
    new_folder,
    run_fluent_bit,
    run_logrouter,
    run_rsyslog,
    told,
)
from tests.benchmarks.trickle import trickle

VARIABLE = "BENCH_FLUENT_BIT"
STILL_SECONDS = 20.0
"""After so long without a line more a file is taken to stand still: twice what logrouter waits for a dead sink."""


class Pair(NamedTuple):
    """The same work, by both: how to do it with so many events, once."""

    title: str
    theirs: Callable[[int], Usage]
    ours: Callable[[int], Usage]
    of_goals: str = ""
    """The ratio that our goal means."""


def beside(small: int, large: int, rounds: int, seconds: int) -> Iterator[str]:
    """Throughput, then lines one by one, the start and memory at rest, and a dead sink."""
    program = shutil.which(os.environ.get(VARIABLE, ""))
    if program is None:
        yield f"Fluent Bit is not measured: {VARIABLE} names no program. Set it to the path of a `fluent-bit`."
    else:
        yield _version([program, "--version"])
        yield ""
        yield from throughput("Fluent Bit", _beside_fluent_bit(program), small, large, rounds)
        for part in (trickles(program, seconds), start_and_size(program, rounds), one_dead(program, large)):
            yield ""
            yield from part
        yield ""
    if Path(rsyslog.PROGRAM).exists():
        yield _version([rsyslog.PROGRAM, "-v"])
        yield ""
        yield from throughput("rsyslog", _beside_rsyslog(), small, large, rounds)
    else:
        yield f"rsyslog is not measured: there is no {rsyslog.PROGRAM}."


def _version(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return f"{said.splitlines()[0].strip()}, load {os.getloadavg()[0]:.1f}:"


# ── throughput ──


def throughput(peer: str, pairs: Sequence[Pair], small: int, large: int, rounds: int) -> Iterator[str]:
    """The marginal rates between two numbers of events, and whole runs of the larger one; medians."""
    yield (
        f"| what | {peer}, events per CPU s, marginal | logrouter | ratio | of the goals "
        f"| ratio of whole runs, {large:,} events | peak MiB: {peer} | logrouter |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for pair in pairs:
        theirs, ours, whole_theirs, whole_ours = _rates(pair, small, large, rounds)
        whole = whole_theirs.cpu_seconds / whole_ours.cpu_seconds
        yield (
            f"| {pair.title} | {theirs:,.0f} | {ours:,.0f} | {ours / theirs:.2f} | {pair.of_goals} "
            f"| {whole:.2f} | {whole_theirs.peak_mib:.0f} | {whole_ours.peak_mib:.0f} |"
        )


def _rates(pair: Pair, small: int, large: int, rounds: int) -> tuple[float, float, Usage, Usage]:
    """Events a CPU second of each, and what the larger runs used."""
    runs: dict[tuple[int, bool], list[Usage]] = {}
    for _ in range(rounds):
        for events in (small, large):
            runs.setdefault((events, True), []).append(pair.theirs(events))
            runs.setdefault((events, False), []).append(pair.ours(events))
    medians = {key: measure.medians(used) for key, used in runs.items()}
    theirs, ours = (
        (large - small) / max(0.001, medians[large, whose].cpu_seconds - medians[small, whose].cpu_seconds)
        for whose in (True, False)
    )
    return theirs, ours, medians[large, True], medians[large, False]


def _beside_fluent_bit(program: str) -> list[Pair]:
    return [
        Pair(
            job.title,
            partial(run_fluent_bit, program, job),
            partial(run_logrouter, job.case),
            f"{job.goal / job.there:.2f}" if job.there else "",
        )
        for job in JOBS
    ]


def _beside_rsyslog() -> list[Pair]:
    return [Pair(job.case.title, partial(run_rsyslog, job), partial(run_logrouter, job.case)) for job in rsyslog.JOBS]


# ── what else a user feels ──


def trickles(program: str, seconds: int) -> Iterator[str]:
    """Lines one by one to three files, one of which gets all; Fluent Bit writes what has come once a second."""
    yield "| lines a second | Fluent Bit, % of a core | logrouter | late, ms, median: Fluent Bit | logrouter |"
    yield "|--:|--:|--:|--:|--:|"
    for rate in (1_000, 10_000):
        with new_folder() as theirs, new_folder() as ours:
            config = pipeline(PIPE, THREE_FILES, ROUTES, FOLDER=theirs).replace("^debug$", "^none$")
            config = config.replace("flush: 0.1", "flush: 1")
            commands = {
                theirs: told(program, theirs, config),
                ours: [*LOGROUTER, *config_file(ours, CASES[0].config(ours).replace('!= "debug"', '!= "none"'))],
            }
            seen = [
                trickle(command, folder / "visible", measure.cpu_seconds, rate, seconds)
                for folder, command in commands.items()
            ]
        assert all(each.lines == rate * seconds for each in seen), f"{seen}"
        shares = " | ".join(f"{100 * each.cpu_share:.1f}" for each in seen)
        yield f"| {rate:,} | {shares} | " + " | ".join(f"{each.median_ms:.0f}" for each in seen) + " |"


def start_and_size(program: str, rounds: int) -> Iterator[str]:
    """The first line out, to stdout, and memory after it; Fluent Bit is told to write every 20 ms."""
    line = b'{"time":"2026-11-23T00:00:00Z","level":"info","service":"checkout","message":"hello"}\n'
    with new_folder() as folder:
        config = pipeline(PIPE, '\n    - {name: stdout, match: "*", format: json_lines}')
        both = (told(program, folder, config.replace("flush: 0.1", "flush: 0.02")), LOGROUTER)
        firsts = [sorted(measure.first_line_seconds(each, line) for _ in range(rounds))[rounds // 2] for each in both]
        idle = [measure.idle_mib(each, line) for each in both]
    yield "| what | Fluent Bit | logrouter |"
    yield "|---|--:|--:|"
    yield f"| first line out after the start, ms | {1000 * firsts[0]:.0f} | {1000 * firsts[1]:.0f} |"
    yield f"| memory idle, MiB | {idle[0]:.1f} | {idle[1]:.1f} |"


def one_dead(program: str, events: int) -> Iterator[str]:
    """Two sinks want everything, one of them a server that is not there: what the other, a file, gets."""
    path = inputs.input_file("json", events)
    yield f"| what waits for a dead server is kept | Fluent Bit: its file gets, of {events:,} | logrouter |"
    yield "|---|--:|--:|"
    for where, their_storage, our_spool in (
        ("in 16 MiB of memory", "mem_buf_limit: 16M", ""),
        ("in a folder", "storage.type: filesystem", "spool: {directory: FOLDER/spool}\n"),
    ):
        dead = f'\n    - {{name: http, match: "*", host: 127.0.0.1, port: {NOBODY}, retry_limit: no_limits}}'
        source = PIPE.replace("mem_buf_limit: 64M", their_storage)
        our_sinks = f'sinks: {{all: "file:FOLDER/all", dead: {{type: http, url: "http://127.0.0.1:{NOBODY}/"}}}}\n'
        with new_folder() as theirs, new_folder() as ours:
            config = pipeline(source, ONE_FILE + dead, FOLDER=theirs)
            config = config.replace("service: {", f"service: {{storage.path: {theirs}/storage, ")
            our_config = (our_spool + our_sinks).replace("FOLDER", str(ours))
            got = (
                _lines_when_still(told(program, theirs, config), path, theirs / "all", events),
                _lines_when_still([*LOGROUTER, *config_file(ours, our_config)], path, ours / "all", events),
            )
        yield f"| {where} | {got[0]:,} | {got[1]:,} |"


def _lines_when_still(command: list[str], input_path: Path, output: Path, events: int) -> int:
    """How many lines an output holds when all are there, or none has come for long."""
    with (
        subprocess.Popen(["cat", input_path], stdout=subprocess.PIPE) as cat,
        subprocess.Popen(command, stdin=cat.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as router,
    ):
        lines, since = 0, time.monotonic()
        while lines < events and time.monotonic() - since < STILL_SECONDS:
            time.sleep(0.5)
            now = output.read_bytes().count(b"\n") if output.exists() else 0
            lines, since = now, since if now == lines else time.monotonic()
        router.kill()
    return lines
