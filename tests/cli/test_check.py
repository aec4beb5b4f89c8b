"""`logrouter check`: all that is wrong, at once, each with its place and what may have been meant."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from logrouter.runtime.spool import directory
from logrouter.runtime.spool.directory import SpoolDirectory
from tests.cli.conftest import Command
from tests.cli.spools import SpoolMaker

WRONG = """\
resource: {service.name: shop}
sinks:
  errors:
    type: fil
  rest:
    type: file
    path: rest.log
    mtach: level == "x"
  bad:
    url: file:b.log?formt=raw
    match: severity >= "error" and # all of them
routes:
  - {to: [restt]}
step: []
spool: {memory: lots}
steps:
  - set: {a: "${NOWHERE}"}
  - redcat: {fields: [a]}
  - discard: {}
"""
MISTAKES = """\
logrouter.yaml:4:11: sinks.errors: unknown sink type 'fil' (did you mean 'file'?)
logrouter.yaml:8:5: unknown key 'mtach' in sinks.rest (did you mean 'match'?)
logrouter.yaml:10:10: unknown key 'formt' in sinks.bad (did you mean 'format'?)
logrouter.yaml:11:32: sinks.bad.match: the rule ends after `and` \
(in YAML, ` #` starts a comment: put the rule in quotes, or after `>-`)
    severity >= "error" and
                        ^
logrouter.yaml:13:11: routes.0.to: there is no sink 'restt' (did you mean 'rest'?)
logrouter.yaml:14:1: unknown key 'step' (did you mean 'steps'?)
logrouter.yaml:15:17: spool.memory: expected a size such as 512B, 64KiB, 16MiB or 1GB, not 'lots'
logrouter.yaml:17:15: steps.0.set.a: the variable NOWHERE is not set; write ${NOWHERE:-} where it may be missing
logrouter.yaml:18:5: steps.1: unknown step 'redcat' (did you mean 'redact'?)
logrouter.yaml:19:14: steps.2.discard needs 'when'
--match nosuch=…: there is no sink 'nosuch' (the sinks are: bad, errors, rest)
--set spool.memry=…: unknown key 'memry' in spool (did you mean 'memory'?)
LOGROUTER_SHUTDOWN_TIMEOUT: shutdown_timeout: expected a duration such as 250ms, 25s, 1m30s or 2h, not 'soon'
"""


def test_every_mistake_at_once(
    command: Command, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(WRONG)
    monkeypatch.setenv("LOGROUTER_SHUTDOWN_TIMEOUT", "soon")

    done = command("check", "--match", "nosuch=a", "--set", "spool.memry=1")

    assert (done.code, done.output) == (78, "")
    assert sorted(done.complaints.splitlines()) == sorted(MISTAKES.splitlines())
    in_file = [line for line in done.complaints.splitlines() if line.startswith("logrouter.yaml")]
    assert in_file == [line for line in MISTAKES.splitlines() if line.startswith("logrouter.yaml")]
    assert [path.name for path in tmp_path.iterdir()] == ["logrouter.yaml"]


def test_a_right_config(command: Command, write: Callable[..., None], tmp_path: Path) -> None:
    write("steps: [{set: {a: 1}}]\nroutes: [{to: [a, b]}]\nsinks: {a: 'file:logs/a.ndjson', b: 'stdout:'}\n")

    assert command("check") == (0, "the config is right: 1 source (stdin), 1 step, 1 route, 2 sinks (a, b)\n", "")
    assert [path.name for path in tmp_path.iterdir()] == ["logrouter.yaml"]  # nothing is made by checking


def test_no_config_is_right(command: Command) -> None:
    assert command("check").output == "the config is right: 1 source (stdin), 0 steps, 0 routes, 1 sink (stdout)\n"


def test_what_is_probably_not_meant_is_a_warning(command: Command, write: Callable[..., None]) -> None:
    write("steps: [{redact: {fields: [password]}}]\n")

    done = command("check")

    assert done.code == 0
    assert done.complaints == (
        "warning: logrouter.yaml:1:10: steps.0.redact: fields cannot be found in lines of text; patterns can\n"
    )


def test_a_resource_that_is_not_set_is_a_warning(command: Command, write: Callable[..., None]) -> None:
    """Where it runs, OTEL_RESOURCE_ATTRIBUTES may set it."""
    write("""\
resource: {service.name: shop}
sinks:
  a: {url: 'file:{resource["service.nam"]}.log', match: resource.env == "prod" and resource.service.name == "x"}
steps:
  - set: {a: [{b: '{resource["pod"]}'}], c: "{service.version}"}
    when: exists(resource.zone)
routes:
  - {to: a, match: resource.service.naem == "x"}
""")
    done = command("check")

    assert done.code == 0
    assert [line.removeprefix("warning: logrouter.yaml:") for line in done.complaints.splitlines()] == [
        '5:5: steps.0.set: resource["pod"] is not in `resource`',
        '5:5: steps.0.set: resource["zone"] is not in `resource`',
        '3:3: sinks.a: resource["env"] is not in `resource`',
        "3:3: sinks.a: resource[\"service.nam\"] is not in `resource` (did you mean 'service.name'?)",
        "8:5: routes.0: resource[\"service.naem\"] is not in `resource` (did you mean 'service.name'?)",
    ]


@pytest.mark.parametrize("kind", ["directory", "missing", "not UTF-8", "list", "10 MB", "bomb"])
def test_files_that_are_no_config(command: Command, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    contents = {
        "not UTF-8": b"sinks: \xff\n",
        "list": b"- a\n",
        "10 MB": b"a: [" + b"x," * 5_000_000 + b"]",
        "bomb": b"a: &a [x]\n" + b"".join(b"%c: &%c [*%c,*%c]\n" % (c + 1, c + 1, c, c) for c in range(97, 120)),
    }
    if kind == "directory":
        path.mkdir()
    elif kind in contents:
        path.write_bytes(contents[kind])

    done = command("check", "--config", "it")

    assert (done.code, done.output) == (78, "")
    assert done.complaints.startswith(("it:", "--config it: "))
    assert len(done.complaints) < 2000


def test_an_unwritable_destination_is_a_mistake(command: Command, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")

    assert command("check", "--sink", "out=file:a-file/out.ndjson") == (
        78,
        "",
        "--sink out=…: sinks.out: a-file is not a folder\n",
    )


@pytest.mark.parametrize(
    ("option", "value"), [("spool.memory", "9" * 400 + "B"), ("shutdown_timeout", "9" * 400 + "s")]
)
def test_no_quantity_is_too_large_to_be_refused(command: Command, option: str, value: str) -> None:
    done = command("check", "--set", f"{option}={value}")

    assert done.code == 78
    assert done.complaints.startswith(f"--set {option}=…: {option}: expected a ")


def test_a_default_for_a_wrong_option_is_no_further_mistake(command: Command, write: Callable[..., None]) -> None:
    """`redact` would say that a hash needs a key."""
    write("steps: [{redact: {patterns: [email], with: hash, key: []}}]\n")
    assert command("check").complaints.count("\n") == 1


@contextmanager
def listening(*answers: bytes) -> Iterator[int]:
    """A server that answers connections so, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as threads:

        def serve() -> None:
            for answer in answers:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        done = threads.submit(serve)
        yield listener.getsockname()[1]
        done.result()


def test_destinations_are_tried(command: Command, write: Callable[..., None]) -> None:
    with listening(b"405 Method Not Allowed", b"204 No Content") as port:
        write(f"sinks: {{a: 'http+http://127.0.0.1:{port}/in', b: 'file:b'}}")
        done = command("check", "--connect")
    assert (done.code, done.complaints) == (0, "")
    assert done.output.splitlines()[1:] == ["sinks.a: it answers, and nothing is wrong as far as it tells"]


def test_what_is_wrong_with_a_destination_is_no_mistake_in_the_config(
    command: Command, write: Callable[..., None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = unused.getsockname()[1]
    with listening(b"401 Unauthorized") as port:
        write(
            f"sinks: {{a: 'http+http://127.0.0.1:{nobody}', "
            f"b: {{url: 'http+http://127.0.0.1:{port}/secret', token: hidden}}}}"
        )
        done = command("check", "--connect")
    assert done.code == 69
    assert done.complaints.splitlines() == [
        f"sinks.a: cannot connect to 127.0.0.1:{nobody}: connection refused",
        "sinks.b: the credentials are refused (HTTP 401)",
    ]


def test_without_being_asked_nothing_is_tried(command: Command, write: Callable[..., None]) -> None:
    write("sinks: {a: 'http+http://127.0.0.1:9'}")
    assert command("check").code == 0


# ── the spool's folder ────────────────────────────────────────────────────────────────────────────────

SPOOL = ("--sink", "a=file:a", "--set", "spool.directory=spool")


def warnings(command: Command) -> list[str]:
    done = command("check", *SPOOL)
    assert done.code == 0
    return [line.replace("--set spool.directory=…: spool.directory: ", "") for line in done.complaints.splitlines()]


def test_a_spool_in_use_is_told_and_not_disturbed(command: Command) -> None:
    """The config of what runs is checked as well: no mistake, but a second one could not start."""
    assert warnings(command) == []
    spool = SpoolDirectory("spool")
    spool.open()
    assert warnings(command) == [f"warning: spool is in use by process {os.getpid()}: no other can start with it"]
    spool.close()
    assert warnings(command) == []


def test_what_a_process_that_is_to_reload_has_in_use_is_no_warning(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ExecReload=… check`: systemd says whose reload it is (systemd.exec(5), $MAINPID)."""
    spool = SpoolDirectory("spool")
    spool.open()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        admin = f"admin.listen=127.0.0.1:{taken.getsockname()[1]}"
        for main_process, warned in ((os.getpid(), 0), (1, 1), ("", 2)):
            monkeypatch.setenv("MAINPID", str(main_process))
            done = command("check", *SPOOL, "--set", admin)
            assert (done.code, done.complaints.count("warning:")) == (0, warned)
    spool.close()


def test_a_spool_that_others_may_look_into_or_have_written(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = SpoolDirectory("spool")
    spool.open()
    spool.close()
    marker = Path("spool", "spool.json")
    marker.write_text('{"version": 2, "machine": "another"}')
    Path("spool").chmod(0o755)
    monkeypatch.setattr(directory, "_machine", lambda: "this one")
    before = marker.read_bytes()
    assert warnings(command) == [
        "warning: others than its owner may look into spool (mode 0755); its files are private all the same",
        "warning: spool was written on another machine: if it still runs there, events arrive twice",
    ]
    assert marker.read_bytes() == before


def test_what_waits_for_a_sink_that_was_renamed_is_told_before_a_start_deletes_it(
    command: Command, spool: SpoolMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.run(2)
    spool.cursor("a", 20)
    spool.cursor("done", 20)
    assert warnings(command) == []
    spool.cursor("old", 5)
    before = spool.files()
    (warning,) = warnings(command)
    assert warning == (
        "warning: 15 events wait in spool for a sink old, which is not in this config: a start without it deletes them"
        " (`logrouter spool export --sink old` shows them)"
    )
    assert spool.files() == before
    monkeypatch.setenv("MAINPID", str(os.getpid()))  # a reload: who runs delivers them first
    assert warnings(command) == []


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
@pytest.mark.parametrize("entry", ["lock", "spool.json", "cursors/a.0", "segments/000000000007.segment"])
def test_what_is_no_file_of_the_spool_is_refused(command: Command, entry: str, make: Callable[[str], None]) -> None:
    spool = SpoolDirectory("spool")
    spool.open()
    spool.close()
    Path("spool", entry).unlink(missing_ok=True)
    make(f"spool/{entry}")
    kind = "a named pipe" if make is os.mkfifo else "a folder"
    for arguments in (("check", *SPOOL), SPOOL, ("spool", "ls", "--directory", "spool")):
        done = command(*arguments)
        assert done.code in (2, 78)
        assert f"spool/{entry} is {kind}: expected a file of the spool" in done.complaints


@pytest.mark.parametrize("entry", ["cursors", "segments", "dead-letters"])
def test_what_is_no_folder_of_the_spool_is_refused(command: Command, entry: str) -> None:
    Path("spool").mkdir()
    os.mkfifo(f"spool/{entry}")
    done = command("check", *SPOOL)
    assert done.code == 78
    assert f"spool/{entry} is a named pipe: expected a folder of the spool" in done.complaints


def test_what_else_is_in_the_folders_of_a_spool_is_left_alone(command: Command) -> None:
    Path("spool/segments/lost+found").mkdir(parents=True)
    Path("spool").chmod(0o700)
    assert warnings(command) == []


def test_it_says_where_text_stays_whole_and_why(command: Command, write: Callable[..., None]) -> None:
    write("sinks: {all: {url: 'file:all.log?format=raw'}}\n")
    done = command("check", "-v")
    note = "sources.stdin.parse is json_or_text, as sinks.all writes lines as they came: `parse: auto` makes fields"
    assert f"\nnote: {note}" in done.output
    assert "note:" not in command("check").output
    explained = command("explain", stdin=b"level=info msg=hi\n")
    assert explained.complaints.startswith(f"note: {note}")
    assert "· text ·" in explained.output
