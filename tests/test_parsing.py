"""The option `parse`: a word, a parser, or a list of them; what is wrong with it, and where."""

from __future__ import annotations

import pytest

from logrouter.config import load
from logrouter.config.effective import describe_effective
from logrouter.config.settings import Settings
from logrouter.errors import ConfigError
from logrouter.parsers.json import Json
from logrouter.parsers.regex import Regex
from logrouter.parsing import AUTO, JSON, JSON_OR_TEXT, NONE, Parse
from tests.parse_option import NOWHERE, parse_of


def mistakes_of(said: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_of(said)
    return [
        f"{mistake.problem} ({mistake.hint})" if mistake.hint else mistake.problem for mistake in caught.value.mistakes
    ]


@pytest.mark.parametrize(
    ("said", "parse"), [("auto", AUTO), ("json_or_text", JSON_OR_TEXT), ("none", NONE), ("json", JSON)]
)
def test_words(said: str, parse: Parse) -> None:
    assert parse_of(said) is parse


def test_a_list_is_asked_in_its_order() -> None:
    parse = parse_of("[{regex: '^(?P<a>x)'}, json, {regex: {pattern: '(?P<n>\\d+)', types: {n: int}}}]")
    assert [type(parser) for parser in parse.parsers] == [Regex, Json, Regex]
    assert (parse.reads_json, parse.marks) == (False, True)
    assert parse.parsed([b"x1", b'{"b":2}', b"n 3", b"none"], b'x1\n{"b":2}\nn 3\nnone', 0) == [
        *(b'{"a":"x"}', b'{"b":2}', b'{"n":3}', None)
    ]


@pytest.mark.parametrize(
    ("said", "reads_json", "marks"),
    [
        ("auto", True, False),
        ("{auto: {formats: [clf]}}", True, False),
        ("[auto]", True, False),
        ("[auto, {regex: '(?P<a>x)'}]", True, True),
        ("[{regex: '(?P<a>x)'}, auto]", False, True),
    ],
)
def test_auto_in_a_list(said: str, reads_json: bool, marks: bool) -> None:
    parse = parse_of(said)
    assert (parse.reads_json, parse.marks) == (reads_json, marks)
    line = b"level=info msg=hi"
    assert parse.parsed([line, b"text"], line + b"\ntext", 0) == (
        [None, None] if "clf" in said else [b'{"level":"info","msg":"hi"}', b'{"a":"x"}' if "regex" in said else None]
    )
    assert parse.name_of_taker(line, 0) == (None if "clf" in said else "logfmt")


# ── where sinks keep lines as they came ───────────────────────────────────────────────────────────────

RAW = ("stdout:?format=raw", "file:out.log?format=raw", "loki+http://loki:3100", "s3://bucket/a/?format=raw&region=x")
OTHERS = ("stdout:", "file:out.ndjson", "elasticsearch+http://es:9200", "blackhole:")


def settings_of(*sinks: str, source: str = "") -> Settings:
    text = f"sources: {{app: {{type: stdin{source}}}}}\nsinks:\n"
    text += "\n".join(f"  s{number}: '{url}'" for number, url in enumerate(sinks))
    return load(environ={"LOGROUTER_CONFIG_YAML": text}, folder=NOWHERE, system_folder=NOWHERE)


@pytest.mark.parametrize("sink", RAW)
def test_text_stays_whole_where_a_sink_keeps_lines(sink: str) -> None:
    settings = settings_of("blackhole:", sink)
    assert settings.sources["app"].config.parse is JSON_OR_TEXT
    shown = {each.key: each for each in describe_effective(settings)}["sources.app.parse"]
    assert shown.value == "json_or_text"
    assert shown.origin == "default, as sinks.s1 writes lines as they came"
    (note,) = settings.provenance.notes
    assert note.startswith("sources.app.parse is json_or_text, as sinks.s1 writes lines as they came")


@pytest.mark.parametrize("sink", OTHERS)
def test_other_sinks_get_fields(sink: str) -> None:
    settings = settings_of(sink)
    assert settings.sources["app"].config.parse is AUTO
    assert settings.provenance.notes == ()


def test_who_says_auto_gets_fields_in_any_case() -> None:
    settings = settings_of(RAW[0], source=", parse: auto")
    assert settings.sources["app"].config.parse is AUTO
    assert settings.provenance.notes == ()


def test_json_that_comes_first_needs_no_parser() -> None:
    parse = parse_of("[json, {regex: '(?P<a>.*)'}]")
    assert [type(parser) for parser in parse.parsers] == [Regex]
    assert parse.reads_json


@pytest.mark.parametrize("text", ["json", "[json, {regex: '(?P<a>.*)'}]", "{regex: '(?P<a>.*)'}"])
def test_from_the_environment(text: str) -> None:
    parse = parse_of("", LOGROUTER_SOURCE_APP="stdin:", LOGROUTER_SOURCE_APP__PARSE=text)
    assert parse.reads_json == ("json" in text)


@pytest.mark.parametrize("text", ["json,logfmt", " json , logfmt", "[json, logfmt]"])
def test_a_list_from_the_environment(text: str) -> None:
    parse = parse_of("", LOGROUTER_SOURCE_APP="stdin:", LOGROUTER_SOURCE_APP__PARSE=text)
    assert (parse.said, parse.reads_json, len(parse.parsers)) == (["json", "logfmt"], True, 1)


def test_the_effective_config_says_it_as_it_was_written() -> None:
    text = "sources: {app: {type: stdin, parse: [json, {regex: {pattern: '(?P<n>.)', types: {n: int}}}]}}"
    settings = load(environ={"LOGROUTER_CONFIG_YAML": text}, folder=NOWHERE, system_folder=NOWHERE)
    shown = {each.key: each.value for each in describe_effective(settings)}
    assert shown["sources.app.parse.0"] == "json"
    assert shown["sources.app.parse.1.regex.types.n"] == "int"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("jsn", ["sources.app.parse: unknown parser 'jsn' (did you mean 'json'?)"]),
        ("[json, rejex]", ["sources.app.parse.1: unknown parser 'rejex' (did you mean 'regex'?)"]),
        ("[logfmt, none]", ["sources.app.parse.1: none stands alone, not in a list of parsers"]),
        ("[]", ["sources.app.parse: expected at least one parser"]),
        ("5", ["sources.app.parse: expected a parser such as logfmt or {regex: '…'}, not '5'"]),
        (
            "{json: {}, regex: x}",
            ["sources.app.parse: expected a parser such as logfmt or {regex: '…'}, not a mapping"],
        ),
        ("regex", ["sources.app.parse needs 'pattern'"]),
        ("{regex: 'a+'}", ["sources.app.parse: pattern: expected at least one named group, such as (?P<message>.*)"]),
        (
            "{regex: {pattern: '(?P<a>.)', types: {b: int}}}",
            ["sources.app.parse: types: there is no group 'b' in the pattern"],
        ),
    ],
)
def test_mistakes(said: str, told: list[str]) -> None:
    assert mistakes_of(said) == told


def test_a_costly_expression_is_refused() -> None:
    (told,) = mistakes_of("{regex: '(?P<a>(x+)+y)'}")
    assert told.startswith("sources.app.parse.pattern")


def test_an_unknown_pattern_is_told_with_its_place_and_the_nearest_known() -> None:
    text = "sources:\n  app:\n    type: stdin\n    parse: {grok: {match: 'x %{WORDD:a}', patterns: {A: 'y%{B}'}}}"
    with pytest.raises(ConfigError) as raised:
        load(environ={"LOGROUTER_CONFIG_YAML": text}, folder=NOWHERE, system_folder=NOWHERE)
    (mistake,) = raised.value.mistakes
    assert mistake.place.endswith(":4:32")
    assert (mistake.problem, mistake.hint) == ("sources.app.parse: there is no pattern WORDD", "did you mean 'WORD'?")
    assert mistake.excerpt == "x %{WORDD:a}\n    ^"
    assert "there is no pattern B" in mistakes_of("{grok: {match: '%{A:a}', patterns: {A: 'y%{B}'}}}")[0]
