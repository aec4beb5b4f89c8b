"""`logrouter dlq`: what was refused is listed, shown, and deleted, also while a process writes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from logrouter.cli.completion import nested_flags
from logrouter.dead_letters import DeadLetter, encode_letter
from logrouter.event import Flag
from logrouter.runtime.letter_files import LetterFiles, held
from tests.cli.conftest import Command
from tests.cli.spools import SpoolMaker

COMMANDS = tuple(nested_flags("dlq"))
RECEIVED_NS = 1_767_225_600 * 10**9
"""2026-01-01T00:00:00Z."""
SECOND_NS = 10**9


def letter(sequence: int, payload: bytes = b"", **changes: Any) -> DeadLetter:
    """A letter whose event was rejected a minute after it was read."""
    fields: dict[str, Any] = {
        "sink": "es",
        "reason": "mapping conflict",
        "detail": f"failed to parse field [n] of event {sequence}",
        "received_ns": RECEIVED_NS + sequence * SECOND_NS,
        "attributes": {"source": "app", "stream": "stdin"},
        "flags": Flag.JSON,
    }
    fields |= {"rejected_ns": RECEIVED_NS + (60 + sequence) * SECOND_NS, **changes}
    return DeadLetter(0xABC, sequence, payload=payload or b'{"n":%d,"level":"info"}' % sequence, **fields)


LETTERS = [
    letter(1),
    letter(2, b'{"n": "x", "level":"error"}'),
    letter(3, b"no json, but \xff", flags=Flag.INVALID_UTF8, reason="too long", detail=""),
    letter(4, sink="loki", reason="too old"),
    letter(7, attributes={"source": "other", "stream": "stderr"}),
]
NAMES = [one.name for one in LETTERS]


class Letters:
    """Dead letters that were kept before, and those that are left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = LetterFiles(str(folder))

    def keep(self, letters: list[DeadLetter], number: int = 1) -> None:
        self.files.prepare()
        for one in letters:
            self.files.append(one.sink, number, encode_letter(one, 0))

    @property
    def left(self) -> list[int]:
        lines = [line for file in self.files.all() for line in self.files.lines(file)]
        return [line.letter.sequence for line in lines if line.letter]


@pytest.fixture
def letters(spool: SpoolMaker) -> Letters:
    found = Letters(Path(spool.directory.dead_letters))
    found.keep(LETTERS)
    return found


Dlq = Callable[..., Any]


@pytest.fixture
def dlq(command: Command, letters: Letters) -> Dlq:
    return lambda *argv: command("dlq", *argv, "--directory", "spool")


# ── which spool ──


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ((), "the config has no spool.directory: {folder}name the config with --config FILE"),
        (("--set", "spool.directory=nowhere"), "there is no folder nowhere"),
    ],
)
def test_no_spool(command: Command, name: str, argv: tuple[str, ...], complaint: str) -> None:
    folder = "" if name == "replay" else "name one with --directory DIR, or "
    assert command("dlq", name, *argv) == (2, "", f"logrouter: {complaint.format(folder=folder)}\n")


def test_a_spool_without_any(command: Command, spool: SpoolMaker) -> None:
    done = command("dlq", "ls", "--set", "spool.directory=spool")

    assert done == (0, "spool/dead-letters\n\nno dead letters\n\ntotal: 0 letters, 0B of 64.0MiB\n", "")
    assert command("dlq", "show", "--directory", "spool") == (0, "", "")
    assert command("dlq", "delete", "--all", "--directory", "spool") == (0, "0 dead letters deleted\n", "")


# ── ls ──


def test_what_there_is_and_why(dlq: Dlq) -> None:
    done = dlq("ls")

    assert (done.code, done.complaints) == (0, "")
    assert re.sub(r" [0-9.]+K?i?B", " ?B", done.output) == (
        """\
spool/dead-letters

SINK  REASON            LETTERS  SIZE  FIRST REJECTED        LAST REJECTED         EXAMPLE
es    mapping conflict        3  ?B  2026-01-01T00:01:01Z  2026-01-01T00:01:07Z  0000000000000abc-7
es    too long                1  ?B  2026-01-01T00:01:03Z  2026-01-01T00:01:03Z  0000000000000abc-3
loki  too old                 1  ?B  2026-01-01T00:01:04Z  2026-01-01T00:01:04Z  0000000000000abc-4

total: 5 letters, ?B
"""
    )


CONFIG = """\
spool: {directory: spool}
sinks: {es: "file:es.log"}
"""


def test_the_same_for_programs(command: Command, letters: Letters, write: Callable[..., None]) -> None:
    write(CONFIG)
    done = command("dlq", "ls", "--json")

    assert (done.code, done.complaints) == (0, "")
    listing = json.loads(done.output)
    assert listing["letters"] == 5
    assert listing["bytes"] == sum(row["bytes"] for row in listing["rows"])
    assert listing["bytes"] == sum(path.stat().st_size for path in letters.folder.glob("*.letters"))
    assert (listing["limit_bytes"], listing["unreadable"]) == (64 * 2**20, 0)
    assert [(row["sink"], row["configured"]) for row in listing["rows"]] == [
        ("es", True),
        ("es", True),
        ("loki", False),
    ]
    assert listing["rows"][0]["first_rejected"] == "2026-01-01T00:01:01Z"


@pytest.mark.usefixtures("letters")
def test_letters_of_a_sink_that_is_no_more(command: Command, write: Callable[..., None]) -> None:
    write(CONFIG)
    done = command("dlq", "ls")

    assert "\nloki: not a sink of this config; its letters stay until they are deleted\n" in done.output


# ── show ──


def test_lines_of_json(dlq: Dlq) -> None:
    done = dlq("show")

    assert (done.code, done.complaints) == (0, "")
    lines = done.output.splitlines()
    assert lines[1] == (
        '{"id":"0000000000000abc-2","sink":"es","reason":"mapping conflict",'
        '"detail":"failed to parse field [n] of event 2","rejected":"2026-01-01T00:01:02Z",'
        '"received":"2026-01-01T00:00:02Z","meta":{"source":"app","stream":"stdin"},'
        '"event":{"n": "x", "level":"error"}}'
    )
    text = json.loads(lines[2])
    assert (text["event"], text["meta"]["invalid_utf8"]) == ("no json, but \ufffd", True)


@pytest.mark.parametrize(
    ("argv", "shown"),
    [
        ((), [1, 2, 3, 7, 4]),
        (("--sink", "loki"), [4]),
        (("--sink", "nosuch"), []),
        (("--reason", "mapping conflict"), [1, 2, 7]),
        (("--where", 'severity >= "error"'), [2]),
        (("--where", 'meta.source == "other"'), [7]),
        (("--where", "n > 3"), [7, 4]),
        (("--where", "n > 3", "--sink", "es"), [7]),
        ((NAMES[0], NAMES[3]), [1, 4]),
    ],
)
def test_those_that_are_wanted(dlq: Dlq, argv: tuple[str, ...], shown: list[int]) -> None:
    lines = dlq("show", *argv).output.splitlines()

    assert [int(json.loads(line)["id"].partition("-")[2]) for line in lines] == shown


def test_for_people(dlq: Dlq) -> None:
    done = dlq("show", NAMES[1], NAMES[2], "--format", "pretty")

    assert done.output == (
        "0000000000000abc-2  es  mapping conflict  rejected 2026-01-01T00:01:02Z\n"
        "    failed to parse field [n] of event 2\n"
        "    00:00:02.000Z ERROR      n=x\n"
        "0000000000000abc-3  es  too long  rejected 2026-01-01T00:01:03Z\n"
        "    00:00:03.000Z          no json, but \ufffd\n"
    )


def test_a_destination_cannot_drive_the_terminal(command: Command, letters: Letters) -> None:
    letters.keep([letter(9, b'{"message":"\\u001b[2J"}', detail="\x1b]0;mine\x07", reason="\x1b[1m")], 2)

    done = command("dlq", "show", "0000000000000abc-9", "--format", "pretty", "--directory", "spool")

    assert "\x1b" not in done.output
    assert "\x07" not in done.output


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("0000000000000abc-5",), "there is no dead letter 0000000000000abc-5"),
        (("5",), "expected an id such as 9f3c5b7a11d0e264-1042, not '5'"),
        (("--where", "n >"), "--where: the rule ends after `>` at column 3 of 'n >'"),
        (("--sink", "ess"), "--sink: no sink 'ess' has dead letters; did you mean 'es'?"),
        (("--sink", "nowhere"), "--sink: no sink 'nowhere' has dead letters; there are es, loki"),
    ],
)
@pytest.mark.parametrize("name", ["show", "delete"])
def test_what_is_not_there_or_makes_no_sense(dlq: Dlq, name: str, argv: tuple[str, ...], complaint: str) -> None:
    done = dlq(name, *argv)

    assert (done.code, done.complaints) == (2, f"logrouter: {complaint}\n")


# ── delete ──


@pytest.mark.parametrize(
    ("argv", "left"),
    [
        (("--all",), []),
        (("--sink", "es"), [4]),
        (("--where", "n"), [3]),
        (("--reason", "too old"), [1, 2, 3, 7]),
        ((NAMES[0], NAMES[4]), [2, 3, 4]),
    ],
)
def test_those_that_are_deleted(dlq: Dlq, letters: Letters, argv: tuple[str, ...], left: list[int]) -> None:
    gone = 5 - len(left)
    noun = "dead letter" if gone == 1 else "dead letters"
    assert dlq("delete", *argv, "--dry-run") == (0, f"{gone} {noun} would be deleted\n", "")
    assert len(letters.left) == 5

    assert dlq("delete", *argv) == (0, f"{gone} {noun} deleted\n", "")
    assert letters.left == left


def test_files_without_letters_go(dlq: Dlq, letters: Letters) -> None:
    dlq("delete", "--sink", "es")
    assert sorted(path.name for path in letters.folder.iterdir()) == ["lock", "loki.000001.letters"]


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ((), "say which: by ID, --sink, --reason, --where; or --all"),
        (("--all", "--sink", "es"), "--all leaves none: leave it out, or ID, --sink, --reason and --where"),
    ],
)
def test_nothing_is_deleted_unasked(dlq: Dlq, letters: Letters, argv: tuple[str, ...], complaint: str) -> None:
    assert dlq("delete", *argv) == (2, "", f"logrouter: {complaint}\n")
    assert len(letters.left) == 5


# ── replay ──


@pytest.fixture
def replay(command: Command, letters: Letters, write: Callable[..., None]) -> Dlq:
    """A file takes everything. What real destinations do is tested in `tests/runtime/test_replaying.py`."""
    write(CONFIG)
    return lambda *argv: command("dlq", "replay", *argv)


def test_what_is_delivered_is_deleted(replay: Dlq, letters: Letters, tmp_path: Path) -> None:
    done = replay()

    assert done == (
        75,
        """\
SINK  DELIVERED  REFUSED  LEFT
es            4        0     0
loki          0        0     1
loki: not a sink of this config
""",
        "",
    )
    assert letters.left == [4]
    lines = (tmp_path / "es.log").read_text().splitlines()
    assert lines[:2] == ['{"n":1,"level":"info"}', '{"n": "x", "level":"error"}']
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("argv", "left", "told"),
    [
        (("--sink", "es", "--where", "n == 7"), [1, 2, 3, 4], "es            1        0     0\n"),
        ((NAMES[0], NAMES[1]), [3, 7, 4], "es            2        0     0\n"),
        (("--reason", "mapping conflict"), [3, 4], "es            3        0     0\n"),
    ],
)
def test_those_that_are_sent_again(
    replay: Dlq, letters: Letters, argv: tuple[str, ...], left: list[int], told: str
) -> None:
    assert replay(*argv) == (0, f"SINK  DELIVERED  REFUSED  LEFT\n{told}", "")
    assert letters.left == left


def test_a_replay_that_is_only_tried_out(replay: Dlq, letters: Letters, tmp_path: Path) -> None:
    done = replay("--dry-run", "--where", "n")
    assert done == (0, "es: 3 dead letters would be sent again\nloki: 1 dead letter would be sent again\n", "")
    assert replay("--dry-run", "--reason", "nosuch") == (0, "no dead letters\n", "")
    assert len(letters.left) == 5
    assert not (tmp_path / "es.log").exists()


def test_a_sink_that_gathers_refuses_nothing(replay: Dlq, write: Callable[..., None], letters: Letters) -> None:
    write('spool: {directory: spool}\nsinks: {es: "s3://bucket/?region=eu-north-1"}')

    done = replay("--sink", "es")

    assert (done.code, done.output.splitlines()[-1]) == (
        75,
        "es: s3 puts events together in objects, and refuses none by itself",
    )
    assert len(letters.left) == 5


def test_two_replays_at_once_are_refused(replay: Dlq, letters: Letters) -> None:
    with held(str(letters.folder / "replay.lock")):
        assert replay() == (2, "", "logrouter: another replay is under way\n")


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("--timeout", "soon"), "--timeout: expected a duration such as 250ms, 25s, 1m30s or 2h, not 'soon'"),
        (("0000000000000abc-5",), "there is no dead letter 0000000000000abc-5"),
        (("--sink", "ess"), "--sink: no sink 'ess' has dead letters; did you mean 'es'?"),
    ],
)
def test_a_replay_that_makes_no_sense(replay: Dlq, argv: tuple[str, ...], complaint: str) -> None:
    done = replay(*argv)
    assert (done.code, done.complaints) == (2, f"logrouter: {complaint}\n")


# ── damage ──


def spoil(letters: Letters) -> Path:
    """Damage the second line of a file, and cut one short behind the last, as a write under way does."""
    path = letters.folder / "es.000001.letters"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"~" + lines[1][1:], *lines[2:], b"12345678 1 9 {"]))
    return path


@pytest.mark.parametrize("name", ["ls", "show"])
def test_what_is_damaged_is_told_and_left_out(dlq: Dlq, letters: Letters, name: str) -> None:
    path = spoil(letters)

    done = dlq(name)

    told = "spool/dead-letters/es.000001.letters: 1 line cannot be read: left out"
    assert (done.code, done.complaints) == (74, f"logrouter: {told}\n")
    assert NAMES[1] not in done.output
    assert path.exists()


def test_damaged_lines_are_deleted_with_all(dlq: Dlq, letters: Letters) -> None:
    spoil(letters)
    assert dlq("delete", "--sink", "es").code == 74
    assert (letters.folder / "es.000001.letters").exists()
    assert dlq("delete", "--all").code == 0
    assert not (letters.folder / "es.000001.letters").exists()


# ── beside a running process ──


def test_a_file_that_goes_meanwhile_is_no_error(dlq: Dlq, letters: Letters, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = letters.files.all()
    monkeypatch.setattr(LetterFiles, "all", lambda files: listed)
    for path in letters.folder.glob("es.*"):
        path.unlink()

    assert dlq("show").code == 0
    assert dlq("delete", "--all") == (0, "1 dead letter deleted\n", "")


def test_looking_takes_no_lock(dlq: Dlq, letters: Letters) -> None:
    with held(str(letters.folder / "lock")):
        assert dlq("ls").code == dlq("show").code == 0
