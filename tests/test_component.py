"""Components are found by the name of their file."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import logrouter
from logrouter import component
from logrouter.component import Kind
from logrouter.errors import did_you_mean
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
