"""`logrouter test`: what passes, what fails and how that is told."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Done
from tests.test_configs import ENVIRON

CONFIG = """\
resource: {service.name: shop}
steps:
  - discard: {when: path == "/healthz"}
  - set: {slow: true}
    when: ms > 100
routes:
  - {name: bad, match: 'severity >= "error"', steps: [{set: {alert: true}}], to: [errors]}
  - {name: slow, match: slow == true, to: [errors, all]}
sinks:
  errors: {url: "file:errors-{service.name}.ndjson"}
  all: {url: "stdout:?format=json", match: exists(ms)}
  chat: {type: http, url: "http://chat/hook", match: 'severity >= "fatal"', body: {text: "{message}"}}
"""

Test = Callable[..., Done]


@pytest.fixture
def test(command: Command, write: Callable[..., None]) -> Test:
    """`test("- name: …", "-k", "a")`: these tests, of the config above, under `tests` in it."""

    def run(tests: str, *argv: str) -> Done:
        write(f"{CONFIG}tests:\n{textwrap.indent(textwrap.dedent(tests), '  ')}")
        return command("test", *argv)

    return run


def failures(done: Done) -> list[str]:
    """What is told of tests that fail, without indentation."""
    assert (done.code, done.complaints) == (1, "")
    return [line.strip() for line in done.output.splitlines()]


def test_all_is_as_expected(test: Test, tmp_path: Path) -> None:
    done = test("""\
        - name: a slow request
          input: '{"time":"2026-11-23T10:00:00.5+01:00","lvl":"W","ms":101,"http":{"status":200,"path":"/"}}'
          expect:
            fields: {slow: true, http.status: 200, http: {path: /}}
            missing: [alert, http.method]
            severity: warning
            time: 2026-11-23T09:00:00.5Z
            match: ms > 100 and resource["service.name"] == "shop"
            routes: [slow]
            sinks: [all, errors]
        - name: probes are taken out
          input: |
            {"path":"/healthz"}
            {"path":"/healthz","ms":500}
            plain
          expect:
            - {discarded: true, count: 2}
            - {exactly: {message: plain}, severity: none, time: 2026-01-01T00:00:00Z, routes: [], unmatched: true}
        - name: what leaves
          received: 2026-02-03T04:05:06Z
          input: ['{"level":"fatal","message":"no disk","ms":1}']
          expect:
            - time: 2026-02-03T04:05:06Z
              sinks:
                errors:
                  text: '{"level":"fatal","message":"no disk","ms":1,"alert":true}'
                  to: errors-shop.ndjson
                  fields: {alert: true}
                  contains: [no disk]
                chat: '{"text":"no disk"}'
        """)
    assert (done.code, done.complaints) == (0, "")
    assert done.output == ("ok    a slow request\nok    probes are taken out\nok    what leaves\n3 tests: all passed\n")
    assert [path.name for path in tmp_path.iterdir()] == ["logrouter.yaml"]


def test_each_thing_that_differs_is_told(test: Test) -> None:
    done = test("""\
        - name: nothing is right
          input: '{"level":"warn","ms":1,"http":{"status":500,"path":"/"},"n":1.0,"yes":1}'
          expect:
            fields: {http.status: 200, http.pth: /, n: 1, yes: true, x: [a]}
            missing: [ms, http.path]
            severity: error
            time: 2026-01-01T00:00:01Z
            match: ms > 100
            routes: [bad]
            sinks: [errors, chat]
        """)
    assert failures(done) == [
        "FAIL  nothing is right  logrouter.yaml:14:5",
        'event 1 of 1: {"level":"warn","ms":1,"http":{"status":500,"path":"/"},"n":1.0,"yes":1}',
        "not as expected at logrouter.yaml:17:7",
        "fields.http.status  expected  200",
        "got       500",
        'fields.http.pth  expected  "/"',
        "got       nothing  (did you mean 'http.path'?)",
        "fields.yes  expected  true",
        "got       1",
        'fields.x  expected  ["a"]',
        "got       nothing",
        "missing.ms  expected  nothing",
        "got       1",
        "missing.http.path  expected  nothing",
        'got       "/"',
        "severity  expected  error",
        "got       warning",
        "time  expected  2026-01-01T00:00:01Z",
        "got       2026-01-01T00:00:00Z",
        "match  expected  ms > 100",
        "got       it does not hold: ms = 1",
        "routes  expected  bad",
        "got       none",
        "sinks  expected  errors, chat",
        'got       none  (errors: no route that names it holds; chat: severity >= "fatal" does not hold)',
        "1 test: 1 failed",
    ]


def test_what_leaves_differs(test: Test) -> None:
    done = test("""\
        - name: the line
          input: '{"level":"fatal","message":"m"}'
          expect:
            sinks:
              errors: {text: '{"level":"fatal","message":"m","alert":false}', contains: [m, other], to: x}
              chat: {fields: {text: n}}
        """)
    line = '{"level":"fatal","message":"m","alert":true}'
    assert failures(done)[3:-1] == [
        f"sinks.errors  expected  {line.replace('true', 'false')}",
        f"got       {line}",
        "sinks.errors.contains  expected  other",
        f"got       {line}",
        "sinks.errors.to  expected  x",
        "got       errors-shop.ndjson",
        'sinks.chat.fields.text  expected  "n"',
        'got       "m"',
    ]


def test_what_a_rule_has_read_is_told(test: Test) -> None:
    done = test("""\
        - name: one
          input: '{"level":"warn","a":{"b":1},"c":"\\u001b"}'
          expect:
            match: >-
              severity > "error" and resource.x != "" and exists(a) and c == 1 and x == 1 and meta.host == "h"
              and time > "2027-01-01" and meta.received > "2027-01-01"
        """)
    assert failures(done)[4] == (
        'got       it does not hold: a = an object, c = "\\u001b", meta.host = "localhost", '
        "meta.received = 2026-01-01T00:00:00Z, severity = warning, time = 2026-01-01T00:00:00Z, x = nothing"
    )


def test_a_line_of_text_has_no_fields(test: Test) -> None:
    done = test("- {name: one, input: a=1, expect: {fields: {a: 1, message: b}}}")
    assert failures(done)[3:7] == [
        "fields.a  expected  1",
        "got       nothing  (it is text, of which no parser has made fields)",
        'fields.message  expected  "b"',
        'got       "a=1"',
    ]


def test_a_sink_that_does_not_get_it(test: Test) -> None:
    """A mapping says what leaves through some sinks, a list all that get it."""
    tests = '- {name: one, input: \'{"level":"fatal"}\', expect: {sinks: %s}}'
    assert test(tests % "{errors: }").code == 0
    assert failures(test(tests % "[errors]"))[3:5] == ["sinks  expected  errors", "got       errors, chat"]
    assert failures(test(tests % "{all: }"))[3:5] == [
        "sinks.all  expected  it gets the event",
        "got       it does not: exists(ms) does not hold",
    ]
    routed = "- {name: one, input: '{\"ms\":1}', expect: {sinks: [all, errors]}}"
    assert failures(test(routed))[4] == (
        "got       none  (all: no route that names it holds; errors: no route that names it holds)"
    )


def test_long_texts_get_a_mark_where_they_part(test: Test) -> None:
    message = "x" * 80
    done = test(f"""\
        - name: long
          input: '{{"level":"error","message":"{message}"}}'
          expect: {{fields: {{message: {message[1:]}y}}}}
        """)
    lines = done.output.splitlines()
    (mark,) = [number for number, line in enumerate(lines) if line.strip() == "^"]
    expected, got = lines[mark - 2], lines[mark - 1]
    column = lines[mark].index("^")
    assert (expected[column], got[column]) == ("y", "x")
    assert expected[:column].removeprefix(" " * 12)[-79:] == got[:column][-79:] == "x" * 79


def test_events_that_are_missing_and_too_many_are_told_apart(test: Test) -> None:
    done = test("""\
        - name: shifted
          input: [a, b, c, '{"path":"/healthz"}']
          expect:
            - fields: {message: b}
            - fields: {message: c}
            - fields: {message: d}
        """)
    assert failures(done) == [
        "FAIL  shifted  logrouter.yaml:14:5",
        "event 1 of 4: a",
        "is not expected: it goes to no sink",
        'event 4 of 4: {"path":"/healthz"}',
        "not as expected at logrouter.yaml:19:9",
        "discarded  expected  false",
        "got       true, by discard",
        "1 test: 1 failed",
    ]


def test_an_event_that_does_not_come(test: Test) -> None:
    done = test("""\
        - name: too few
          input: [b]
          expect: [{fields: {message: a}}, {fields: {message: b}, count: 2}]
        """)
    assert failures(done)[1:-1] == [
        "no event for what is expected at logrouter.yaml:16:14",
        "no event for what is expected at logrouter.yaml:16:38",
    ]


def test_an_event_that_was_to_be_discarded(test: Test) -> None:
    done = test("""\
        - name: kept
          input: ['{"level":"error"}']
          expect: {discarded: true}
        """)
    assert failures(done)[3:-1] == ["discarded  expected  true", "got       an event, which goes to errors"]


def test_all_fields(test: Test) -> None:
    done = test("""\
        - name: exactly
          input: '{"a":1,"b":{"c":2,"d":3}}'
          expect: {exactly: {a: 1, b: {c: 3}, e: 4}}
        """)
    assert failures(done)[3:-1] == [
        "exactly.b.c  expected  3",
        "got       2",
        "exactly.b.d  expected  nothing",
        "got       3",
        "exactly.e  expected  4",
        "got       nothing",
    ]


def test_only_those_of_a_name(test: Test) -> None:
    tests = """\
        - {name: Errors go out, input: a, expect: {}}
        - {name: others do not, input: a, expect: {discarded: true}}
        """
    assert test(tests, "-k", "errors").output == "ok    Errors go out\n1 test: all passed\n"
    done = test(tests, "-k", "other do not")
    assert (done.code, done.output) == (2, "")
    assert done.complaints == "logrouter: no test has 'other do not' in its name; did you mean 'others do not'?\n"


CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_examples_have_tests_that_pass(command: Command, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    done = command("test", "--config", str(path))
    assert (done.code, done.complaints) == (0, ""), done.output


PAGE = (CONFIGS.parent / "docs" / "testing.md").read_text(encoding="utf-8")
EXAMPLES = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "\ntests:" in block]


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_page_pass(command: Command, write: Callable[..., None], example: str) -> None:
    write(example)
    assert command("test")[::2] == (0, "")


def test_there_are_examples_on_the_page() -> None:
    assert len(EXAMPLES) == 3


def test_lines_become_tests(command: Command, write: Callable[..., None]) -> None:
    write(CONFIG)
    done = command("test", "--record", stdin=b'{"level":"error"}\nplain\n')
    assert (done.code, done.complaints) == (0, "")
    assert done.output.splitlines()[:3] == ["tests:", "  - name: line 1", """    input: '{"level":"error"}'"""]
    write(done.output, "tests.yaml")
    assert command("test", "tests.yaml").output == "ok    line 1\nok    line 2\n2 tests: all passed\n"


def test_lines_of_another_source_become_tests_of_that(command: Command, write: Callable[..., None]) -> None:
    write(
        "sources:\n"
        "  web: {type: file, include: [web.log]}\n"
        "  cli: {type: stdin, parse: {csv: {columns: [a]}}}\n"
        "sinks: {o: 'stdout:'}\n"
    )
    recorded = command("test", "--record", "--source", "cli", stdin=b"x\n").output
    assert "    source: cli\n" in recorded
    assert "fields: {a: x}" in recorded
    write(recorded, "tests.yaml")
    assert command("test", "tests.yaml").output == "ok    line 1\n1 test: all passed\n"
    assert "source:" not in command("test", "--record", stdin=b"x\n").output
    misused = command("test", "--source", "cli", "tests.yaml")
    assert (misused.code, misused.output) == (2, "")
    assert misused.complaints.startswith("logrouter: --source is for --record: ")


def test_recording_runs_nothing(command: Command) -> None:
    done = command("test", "--record", "tests.yaml")
    assert (done.code, done.output) == (2, "")
    assert done.complaints == "logrouter: --record runs no tests: it writes some of the lines on stdin\n"


def test_no_tests(command: Command) -> None:
    done = command("test")
    assert (done.code, done.output) == (2, "")
    assert done.complaints.startswith("logrouter: there are no tests: ")


def test_files_of_tests(command: Command, write: Callable[..., None], tmp_path: Path) -> None:
    """They take the place of those in the config; samples are beside them, and may hold any bytes."""
    write(f"{CONFIG}tests: [{{name: not asked, input: a, expect: {{discarded: true}}}}]")
    (tmp_path / "tests").mkdir()
    write(
        "- {name: one, input: {file: sample.log}, expect: [{fields: {message: a}}, {match: meta.invalid_utf8}]}",
        "tests/a.yaml",
    )
    write("tests:\n  - {name: one, input: a, expect: {}}", "tests/b.yaml")
    (tmp_path / "tests" / "sample.log").write_bytes(b"a\n\xff\n")
    for named in (["tests"], ["tests/a.yaml", "tests/b.yaml"]):
        assert command("test", *named) == (0, "ok    one\nok    one\n2 tests: all passed\n", "")


def test_steps_that_remember_see_the_lines_of_one_test(command: Command, write: Callable[..., None]) -> None:
    write("""\
steps: [{sample: {keep: 0.5}}]
sinks: {o: 'stdout:'}
tests:
  - name: half of them
    input: [a, b, c, d]
    expect: [{discarded: true}, {}, {discarded: true}, {}]
  - name: the same again
    input: [a, b, c, d]
    expect: [{discarded: true}, {}, {discarded: true}, {}]
""")
    first = command("test")
    told = [line.strip() for line in first.output.splitlines()]
    assert told.count("ok    half of them") == told.count("ok    the same again")


def test_what_has_become_of_a_line_is_shown(command: Command, write: Callable[..., None]) -> None:
    write("""\
steps: [{split: items}]
sinks: {o: 'stdout:'}
tests: [{name: one, input: '{"items":[1,2]}', expect: {fields: {items: 1}}}]
""")
    assert failures(command("test"))[1:-1] == [
        'event 2 of 2: {"items":[1,2]}',
        'became {"items":2}',
        "is not expected: it goes to o",
    ]


def test_steps_that_count_go_by_the_time_of_the_test(command: Command, write: Callable[..., None]) -> None:
    write("""\
steps: [{throttle: {rate: 2/m}}]
sinks: {o: 'stdout:'}
tests:
  - name: two in a minute
    input: [a, b, c, {after: 29s}, d, {after: 1s}, e]
    expect: [{}, {}, {discarded: true, count: 2}, {fields: {message: e, throttled: 2}}]
""")
    assert command("test").output == "ok    two in a minute\n1 test: all passed\n"


def test_what_steps_tell_by_themselves_is_one_more_event(command: Command, write: Callable[..., None]) -> None:
    write("""\
steps: [{throttle: {rate: 2/m}}]
sinks: {o: 'stdout:'}
tests:
  - name: told when it is time, and at the end
    input: [a, b, c, {after: 59s}, {after: 1s}, d, e, f]
    expect:
      - {count: 2}
      - discarded: true
      - fields: {throttled: 1}
      - {fields: {message: d}, missing: [throttled]}
      - {}
      - discarded: true
      - {fields: {throttled: 1}, sinks: {o: '{"message":"left out: 1 event, as more than 2/m came","throttled":1}'}}
""")
    assert command("test").output == "ok    told when it is time, and at the end\n1 test: all passed\n"


def test_time_that_passes_ends_what_is_joined(command: Command, write: Callable[..., None]) -> None:
    write("""\
sources: {in: {type: stdin, multiline: {continue: '^ ', timeout: 1s}}}
sinks: {o: 'stdout:'}
tests:
  - name: joined
    input: ["a", " b", {after: 999ms}, " c", {after: 1s}, " d"]
    expect:
      - {fields: {message: "a\\n b\\n c"}, time: 2026-01-01T00:00:00.999Z}
      - {fields: {message: " d"}, time: 2026-01-01T00:00:01.999Z}
""")
    assert command("test") == (0, "ok    joined\n1 test: all passed\n", "")


def test_files_of_containers_are_taken_apart(command: Command, write: Callable[..., None]) -> None:
    """Lines that the runtime has cut are joined, each stream's for itself; what is no line of a runtime is one."""
    write("""\
sources: {pods: {type: cri, include: ['/none/*.log']}}
sinks: {o: 'stdout:'}
tests:
  - name: pods
    received: 2026-01-31T12:00:01Z
    meta: {pod: shop-1}
    input: |
      2026-01-31T12:00:00.5Z stderr P {"level":
      2026-01-31T12:00:00.6Z stdout F served
      2026-01-31T12:00:00.7Z stderr F "error"}
      started
    expect:
      - {fields: {message: served}, match: meta.stream == "stdout"}
      - fields: {level: error}
        time: 2026-01-31T12:00:00.7Z
        match: meta.stream == "stderr" and meta.pod == "shop-1"
      - {fields: {message: started}, time: 2026-01-31T12:00:01Z}
""")
    done = command("test")
    assert (done.code, done.complaints) == (0, ""), done.output


def test_what_the_source_knows(command: Command, write: Callable[..., None]) -> None:
    write("""\
sources: {a: stdin, b: {type: file, include: ['*.log']}}
sinks: {o: 'stdout:'}
tests:
  - name: usual
    input: x
    expect: {match: 'meta.source == "a" and meta.host == "localhost" and meta.stream == "stdin"'}
  - name: said
    source: b
    input: x
    meta: {file: /a.log, host: web, written: 2026-01-02T00:00:00Z}
    expect: {match: 'meta.source == "b" and meta.file == "/a.log" and meta.host == "web" and not exists(meta.stream)'}
""")
    assert command("test").code == 0


def test_nothing_drives_the_terminal(test: Test) -> None:
    done = test(r"""
        - name: "a\e[31m"
          input: "\e[31m\x9b"
          expect: {fields: {message: "\e]0;x\a"}, sinks: {errors: "\e"}}
        """)
    assert done.code == 1
    assert [line for line in done.output.splitlines() if not line.isprintable()] == []


def test_colours_are_for_terminals(test: Test, monkeypatch: pytest.MonkeyPatch) -> None:
    tests = """\
        - {name: one, input: a, expect: {}}
        - {name: two, input: a, expect: {discarded: true}}
        """
    assert "\x1b" not in test(tests).output
    monkeypatch.setattr("logrouter.runtime.transports.streams.is_terminal", lambda descriptor: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert test(tests).output.startswith("\x1b[32mok\x1b[0m    one\n\x1b[1;31mFAIL\x1b[0m  two")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in test(tests).output


def test_the_config_is_wrong_and_so_are_tests(test: Test) -> None:
    done = test("- {name: one, input: a, expect: {sinks: [nowhere], severty: error}}", "--match", "errors=(")
    assert (done.code, done.output) == (78, "")
    assert [line.split(": ")[0] for line in done.complaints.splitlines() if line[0] != " "] == [
        "--match errors=…",
        "logrouter.yaml:14:54",
    ]


def test_the_results_for_machines(test: Test, tmp_path: Path) -> None:
    done = test("- {name: one, input: a, expect: {discarded: true}}", "--junit", "results.xml")
    assert done.code == 1
    assert '<testcase classname="logrouter.yaml" name="one"' in (tmp_path / "results.xml").read_text()


def test_results_that_cannot_be_written(test: Test) -> None:
    done = test("- {name: one, input: a, expect: {}}", "--junit", "nowhere/results.xml")
    assert (done.code, done.complaints) == (
        74,
        "logrouter: nowhere/results.xml: No such file or directory\n",
    )


def test_check_looks_at_tests_and_the_router_does_not(command: Command, write: Callable[..., None]) -> None:
    tests = "sinks: {o: 'file:o.log'}\ntests: [{name: one, input: a, expect: {sinks: [%s]}}]\n"
    write(tests % "o")
    assert command("check").output == ("the config is right: 1 source (stdin), 0 steps, 0 routes, 1 sink (o), 1 test\n")
    write(tests % "p")
    done = command("check")
    assert done.code == 78
    assert done.complaints == ("logrouter.yaml:2:48: tests.0.expect.0.sinks: there is no sink 'p' (known are: o)\n")
    assert command("config").code == 0
