from __future__ import annotations

from collections.abc import Callable

import pytest

from logrouter.config import Settings

Loader = Callable[..., Settings]
Finder = Callable[..., list[str]]


def test_flags_for_one_line(load_text: Loader) -> None:
    settings = load_text(
        sinks=["errors=file:errors.ndjson?format=raw", "stdout"],
        matches=['errors=severity >= "error"'],
        sets=["spool.memory=2MiB", "resource.service.name=shop", "log_level=info", "sinks.stdout.format=raw"],
    )
    assert list(settings.sinks) == ["errors", "stdout"]
    errors = settings.sinks["errors"].config
    assert (errors.path, errors.format, errors.match.text) == ("errors.ndjson", "raw", 'severity >= "error"')
    assert settings.sinks["stdout"].config.format == "raw"
    assert settings.resource == {"service.name": "shop"}
    assert (settings.spool.memory, settings.log_level) == (2 * 2**20, "info")


def test_files_then_variables_then_flags(load_text: Loader) -> None:
    text = "sinks: {a: {url: 'file:f', match: 'f', format: raw}}\nlog_level: debug\n"
    environ = {"LOGROUTER_SINK_A__MATCH": "v", "LOGROUTER_LOG_LEVEL": "info", "LOGROUTER_SPOOL__MEMORY": "2MiB"}
    settings = load_text(text, environ, matches=["a=g"], sets=["log_level=error"])
    config = settings.sinks["a"].config
    assert (config.path, config.format, config.match.text) == ("f", "raw", "g")
    assert (settings.log_level, settings.spool.memory) == ("error", 2 * 2**20)
    assert load_text(text, environ, sinks=["a=file:g"]).sinks["a"].config.match is None  # replaced


def test_the_default_sink_takes_a_match(load_text: Loader) -> None:
    assert load_text(matches=["stdout=level"]).sinks["stdout"].config.match.text == "level"


@pytest.mark.parametrize(
    ("kind", "flag", "told"),
    [
        ("sinks", "errors.ndjson", "--sink: expected NAME=URL or a URL (for example --sink errors=file:errors.ndjson)"),
        (
            "sinks",
            "a=errors.ndjson",
            "--sink a=…: sinks.a: expected a URL such as file:errors.ndjson (write file:errors.ndjson)",
        ),
        ("sinks", "fil:x", "--sink: sinks.fil: unknown scheme 'fil' (did you mean 'file'?)"),
        (
            "sinks",
            "A=file:x",
            "--sink A=…: sinks: the name 'A' must be made of a-z, 0-9 and _, and begin with a letter (write a)",
        ),
        ("matches", "nothing", "--match: expected NAME=RULE (for example --match errors='severity >= \"error\"')"),
        ("matches", "stdut=x", "--match stdut=…: there is no sink 'stdut' (did you mean 'stdout'?)"),
        ("matches", "es=x", "--match es=…: there is no sink 'es' (the sinks are: stdout)"),
        ("sets", "spool.memory", "--set: expected KEY=VALUE (for example --set spool.memory=32MiB)"),
        ("sets", "spol.memory=1MiB", "--set spol.memory=…: unknown key 'spol' (did you mean 'spool'?)"),
        ("sets", "spool.memry=1MiB", "--set spool.memry=…: unknown key 'memry' in spool (did you mean 'memory'?)"),
        (
            "sets",
            "spool=1MiB",
            "--set spool=…: expected the full path of one option (for example --set spool.memory=32MiB)",
        ),
        ("sinks", "a=file:\udcff", "--sink: not UTF-8"),
        ("matches", 'stdout=a == "\udcff"', "--match: not UTF-8"),
        ("sets", "spool.directory=\udcff", "--set: not UTF-8"),
        ("sets", "steps=[]", "--set steps=…: steps cannot be set by a flag (use LOGROUTER_STEPS)"),
    ],
)
def test_wrong_flags(mistakes_in: Finder, kind: str, flag: str, told: str) -> None:
    assert mistakes_in(**{kind: [flag]}) == [told]


def test_two_sinks_of_one_name(mistakes_in: Finder) -> None:
    assert mistakes_in(sinks=["file:a", "file:b"]) == [
        "--sink: two sinks are called 'file' (name each: --sink NAME=URL)"
    ]


def test_a_rule_points_at_the_character(mistakes_in: Finder) -> None:
    (mistake,) = mistakes_in(matches=["stdout=level = 3"])
    place, rule, caret = mistake.split("\n")
    assert place.startswith("--match stdout=…: sinks.stdout.match: ")
    assert (rule, caret) == ("    level = 3", "          ^")
