"""Tests in a config: every mistake in them is told, with its place and the nearest word."""

from __future__ import annotations

from pathlib import Path

import pytest

from logrouter.config import Flags, load, load_tested
from logrouter.errors import ConfigError
from logrouter.fixtures import Case
from logrouter.severity import NAMES
from logrouter.values import Duration

CONFIG = """\
routes: [{name: slow, match: ms > 1, to: [errors]}]
sinks: {errors: "file:errors.ndjson", all: "stdout:"}
tests:
"""
LEVELS = "trace, debug, info, notice, warning, error, critical, alert, fatal or none"
NO_MORE = "discarded: of an event that a step takes out there is no more to say, but count"
KNOWN = "container, file, host, namespace, pod, stream, written"
QUOTES = "a line of JSON needs quotes, '{…}', or a text of lines: |"
NOT_TESTS = "f.yaml:1:2: a file of tests holds a list of them, or 'tests', but not"


def cases(tmp_path: Path, tests: str) -> list[Case]:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG + tests)
    return load_tested([path], {}, Flags())[1]


def mistakes(tmp_path: Path, tests: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        cases(tmp_path, tests)
    return [str(mistake).replace(f"{tmp_path}/", "") for mistake in error.value.mistakes]


@pytest.mark.parametrize(
    ("test", "told"),
    [
        (
            "{nam: a, input: x, expect: {}}",
            [
                "c.yaml:4:6: unknown key 'nam' in tests.0 (did you mean 'name'?)",
            ],
        ),
        ("{name: a}", ["c.yaml:4:5: tests.0 needs 'input'", "c.yaml:4:5: tests.0 needs 'expect'"]),
        (
            "{name: a, input: x, expect: {feilds: {}}}",
            ["c.yaml:4:34: unknown key 'feilds' in tests.0.expect.0 (did you mean 'fields'?)"],
        ),
        (
            "{name: a, input: x, expect: {severity: eror}}",
            [f"c.yaml:4:44: tests.0.expect.0.severity: expected {LEVELS}, not 'eror' (did you mean 'error'?)"],
        ),
        (
            "{name: a, input: x, expect: {sinks: [error]}}",
            ["c.yaml:4:42: tests.0.expect.0.sinks: there is no sink 'error' (did you mean 'errors'?)"],
        ),
        (
            "{name: a, input: x, expect: {sinks: {error: x}}}",
            ["c.yaml:4:42: tests.0.expect.0.sinks: there is no sink 'error' (did you mean 'errors'?)"],
        ),
        (
            "{name: a, input: x, expect: {sinks: errors}}",
            ["c.yaml:4:41: tests.0.expect.0.sinks: expected a list, not 'errors' (write [errors])"],
        ),
        (
            "{name: a, input: x, expect: {sinks: {errors: {txt: x}}}}",
            ["c.yaml:4:51: unknown key 'txt' in tests.0.expect.0.sinks.errors (did you mean 'text'?)"],
        ),
        (
            "{name: a, input: x, expect: {routes: [slo]}}",
            ["c.yaml:4:43: tests.0.expect.0.routes: there is no route 'slo' (did you mean 'slow'?)"],
        ),
        (
            "{name: a, source: stdn, input: x, expect: {}}",
            ["c.yaml:4:23: tests.0: there is no source 'stdn' (did you mean 'stdin'?)"],
        ),
        (
            "{name: a, input: x, received: noon, expect: {time: 1}}",
            [
                "c.yaml:4:35: tests.0.received: expected a time such as 2026-01-31T12:00:00Z, not 'noon'",
                "c.yaml:4:56: tests.0.expect.0.time: expected a time such as 2026-01-31T12:00:00Z, not '1'",
            ],
        ),
        (
            "{name: a, input: x, expect: {match: 'ms >'}}",
            ["c.yaml:4:45: tests.0.expect.0.match: the rule ends after `>`\n    ms >\n       ^"],
        ),
        (
            "{name: a, input: x, expect: {discarded: true, fields: {a: 1}}}",
            [
                f"c.yaml:4:33: tests.0.expect.0: {NO_MORE}",
            ],
        ),
        (
            "{name: a, input: x, expect: {unmatched: true, sinks: []}}",
            ["c.yaml:4:33: tests.0.expect.0: unmatched: no sink gets it, so there is no more to say of sinks"],
        ),
        (
            "{name: a, input: x, meta: {strem: a, invalid_utf8: true}, expect: {}}",
            [
                "c.yaml:4:32: unknown key 'strem' in tests.0.meta (did you mean 'stream'?)",
                f"c.yaml:4:42: unknown key 'invalid_utf8' in tests.0.meta (known are: {KNOWN})",
            ],
        ),
        (
            "{name: a, input: x, meta: {written: noon}, expect: {}}",
            ["c.yaml:4:41: tests.0.meta.written: expected a time such as 2026-01-31T12:00:00Z, not 'noon'"],
        ),
        (
            '{name: a, input: {"level": "error"}, expect: {}}',
            [
                f"c.yaml:4:22: tests.0.input: expected a line, or 'file', not another mapping ({QUOTES})",
            ],
        ),
        (
            '{name: a, input: [x, {"level": "error"}, {aftr: 1s}], expect: {}}',
            [
                f"c.yaml:4:26: tests.0.input: expected a line, or 'after', not another mapping ({QUOTES})",
                "c.yaml:4:47: unknown key 'aftr' in tests.0.input.1 (did you mean 'after'?)",
            ],
        ),
        (
            "{name: a, input: {file: no.log}, expect: {}}",
            ["c.yaml:4:29: tests.0.input.file: 'no.log' cannot be read: No such file or directory"],
        ),
        ("just text", ["c.yaml:4:5: tests.0: expected a test, with name, input and expect, not 'just text'"]),
        (
            "{name: a, input: x, expect: [{count: 0}]}",
            ["c.yaml:4:42: tests.0.expect.0.count: expected a number >= 1, not '0'"],
        ),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, test: str, told: list[str]) -> None:
    assert mistakes(tmp_path, f"  - {test}\n") == told


def test_two_of_a_name(tmp_path: Path) -> None:
    test = "  - {name: a, input: x, expect: {}}\n"
    assert mistakes(tmp_path, test + test) == ["c.yaml:5:5: two tests are called 'a', the first at c.yaml:4:5"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{a: 1}", "f.yaml:1:2: a file of tests holds a list of them, or 'tests', but not 'a'"),
        (
            "{test: []}",
            "f.yaml:1:2: a file of tests holds a list of them, or 'tests', but not 'test' (did you mean 'tests'?)",
        ),
        (
            "{sinks: {}}",
            f"{NOT_TESTS} 'sinks' (if it is the config, say --config f.yaml)",
        ),
        ("text", "f.yaml:1:1: tests: expected a list, not 'text' (write [text])"),
    ],
)
def test_a_file_that_holds_no_tests(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_tested([], {"LOGROUTER_CONFIG_YAML": "{sinks: {o: 'stdout:'}}"}, Flags(), [tmp_path / "f.yaml"])
    assert [str(mistake).replace(f"{tmp_path}/", "") for mistake in error.value.mistakes] == [told]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory"):
        load_tested([], {}, Flags(), [tmp_path / "f.yaml"], folder=tmp_path, system_folder=tmp_path)


def test_nothing_is_filled_into_lines(tmp_path: Path) -> None:
    (case,) = cases(tmp_path, "  - {name: a, input: ['${HOME} $${x}', {after: 31s}, b], expect: {}}")
    assert case.lines == (b"${HOME} $${x}\n", Duration(31), b"b\n")


def test_a_misspelt_section_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("test: []")
    with pytest.raises(ConfigError) as error:
        load([tmp_path / "c.yaml"])
    assert error.value.mistakes[0].hint == "did you mean 'tests'?"


def test_tests_of_several_files_are_all_run(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text("tests: [{name: same, input: x, expect: {}}]")
    _, found = load_tested([tmp_path / "a.yaml", tmp_path / "b.yaml"], {}, Flags())
    assert [Path(case.file).name for case in found] == ["a.yaml", "b.yaml"]


def test_levels_are_those_of_severity(tmp_path: Path) -> None:
    for name in NAMES:
        (case,) = cases(tmp_path, f"  - {{name: a, input: x, expect: {{severity: {name}}}}}")
        assert case.fixture.expect[0].severity == name
