"""Components are found by the name of their file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import logrouter
from logrouter import component
from logrouter.component import Kind
from logrouter.config import load
from logrouter.config.settings import Settings
from logrouter.errors import ConfigError, did_you_mean
from logrouter.sinks import Sink
from logrouter.sources import Source
from logrouter.steps import Step

BASES: dict[Kind, type[Any]] = {"sinks": Sink, "sources": Source, "steps": Step}


@pytest.mark.parametrize("kind", BASES)
def test_each_file_without_an_underscore_is_a_component(kind: Kind) -> None:
    folder = Path(logrouter.__file__).parent / kind
    files = {path.stem for path in folder.glob("*.py") if not path.stem.startswith("_")}

    assert component.names(kind) == tuple(sorted(files))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in BASES for name in component.names(kind)])
def test_each_file_holds_one_class_of_its_kind(kind: Kind, name: str) -> None:
    found = component.load(kind, name)

    assert issubclass(found, BASES[kind])
    assert found.__module__ == f"logrouter.{kind}.{name}"
    assert found.Config.__module__ in (found.__module__, f"logrouter.{kind}", f"logrouter.{kind}._stream")
    assert component.load(kind, name) is found


def test_a_file_with_two_components_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("logrouter.steps.double")
    for name in ("First", "Second"):
        setattr(module, name, type(name, (Step,), {"__module__": module.__name__}))
    monkeypatch.setattr(component, "load_module", lambda kind, name: module)
    monkeypatch.setattr(component, "names", lambda kind: ("double",))

    with pytest.raises(ValueError, match="too many values to unpack"):
        component.load("steps", "double")


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("fil", ["file", "stdout"], "did you mean 'file'?"),
        ("sinks", ("sink", "source"), "did you mean 'sink'?"),
        ("stder", {"stdout": 1, "stderr": 2}, "did you mean 'stderr'?"),
        ("loki", ["file", "stdout"], None),
        ("", ["file"], None),
        ("file", [], None),
    ],
)
def test_the_nearest_known_word(word: str, known: list[str], hint: str | None) -> None:
    assert did_you_mean(word, known) == hint


class FakeDistribution:
    """What `importlib.metadata` knows of an installed package, as far as it is asked."""

    name = "logrouter-pigeon"


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Adds an entry point of `logrouter.sinks`, or of another kind, as installing a package would."""
    entries: list[EntryPoint] = []

    def add(name: str, value: str, kind: Kind = "sinks") -> None:
        entry = EntryPoint(name, value, f"logrouter.{kind}")
        entries.append(entry._for(FakeDistribution()))  # type: ignore[attr-defined]  # what reading metadata does

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [e for e in entries if e.group == group])
    for cached in (component.plugins, component.load):
        cached.cache_clear()
    yield add
    for cached in (component.plugins, component.load):
        cached.cache_clear()


Add = Callable[..., None]


def config_of(sink: str, **more: str) -> Settings:
    environ = {"LOGROUTER_SINK_IT": sink, **more}
    return load(environ=environ, folder=Path("/nonexistent"), system_folder=Path("/nonexistent"))


def mistakes_in(sink: str, **more: str) -> str:
    with pytest.raises(ConfigError) as caught:
        config_of(sink, **more)
    return str(caught.value)


def test_a_sink_of_another_package_is_found_by_its_entry_point(plugged: Add) -> None:
    plugged("pigeon", "logrouter.testing:RecordingSink")
    assert config_of("pigeon:").sinks["it"].type == "pigeon"
    assert config_of("{type: pigeon, match: a == 1}").sinks["it"].config.match is not None
    assert component.load("sinks", "pigeon").__name__ == "RecordingSink"


def test_a_parser_of_another_package_is_found_by_its_entry_point(plugged: Add) -> None:
    plugged("pigeon", "logrouter.parsers.klog:Klog", "parsers")
    plugged("dove", "logrouter.testing:slice_of", "parsers")
    source = {"LOGROUTER_SOURCE_APP": "stdin", "LOGROUTER_SOURCE_APP__PARSE": "[logfmt, pigeon]"}
    (_, pigeon) = config_of("blackhole:", **source).sources["app"].config.parse.parsers
    assert type(pigeon).__name__ == "Klog"
    source["LOGROUTER_SOURCE_APP__PARSE"] = "dove"
    assert "is no subclass of logrouter.parsers.Parser" in mistakes_in("blackhole:", **source)
    source["LOGROUTER_SOURCE_APP__PARSE"] = "pigeon"
    assert "unknown parser 'pigeon'" in mistakes_in("blackhole:", LOGROUTER_ALLOW_PLUGINS="false", **source)


def test_nobody_takes_the_name_of_a_built_in_sink(plugged: Add) -> None:
    plugged("file", "logrouter.testing:RecordingSink")
    assert component.load("sinks", "file").__name__ == "FileSink"
    assert component.plugins("sinks") == {}


def test_other_packages_are_not_looked_at_without_need(plugged: Add, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(group: str) -> list[EntryPoint]:
        raise AssertionError("finding entry points reads the metadata of all packages")

    monkeypatch.setattr("importlib.metadata.entry_points", refuse)
    assert config_of("file:x.log").sinks["it"].type == "file"


def test_plugins_can_be_forbidden(plugged: Add) -> None:
    plugged("pigeon", "logrouter.testing:RecordingSink")
    assert "unknown scheme 'pigeon'" in mistakes_in("pigeon:", LOGROUTER_ALLOW_PLUGINS="false")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("nowhere.to_be_found:Sink", "cannot be imported: ModuleNotFoundError: No module named 'nowhere'"),
        ("logrouter.testing:slice_of", "is no subclass of logrouter.sinks.Sink"),
        ("logrouter.testing:Missing", "is no subclass of logrouter.sinks.Sink"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_is_a_mistake_in_the_config_that_names_it(
    plugged: Add, value: str, told: str
) -> None:
    plugged("pigeon", value)
    assert f"LOGROUTER_SINK_IT: sinks.it: the plug-in pigeon = {value} of the package logrouter-pigeon {told}" in (
        mistakes_in("pigeon:")
    )
