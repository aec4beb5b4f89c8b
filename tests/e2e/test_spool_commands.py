"""`logrouter spool` on the spools of real runs: ended, killed, damaged and repaired, and beside one that writes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.spools import spoil_records
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, pipe, wait_until
from tests.runtime.spool.logs import records_in

pytestmark = pytest.mark.slow

COUNT = 20_000
DEAD = "out=file:/dev/full"
ALIVE = "out=file:out.ndjson"
SPOOL = ("--set", "spool.directory=spool", "--set", "log_level=error")
DYING = (*SPOOL, "--set", "shutdown_timeout=300ms")
"""Where a dead sink would be waited for."""


def lines(first: int = 0, count: int = COUNT) -> bytes:
    return b"".join(b'{"n":%d,"pad":"%040d"}\n' % (n, n) for n in range(first, first + count))


def numbers(data: bytes) -> list[int]:
    return [event["n"] for event in map(json.loads, data.splitlines()) if "n" in event]


@pytest.fixture
def spool(workplace: Workplace) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """`spool("verify")`: a command on the spool of the folder."""
    return lambda *argv: workplace.route(b"", "spool", *argv, "--directory", "spool")


Command = Callable[..., subprocess.CompletedProcess[bytes]]


def segments(workplace: Workplace) -> list[Path]:
    return sorted((workplace.folder / "spool" / "segments").glob("*.segment"))


def cursor(spool: Command) -> dict[str, Any]:
    (found,) = json.loads(spool("ls", "--json").stdout)["cursors"]
    return dict(found)


def test_what_waits_for_a_dead_sink(workplace: Workplace, spool: Command) -> None:
    assert workplace.route(lines(), "--sink", DEAD, *DYING).returncode == 75

    assert (cursor(spool)["waiting"], cursor(spool)["delivered"]) == (COUNT, 0)
    exported = spool("export", "--sink", "out")
    assert numbers(exported.stdout) == list(range(COUNT))
    assert spool("export", "--raw").stdout == lines()
    assert spool("verify").returncode == 0

    assert workplace.route(b"", "--sink", ALIVE, *SPOOL).returncode == 0

    assert numbers(b"".join(workplace.lines("out.ndjson"))) == list(range(COUNT))
    assert (cursor(spool)["waiting"], cursor(spool)["delivered"]) == (0, COUNT)
    assert spool("export", "--sink", "out").stdout == b""


def test_a_run_that_was_killed(workplace: Workplace, spool: Command) -> None:
    router = workplace.start_router("--sink", DEAD, *DYING)
    pipe(router.stdin).write(lines())
    wait_until(lambda: numbers(spool("export").stdout)[-1:] == [COUNT - 1], "all lines in the spool")
    router.kill()
    router.wait(TOO_LONG_SECONDS)

    assert json.loads(spool("ls", "--json").stdout)["user"] is None
    assert spool("verify").returncode == 0
    assert numbers(spool("export").stdout) == list(range(COUNT))
    assert spool("repair").stdout == b"spool: nothing to repair\n"


def test_beside_a_process_that_writes(workplace: Workplace, spool: Command) -> None:
    """Segments come and go, records grow: nothing of that is damage."""
    router = workplace.start_router("--sink", ALIVE, *SPOOL, "--set", "spool.max_size=16MiB")
    stdin = pipe(router.stdin)
    stdin.write(lines())
    for turn in range(1, 6):
        stdin.write(lines(turn * COUNT))
        for command in ("ls", "verify", "export"):
            done = spool(command)
            assert (done.returncode, done.stderr) == (0, b"")
        found = numbers(spool("export").stdout)
        assert found == sorted(set(found)), "what is delivered and deleted meanwhile may be missing in between"
    assert json.loads(spool("ls", "--json").stdout)["user"] == router.pid

    refused = spool("repair")
    stdin.close()

    assert refused.returncode == 69
    assert refused.stderr == b"logrouter: cannot repair spool while process %d uses it: stop that first\n" % router.pid
    assert router.wait(TOO_LONG_SECONDS) == 0
    assert numbers(b"".join(workplace.lines("out.ndjson"))) == list(range(6 * COUNT))


@pytest.mark.parametrize("where", ["middle", "end", "cut", "header"])
def test_after_a_repair_the_same_events_are_lost_and_told_once(
    workplace: Workplace, spool: Command, where: str
) -> None:
    workplace.route(lines(), "--sink", DEAD, *DYING)
    workplace.route(lines(COUNT), "--sink", DEAD, *DYING)
    first, last = segments(workplace)
    damaged = first if where in ("middle", "header") else last
    if where == "cut":
        damaged.write_bytes(damaged.read_bytes()[:-10])
    elif where == "header":
        damaged.write_bytes(b"????" + damaged.read_bytes()[4:])
    else:
        spoil_records(damaged, 2 if where == "middle" else len(records_in(damaged)) - 1)
    kept = numbers(spool("export").stdout)

    assert spool("verify").returncode == 74
    assert spool("repair").returncode == 0
    assert spool("verify").returncode == 0
    if where == "header":  # its records are whole
        assert len(kept) == COUNT
        kept = list(range(2 * COUNT))
    assert numbers(spool("export").stdout) == kept

    more = lines(2 * COUNT, 10)
    done = workplace.route(more, "--sink", ALIVE, *SPOOL)

    expected = [*kept, *range(2 * COUNT, 2 * COUNT + 10)]
    lost = 2 * COUNT + 10 - len(expected)
    written = b"".join(workplace.lines("out.ndjson"))
    notices = [event for event in map(json.loads, written.splitlines()) if "logrouter.lost" in event]
    assert numbers(written) == expected
    assert [event["logrouter.lost"] for event in notices] == ([lost] if lost else [])
    assert done.returncode == (74 if lost else 0)
    ledger = cursor(spool)
    assert (ledger["read"], ledger["delivered"], sum(ledger["lost"].values())) == (2 * COUNT + 10, len(expected), lost)
    assert ledger["waiting"] == 0

    again = workplace.route(lines(3 * COUNT, 5), "--sink", ALIVE, *SPOOL)

    assert numbers(b"".join(workplace.lines("out.ndjson"))[len(written) :]) == list(range(3 * COUNT, 3 * COUNT + 5))
    assert again.returncode == 0  # what was lost before is not lost again
    assert spool("verify").returncode == 0


def test_nobody_reads_on(workplace: Workplace, spool: Command) -> None:
    workplace.route(lines(), "--sink", DEAD, *DYING)

    process = workplace.start_router("spool", "export", "--directory", "spool")
    pipe(process.stdout).read(100)
    pipe(process.stdout).close()

    assert process.wait(TOO_LONG_SECONDS) == 0
    assert pipe(process.stderr).read() == b""
