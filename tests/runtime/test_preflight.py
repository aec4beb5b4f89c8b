"""What is known before the start about places that sinks write to. Run as root, who may write everywhere."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from logrouter import config
from logrouter.errors import ConfigError
from logrouter.runtime import preflight
from logrouter.runtime.preflight import check_places, warnings_about_places
from logrouter.sinks.stdout import StdoutSink


def mistakes(*sinks: str) -> list[str]:
    settings = config.load(flags=config.Flags(sinks=sinks), system_folder=Path("/nonexistent"))
    try:
        check_places(settings, streams=True)
    except ConfigError as error:
        return [str(mistake) for mistake in error.mistakes]
    return []


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "regular").write_text("")
    (tmp_path / "link-to-file").symlink_to("regular")
    (tmp_path / "link-to-nothing").symlink_to("nowhere")
    (tmp_path / "link-to-itself").symlink_to("link-to-itself")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")


@pytest.mark.parametrize(
    "url",
    [
        "file:new", "file:regular", "file:link-to-file", "file:folder/new", "file:not/yet/made/new", "file:../new",
        "file:{date}.log", "file:folder/{date}.log", "file:not/yet/{service}/{date}.log", "file:{service}/a",
        "file:regular-{date}.log", "file:/dev/null", "file:/dev/full", "file:///dev/null", "stdout:", "stderr:",
        "blackhole:",
    ],
)  # fmt: skip
def test_what_can_be_written(url: str, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))

    assert mistakes(f"a={url}") == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:regular/new", "regular is not a folder"),
        ("file:regular/deep/down/new", "regular is not a folder"),
        ("file:link-to-file/new", "link-to-file is not a folder"),
        ("file:link-to-nothing/new", "link-to-nothing is not a folder"),
        ("file:link-to-itself/new", "link-to-itself is not a folder"),
        ("file:regular/{date}.log", "regular is not a folder"),
        ("file:regular/{service}/a.log", "regular is not a folder"),
        ("file:fifo", "fifo is a named pipe: expected a file, or a device such as /dev/null"),
        ("file:socket", "socket is a socket: expected a file, or a device such as /dev/null"),
        ("file:fifo/new", "fifo is not a folder"),
        ("file:folder", "folder is a folder: expected the path of a file"),
        ("file:folder/inner", "folder/inner is a folder: expected the path of a file"),
    ],
)
def test_what_no_waiting_would_mend(url: str, problem: str) -> None:
    assert mistakes(f"a={url}") == [f"--sink a=…: sinks.a: {problem}"]


def test_a_stream_that_is_closed_or_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["--sink a=…: sinks.a: stdout is closed: nothing that is written there would arrive"]
    with Path(os.devnull).open("rb") as file:
        descriptor = file.fileno()
        monkeypatch.setattr(StdoutSink, "descriptor", descriptor)
        monkeypatch.setattr(preflight, "_STREAMS", {descriptor: "stdout"})
        assert mistakes("a=stdout:") == told
    assert mistakes("a=stdout:") == told
    assert mistakes("a=stderr:") == []


def test_what_is_written_is_not_read_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    followed = "LOGROUTER_CONFIG_YAML", "sources: {f: {type: file, include: ['*.log']}}"
    with Path("a.log").open("w+b") as file:
        monkeypatch.setattr(preflight, "_file_behind", {0: None, file.fileno(): str(tmp_path / "a.log")}.get)
        monkeypatch.setattr(StdoutSink, "descriptor", file.fileno())
        assert mistakes("a=stdout:") == []
        settings = config.load(environ=dict([followed]), system_folder=Path("/nonexistent"))
        with pytest.raises(ConfigError, match=f"sources.f follows {tmp_path}/a.log and would read what this sink"):
            check_places(settings, streams=True)
        check_places(settings)  # whose stdout is not that of what is checked

        monkeypatch.setattr(preflight, "_file_behind", {0: str(tmp_path / "a.log")}.get)
        told = f"stdin is {tmp_path}/a.log, and would give back what this sink writes: expected another file"
        assert mistakes("a=file:a.log", "b=file:b.log") == [f"--sink a=…: sinks.a: {told}"]


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/dev/stdout", "write stdout:"),
        ("/dev/stderr", "write stderr:"),
        ("/dev/fd/1", "write stdout:"),
        ("/proc/self/fd/2", "write stderr:"),
        ("/dev/fd/7", "write stdout: or stderr:"),
        ("/dev/stdin", "write stdout: or stderr:"),
    ],
)
def test_streams_have_sinks_of_their_own(path: str, hint: str) -> None:
    """Whatever they are now: one that leads to a regular file would be rotated away."""
    (told,) = mistakes(f"a=file:{path}")

    assert told.startswith(f"--sink a=…: sinks.a: {path} is a stream of logrouter's own: expected a file")
    assert told.endswith(f"({hint})")


def test_a_terminal_can_be_written() -> None:
    terminal, inner = os.openpty()
    try:
        assert mistakes(f"a=file:{os.ttyname(inner)}") == []
    finally:
        os.close(terminal)
        os.close(inner)


@pytest.mark.parametrize(
    "url",
    ["file:new", "file:./new", "file:folder/../new", "file:{absolute}/new", "file:link-to-new", "file:linked/../new"],
)
def test_a_file_belongs_to_one_sink(url: str, tmp_path: Path) -> None:
    (tmp_path / "link-to-new").symlink_to("new")
    (tmp_path / "linked").symlink_to("folder")
    url = url.replace("{absolute}", str(tmp_path))

    (told,) = mistakes("a=file:new?rotate_size=1MiB", "b=stdout:", f"c={url}", "d=file:new-{date}")

    assert told == f"--sink c=…: sinks.c: {url[5:]} is the file of sinks.a already, at --sink a=…"


def test_what_two_sinks_may_share() -> None:
    """A device has no lines to mix; what templates lead to is known only with the events."""
    assert mistakes("a=file:/dev/null", "b=file:/dev/null", "c=file:{date}", "d=file:{date}", "e=file:x") == []


def test_all_at_once() -> None:
    told = mistakes("a=file:regular/x", "b=file:new", "c=file:fifo")

    assert [line.partition(": ")[0] for line in told] == ["--sink a=…", "--sink c=…"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("sinks: {a: 'file:fifo'}", "c.yaml:1:12"),
        ("sinks:\n  a: {type: file, path: fifo}", "c.yaml:2:25"),
        ("sinks:\n  a: {url: 'file:fifo'}", "c.yaml:2:12"),
    ],
)
def test_the_place_is_where_the_path_is_written(text: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(text)

    with pytest.raises(ConfigError) as wrong:
        check_places(config.load([Path("c.yaml")]))
    assert str(wrong.value) == f"{place}: sinks.a: fifo is a named pipe: expected a file, or a device such as /dev/null"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:regular", "regular may not be written"),
        ("file:folder/new", "the folder folder may not be written"),
        ("file:folder/not/yet/new", "the folder folder may not be written"),
        ("file:new", "the folder . may not be written"),
    ],
)
def test_what_may_not_be_written(url: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere

    assert mistakes(f"a={url}") == [f"--sink a=…: sinks.a: {problem}"]


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ("{ca_file: regular}", None),
        ("{ca_file: absent.pem}", "tls.ca_file: absent.pem cannot be read: no such file or directory"),
        ("{cert_file: regular, key_file: folder}", "tls.key_file: folder cannot be read: is a directory"),
    ],
)
def test_certificates_of_destinations(tls: str, problem: str | None) -> None:
    environ = {"LOGROUTER_SINK_A": "http+https://example.org", "LOGROUTER_SINK_A__TLS": tls}
    settings = config.load(environ=environ, system_folder=Path("/nonexistent"))
    if problem is None:
        check_places(settings)
    else:
        with pytest.raises(ConfigError) as error:
            check_places(settings)
        assert [mistake.problem for mistake in error.value.mistakes] == [f"sinks.a: {problem}"]


def warnings(address: str) -> list[str]:
    flags = config.Flags(sets=(f"admin.listen={address}",))
    return [str(told) for told in warnings_about_places(config.load(flags=flags, system_folder=Path("/nonexistent")))]


def test_an_address_that_cannot_be_had_is_told() -> None:
    """It is no mistake: another logrouter may have it, which this config is for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (warning,) = warnings(f"127.0.0.1:{port}")
        assert warning.endswith(f"admin.listen: cannot listen on 127.0.0.1:{port}: Address already in use")
    assert warnings(f"127.0.0.1:{port}") == []
    (warning,) = warnings("192.0.2.1:9598")  # RFC 5737: nobody has it
    assert warning.endswith("admin.listen: cannot listen on 192.0.2.1:9598: Cannot assign requested address")


@pytest.mark.parametrize(
    ("include", "exclude", "url", "is_read"),
    [
        ("*.log", "", "file:errors.log", True),
        ("**/*.ndjson*", "", "file:folder/{service}/{date}.ndjson", True),
        ("*.log", "errors.*", "file:errors.log", False),
        ("*.log", "", "file:folder/errors.log", False),
        ("folder/*", "", "file:folder/inner/a", False),
    ],
)
def test_what_a_sink_writes_must_not_be_followed(include: str, exclude: str, url: str, is_read: bool) -> None:
    options = {"LOGROUTER_SOURCE_APP": f"file:{include}", "LOGROUTER_SINK_A": url}
    if exclude:
        options["LOGROUTER_SOURCE_APP__EXCLUDE"] = exclude
    settings = config.load(environ=options, system_folder=Path("/nonexistent"))
    if not is_read:
        check_places(settings)
        return
    with pytest.raises(ConfigError, match=r"sources\.app follows .* and would read what this sink writes"):
        check_places(settings)
