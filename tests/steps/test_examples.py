"""The examples in the steps' docstrings, and so in their reference pages, are true."""

from __future__ import annotations

import json

import pytest

from logrouter import component, reference
from logrouter.event import Flag
from tests.steps.conftest import FACTS

EXAMPLES = [
    pytest.param(example, id=f"{name}-{number}")
    for name in component.names("steps")
    for number, example in enumerate(reference.examples(component.load_module("steps", name).__doc__ or ""))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example, chain):
    steps = chain(example.config)
    for before, after in example.events:
        is_json = before.startswith("{")
        result = steps.apply(before.encode(), Flag.JSON if is_json else 0, FACTS)
        if after == reference.DISCARDED:
            assert result == []
        elif after.startswith("{"):
            assert [json.loads(payload) for payload, _ in result] == [json.loads(line) for line in after.split("\n")]
        else:
            assert result == [(after.encode(), 0)]


@pytest.mark.parametrize("name", component.names("steps"))
def test_each_step_has_an_example(name):
    assert reference.examples(component.load_module("steps", name).__doc__ or "")
