"""Files that are followed by the real command, while others write and rotate them and the router is killed."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, spool_options, wait_until

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("TAIL_RACE_SECONDS", "20"))
LINES_PER_SECOND = 8_000
SEED = int(os.environ.get("TAIL_RACE_SEED", "7"))
WRITER = Path(__file__).with_name("rotating_writer.py")
SOURCE = ("--set", "sources.app.type=file", "--set", "sources.app.start=beginning")


class Race:
    """A writer, a rotator and a router that is killed, all on one file."""

    def __init__(self, workplace: Workplace) -> None:
        self.workplace = workplace
        self.folder = workplace.folder
        self.path = workplace.folder / "app.log"
        self.writer = workplace.start(
            [sys.executable, WRITER, "app.log", f"{LINES_PER_SECOND}"], stdout=subprocess.PIPE
        )
        wait_until(self.path.exists, "the writer to begin")
        self.router = self._router()
        self.kills = 0
        self.rotated: list[Path] = []
        self._chance = random.Random(SEED)

    def _router(self) -> subprocess.Popen[bytes]:
        return self.workplace.start_router(
            *SOURCE, "--set", "sources.app.include=app.log*", "--sink", "out=file:out.ndjson", *spool_options(),
            stdin=subprocess.DEVNULL, stderr=None,
        )  # fmt: skip

    def run(self, rotate: Callable[[Path], None], seconds: float) -> None:
        """Rotate and kill at random moments for so long, and each some times, however long that takes."""
        until = time.monotonic() + seconds
        while time.monotonic() < until or self.kills < 2 or len(self.rotated) < 4:
            time.sleep(self._chance.uniform(0.1, 0.6))
            if self._chance.random() < 0.3:
                self.router.kill()
                self.router.wait()
                self.kills += 1
                if self._chance.random() < 0.5:
                    self._rotate(rotate)
                self.router = self._router()
            else:
                self._rotate(rotate)

    def _rotate(self, rotate: Callable[[Path], None]) -> None:
        target = self.folder / f"app.log.{len(self.rotated) + 1}"
        rotate(target)
        self.rotated.append(target)
        if len(self.rotated) > 1:  # as `delaycompress` does: nobody writes to it any more
            before = self.rotated[-2]
            with before.open("rb") as plain, gzip.open(f"{before}.gz", "wb") as packed:
                shutil.copyfileobj(plain, packed)
            before.unlink()

    def rename(self, target: Path) -> None:
        """As logrotate with `postrotate kill -HUP`."""
        self.path.rename(target)
        self.writer.send_signal(signal.SIGHUP)
        wait_until(self.path.exists, "the writer to open the file anew")

    def copytruncate(self, target: Path) -> None:
        """As logrotate with `copytruncate`."""
        shutil.copyfile(self.path, target)
        os.truncate(self.path, 0)

    def written(self) -> Iterator[int]:
        """The numbers of the lines in all files."""
        for path in self.folder.glob("app.log*"):
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                yield from (json.loads(line)["n"] for line in file)

    def stop_writing(self) -> int:
        """How many lines the writer has written, in all."""
        self.writer.terminate()
        output, _ = self.writer.communicate(timeout=TOO_LONG_SECONDS)
        return int(output)

    def delivered(self) -> list[int]:
        """The numbers of the lines that have arrived, but for one that is being written."""
        return [json.loads(line)["n"] for line in self.workplace.lines("out.ndjson") if line.endswith(b"\n")]

    def stop_router(self) -> None:
        """Once it has had time to read something twice."""
        time.sleep(2)
        self.router.terminate()
        assert self.router.wait(TOO_LONG_SECONDS) == 0


def test_renamed_and_compressed_while_the_router_is_killed_each_line_arrives_once(workplace: Workplace) -> None:
    race = Race(workplace)
    race.run(race.rename, SECONDS / 2)
    count = race.stop_writing()
    wait_until(lambda: len(workplace.lines("out.ndjson")) >= count, "all to be read")
    race.stop_router()
    assert sorted(race.delivered()) == list(range(count))


def test_copied_and_truncated_while_the_router_is_killed_each_line_that_is_anywhere_arrives_once(
    workplace: Workplace,
) -> None:
    """What is written between the copy and the truncation is in neither: that is lost, unless it was read before."""
    race = Race(workplace)
    race.run(race.copytruncate, SECONDS / 2)
    count, kept = race.stop_writing(), set(race.written())
    wait_until(lambda: kept <= set(race.delivered()), "all to be read")
    race.stop_router()
    delivered = race.delivered()
    assert sorted(set(delivered)) == sorted(delivered)
    assert len(delivered) > 0.9 * count


def test_a_dead_sink_makes_files_wait_and_loses_nothing(workplace: Workplace) -> None:
    """A live source would have to discard after `block_timeout`."""
    line = b"x" * 99 + b"\n"
    workplace.folder.joinpath("app.log").write_bytes(line * 40_000)
    router = workplace.start_router(
        *SOURCE, "--set", "sources.app.include=app.log", "--sink", "dead=file:/dev/full",
        "--sink", "all=file:out?format=raw", "--set", "shutdown_timeout=1s", "--set", "spool.memory=1MiB",
        "--set", "spool.block_timeout=10ms",
    )  # fmt: skip
    wait_until(lambda: len(workplace.lines("out")) > 1000, "the other sink to get what the memory holds")
    time.sleep(2)
    assert len(workplace.lines("out")) < 20_000
    router.terminate()
    _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    assert router.returncode == 75
    assert b"discarded" not in complaints
