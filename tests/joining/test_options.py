"""The option `multiline`: a word, a list, or a pattern."""

from __future__ import annotations

from pathlib import Path

import pytest

from logrouter import config
from logrouter.errors import ConfigError
from logrouter.framing import LineFraming
from logrouter.sources import LinesConfig

_TEXT = b"an error\n\tat a.B.c(B.java:1)\nTraceback (most recent call last):\n  File\nE: x\n"
_JAVA = [b"an error\n\tat a.B.c(B.java:1)"]
_PYTHON = [b"Traceback (most recent call last):\n  File\nE: x"]


def options_of(text: str) -> LinesConfig:
    yaml = f"sources: {{in: {{type: stdin, multiline: {text}}}}}\nsinks: {{o: 'stdout:'}}\n"
    settings = config.load(environ={"LOGROUTER_CONFIG_YAML": yaml}, system_folder=Path("/nonexistent"))
    loaded = settings.sources["in"].config
    assert isinstance(loaded, LinesConfig)
    return loaded


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ("none", _TEXT.splitlines()),
        ("auto", _JAVA + _PYTHON),
        ("java", _JAVA + _TEXT.splitlines()[2:]),
        ("[python]", _TEXT.splitlines()[:2] + _PYTHON),
        ("[python, java]", _JAVA + _PYTHON),
        ("{languages: auto, timeout: 1s}", _JAVA + _PYTHON),
        ("{languages: [java]}", _JAVA + _TEXT.splitlines()[2:]),
        (r"{start: '^\w+ '}", [_TEXT.splitlines()[0] + b"\n" + _TEXT.splitlines()[1], *_PYTHON]),
        (r"{continue: '^\s'}", [*_JAVA, b"Traceback (most recent call last):\n  File", b"E: x"]),
        ("{end: 'x$'}", [_TEXT.removesuffix(b"\n")]),
    ],
)
def test_ways_to_say_which_lines_are_one_event(said: str, events: list[bytes]) -> None:
    framing = options_of(said).framing()
    assert [*framing.feed(_TEXT).lines, *framing.finish().lines] == events


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (r'{start: "^\d"}', ":1:11: not valid YAML: while parsing a quoted scalar found unknown escape character"),
        ("{strat: a}", ":1:2: unknown key 'strat' in sources.in.multiline (did you mean 'start'?)"),
        ("{start: (a+)+$}", ":1:9: sources.in.multiline.start: the regular expression can take exponential time: a"),
    ],
)
def test_of_a_mapping_in_a_variable_it_is_told_what_is_wrong_with_it(said: str, told: str) -> None:
    """Not what would be wrong with it as a list, nor which words there are."""
    name = "LOGROUTER_SOURCE_IN__MULTILINE"
    with pytest.raises(ConfigError) as failed:
        config.load(environ={"LOGROUTER_SOURCE_IN": "stdin:", name: said}, system_folder=Path("/nonexistent"))

    (mistake,) = failed.value.mistakes
    assert str(mistake).startswith(name + told)
    assert "or none, auto" not in str(mistake)


def test_none_costs_nothing() -> None:
    assert type(LinesConfig().framing()) is LineFraming


def test_how_long_more_lines_are_waited_for() -> None:
    assert options_of("{end: x, timeout: 2s}").quiet_seconds == 2
    assert options_of("auto").quiet_seconds == 0.5


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        ("cobol", "cobol"),
        ("[]", "at least one language"),
        ("{timeout: 1s}", "none is given"),
        ("{start: a, end: b}", "not start and end"),
        ("{start: a, timeout: 1ms}", "at least 10ms"),
        ("{start: '(a+)+$'}", "exponential"),
        ("{begin: a}", "begin"),
    ],
)
def test_what_is_refused(said: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        options_of(said)
    assert mistake in str(caught.value)
