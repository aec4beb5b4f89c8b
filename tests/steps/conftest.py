"""Steps as the config makes them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from logrouter import component
from logrouter.chain import Chain
from logrouter.config import load
from logrouter.facts import Facts
from logrouter.steps import KEEP, Step

FACTS = Facts({"source": "app", "stream": "stdin"}, 1_700_000_000_000_000_000, {"service.name": "checkout"})


def steps_from(yaml: str) -> list[tuple[str, Step[Any]]]:
    """The steps that `steps:` would be, ready to be used."""
    settings = load(environ={"LOGROUTER_STEPS": yaml})
    return [(step.name, component.load("steps", step.name)(step.config)) for step in settings.steps]


@pytest.fixture(scope="session")
def facts() -> Facts:
    return FACTS


@pytest.fixture(scope="session")
def change() -> Callable[[str, dict[str, Any]], Any]:
    """Gives a document as one step, in YAML, leaves it; or what it returned instead."""

    def change(yaml: str, document: dict[str, Any]) -> Any:
        ((_, step),) = steps_from(f"- {yaml}")
        document = copy.deepcopy(document)
        outcome = step.apply(document, FACTS)
        return document if outcome is None or outcome is KEEP else outcome

    return change


@pytest.fixture(scope="session")
def chain() -> Callable[[str], Chain]:
    return lambda yaml: Chain(steps_from(yaml))


@pytest.fixture(scope="session")
def mistake() -> Callable[[str], str]:
    """What the config says is wrong with a step."""

    def mistake(yaml: str) -> str:
        from logrouter.errors import ConfigError

        with pytest.raises(ConfigError) as caught:
            load(environ={"LOGROUTER_STEPS": f"- {yaml}"})
        (only,) = caught.value.mistakes
        return f"{only.problem} ({only.hint})" if only.hint else only.problem

    return mistake


def decoded(payload: bytes) -> Any:
    return msgspec.json.decode(payload)
