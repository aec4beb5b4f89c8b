"""`logrouter spool repair`: what is whole stays, what is not stands aside, and it may be killed at any moment."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from logrouter.runtime.spool.log_reader import LogReader
from tests.cli.conftest import Ask, Command
from tests.cli.spools import SpoolMaker, spoil, spoil_entries, spoil_records
from tests.runtime.spool.logs import reached, records_in

Damaging = Callable[[SpoolMaker], int]
"""Damages a spool of three segments of 30, 20 and 20 events. Gives how many of the 70 are left."""


def damaged_records(spool: SpoolMaker) -> int:
    spoil_records(spool.segments[0], 0, 2)
    spoil_records(spool.segments[1], 1)
    return 40


def cut_in_the_middle(spool: SpoolMaker) -> int:
    segment = spool.segments[1]
    segment.write_bytes(segment.read_bytes()[:-1])
    return 60


def cut_at_the_end(spool: SpoolMaker) -> int:
    segment = spool.segments[2]
    segment.write_bytes(segment.read_bytes()[:-1])
    return 60


def damaged_last_record(spool: SpoolMaker) -> int:
    spoil_records(spool.segments[2], 1)
    return 60


def nothing_left_of_the_last(spool: SpoolMaker) -> int:
    spoil_records(spool.segments[2], 0, 1)
    return 50


def garbage_at_the_end(spool: SpoolMaker) -> int:
    with spool.segments[2].open("ab") as file:
        file.write(b"\xf5LR1 garbage" * 100)
    return 70


def damaged_header(spool: SpoolMaker) -> int:
    spoil(spool.segments[1], 30)
    return 70


def damaged_headers(spool: SpoolMaker) -> int:
    for segment in spool.segments:
        spoil(segment, 0, data=b"????")
    return 70


def zeros(spool: SpoolMaker) -> int:
    spool.segments[1].write_bytes(bytes(spool.segments[1].stat().st_size))
    return 50


def zeros_at_the_end(spool: SpoolMaker) -> int:
    spool.segments[2].write_bytes(bytes(4096))
    return 50


def an_empty_file(spool: SpoolMaker) -> int:
    (spool.path / "segments" / "000000000004.segment").touch(0o600)
    return 70


def a_segment_twice(spool: SpoolMaker) -> int:
    shutil.copy(spool.segments[0], spool.path / "segments" / "000000000004.segment")
    return 70


def damaged_cursor(spool: SpoolMaker) -> int:
    spoil_entries(spool.path / "cursors" / "errors.1", [2])
    return 70


def damaged_snapshot(spool: SpoolMaker) -> int:
    spoil_entries(spool.path / "cursors" / "errors.1", [0])
    return 70


def lost_cursor(spool: SpoolMaker) -> int:
    spoil_entries(spool.path / "cursors" / "errors.1", [0, 1, 2])
    return 70


def empty_cursor(spool: SpoolMaker) -> int:
    (spool.path / "cursors" / "errors.1").write_bytes(bytes(100))
    return 70


def all_at_once(spool: SpoolMaker) -> int:
    spoil(spool.segments[0], 30)
    spoil_records(spool.segments[1], 0)
    lost_cursor(spool)
    return cut_at_the_end(spool) - 10


DAMAGES = [
    *(damaged_records, cut_in_the_middle, cut_at_the_end, damaged_last_record, nothing_left_of_the_last),
    *(garbage_at_the_end, damaged_header, damaged_headers, zeros, zeros_at_the_end, an_empty_file, a_segment_twice),
    *(damaged_cursor, damaged_snapshot, lost_cursor, empty_cursor, all_at_once),
]


def make_whole(spool: SpoolMaker) -> None:
    spool.run(3)
    spool.run(2)
    spool.run(2)
    spool.cursor("errors", 10, note=(10, 20))
    spool.cursor("all", 70)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_repair(command: Command, ask: Ask, spool: SpoolMaker, damage: Damaging) -> None:
    make_whole(spool)
    whole = spool.files()
    left = damage(spool)
    before = spool.files()
    reader = LogReader(spool.directory.segments)
    reader.open()
    reader.close()
    ask("verify", code=74)

    done = command("spool", "repair", "--directory", "spool")

    assert (done.code, done.complaints) == (0, "")
    assert done.output.splitlines()[-1].startswith("set aside: ")
    after = spool.files()
    answer = ask("verify")
    assert (answer["well"], answer["events"]) == (True, left)
    exported = command("spool", "export", "--directory", "spool")
    assert (exported.code, exported.complaints, len(exported.output.splitlines())) == (0, "", left)
    assert {json.loads(line)["logrouter.id"].partition("-")[0] for line in exported.output.splitlines()} == {
        "0000000000000abc"
    }
    aside = {name: data for name, data in after.items() if name.startswith("aside/")}
    assert all(data in before.values() for data in aside.values())
    untouched = [name for name, data in before.items() if data == whole.get(name)]
    assert [name for name in untouched if after.get(name) != before[name]] == []
    assert command("spool", "repair", "--directory", "spool").output == "spool: nothing to repair\n"
    assert spool.files() == after
    later = LogReader(spool.directory.segments)
    later.open()
    later.close()
    assert later.end >= reader.end
    assert later.end in (reader.end, 70)
    modes = {path.stat().st_mode & 0o777 for path in spool.path.rglob("*") if path.is_file()}
    assert modes == {0o600}
    if aside:
        assert (spool.path / "aside").stat().st_mode & 0o777 == 0o700


def test_what_repair_tells(command: Command, spool: SpoolMaker) -> None:
    make_whole(spool)
    starts = records_in(spool.segments[0])
    spoil_records(spool.segments[0], 1)
    lost_cursor(spool)
    before = spool.files()
    path = "spool/segments/000000000001.segment"

    expected = [
        (
            f"{path} at {starts[1]}, {starts[2] - starts[1]} bytes: a record's checksum is wrong: "
            "10 events lost, from sequence 10"
        ),
        "{} the damaged file as spool/aside/000000000001.segment.damaged",
    ]
    tried = command("spool", "repair", "--directory", "spool", "--dry-run")
    assert spool.files() == before
    done = command("spool", "repair", "--directory", "spool")

    for output, verb, conclusion in (
        (tried.output, "would keep", "would set aside"),
        (done.output, "kept", "set aside"),
    ):
        lines = output.splitlines()
        assert lines[:2] == [line.format(verb) for line in expected]
        assert lines[-3:] == [
            "sink errors begins again with the oldest event that is kept: some events may arrive twice",
            f"{verb} the damaged file as spool/aside/errors.1.damaged",
            f"{conclusion}: 4 places, 10 events lost",
        ]


def test_the_end_of_the_log_is_kept(command: Command, spool: SpoolMaker) -> None:
    """What was cut was there once: sinks that have not got it must count it."""
    make_whole(spool)
    cut_at_the_end(spool)

    lines = command("spool", "repair", "--directory", "spool").output.splitlines()

    path = "spool/segments/000000000004.segment"
    assert lines[0] == f"began {path}, empty, so that the log ends where it did: at sequence 70"
    assert command("spool", "ls", "--directory", "spool").output.count("      4     70   70       0") == 1


def test_a_name_that_is_taken(command: Command, spool: SpoolMaker) -> None:
    """Numbers of segments come again when all have been deleted."""
    make_whole(spool)
    (spool.path / "aside").mkdir(mode=0o700)
    older = spool.path / "aside" / "000000000001.segment.damaged"
    older.write_bytes(b"older")
    spoil_records(spool.segments[0], 1)

    assert command("spool", "repair", "--directory", "spool").code == 0
    assert older.read_bytes() == b"older"
    assert older.with_name("000000000001.segment.damaged.2").exists()


def test_a_file_system_without_second_names(
    command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_whole(spool)
    spoil_records(spool.segments[0], 1)
    before = spool.segments[0].read_bytes()

    def refuse(src: str, dst: str) -> None:
        raise OSError(1, "no")

    monkeypatch.setattr(os, "link", refuse)

    assert command("spool", "repair", "--directory", "spool").code == 0
    assert (spool.path / "aside" / "000000000001.segment.damaged").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("damage", [all_at_once, damaged_records, zeros_at_the_end], ids=lambda damage: damage.__name__)
def test_a_repair_that_is_killed_is_done_again(
    command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch, damage: Damaging
) -> None:
    """At each of the calls that change something."""
    make_whole(spool)
    left = damage(spool)
    start = spool.path.with_name("start")
    shutil.copytree(spool.path, start)
    calls = 0
    dies_at = 0

    def dying(act: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == dies_at:
                raise KeyboardInterrupt
            return act(*args, **options)

        return call

    for name in ("link", "rename", "unlink", "fsync", "mkdir", "writev"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    deaths = 0
    while True:
        dies_at = 0
        shutil.rmtree(spool.path)
        shutil.copytree(start, spool.path)
        calls, dies_at = 0, deaths + 1
        code = command("spool", "repair", "--directory", "spool").code
        dies_at = 0
        if code == 0:
            break
        assert code == 130
        deaths += 1
        assert command("spool", "repair", "--directory", "spool").code == 0
        assert command("spool", "verify", "--directory", "spool").code == 0
        assert len(command("spool", "export", "--directory", "spool").output.splitlines()) == left
        assert sorted((spool.path / "aside").glob("*.2")) == []
        assert (spool.path / "cursors" / "errors.1").exists()
    assert deaths > 5


def test_repair_is_refused_while_somebody_uses_it(command: Command, spool: SpoolMaker) -> None:
    make_whole(spool)
    spoil_records(spool.segments[0], 1)
    before = spool.files()
    spool.directory.open()
    try:
        done = command("spool", "repair", "--directory", "spool")
        assert command("spool", "repair", "--directory", "spool", "--dry-run").code == 0
    finally:
        spool.directory.close()

    assert done == (69, "", f"logrouter: cannot repair spool while process {os.getpid()} uses it: stop that first\n")
    assert spool.files() == before


def test_what_is_repaired_belongs_to_whom_it_did(
    command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root repairs; the service must be able to read it."""
    make_whole(spool)
    spoil_records(spool.segments[0], 1)
    given = []
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: given.append((os.path.basename(path), uid, gid)))

    command("spool", "repair", "--directory", "spool")

    owner = spool.path.stat()
    assert given == [(name, owner.st_uid, owner.st_gid) for name in ("lock", "aside", "000000000001.segment.repairing")]


def test_positions_of_sources_are_kept(command: Command, spool: SpoolMaker) -> None:
    spool.run(2, reached=b"first")
    spool.run(2, reached=b"second")
    spool.run(2, reached=b"third")
    spoil(spool.segments[1], 30)
    cut_at_the_end(spool)

    command("spool", "repair", "--directory", "spool")

    reader = LogReader(spool.directory.segments)
    reader.open()
    reader.close()
    assert [reached(segment.header.positions) for segment in reader.segments] == [None, b"first", b"second"]
    assert reached(reader.positions) == b"third", "the cut record tells of no loss: its events are read again"
