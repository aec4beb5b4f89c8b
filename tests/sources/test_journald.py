"""The source journald over a journalctl that is none: what it is asked for, and what it does wrong.

Over real journals: tests/services/test_journald.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from logrouter.framing import Frame
from logrouter.sources import Stream
from logrouter.sources.journald import JournaldConfig, JournaldSource
from logrouter.values import Size

SCRIPT = """#!/bin/sh
cd "{folder}"
number=$(($(cat runs 2>/dev/null || echo 0) + 1))
echo $number >runs
printf '%s\\n' "$@" >$number.arguments
env >$number.environment
[ -e $number.out ] && cat $number.out
[ -e $number.err ] && cat $number.err >&2
[ -e $number.end ] && . ./$number.end
echo $$ >$number.waits
exec sleep 1000
"""


class FakeJournalctl:
    """A program that gives, at each of its runs, what is prepared for that; then it waits, as `--follow` does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "journalctl"
        self.path.write_text(SCRIPT.format(folder=folder))
        self.path.chmod(0o755)
        self._prepared = 0

    def gives(self, *entries: bytes, says: str = "", ends: str | None = "exit 0") -> None:
        """At the next run. `ends`: the shell's words for how; None: it goes on."""
        self._prepared += 1
        (self.folder / f"{self._prepared}.out").write_bytes(b"".join(entries))
        (self.folder / f"{self._prepared}.err").write_text(says)
        if ends is not None:
            (self.folder / f"{self._prepared}.end").write_text(ends)

    def arguments(self, run: int) -> list[str]:
        """What it was asked for, beside what it always is."""
        given = (self.folder / f"{run}.arguments").read_text().splitlines()
        assert given[:3] == ["--output=export", "--quiet", "--all"]
        return given[3:]

    async def wait_until_run(self, run: int) -> int:
        """Until it waits in its run of that number; gives its process."""
        while not (path := self.folder / f"{run}.waits").exists() or not path.read_text():  # noqa: ASYNC110 - a process writes it
            await trio.sleep(1)
        return int(path.read_text())


def cursor(number: int) -> str:
    return f"s=aa;i={number:x};b=bb;m={number:x};t=1;x=1"


def entry(number: int, text: str = "") -> bytes:
    return f"__CURSOR={cursor(number)}\nMESSAGE={text or number}\n\n".encode()


class Reading:
    """What a source emits and says, as it runs."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.positions: list[str] = []
        self.warnings: list[tuple[str, dict[str, object]]] = []
        self._more = trio.Event()

    async def emit(
        self, frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None
    ) -> None:
        await trio.lowlevel.checkpoint()
        assert stream is not None
        assert position is not None
        self.texts += [json.loads(line)["message"] for line in frame.lines]
        self.positions.append(position.decode())
        self._wake()

    def warn(self, message: str, *, about: str = "", **fields: object) -> None:
        self.warnings.append((message, fields))
        self._wake()

    def _wake(self) -> None:
        self._more.set()
        self._more = trio.Event()

    async def wait_for(self, *texts: str) -> None:
        """Until these have been emitted, and no others."""
        while len(self.texts) < len(texts):
            await self._more.wait()
        assert self.texts == list(texts)

    async def wait_for_warning(self) -> None:
        while not self.warnings:
            await self._more.wait()


@pytest.fixture
def journalctl(tmp_path: Path) -> FakeJournalctl:
    return FakeJournalctl(tmp_path)


@pytest.fixture
def fast_clock() -> MockClock:
    """The waits of the source are over in no time; those of the test are long enough for processes."""
    return MockClock(rate=1000)


Start = Callable[..., Any]


@pytest.fixture
def start(journalctl: FakeJournalctl) -> Start:
    """Runs a source in the background, and ends it."""

    @asynccontextmanager
    async def started(position: str = "", **options: Any) -> AsyncIterator[tuple[JournaldSource, Reading]]:
        reading = Reading()
        source = JournaldSource(JournaldConfig(journalctl=str(journalctl.path), **options))
        source.warn = reading.warn
        source.resume({"journal": position.encode()} if position else {})
        with trio.fail_after(60_000):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(source.run, reading.emit)
                yield source, reading
                source.stop()

    return started


async def test_it_reads_what_there_is_and_then_follows(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    """`--follow` alone would leave out what was written before the last reboot."""
    journalctl.gives(entry(1), entry(2))
    journalctl.gives(entry(2), entry(3), ends=None)
    async with start(start="beginning") as (_, reading):
        await reading.wait_for("1", "2", "3")
    assert reading.positions == [cursor(2), cursor(3)]
    assert journalctl.arguments(1) == []
    assert journalctl.arguments(2) == [f"--cursor={cursor(2)}", "--follow", "--no-tail"]
    assert reading.warnings == []


async def test_at_first_it_begins_at_the_end(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    journalctl.gives(entry(7))
    journalctl.gives(entry(7))
    journalctl.gives(entry(7), entry(8), ends=None)
    async with start() as (_, reading):
        await reading.wait_for("8")
    assert reading.positions == [cursor(7), cursor(8)]
    assert journalctl.arguments(1) == ["--lines=1"]
    assert journalctl.arguments(3) == [f"--cursor={cursor(7)}", "--follow", "--no-tail"]


async def test_or_with_all_of_this_boot(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    journalctl.gives(entry(1))
    async with start(start="boot"):
        await journalctl.wait_until_run(2)
    assert journalctl.arguments(1) == ["--boot"]
    assert journalctl.arguments(2) == [f"--cursor={cursor(1)}", "--follow", "--no-tail"]


async def test_resumed_it_leaves_out_what_it_has_read(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    journalctl.gives(entry(5))
    journalctl.gives(entry(5), entry(6))
    async with start(cursor(5)) as (_, reading):
        await journalctl.wait_until_run(3)
    assert reading.texts == ["6"]
    assert journalctl.arguments(1) == [f"--cursor={cursor(5)}", "--lines=1"]
    assert reading.warnings == []


async def test_where_that_does_not_match_any_more_nothing_is_left_out(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    """journalctl itself would leave out the first, whichever that is."""
    journalctl.gives(entry(5))
    journalctl.gives(entry(6))
    async with start(cursor(5), units=["b.service"]) as (_, reading):
        await journalctl.wait_until_run(3)
    assert reading.texts == ["6"]
    assert journalctl.arguments(1) == [f"--cursor={cursor(5)}", "--lines=1"], "it is looked for among all units"
    assert journalctl.arguments(2) == [f"--cursor={cursor(5)}", "--unit=b.service"]


async def test_vacuumed_past_where_it_was_it_says_so_and_goes_on(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    for _ in range(2):
        journalctl.gives(entry(9))
    async with start(cursor(5), units=["b.service"]) as (source, reading):
        await journalctl.wait_until_run(3)
    assert reading.texts == ["9"]
    assert source.lost_events == 3
    assert [fields for _, fields in reading.warnings] == [{"entries": 3}]
    assert reading.positions == ["", ">" + cursor(9), cursor(9)]


async def test_what_is_lost_is_counted_once(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    """Also where the process ended before anything came."""
    for _ in range(2):
        journalctl.gives(entry(9))
    async with start(">" + cursor(9)) as (source, reading):
        await journalctl.wait_until_run(3)
    assert reading.texts == ["9"]
    assert (source.lost_events, reading.warnings) == (0, [])


async def test_a_journal_with_other_numbers_tells_not_how_many(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    journalctl.gives(entry(9))
    async with start(cursor(5).replace("s=aa", "s=other").replace("m=5", "m=6")) as (source, reading):
        await journalctl.wait_until_run(2)
    assert source.lost_events == 0
    assert [fields for _, fields in reading.warnings] == [{"entries": "unknown"}]


async def test_an_entry_that_was_copied_is_the_same(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    for _ in range(2):
        journalctl.gives(entry(5))
    async with start(cursor(5).replace("s=aa;i=5", "s=run;i=99")) as (_, reading):
        await journalctl.wait_until_run(3)
    assert (reading.texts, reading.warnings) == ([], [])


@pytest.mark.parametrize(
    ("says", "ends", "reason"),
    [
        ("Failed to add match: no\n\n  Hint: none\n", "exit 1", "Failed to add match: no; Hint: none (exit code 1)"),
        ("", "exit 3", "exit code 3"),
        ("", "kill -9 $$", "ended by SIGKILL"),
        ("", "echo oh no; echo; exit 0", "what it writes is no journal: a field cannot be called b'oh no'"),
    ],
)
async def test_when_it_dies_it_is_started_again(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock, says: str, ends: str, reason: str
) -> None:
    journalctl.gives(says=says, ends=ends)
    journalctl.gives(entry(1))
    journalctl.gives(entry(1), entry(2), ends=None)
    async with start(start="beginning") as (_, reading):
        await reading.wait_for("1", "2")
    assert [fields for _, fields in reading.warnings] == [{"reason": reason}]


async def test_also_when_it_follows(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    journalctl.gives(entry(1))
    journalctl.gives(entry(1), entry(2), ends="exit 0")
    journalctl.gives(entry(2))
    journalctl.gives(entry(2), entry(3))
    async with start(start="beginning") as (_, reading):
        await journalctl.wait_until_run(5)
    assert reading.texts == ["1", "2", "3"]
    assert [fields for _, fields in reading.warnings] == [{"reason": "it does not say why"}]


async def test_an_unfinished_entry_is_none(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    journalctl.gives(entry(1), entry(2)[:-1], ends="exit 1")
    async with start(start="beginning") as (_, reading):
        await journalctl.wait_until_run(2)
    assert reading.texts == ["1"]


async def test_a_journalctl_that_went_missing_is_tried_again(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    hidden = journalctl.path.rename(journalctl.path.with_name("hidden"))
    async with start(start="beginning") as (_, reading):
        await reading.wait_for_warning()
        hidden.rename(journalctl.path)
        await journalctl.wait_until_run(1)
    assert reading.warnings[0][1] == {"reason": f"{journalctl.path}: No such file or directory"}


async def test_stopped_it_ends_its_child(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    journalctl.gives(entry(1))
    async with start(start="beginning"):
        process = await journalctl.wait_until_run(2)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_without_follow_it_ends(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    journalctl.gives(entry(1))
    reading = Reading()
    source = JournaldSource(JournaldConfig(journalctl=str(journalctl.path), start="beginning", follow=False))
    assert source.ends
    await source.run(reading.emit)
    assert reading.texts == ["1"]


async def test_no_secret_of_ours_is_in_its_environment(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGROUTER_SINK_ES__PASSWORD", "hidden")
    async with start(start="beginning"):
        await journalctl.wait_until_run(1)
    assert "hidden" not in (journalctl.folder / "1.environment").read_text()


async def test_options_become_arguments(journalctl: FakeJournalctl, start: Start, fast_clock: MockClock) -> None:
    options: dict[str, Any] = {
        "units": ["a.service", "b*"],
        "matches": {"_TRANSPORT": ["kernel", "audit"], "PRIORITY": ["3"]},
        "directory": "/host/journal",
        "namespace": "*",
    }
    journalctl.gives(entry(1))
    async with start(start="beginning", **options):
        await journalctl.wait_until_run(2)
    where = ["--directory=/host/journal", "--namespace=*"]
    what = ["--unit=a.service", "--unit=b*", "_TRANSPORT=kernel", "_TRANSPORT=audit", "PRIORITY=3"]
    assert journalctl.arguments(1) == [*where, *what]
    assert journalctl.arguments(2) == [*where, f"--cursor={cursor(1)}", "--follow", "--no-tail", "--merge", *what]


async def test_of_an_entry_that_is_too_long_the_rest_is_lost_and_told(
    journalctl: FakeJournalctl, start: Start, fast_clock: MockClock
) -> None:
    journalctl.gives(entry(1, "x" * 100_000))
    async with start(start="beginning", max_line=Size(70_000)) as (source, reading):
        await journalctl.wait_until_run(2)
    assert reading.texts == ["x" * (70_000 - len(cursor(1)))]
    assert source.lost_bytes == 30_000 + len(cursor(1))
    assert [message for message, _ in reading.warnings] == ["an entry is longer than max_line: the rest of it is lost"]


@pytest.mark.parametrize("field", ["message", "A=B", "", "--directory", "X" * 65])
def test_what_is_no_field_cannot_be_matched(field: str) -> None:
    with pytest.raises(ValueError, match="no field"):
        JournaldConfig(matches={field: ["1"]})


# ── before the start ──


def problem(**options: Any) -> str | None:
    return JournaldSource.problem_with(JournaldConfig(**options))


def test_a_missing_journalctl_is_a_mistake(tmp_path: Path) -> None:
    assert "not there" in str(problem(journalctl=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("files", "unreadable", "is_problem"),
    [
        ([], [], False),
        (["a.journal"], ["a.journal"], True),
        (["id/system.journal", "id/user-1000.journal"], ["id/system.journal"], True),
        (["id/system.journal", "id/user-1000.journal"], ["id/user-1000.journal"], False),
        (["id/system.journal", "readme"], ["readme"], False),
    ],
)
def test_a_journal_that_may_not_be_read_is_a_mistake(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    files: Sequence[str],
    unreadable: Sequence[str],
    is_problem: bool,
) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    hidden = [str(tmp_path / file) for file in unreadable]
    monkeypatch.setattr(os, "access", lambda path, mode: path not in hidden)
    found = problem(directory=str(tmp_path), journalctl="sh")
    assert (found is not None and "systemd-journal" in found) == is_problem


def test_also_where_its_folder_may_not_be_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    assert f"{tmp_path} may not be read" in str(problem(directory=str(tmp_path), journalctl="sh"))
