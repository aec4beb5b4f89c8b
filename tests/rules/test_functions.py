"""The table of functions, and the page that is made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logrouter.rules import Rule
from logrouter.rules.functions import FUNCTIONS, function_table

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"


def test_the_page_shows_the_table_as_it_is() -> None:
    shown = re.search(r"<!-- functions: .*-->\n(.*)<!-- end of functions -->", PAGE.read_text(), re.DOTALL)

    assert shown is not None
    assert shown[1] == function_table(), "paste the output of logrouter.rules.functions.function_table()"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_example_is_a_rule_with_its_function(name: str) -> None:
    function = FUNCTIONS[name]

    assert f"{name}(" in Rule.parse(function.example).text
    assert function.signature.startswith(f"{name}(x")
    assert "|" not in function.doc + function.example  # it would end the table's cell


def test_every_rule_on_the_page_is_one() -> None:
    section = PAGE.read_text().split("## Conditions")[1].split("\nLiterals")[0]
    cells = re.findall(r"^\| ((?:`[^`]+`(?:, )?)+) \|", section, re.MULTILINE)
    rules = [rule for cell in cells for rule in re.findall("`([^`]+)`", cell) if "…" not in rule]

    assert len(rules) > 12
    for rule in rules:
        assert Rule.parse(rule).text == rule
