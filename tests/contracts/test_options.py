"""The options of every component, of whatever kind: a frozen struct that refuses keys which it does not know."""

from __future__ import annotations

import msgspec
import pytest

from logrouter import component, reference
from logrouter.component import Kind
from logrouter.parsers import ParserConfig
from logrouter.sinks import SinkConfig
from logrouter.sources import SourceConfig
from logrouter.steps import StepConfig

BASES: dict[Kind, type[msgspec.Struct]] = {
    "parsers": ParserConfig,
    "sinks": SinkConfig,
    "sources": SourceConfig,
    "steps": StepConfig,
}


def test_each_kind_is_asked() -> None:
    assert BASES.keys() == set(reference.KINDS)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in BASES for name in component.names(kind)])
def test_they_are_a_frozen_struct_that_refuses_unknown_ones(kind: Kind, name: str) -> None:
    config = component.load(kind, name).Config
    assert issubclass(config, BASES[kind])
    assert config.__struct_config__.frozen
    assert config.__struct_config__.forbid_unknown_fields
