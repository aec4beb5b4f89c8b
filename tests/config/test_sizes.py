"""What a line may be, and what the spool holds, fit together."""

from __future__ import annotations

import pytest

from logrouter import config
from logrouter.errors import ConfigError


def test_max_line_follows_a_small_spool() -> None:
    settings = config.load((), {}, config.Flags(sets=["spool.memory=2MiB"]))
    assert settings.sources["stdin"].config.max_line == 256 * 1024


def test_max_line_follows_a_small_disk() -> None:
    sets = ["spool.memory=1GiB", "spool.max_size=16MiB", "spool.directory=spool"]
    assert config.load((), {}, config.Flags(sets=sets)).sources["stdin"].config.max_line == 1024 * 1024
    sets.append("sources.stdin.max_line=2MiB")
    assert config.load((), {}, config.Flags(sets=sets)).sources["stdin"].config.max_line == 2 * 1024 * 1024


def test_max_line_stays_where_the_spool_is_large() -> None:
    assert config.load((), {}).sources["stdin"].config.max_line == 1024 * 1024


@pytest.mark.parametrize(
    ("spool", "limit"),
    [
        (("spool.memory=2MiB",), "memory, 256KiB"),
        (("spool.memory=1GiB", "spool.max_size=16MiB", "spool.directory=spool"), "max_size, 2MiB"),
    ],
)
def test_a_max_line_that_does_not_fit_is_a_mistake(spool: tuple[str, ...], limit: str) -> None:
    flags = config.Flags(sets=[*spool, "sources.stdin.max_line=3MiB"])
    with pytest.raises(ConfigError) as error:
        config.load((), {}, flags)
    (mistake,) = error.value.mistakes
    assert str(mistake) == (
        f"--set sources.stdin.max_line=…: sources.stdin.max_line: at most an eighth of spool.{limit}, not 3MiB"
        f" (or raise spool.{limit.partition(',')[0]})"
    )
