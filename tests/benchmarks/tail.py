"""The source `file`: one large file, read as fast as it goes; and many files, written to one line at a time.

`tail.py FOLDER FILES RATE SECONDS` is the writer of the second, a process of its own: it appends to each file in turn.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory

WRITES_PER_SECOND = 100
"""Each of so many bursts goes to other files, a write a line."""
CASES = ("text", "route")
GOALS = {"text": 1_500_000, "route": 700_000}
CONFIG = """
sources: {{app: {{type: file, include: ["{include}"], start: beginning, follow: {follow}}}}}
"""


def one_file(plan_small: int, plan_large: int, rounds: int) -> Iterator[str]:
    """The marginal rates, of a file that is there, beside those of the same lines by a pipe."""
    from tests.benchmarks import cases, inputs, measure, run

    yield "| what | events | CPU s | peak MiB | the same by stdin, CPU s | ratio |"
    yield "|---|--:|--:|--:|--:|--:|"
    marginal = []
    for case in (case for case in cases.CASES if case.name in CASES):
        rows = []
        for events in (plan_small, plan_large):
            path = inputs.input_file(case.input_kind, events)
            wanted = cases.expected(case, path)
            tailed, piped = [], []
            for _ in range(rounds):
                with run.output_folder() as folder:
                    config = folder / "config.yaml"
                    config.write_text(case.config(folder) + CONFIG.format(include=path, follow="false"))
                    command = [*run.LOGROUTER, "--config", str(config)]
                    tailed.append(measure.run_piped(command, Path(os.devnull)))
                    cases.check(case, folder, path, wanted)
                with run.output_folder() as folder:
                    piped.append(measure.run_piped(run.logrouter_command(case, folder), path))
            ours, theirs = measure.medians(tailed), measure.medians(piped)
            rows.append((events, ours.cpu_seconds, theirs.cpu_seconds))
            yield (
                f"| tail: {case.title} | {events:,} | {ours.cpu_seconds:.2f} | {ours.peak_mib:.1f} "
                f"| {theirs.cpu_seconds:.2f} | {theirs.cpu_seconds / ours.cpu_seconds:.2f} |"
            )
        (few, ours_few, theirs_few), (many, ours_many, theirs_many) = rows
        ours_rate, theirs_rate = (many - few) / (ours_many - ours_few), (many - few) / (theirs_many - theirs_few)
        marginal.append(
            f"| tail: {case.title} | {ours_rate:,.0f} | ≥ {GOALS[case.name]:,} | {theirs_rate:,.0f} "
            f"| {ours_rate / theirs_rate:.2f} |"
        )
    yield ""
    yield f"Marginal, between {plan_small:,} and {plan_large:,} events, so without the start:"
    yield ""
    yield "| what | events per CPU s | goal | by stdin | ratio |"
    yield "|---|--:|--:|--:|--:|"
    yield from marginal


def many_files(files: int, rate: int, seconds: int) -> Iterator[str]:
    """What it takes to follow many files, all of which are written to."""
    from tests.benchmarks import cases, measure, run

    case = next(case for case in cases.CASES if case.name == "route")
    yield "| files | lines a second, in all | CPU, % of a core | goal | lines | memory, MiB |"
    yield "|--:|--:|--:|--:|--:|--:|"
    with run.output_folder() as folder, _written(files, rate, seconds) as (written, writer):
        config = folder / "config.yaml"
        config.write_text(case.config(folder) + CONFIG.format(include=f"{written}/*.log", follow="true"))
        with Popen([*run.LOGROUTER, "--config", str(config)], stdin=PIPE) as router:
            writer.stdout.readline()  # type: ignore[union-attr]  # it has begun
            time.sleep(2)  # not counted: the start
            before, used = _lines(folder / "visible"), measure.cpu_seconds(router.pid)
            writer.wait()
            memory = measure.resident_mib(router.pid)
            lines = sum(map(_lines, written.glob("*.log")))
            until = time.monotonic() + measure.TOO_LONG_SECONDS
            while (arrived := _lines(folder / "visible")) < lines:
                assert time.monotonic() < until, f"{arrived} of {lines} lines have arrived"
                time.sleep(0.1)
            share = (measure.cpu_seconds(router.pid) - used) / (lines - before) * rate
            router.terminate()
            assert router.wait(measure.TOO_LONG_SECONDS) == 0
    assert arrived == lines, f"{arrived} of {lines} lines have arrived"
    yield f"| {files:,} | {rate:,} | {100 * share:.0f} | ≤ 50 | {lines:,} | {memory:.1f} |"


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@contextmanager
def _written(files: int, rate: int, seconds: int) -> Iterator[tuple[Path, Popen[bytes]]]:
    with TemporaryDirectory(prefix="logrouter-benchmark-") as folder:
        command = [sys.executable, "-I", "-S", __file__, folder, str(files), str(rate), str(seconds)]
        with Popen(command, stdout=PIPE) as writer:
            yield Path(folder), writer


def write(folder: str, files: int, rate: int, seconds: int) -> None:
    """Append lines to the files in turn, one write each."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    fds = [os.open(f"{folder}/{number:04d}.log", flags, 0o644) for number in range(files)]
    line = (
        b'{"time":"2026-11-23T00:00:00.000Z","level":"info","service":"cart","message":"request handled","n":%d,'
        b'"http":{"method":"GET","path":"/products/1","status":200},"duration_ms":12.5}\n'
    )
    print(flush=True)
    started, burst = time.monotonic(), rate // WRITES_PER_SECOND
    for number in range(rate * seconds // burst):
        ahead = started + number / WRITES_PER_SECOND - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        for n in range(number * burst, (number + 1) * burst):
            os.write(fds[n % files], line % n)


if __name__ == "__main__":
    write(sys.argv[1], *map(int, sys.argv[2:]))
