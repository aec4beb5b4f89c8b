"""What a line may be, and what the spool holds, fit together."""

from __future__ import annotations

import pytest

from logrouter import config
from logrouter.errors import ConfigError


def test_max_line_follows_a_small_spool() -> None:
    settings = config.load((), {}, config.Flags(sets=["spool.memory=2MiB"]))
    assert settings.sources["stdin"].config.max_line == 256 * 1024


def test_max_line_stays_where_the_spool_is_large() -> None:
    assert config.load((), {}).sources["stdin"].config.max_line == 1024 * 1024


def test_a_max_line_that_does_not_fit_is_a_mistake() -> None:
    flags = config.Flags(sets=["spool.memory=2MiB", "sources.stdin.max_line=1MiB"])
    with pytest.raises(ConfigError) as error:
        config.load((), {}, flags)
    (mistake,) = error.value.mistakes
    assert str(mistake) == (
        "--set sources.stdin.max_line=…: sources.stdin.max_line: at most an eighth of spool.memory, 256KiB, not 1MiB"
        " (or raise spool.memory)"
    )
