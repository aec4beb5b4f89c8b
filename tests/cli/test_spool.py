"""`logrouter spool`: which spool is meant, what `ls` and `verify` tell of it, also while a process writes."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logrouter.cli import _spool_check
from logrouter.runtime.spool.log_reader import LogReader
from logrouter.segments import SALT_BYTES, head_bytes, marker_with
from tests.cli.conftest import Ask, Command
from tests.cli.spools import SpoolMaker, age, events, spoil, spoil_entries, spoil_records
from tests.runtime.spool.logs import make_newer, records_in

COMMANDS = ("ls", "verify", "export", "repair")


# ── which spool ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("named", ["file", "here", "variable", "set", "systemd"])
def test_the_spool_of_the_config(
    command: Command,
    spool: SpoolMaker,
    write: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    named: str,
) -> None:
    spool.run(3)
    argv: list[str] = []
    if named in ("file", "here"):
        write("spool: {directory: spool}", "logrouter.yaml" if named == "here" else "other.yaml")
        argv = ["--config", "other.yaml"] if named == "file" else []
    elif named == "variable":
        monkeypatch.setenv("LOGROUTER_SPOOL__DIRECTORY", "spool")
    elif named == "systemd":
        monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    else:
        argv = ["--set", "spool.directory=spool"]

    done = command("spool", "verify", *argv)

    assert (done.code, done.complaints) == (0, "")
    assert done.output.endswith("spool: 1 segment, 30 events, 963B, 0 cursors\nall is well\n")


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("argv", "code", "complaint"),
    [
        (
            (),
            2,
            "the config has no spool.directory: name one with --directory DIR, or name the config with --config FILE",
        ),
        (("--directory", "nowhere"), 2, "there is no folder nowhere"),
        (("--directory", "."), 2, ". is no spool: it has no folder segments"),
        (("--directory", "spool/spool.json"), 2, "cannot read the spool spool/spool.json: Not a directory"),
        (("--set", "spool.directory=nowhere"), 2, "there is no folder nowhere"),
        (
            ("--directory", "spool", "--set", "log_level=info"),
            2,
            "--directory names the spool already: leave out --config and --set, or --directory",
        ),
    ],
)
def test_no_spool(
    command: Command, spool: SpoolMaker, name: str, argv: tuple[str, ...], code: int, complaint: str
) -> None:
    assert command("spool", name, *argv) == (code, "", f"logrouter: {complaint}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_config(command: Command, name: str) -> None:
    done = command("spool", name, "--set", "spool.directry=x")

    assert (done.code, done.output) == (78, "")
    assert "did you mean 'directory'?" in done.complaints
    assert len(done.complaints.splitlines()) == 1


@pytest.mark.parametrize("argv", [(), ("list",), ("ls", "extra"), ("ls", "--sink", "x"), ("verify", "--dry-run")])
def test_wrong_usage(command: Command, argv: tuple[str, ...]) -> None:
    done = command("spool", *argv)

    assert (done.code, done.output) == (2, "")
    assert done.complaints.startswith("usage: logrouter spool")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_spool_of_a_newer_version(command: Command, spool: SpoolMaker, name: str) -> None:
    spool.run(1)
    (spool.path / "spool.json").write_text('{"version": 3, "machine": ""}')

    complaint = "spool was written by a newer logrouter (format 3); this one knows format 2"
    assert command("spool", name, "--directory", "spool") == (2, "", f"logrouter: {complaint}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_segment_of_a_newer_version(command: Command, spool: SpoolMaker, name: str) -> None:
    (segment,) = spool.run(1)
    make_newer(segment, 3)

    done = command("spool", name, "--directory", "spool")

    assert (done.code, done.output) == (2, "")
    assert done.complaints == (
        "logrouter: spool/segments/000000000001.segment: it is of version 3, and this program reads versions 1 and 2\n"
    )


def test_an_empty_spool(command: Command, spool: SpoolMaker) -> None:
    assert command("spool", "ls", "--directory", "spool").output == (
        "spool\n\nno segments: no events are kept\n\nno cursors: no sink has begun to read\n\n"
        "total: 0 segments, 0 events, 0B, 0 of 0 sinks not up to date\n"
    )
    assert command("spool", "verify", "--directory", "spool") == (
        0,
        "spool: 0 segments, 0 events, 0B, 0 cursors\nall is well\n",
        "",
    )
    assert command("spool", "export", "--directory", "spool") == (0, "", "")
    assert command("spool", "repair", "--directory", "spool") == (0, "spool: nothing to repair\n", "")


def test_looking_changes_nothing(command: Command, spool: SpoolMaker) -> None:
    spool.run(3)
    spool.cursor("a", 10)
    (spool.path / "lock").unlink()
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in spool.path.rglob("*")}

    for argv in (("ls",), ("verify",), ("export",), ("repair", "--dry-run")):
        assert command("spool", *argv, "--directory", "spool").code == 0

    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in spool.path.rglob("*")} == before


@pytest.mark.parametrize("argv", [("spool", "ls"), ("spool", "verify"), ("dlq", "ls")])
def test_a_folder_whose_name_is_no_text(command: Command, tmp_path: Path, argv: tuple[str, ...]) -> None:
    path = SpoolMaker(tmp_path / "s\udcff").path
    for name in ("segments/000000000007.segment", "cursors/a.0"):
        (path / name).write_bytes(b"damaged")
    told = json.loads(command(*argv, "--json", "--directory", str(path)).output)
    assert told["directory"].startswith(f"{tmp_path}/s\ufffd")


# ── ls ────────────────────────────────────────────────────────────────────────────────────────────────


def test_ls_for_people(command: Command, spool: SpoolMaker) -> None:
    for segment in spool.run(3) + spool.run(2)[1:]:
        age(segment, 3600)
    spool.cursor("errors", 20, note=(20, 40), gap=(40, 50))
    spool.cursor("all", 50)

    output = command("spool", "ls", "--directory", "spool").output

    lines = output.splitlines()
    assert lines[:6] == [
        "spool",
        "",
        "SEGMENT  FIRST  END  EVENTS  SIZE  FIRST RECEIVED        LAST RECEIVED         STATE",
        "      1      0   30      30  963B  2026-01-01T00:00:00Z  2026-01-01T00:03:00Z  waiting",
        "      2     30   50      20  665B  2026-01-01T00:03:00Z  2026-01-01T00:04:00Z  waiting",
        "",
    ]
    assert lines[6].split()[:5] == ["SINK", "COMMITTED", "WAITING", "SIZE", "OLDEST"]
    assert lines[6].split()[5:] == ["DELIVERED", "UNMATCHED", "DEAD-LETTERED", "DISCARDED", "LOST", "NOTES", "GAPS"]
    assert lines[7].split() == ["all", "50", "0", "0B", "-", "50", "0", "0", "0", "0", "0", "0"]
    words = lines[8].split()
    assert [*words[:4], *words[5:]] == ["errors", "20", "20", "973B", "20", "0", "0", "10", "spool_full", "0", "1", "1"]
    assert lines[10:] == ["total: 2 segments, 50 events, 1.6KiB, 1 of 2 sinks not up to date"]
    assert all(line == line.rstrip() for line in lines)


def test_ls_for_programs(ask: Ask, spool: SpoolMaker) -> None:
    first, second = spool.run(3), spool.run(2)
    spool.cursor("errors", 20)

    listed = ask("ls")

    assert listed["user"] is None
    assert [(row["first"], row["end"], row["events"], row["state"]) for row in listed["segments"]] == [
        (0, 30, 30, "waiting"),
        (30, 50, 20, "waiting"),
    ]
    assert [row["bytes"] for row in listed["segments"]] == [path.stat().st_size for path in (first[0], second[1])]
    assert listed["segments"][0]["epoch"] == "0000000000000abc"
    (cursor,) = listed["cursors"]
    behind = first[0].stat().st_size - records_in(first[0])[2] + second[1].stat().st_size
    assert (cursor["waiting"], cursor["waiting_bytes"]) == (30, behind)
    assert cursor["oldest_received"] == "2026-01-01T00:02:00Z"
    assert cursor["oldest_seconds"] > 0
    assert (cursor["read"], cursor["delivered"], cursor["lost"]) == (50, 20, {})
    assert (listed["events"], listed["bytes"]) == (50, sum(row["bytes"] for row in listed["segments"]))


@pytest.mark.parametrize(
    ("committed", "keep", "states"),
    [
        (10, None, ["waiting", "waiting"]),
        (30, None, ["delivered", "waiting"]),
        (50, None, ["delivered", "delivered"]),
        (50, "365000d", ["kept", "kept"]),
        (50, "1h", ["delivered", "delivered"]),
    ],
)
def test_the_states_of_segments(
    command: Command, spool: SpoolMaker, committed: int, keep: str | None, states: list[str]
) -> None:
    for segment in spool.run(3) + spool.run(2)[1:]:
        age(segment, 86_400)
    spool.cursor("a", committed)
    spool.cursor("b", 50)
    where = (
        ["--directory", "spool"] if keep is None else ["--set", "spool.directory=spool", "--set", f"spool.keep={keep}"]
    )

    done = command("spool", "ls", "--json", *where)

    assert [row["state"] for row in json.loads(done.output)["segments"]] == states


def test_what_nobody_has_read_is_kept(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(1)

    assert [row["state"] for row in ask("ls")["segments"]] == ["kept"]


def test_what_a_sink_has_given_up_it_does_not_wait_for(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(3)
    spool.run(2)
    spool.cursor("a", 0, gap=(0, 40))

    listed = ask("ls")

    assert [row["state"] for row in listed["segments"]] == ["delivered", "waiting"]
    (cursor,) = listed["cursors"]
    assert (cursor["waiting"], cursor["oldest_received"]) == (10, "2026-01-01T00:04:00Z")


def test_ls_counts_to_the_end_that_any_sink_knows_where_no_segment_is_left(ask: Ask, spool: SpoolMaker) -> None:
    """A sink that is not configured any more: what waited for it was deleted, and it would lose all of that."""
    for segment in spool.run(3):
        segment.unlink()
    spool.cursor("old", 0, note=(0, 10))
    spool.cursor("all", 30)

    rows = {row["sink"]: row for row in ask("ls")["cursors"]}

    assert {name: row["waiting"] for name, row in rows.items()} == {"old": 30, "all": 0}


def test_ls_tells_what_is_odd(command: Command, spool: SpoolMaker) -> None:
    spool.run(1)
    first, second = spool.run(1)[0], spool.run(1)[1]
    assert second.exists()
    spoil(first, 12)
    spoil_entries(spool.cursor("bad", 10)[0], [0, 1])
    spool.cursor("old", 10)
    (spool.path / "aside").mkdir()
    (spool.path / "aside" / "000000000009.segment.damaged").write_bytes(b"x")

    done = command("spool", "ls", "--set", "spool.directory=spool")

    lines = done.output.splitlines()
    assert done.code == 0
    assert lines[3].split() == ["1", "?", "?", "?", "347B", "-", "-", "damaged"]
    assert lines[8].split() == ["bad", "?", "?", "?", "-", "?", "?", "?", "?", "?", "?", "?"]
    assert lines[11:-1] == [
        "bad: this cursor cannot be read; `logrouter spool verify` tells where it is damaged",
        "bad: not a sink of this config; a run without it keeps nothing for it",
        "old: not a sink of this config; a run without it keeps nothing for it",
        "a segment is damaged; `logrouter spool verify` tells what that costs",
        "set aside: spool/aside/000000000009.segment.damaged",
    ]


def test_ls_names_the_process_that_uses_it(ask: Ask, spool: SpoolMaker) -> None:
    spool.directory.open()
    try:
        assert ask("ls")["user"] == os.getpid()
    finally:
        spool.directory.close()
    assert ask("ls")["user"] is None


def test_ls_reads_no_events(command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(20):
        spool.run(2)
    spool.cursor("a", 210)
    read = []
    pread = LogReader._pread
    monkeypatch.setattr(
        LogReader,
        "_pread",
        lambda self, segment, length, offset: read.append(length) or pread(self, segment, length, offset),
    )

    assert command("spool", "ls", "--directory", "spool").code == 0
    assert {length for length in read if length != head_bytes(marker_with(bytes(SALT_BYTES)))} == {318}, (
        "the last record, to see that it is whole"
    )
    assert len(read) < 3 * 20


# ── verify ────────────────────────────────────────────────────────────────────────────────────────────


def damaged(answer: dict[str, Any]) -> list[tuple[str, int, str, int | None, int | None]]:
    return [
        (row["path"].rpartition("/")[2], row["offset"], row["problem"], row["events"], row["first"])
        for row in answer["damaged"]
    ]


def test_all_is_well(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(3)
    spool.run(2, epoch=0xDEF)
    spool.cursor("a", 20)

    answer = ask("verify")

    assert (answer["well"], answer["segments"], answer["events"], answer["cursors"]) == (True, 2, 50, 1)
    assert (answer["damaged"], answer["missing"]) == ([], 0)


def test_a_damaged_record(command: Command, ask: Ask, spool: SpoolMaker) -> None:
    (segment,) = spool.run(5)
    spoil_records(segment, 1, 2)
    starts = records_in(segment)

    answer = ask("verify", code=74)

    assert damaged(answer) == [("000000000001.segment", starts[1], "a record's checksum is wrong", 20, 10)]
    done = command("spool", "verify", "--directory", "spool")
    assert done.output == (
        "spool: 1 segment, 30 events, 1.5KiB, 0 cursors\n"
        f"spool/segments/000000000001.segment at {starts[1]}, {starts[3] - starts[1]} bytes: "
        "a record's checksum is wrong: 20 events lost, from sequence 10\n"
        "damaged: 1 place, 20 events lost; `logrouter spool repair` sets them aside\n"
    )


def test_a_record_that_a_crash_has_cut(ask: Ask, spool: SpoolMaker) -> None:
    (segment,) = spool.run(3)
    segment.write_bytes(segment.read_bytes()[:-5])

    assert damaged(ask("verify", code=74)) == [
        ("000000000001.segment", records_in(segment)[2], "a record is cut", 10, 20)
    ]


def test_bytes_of_which_nobody_knows(command: Command, spool: SpoolMaker) -> None:
    (segment,) = spool.run(3)
    segment.write_bytes(segment.read_bytes() + b"?" * 100)

    done = command("spool", "verify", "--directory", "spool")

    size = segment.stat().st_size
    assert done.code == 74
    assert done.output.splitlines()[1:] == [
        f"spool/segments/000000000001.segment at {size - 100}, 100 bytes: no record begins here",
        "damaged: 1 place, 100 bytes of which nobody can tell what they were; `logrouter spool repair` sets them aside",
    ]


def test_damage_that_costs_nothing(ask: Ask, spool: SpoolMaker) -> None:
    """The next segment begins where the whole records end."""
    first = spool.run(2)[0]
    spool.run(2)
    first.write_bytes(first.read_bytes() + b"?" * 100)

    assert [row["events"] for row in ask("verify", code=74)["damaged"]] == [0]


def test_a_damaged_header(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(2)
    spool.run(2)
    second = spool.run(2)[1]
    spoil(second, 30)

    answer = ask("verify", code=74)

    assert damaged(answer) == [("000000000002.segment", 0, "its header cannot be read", 0, 20)]
    assert answer["events"] == 60


def test_a_segment_of_nothing_but_damage(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(2)
    spool.run(2)
    second = spool.run(2)[1]
    second.write_bytes(bytes(500))

    assert damaged(ask("verify", code=74)) == [("000000000002.segment", 0, "its header cannot be read", 20, 20)]


def test_a_segment_in_a_wrong_place(ask: Ask, spool: SpoolMaker) -> None:
    first = spool.run(3)[0]
    shutil.copy(first, first.with_name("000000000002.segment"))

    problems = [row["problem"] for row in ask("verify", code=74)["damaged"]]

    assert problems[0] == "it begins with sequence 0, and the segment before it ends with 29"
    assert problems[1:] == ["a record is out of order"] * 3


def test_a_damaged_cursor(command: Command, spool: SpoolMaker) -> None:
    spool.run(3)
    journal = spool.cursor("errors", 20, note=(20, 30))[0]
    spoil_entries(journal, [2])
    place = len(b"".join(journal.read_bytes().splitlines(keepends=True)[:2]))

    done = command("spool", "verify", "--directory", "spool")

    assert done.code == 74
    lines = done.output.splitlines()
    assert lines[1].startswith(f"spool/cursors/{journal.name} at {place}, ")
    assert lines[1].endswith(" bytes: an entry is damaged: no event is lost")
    assert lines[2] == "sink errors goes on from sequence 20: some events may arrive twice"


def test_a_cursor_that_tells_nothing(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(3)
    (spool.path / "cursors" / "empty.1").write_bytes(bytes(1000))
    spoil_entries(spool.cursor("errors", 20)[0], [0, 1])

    assert [(path, problem) for path, _, problem, _, _ in damaged(ask("verify", code=74))] == [
        ("empty.1", "there is no entry in it"),
        ("errors.1", "an entry is damaged"),
        ("errors.1", "an entry is damaged"),
    ]


def test_what_was_never_kept_is_no_damage(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(2)
    spool.sequence += 30
    spool.run(2)

    answer = ask("verify")

    assert (answer["well"], answer["missing"]) == (True, 30)


@pytest.mark.parametrize(("segment", "events"), [(0, 20), (1, 30), (2, 40)])
def test_a_segment_that_is_gone_is_told_of_each_sink_that_had_not_got_it(
    command: Command, ask: Ask, spool: SpoolMaker, segment: int, events: int
) -> None:
    """Wherever it was: what no other segment tells, the cursors do."""
    for records in (2, 3, 4):
        spool.run(records)
    spool.cursor("all", 90)
    spool.cursor("none", 0)
    spool.cursor("half", 25)
    spool.segments[segment].unlink()

    answer = ask("verify")

    half = {0: 0, 1: 25, 2: 40}[segment]
    assert answer["lacking"] == {"none": events, **({"half": half} if half else {})}
    done = command("spool", "verify", "--directory", "spool")
    assert f"sink none lacks {events} events that nobody has any more\n" in done.output
    assert done.output.endswith("all that is there is well\n")


def test_no_sink_lacks_what_it_was_told_of_or_has_got_or_what_is_damaged(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(3)
    spool.run(3)
    spool.run(3)
    spoil_records(spool.segments[2], 1)
    spool.segments[1].unlink()
    spool.cursor("told", 0, gap=(30, 60))
    spool.cursor("told-of-some", 10, gap=(20, 40))
    spool.cursor("further", 60)

    assert ask("verify", code=74)["lacking"] == {"told-of-some": 20}


def test_while_a_process_may_hold_events_in_memory_no_sink_lacks_any(ask: Ask, spool: SpoolMaker) -> None:
    spool.run(2)
    spool.cursor("a", 20)
    spool.cursor("b", 0)
    spool.segments[0].unlink()
    spool.directory.open()
    try:
        assert ask("verify")["lacking"] == {}
    finally:
        spool.directory.close()
    assert ask("verify")["lacking"] == {"b": 20}


def test_progress_is_shown_on_a_terminal(command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.run(30)
    monkeypatch.setattr(os, "isatty", lambda descriptor: descriptor == 2)
    monkeypatch.setattr(_spool_check, "_PROGRESS_BYTES", 4000)

    done = command("spool", "verify", "--directory", "spool")

    assert done.complaints.startswith("\rread 4.0KiB of 9.3KiB\033[K\rread ")
    assert done.complaints.endswith("\r\033[K")


# ── while somebody writes ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def moving(spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A segment whose last record is half written, and whole when one looks again."""
    (segment,) = spool.run(3)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-100])
    monkeypatch.setattr(_spool_check.time, "sleep", lambda seconds: segment.write_bytes(whole))
    return iter((segment,))


def test_a_record_that_is_being_written_is_no_damage(command: Command, ask: Ask, moving: Iterator[Path]) -> None:
    next(moving)

    answer = ask("verify")

    assert (answer["well"], answer["events"]) == (True, 20)


def test_nor_does_export_tell_it(command: Command, moving: Iterator[Path]) -> None:
    next(moving)

    done = command("spool", "export", "--directory", "spool")

    assert (done.code, done.complaints, events(done.output)) == (0, "", list(range(20)))


@pytest.mark.parametrize("name", ["ls", "verify", "export"])
def test_a_segment_that_is_just_begun(
    command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    spool.run(1)
    second = spool.run(1)[1]
    whole = second.read_bytes()
    second.write_bytes(b"")
    monkeypatch.setattr(_spool_check.time, "sleep", lambda seconds: second.write_bytes(whole))

    done = command("spool", name, "--directory", "spool")

    assert (done.code, done.complaints) == (0, "")
    assert "damaged" not in done.output


@pytest.mark.parametrize("name", ["ls", "verify", "export"])
def test_segments_are_deleted_meanwhile(
    command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    first = spool.run(1)[0]
    spool.run(1)
    open_log = LogReader.open

    def open_and_delete(self: LogReader) -> None:
        open_log(self)
        first.unlink()

    monkeypatch.setattr(LogReader, "open", open_and_delete)

    done = command("spool", name, "--directory", "spool")

    assert (done.code, done.complaints) == (0, "")
    if name == "export":
        assert events(done.output) == list(range(10, 20))


def test_an_entry_that_is_being_written_is_no_damage(
    ask: Ask, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.run(3)
    journal = spool.cursor("a", 20)[0]
    whole = journal.read_bytes()
    spoil_entries(journal, [1])
    monkeypatch.setattr(_spool_check.time, "sleep", lambda seconds: journal.write_bytes(whole))

    assert ask("verify")["well"] is True
