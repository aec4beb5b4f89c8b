"""A step's options where only one is given: what stands alone is what the step needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.steps.conftest import steps_from


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("discard: a == 1", "discard: {when: a == 1}"),
        ("sample: 0.1", "sample: {keep: 0.1}"),
        ("{sample: 0.1, when: a == 1}", "sample: {keep: 0.1, when: a == 1}"),
        ("throttle: 5/s", "throttle: {rate: 5/s}"),
        ("split: a.b", "split: {field: a.b}"),
        ("remove: [a, b]", "remove: {fields: [a, b]}"),
    ],
)
def test_what_stands_alone_is_what_a_step_needs(short: str, long: str) -> None:
    ((name, step),), ((same_name, same),) = steps_from(f"- {short}"), steps_from(f"- {long}")
    assert (name, step.config) == (same_name, same.config)


@pytest.mark.parametrize(
    ("yaml", "problem"),
    [
        ("{discard: a == 1, when: b}", "discard: 'when' says once more what is asked already"),
        ("sample: most", "sample.keep: expected a number, not 'most'"),
        ("throttle: 5/q", "throttle.rate: expected a rate such as 100/s, 10/m or 1000/h, not '5/q'"),
        ("redact: email", "say of what: {patterns: [email]} wherever it stands, or the {fields: [email]}"),
        ("redact: [email, iban]", "say of what: {patterns: [email, iban]} wherever it stands, or the {fields: [email"),
    ],
)
def test_what_is_wrong_is_said(mistake: Any, yaml: str, problem: str) -> None:
    assert problem in mistake(yaml)
