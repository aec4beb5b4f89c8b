from __future__ import annotations

import re
from pathlib import Path

import pytest

from logrouter.config.page import refresh

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("configuration.md", "testing.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_the_page_are_fresh(page: str) -> None:
    """If not: `python -m logrouter.config.page docs/configuration.md docs/testing.md`."""
    text = (DOCS / page).read_text()
    assert refresh(text) == text


@pytest.mark.parametrize("page", PAGES)
def test_every_option_has_a_meaning(page: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", (DOCS / page).read_text(), re.MULTILINE)
    assert len(rows) > 15
    assert [name for name, meaning in rows if not meaning] == []
