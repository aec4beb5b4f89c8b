from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from logrouter.config import Settings, files, load
from logrouter.errors import ConfigError

Loader = Callable[..., Settings]
Finder = Callable[..., list[str]]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    return {"folder": tmp_path / "here", "system_folder": tmp_path / "etc"}


def level(places: dict[str, Path], *files: Path, environ: dict[str, str] | None = None) -> str:
    return load(files, environ, folder=places["folder"], system_folder=places["system_folder"]).log_level


def test_where_the_config_is_found(tmp_path: Path, places: dict[str, Path]) -> None:
    assert level(places) == "warning"
    write(places["system_folder"], "a.yaml", "log_level: debug")
    assert level(places) == "debug"
    write(places["folder"], "logrouter.yaml", "log_level: info")
    assert level(places) == "info"
    assert level(places, environ={"LOGROUTER_CONFIG_YAML": "log_level: error"}) == "error"
    named = write(tmp_path, "named.yaml", "log_level: debug")
    assert level(places, environ={"LOGROUTER_CONFIG": str(named)}) == "debug"
    flagged = write(tmp_path, "flagged.yaml", "log_level: error")
    assert level(places, flagged, environ={"LOGROUTER_CONFIG": str(named)}) == "error"


def test_files_are_merged_by_name(tmp_path: Path) -> None:
    one = write(tmp_path, "1.yaml", "sinks: {a: 'file:a'}\nresource: {x: 1}\nsteps: [{set: {n: 1}}]\nspool:\n")
    two = write(
        tmp_path, "2.yaml", "sinks: {b: 'file:b'}\nresource: {y: 2}\nsteps: [{set: {n: 2}}]\nspool: {memory: 2MiB}"
    )
    settings = load([one, two])
    assert list(settings.sinks) == ["a", "b"]
    assert settings.resource == {"x": "1", "y": "2"}
    assert [step.config.fields for step in settings.steps] == [{"n": 1}, {"n": 2}]
    assert settings.spool.memory == 2 * 2**20


def test_the_system_folder_is_read_in_order(tmp_path: Path, places: dict[str, Path]) -> None:
    write(places["system_folder"], "20.yaml", "steps: [{set: {n: 2}}]")
    write(places["system_folder"], "10.yaml", "steps: [{set: {n: 1}}]")
    settings = load((), folder=places["folder"], system_folder=places["system_folder"])
    assert [step.config.fields["n"] for step in settings.steps] == [1, 2]


def test_what_is_set_in_two_files_is_a_mistake(tmp_path: Path) -> None:
    one = write(tmp_path, "1.yaml", "sinks: {a: 'file:a'}\nspool: {memory: 2MiB}\nlog_level: info\n")
    two = write(tmp_path, "2.yaml", "sinks:\n  a: 'file:b'\nspool: {memory: 3MiB}\nlog_level: info\n")
    with pytest.raises(ConfigError) as caught:
        load([one, two])
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"{two}:2:3: sinks.a is set twice, first at {one}:1:9",
        f"{two}:3:9: spool.memory is set twice, first at {one}:2:9",
        f"{two}:4:1: log_level is set twice, first at {one}:3:1",
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    with pytest.raises(ConfigError) as caught:
        load([missing, tmp_path, Path("nul\0byte")])
    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"--config {missing}: cannot be read: No such file or directory",
        f"--config {tmp_path}: is a folder: expected a file",
        "--config nul\\x00byte: cannot be read: embedded null byte",
    ]


def test_a_variable_may_list_files(tmp_path: Path) -> None:
    one, two = write(tmp_path, "1.yaml", "log_level: info"), tmp_path / "2.yaml"
    with pytest.raises(ConfigError) as caught:
        load((), {"LOGROUTER_CONFIG": f"{one}:{two}"})
    assert [mistake.place for mistake in caught.value.mistakes] == [f"LOGROUTER_CONFIG {two}"]


def test_a_pipe_is_a_file_too(tmp_path: Path) -> None:
    """`--config <(…)` of a shell."""
    read, write_end = os.pipe()
    os.write(write_end, b"log_level: info")
    os.close(write_end)
    try:
        assert load([Path(f"/dev/fd/{read}")]).log_level == "info"
    finally:
        os.close(read)


@pytest.mark.parametrize("what", ["FIFO", "pipe"])
def test_a_pipe_without_a_writer_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """It would be waited for for ever."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    if what == "FIFO":
        monkeypatch.setattr(files, "_WRITER_SECONDS", 0.02)
    else:  # it has lost its writer for good, and is not waited for
        read, write_end = os.pipe()
        os.close(write_end)
        path = Path(f"/dev/fd/{read}")
    for environ in (
        {"LOGROUTER_CONFIG": str(path)},
        {"LOGROUTER_CONFIG_YAML": f"resource:\n  a: ${{file:{path}}}\n"},
    ):
        with pytest.raises(ConfigError, match="it is a pipe that nobody has written to"):
            load((), environ)


@pytest.mark.parametrize("form", ["--config", "${file:…}"])
def test_a_named_pipe_is_waited_for_until_it_has_a_writer(tmp_path: Path, form: str) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)

    def write_later() -> None:
        path.write_text("log_level: info")  # which waits for a reader in its turn

    timer = threading.Timer(0.05, write_later)
    timer.start()
    if form == "--config":
        assert load([path]).log_level == "info"
    else:
        settings = load((), {"LOGROUTER_CONFIG_YAML": f"resource:\n  a: ${{file:{path}}}\n"})
        assert settings.resource["a"] == "log_level: info"
    timer.join()


def test_a_slow_writer_of_a_pipe_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # the writer is there, and has not written

    def write_later() -> None:
        os.write(writer, b"log_level: in")
        os.write(writer, b"fo")
        os.close(writer)

    timer = threading.Timer(0.05, write_later)
    timer.start()
    assert load([path]).log_level == "info"
    timer.join()


def test_a_folder_names_a_file_in_it(tmp_path: Path) -> None:
    write(tmp_path, "b.yaml", "")
    write(tmp_path, "a.yaml", "")
    with pytest.raises(ConfigError) as caught:
        load([tmp_path])
    assert str(caught.value) == f"--config {tmp_path}: is a folder: expected a file (for example {tmp_path}/a.yaml)"


def test_sections_of_the_wrong_kind(mistakes_in: Finder) -> None:
    assert mistakes_in("sinks: [a]\nsteps: {a: 1}\nspool: 5\nsinsk: 1\n") == [
        "logrouter.yaml:1:8: sinks: expected a mapping, not a list (give each a name: 'errors: …')",
        "logrouter.yaml:2:8: steps: expected a list, not a mapping (begin each item with '- ')",
        "logrouter.yaml:3:8: spool: expected a mapping, not '5'",
        "logrouter.yaml:4:1: unknown key 'sinsk' (did you mean 'sinks'?)",
    ]
    assert mistakes_in("- a") == ["logrouter.yaml:1:1: a config is a mapping such as 'sinks: …', not a list"]


def test_an_empty_section_is_none(load_text: Loader) -> None:
    settings = load_text("sinks:\nsteps:\nroutes:\nresource:\nspool:\nadmin:\nsources:\nlog_level:\n")
    assert (list(settings.sinks), list(settings.sources)) == (["stdout"], ["stdin"])


def test_resource_is_flat(load_text: Loader) -> None:
    settings = load_text("resource: {service: {name: shop, version: 1.10}, k8s.pod.name: a-1}")
    assert settings.resource == {"service.name": "shop", "service.version": "1.10", "k8s.pod.name": "a-1"}


@pytest.mark.slow
def test_nothing_configured_costs_no_yaml(tmp_path: Path) -> None:
    """Run apart: here yaml is imported already."""
    import subprocess
    import sys

    program = "import sys; from logrouter.config import load; load(); assert 'yaml' not in sys.modules"
    environ = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path, env=environ)
