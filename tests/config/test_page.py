from __future__ import annotations

import re
from pathlib import Path

from logrouter.config.page import refresh

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_the_tables_of_the_page_are_fresh() -> None:
    """If not: `python -m logrouter.config.page docs/configuration.md`."""
    text = PAGE.read_text()
    assert refresh(text) == text


def test_every_option_has_a_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert len(rows) > 20
    assert [name for name, meaning in rows if not meaning] == []
