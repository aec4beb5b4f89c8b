"""`--watch`: run again when a file has changed, say what is wrong, and end quietly."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from logrouter.cli import _watch
from logrouter.cli._watch import Waiting, changes, look
from tests.cli.conftest import Command


class Editor:
    """Somebody who changes files while we wait, and then presses Ctrl-C."""

    def __init__(self, *edits: Callable[[], object]) -> None:
        self.edits = list(edits)

    def __call__(self) -> None:
        if not self.edits:
            raise KeyboardInterrupt
        self.edits.pop(0)()


CONFIG = "sinks: {{o: 'stdout:'}}\ntests: [{{name: one, input: {input}, expect: {{fields: {{message: a}}}}}}]\n"


def test_it_runs_again_after_each_change(
    command: Command, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(CONFIG.format(input="b"))
    editor = Editor(
        lambda: None,
        lambda: write(CONFIG.format(input="bcd")),
        lambda: write(CONFIG.format(input="]")),
        lambda: write(CONFIG.format(input="a")),
    )
    monkeypatch.setattr(Waiting, "wait", lambda waiting: editor())
    done = command("test", "--watch")
    assert done.code == 130
    told = [line.strip() for line in done.output.splitlines()]
    assert [line for line in told if not line.startswith(("event", "not as", "fields", "got"))] == [
        "FAIL  one  logrouter.yaml:2:9",
        "1 test: 1 failed",
        "",
        "changed: logrouter.yaml",
        "FAIL  one  logrouter.yaml:2:9",
        "1 test: 1 failed",
        "",
        "changed: logrouter.yaml",
        "",
        "changed: logrouter.yaml",
        "ok    one",
        "1 test: all passed",
    ]
    waiting = "waiting for a change; Ctrl-C ends"
    complaints = done.complaints.splitlines()
    assert complaints.count(waiting) == 4
    assert [line for line in complaints if line != waiting] == [
        "logrouter.yaml:2:28: not valid YAML: a value is missing here"
    ]


def test_files_of_tests_and_samples_are_watched_too(
    command: Command, write: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    write("- {name: one, input: {file: s.log}, expect: {fields: {message: a}}}", "tests/a.yaml")
    write("b", "tests/s.log")
    write("sinks: {o: 'stdout:'}")
    editor = Editor(
        lambda: write("a", "tests/s.log"),
        lambda: write("- {name: two, input: a, expect: {}}", "tests/b.yaml"),
        lambda: (tmp_path / "tests" / "a.yaml").unlink(),
        lambda: write("sinks: {p: 'stdout:'}"),
    )
    monkeypatch.setattr(Waiting, "wait", lambda waiting: editor())
    told = command("test", "--watch", "tests").output.splitlines()
    assert [line for line in told if line.startswith(("changed", "ok", "FAIL"))] == [
        "FAIL  one  tests/a.yaml:1:3",
        "changed: tests/s.log",
        "ok    one",
        "changed: tests/b.yaml",
        "ok    one",
        "ok    two",
        "changed: tests/a.yaml",
        "ok    two",
        "changed: logrouter.yaml",
        "ok    two",
    ]


def test_what_is_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("x")
    first = look([path, other])
    assert changes(first, look([path, other])) == []
    os.utime(path, ns=(1, 1))
    assert changes(first, look([path, other])) == [path]
    other.write_text("")
    assert changes(first, look([path, other])) == [path, other]
    path.unlink()
    assert changes(look([path]), look([path])) == []


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder on a tmpfs, where inotify tells of all that happens; others may lie on an overlay."""
    if not os.access("/dev/shm", os.W_OK):
        pytest.skip("there is no tmpfs to write to")
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def is_told(waiting: Waiting) -> bool:
    """Whether something has happened that ends the waiting at once."""
    assert waiting.inotify is not None
    return bool(select.select([waiting.inotify.fd], [], [], 0)[0])


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("more"),
        lambda path: path.unlink(),
        lambda path: path.with_name("new").rename(path),
        lambda path: path.with_name("another.yaml").write_text("x"),
    ],
)
def test_inotify_ends_the_waiting(memory: Path, change: Callable[[Path], object]) -> None:
    path = memory / "a.yaml"
    path.write_text("x")
    path.with_name("new").write_text("y")
    with closing(Waiting([path])) as waiting:
        assert not is_told(waiting)
        change(path)
        assert is_told(waiting)
        waiting.wait()
        assert not is_told(waiting)


def test_a_file_behind_a_link_is_watched(memory: Path) -> None:
    (memory / "links").mkdir()
    path, link = memory / "a.yaml", memory / "links" / "a.yaml"
    path.write_text("x")
    link.symlink_to(path)
    with closing(Waiting([link])) as waiting:
        assert not is_told(waiting)
        path.write_text("more")
        assert is_told(waiting)


@pytest.mark.parametrize("name", ["not/there.yaml", "gone.yaml"])
def test_what_inotify_cannot_watch_is_looked_at_by_the_clock(
    memory: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    with closing(Waiting([memory / name])) as waiting:
        waiting.wait()
    assert waited == [_watch.LOOK_SECONDS]


def test_a_file_system_where_inotify_may_be_silent_is_looked_at_by_the_clock(
    memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_watch, "silent_file_system", lambda path: "NFS")
    (memory / "a.yaml").write_text("x")
    with closing(Waiting([memory / "a.yaml"])) as waiting:
        assert waiting.inotify is None
