"""docs/durability.md, docs/run.md and docs/aws.md: every test that they name exists, and every row names one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [(REPOSITORY / "docs" / name).read_text(encoding="utf-8") for name in ("durability.md", "run.md", "aws.md")]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
_RULE = re.compile(r"\|[-|: ]+\|")


def rows() -> list[str]:
    """The rows of tables whose last column names tests."""
    found, names_tests = [], False
    for line in "\n".join(PAGES).splitlines():
        if not line.startswith("|"):
            names_tests = False
        elif line.endswith("| shown by |"):
            names_tests = True
        elif names_tests and not _RULE.fullmatch(line):
            found.append(line)
    return found


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_pages_have_rows() -> None:
    assert len(rows()) > 40


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[:50])
def test_each_row_names_tests_that_exist(row: str) -> None:
    named = NAMED.findall(row)
    assert named, "a row that no test shows is a claim"
    for path, name in named:
        assert (REPOSITORY / path).exists(), path
        assert name in names_in(path)
