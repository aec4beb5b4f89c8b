"""Real journals: written by systemd-journal-remote, read by journalctl and logrouter.

What is proven with them: the export format, cursors, boots, units and matches as journalctl means them, and that
entries written meanwhile are noticed. What is not: journald itself, its permissions and its vacuuming. These are in
`test_systemd.py`.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, wait_until
from tests.services.programs import find, missing

JOURNAL_REMOTE = Path("/lib/systemd/systemd-journal-remote")
KILLS = 8


class Journal:
    """A journal file that grows, one of those in the folder `journal` of the workplace."""

    def __init__(self, workplace: Workplace, name: str = "a") -> None:
        find("journalctl")
        if not JOURNAL_REMOTE.exists():
            missing("systemd-journal-remote is not installed")
        self.path = workplace.folder / "journal" / f"{name}.journal"
        self.path.parent.mkdir(exist_ok=True)
        command = [JOURNAL_REMOTE, f"--output={self.path}", "-"]
        self._process = workplace.start(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._written = 0
        self._began_us = time.time_ns() // 1000 - 10**9

    def write(self, *messages: str | bytes, boot: int = 1, **fields: str) -> None:
        """An entry for each message."""
        for message in messages:
            self._written += 1
            time_us = self._began_us + boot * 10**8 + self._written * 1000
            address = f"__REALTIME_TIMESTAMP={time_us}\n__MONOTONIC_TIMESTAMP={self._written}\n_BOOT_ID={boot:032x}\n"
            rest = "".join(f"{name}={value}\n" for name, value in fields.items())
            text = message.encode() if isinstance(message, str) else message
            value = b"MESSAGE\n" + len(text).to_bytes(8, "little") + text + b"\n"
            pipe(self._process.stdin).write(address.encode() + rest.encode() + value + b"\n")
        pipe(self._process.stdin).flush()

    def close(self) -> None:
        """No more will come; all of it is there."""
        pipe(self._process.stdin).close()
        assert self._process.wait(TOO_LONG_SECONDS) == 0


def configure(workplace: Workplace, **options: object) -> tuple[str, ...]:
    """A config that writes the journal to out.ndjson; and the arguments for it."""
    config = {
        "sources": {"journal": {"type": "journald", "directory": "journal", "start": "beginning", **options}},
        "sinks": {"out": "file:out.ndjson"},
        "spool": {"directory": "spool"},
    }
    workplace.write("logrouter.json", json.dumps(config))
    return ("--config", "logrouter.json")


def messages(workplace: Workplace) -> list[str]:
    return [json.loads(line)["message"] for line in workplace.lines("out.ndjson")]


def run_until(workplace: Workplace, arguments: tuple[str, ...], lines: int) -> bytes:
    """Run until so many lines are there, and end it. Gives what it said."""
    router = workplace.start_router(*arguments)
    workplace.wait_for_line("out.ndjson", lines)
    router.send_signal(signal.SIGTERM)
    _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    assert router.returncode == 0
    return complaints


def test_all_fields_are_read_also_those_that_are_no_text(workplace: Workplace) -> None:
    journal = Journal(workplace)
    journal.write(b"two\nlines \xff\n\nMESSAGE=x\n\n", PRIORITY="4", _SYSTEMD_UNIT="a.service", _PID="7", EMPTY="")
    journal.close()
    assert run_until(workplace, configure(workplace), 1) == b""
    (event,) = (json.loads(line) for line in workplace.lines("out.ndjson"))
    assert event.pop("time").endswith("Z")
    assert event == {
        "message": "two\nlines \ufffd\n\nMESSAGE=x\n\n",
        "severity": "warning",
        "_BOOT_ID": f"{1:032x}",
        "_SYSTEMD_UNIT": "a.service",
        "_PID": "7",
        "EMPTY": "",
    }


def test_killed_again_and_again_it_reads_each_entry_once(workplace: Workplace) -> None:
    """While entries are written."""
    chance = random.Random(6)
    journal, arguments = Journal(workplace), configure(workplace)
    written = 0
    for _ in range(KILLS):
        router = workplace.start_router(*arguments)
        for _ in range(10):
            journal.write(*(f"{number}" for number in range(written, written + 200)))
            written += 200
        some = chance.randrange(len(workplace.lines("out.ndjson")), written)
        workplace.wait_for_line("out.ndjson", some)
        router.kill()
        router.communicate()
    journal.close()
    run_until(workplace, arguments, written)
    assert messages(workplace) == [str(number) for number in range(written)]


def test_what_was_written_before_a_reboot_is_not_left_out(workplace: Workplace) -> None:
    """As `journalctl --follow` would."""
    journal, arguments = Journal(workplace), configure(workplace)
    journal.write("first")
    run_until(workplace, arguments, 1)
    journal.write("last words")
    journal.write("booted", boot=2)
    run_until(workplace, arguments, 3)
    assert messages(workplace) == ["first", "last words", "booted"]


def test_other_units_than_before_are_asked_for(workplace: Workplace) -> None:
    """The entry at the cursor is of none of them, and none is left out for it."""
    journal = Journal(workplace)
    for number in range(3):
        journal.write(f"a{number}", _SYSTEMD_UNIT="a.service")
    run_until(workplace, configure(workplace, units=["a.service"]), 3)
    for number in range(3):
        journal.write(f"b{number}", _SYSTEMD_UNIT="b.service")
    complaints = run_until(workplace, configure(workplace, units=["b.service"], matches={"_BOOT_ID": [f"{1:032x}"]}), 6)
    assert messages(workplace) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert complaints == b""


def test_begun_at_the_end_it_reads_what_is_written_from_then_on(workplace: Workplace) -> None:
    journal, arguments = Journal(workplace), configure(workplace, start="end")
    journal.write("old")
    wait_until(lambda: b"old" in shown(workplace), "the entry is in the journal")
    router = workplace.start_router(*arguments)

    def write_one_more() -> bool:
        journal.write("new")
        return bool(workplace.lines("out.ndjson"))

    wait_until(write_one_more, "an entry that was written after the start")
    router.send_signal(signal.SIGTERM)
    router.communicate(timeout=TOO_LONG_SECONDS)
    assert set(messages(workplace)) == {"new"}


def shown(workplace: Workplace) -> bytes:
    command = ["journalctl", "--directory=journal", "--output=cat"]
    return subprocess.run(command, cwd=workplace.folder, capture_output=True, check=False).stdout


def test_where_its_file_is_gone_it_says_so_and_goes_on(workplace: Workplace) -> None:
    arguments = configure(workplace)
    old = Journal(workplace, "old")
    old.write("1", "2")
    run_until(workplace, arguments, 2)
    old.write("3")
    old.close()
    new = Journal(workplace, "new")
    new.write("4", boot=2)
    new.close()
    old.path.unlink()
    complaints = run_until(workplace, arguments, 3)
    assert messages(workplace) == ["1", "2", "4"]
    assert b"does not go back to where it was read to" in complaints


def test_without_a_journal_that_may_be_read_it_does_not_start(workplace: Workplace) -> None:
    done = workplace.command(*configure(workplace, journalctl="./nowhere"))
    assert done.returncode == 78
    assert b"sources.journal: ./nowhere is not there" in done.stderr
