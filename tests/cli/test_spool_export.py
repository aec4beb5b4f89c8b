"""`logrouter spool export`: the events that are wanted, as they were, and what is said of those that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.spools import SpoolMaker, events, spoil, spoil_entries, spoil_records
from tests.runtime.spool.logs import records_in


def test_events_with_their_attributes_and_ids(command: Command, spool: SpoolMaker) -> None:
    spool.run(1)
    spool.run(1, epoch=2**64 - 1)

    lines = command("spool", "export", "--directory", "spool").output.splitlines()

    assert lines[0] == (
        '{"n":0,"level":"error","meta.source":"app","meta.stream":"stdin",'
        '"meta.received":"2026-01-01T00:00:00Z","logrouter.id":"0000000000000abc-0"}'
    )
    assert json.loads(lines[13])["logrouter.id"] == "ffffffffffffffff-13"
    assert json.loads(lines[13])["meta.received"] == "2026-01-01T00:01:00Z"
    assert events("\n".join(lines)) == list(range(20))


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (("--from", "25"), range(25, 50)),
        (("--to", "25"), range(25)),
        (("--from", "8", "--to", "12"), range(8, 12)),
        (("--from", "30", "--to", "30"), ()),
        (("--from", "1000000"), ()),
        (("--from", "2026-01-01T00:02:00Z"), range(20, 50)),
        (("--from", "2026-01-01T01:02:00+01:00", "--to", "2026-01-01 00:04"), range(20, 40)),
        (("--to", "2025-12-31"), ()),
        (("--from", "25", "--to", "2026-01-01T00:03:00Z"), range(25, 30)),
    ],
)
def test_a_part(command: Command, spool: SpoolMaker, bounds: tuple[str, ...], expected: range) -> None:
    spool.run(3)
    spool.run(2)

    done = command("spool", "export", "--directory", "spool", *bounds)

    assert (done.code, done.complaints, events(done.output)) == (0, "", list(expected))


def test_by_a_rule(command: Command, spool: SpoolMaker) -> None:
    spool.run(2)
    rule = 'severity >= "error" and meta.source == "app" and n > 3'

    assert events(command("spool", "export", "--directory", "spool", "--match", rule).output) == [5, 10, 15]


def test_the_resource_of_the_config_in_a_rule(command: Command, spool: SpoolMaker) -> None:
    spool.run(1)
    config = ["--set", "spool.directory=spool", "--set", "resource.team=shop", "--match"]

    assert len(command("spool", "export", *config, 'resource["team"] == "shop"').output.splitlines()) == 10
    assert command("spool", "export", *config, 'resource["team"] == "other"').output == ""


CONFIG = """\
spool: {directory: spool}
routes: [{match: n < 45, to: [errors]}]
sinks:
  errors: {url: "file:/dev/full", match: 'severity >= "error"'}
  all: stdout
"""


def test_what_waits_for_a_sink(command: Command, spool: SpoolMaker, write: Callable[..., None]) -> None:
    write(CONFIG)
    spool.run(3)
    spool.run(2)
    spool.cursor("errors", 17, gap=(30, 35))
    spool.cursor("all", 50)

    done = command("spool", "export", "--sink", "errors")

    assert (done.code, done.complaints, events(done.output)) == (0, "", [20, 25, 35, 40])
    assert command("spool", "export", "--sink", "all") == (0, "", "")
    assert events(command("spool", "export", "--sink", "errors", "--from", "23", "--match", "n != 35").output) == [
        25,
        40,
    ]


def test_what_waits_for_a_sink_without_its_config(command: Command, spool: SpoolMaker) -> None:
    spool.run(3)
    spool.cursor("errors", 27)
    note = (
        "logrouter: without its config nobody knows which events errors takes: here are all that it has not come to\n"
    )

    for where in (["--directory", "spool"], ["--set", "spool.directory=spool"]):
        done = command("spool", "export", "--sink", "errors", *where)
        assert (done.code, done.complaints, events(done.output)) == (0, note, [27, 28, 29])


def test_what_waits_for_a_sink_whose_cursor_is_damaged(
    command: Command, spool: SpoolMaker, write: Callable[..., None]
) -> None:
    write(CONFIG)
    spool.run(1)
    spoil_entries(spool.cursor("errors", 5)[0], [0, 1])

    done = command("spool", "export", "--sink", "errors")

    assert events(done.output) == [0, 5]
    assert done.complaints == (
        "logrouter: the cursor of errors cannot be read: it will begin with the oldest event that is kept\n"
    )


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("--sink", "eror"), "--sink: no sink 'eror' has a cursor in spool; did you mean 'errors'?"),
        (("--sink", "x"), "--sink: no sink 'x' has a cursor in spool; there are all, errors"),
        (
            ("--from", "yesterday"),
            "--from: expected a sequence, or a time such as 2026-01-31T12:00:00Z, not 'yesterday'",
        ),
        (("--to", "-5"), "--to: expected a sequence, or a time such as 2026-01-31T12:00:00Z, not '-5'"),
        (("--to", "2026-13-01"), "--to: expected a sequence, or a time such as 2026-01-31T12:00:00Z, not '2026-13-01'"),
        (("--match", "n >"), "--match: "),
        (("--match", "meta.sorce == 1"), "--match: "),
        (("--output", "nowhere/x"), "--output: cannot write nowhere/x: No such file or directory"),
        (("--output", "."), "--output: cannot write .: Is a directory"),
    ],
)
def test_mistakes_of_export(command: Command, spool: SpoolMaker, argv: tuple[str, ...], complaint: str) -> None:
    spool.run(1)
    spool.cursor("errors", 0)
    spool.cursor("all", 0)

    flag, value = argv
    done = command("spool", "export", "--directory", "spool", f"{flag}={value}")

    assert (done.code, done.output) == (2, "")
    assert done.complaints.startswith(f"logrouter: {complaint}")
    assert len(done.complaints.splitlines()) == 1


def test_no_sink_at_all(command: Command, spool: SpoolMaker) -> None:
    complaint = "logrouter: --sink: no sink 'x' has a cursor in spool; there are none\n"
    assert command("spool", "export", "--directory", "spool", "--sink", "x") == (2, "", complaint)


def test_into_a_file(command: Command, spool: SpoolMaker, tmp_path: Path) -> None:
    spool.run(2)
    (tmp_path / "out").write_text("something longer than that\n" * 1000)

    done = command("spool", "export", "--directory", "spool", "--output", "new", "--from", "15")
    again = command("spool", "export", "--directory", "spool", "--output", "out", "--to", "1")

    assert done == (0, "5 events written to new\n", "")
    assert again.output == "1 event written to out\n"
    assert events((tmp_path / "new").read_text()) == [15, 16, 17, 18, 19]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    assert events((tmp_path / "out").read_text()) == [0]


def test_damage_is_told_and_left_out(command: Command, spool: SpoolMaker) -> None:
    first = spool.run(3)[0]
    second = spool.run(2)[1]
    spool.run(1)
    spoil_records(first, 1)
    spoil(second, 30)
    starts = records_in(first)

    done = command("spool", "export", "--directory", "spool")

    assert (done.code, events(done.output)) == (74, [*range(10), *range(20, 30), *range(50, 60)])
    assert done.complaints.splitlines() == [
        (
            f"logrouter: {second.relative_to(spool.path.parent)}: its header cannot be read: left out "
            "(`logrouter spool repair` keeps what is whole)"
        ),
        (
            f"logrouter: {first.relative_to(spool.path.parent)} at {starts[1]}, {starts[2] - starts[1]} bytes: "
            "a record's checksum is wrong: left out"
        ),
    ]


def test_damage_before_what_is_wanted_is_not_told(command: Command, spool: SpoolMaker) -> None:
    (segment,) = spool.run(4)
    spoil_records(segment, 0, 3)

    assert command("spool", "export", "--directory", "spool", "--from", "25").complaints.count("left out") == 1
