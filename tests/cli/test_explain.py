"""`logrouter explain`: what becomes of each line, and why; nothing is written, and no line drives the terminal."""

from __future__ import annotations

import json
import re
import socket
from codecs import BOM_UTF8
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command

CONFIG = """\
resource: {service.name: shop}
sources: {stdin: {parse: json_or_text}}
steps:
  - discard: {when: path == "/healthz"}
  - set: {slow: true}
    when: ms > 100
  - rename: {a: b}
routes:
  - {name: bad, match: 'severity >= "error"', steps: [{set: {alert: true}}], to: [errors]}
  - {name: slow, match: slow == true, to: [errors, all]}
sinks:
  errors: {url: "file:errors-{service.name}.ndjson"}
  all: {url: "stdout:?format=json", match: exists(ms), include: [meta.host]}
  rest: {url: "stderr:?format=raw"}
"""


def blocks(output: str) -> list[list[str]]:
    return [block.splitlines() for block in output.removesuffix("\n\n").split("\n\n")]


@pytest.fixture
def explain(command: Command, write: Callable[..., None], tmp_path: Path) -> Callable[[bytes], list[list[str]]]:
    write(CONFIG)

    def run(data: bytes) -> list[list[str]]:
        done = command("explain", stdin=data)
        assert (done.code, done.complaints) == (0, "")
        assert [path.name for path in tmp_path.iterdir()] == ["logrouter.yaml"]
        return blocks(done.output)

    return run


Explain = Callable[[bytes], list[list[str]]]


def test_a_byte_order_mark_is_no_part_of_the_first_line(explain: Explain) -> None:
    (told,) = explain(BOM_UTF8 + b'{"lvl":"W"}\n')
    assert told[0] == "── line 1 · JSON object · 11 bytes"


def test_a_json_line(explain: Explain) -> None:
    line = b'{"ts":"2026-11-23T10:00:00.5+01:00","lvl":"W","ms":101,"x":18446744073709551616}'
    changed = b'{"ts":"2026-11-23T10:00:00.5+01:00","lvl":"W","ms":101,"x":18446744073709551616,"slow":true}'
    with_host = changed[:-1] + b',"meta.host":%s}' % json.dumps(socket.gethostname()).encode()

    assert explain(line + b"\n") == [
        [
            f"── line 1 · JSON object · {len(line)} bytes",
            f"   {line.decode()}",
            "   time     2026-11-23T09:00:00.500Z, from ts = '2026-11-23T10:00:00.5+01:00'",
            "   severity warning, from lvl = 'W'",
            '   steps    discard: not for this event: path == "/healthz"',
            "            set: changes the event",
            "            rename: changes nothing",
            '   routes   no  bad → errors: severity >= "error"',
            "            yes slow → errors, all: slow == true",
            "   sinks    yes errors: everything",
            f"                  {len(changed) + 1} bytes to errors-shop.ndjson: {changed.decode()}",
            "            yes all: exists(ms)",
            f"                  {len(with_host) + 1} bytes: {with_host.decode()}",
            "            yes rest: everything",
            f"                  {len(changed) + 1} bytes: {changed.decode()}",
        ]
    ]


def test_a_route_shows_its_own_copy(explain: Explain) -> None:
    (told,) = explain(b'{"level":"error"}')

    assert '                  31 bytes to errors-shop.ndjson: {"level":"error","alert":true}' in told
    assert "            no  all: exists(ms)" in told
    assert '                  18 bytes: {"level":"error"}' in told


def test_a_sink_whose_routes_do_not_hold(explain: Explain) -> None:
    (told,) = explain(b'{"ms":1}')

    assert "   sinks    no  errors: no route that names it holds" in told
    assert "            no  all: no route that names it holds" in told


def test_a_discarded_line(explain: Explain) -> None:
    assert explain(b'{"path":"/healthz","ms":500}')[0][4:] == [
        "   steps    discard: takes the event out",
        "   sinks    none: a step has taken it out",
    ]


def test_a_line_that_a_step_withholds(command: Command, write: Callable[..., None]) -> None:
    write("steps: [{redact: {fields: [password], when: exists(user)}}, {set: {a: 1}}]")
    done = command("explain", stdin=b'{"password":"x","ms":NaN}')

    assert "   steps    redact: withholds the event, whose fields cannot be read\n" in done.output
    assert '{"message":"[redaction failed]","redact_failed":true}' in done.output


def test_text_and_lines_that_are_numbered(explain: Explain) -> None:
    told = explain(b"one\r\n\n\ntwo")

    assert [block[:4] for block in told] == [
        [
            f"── line {number} · text · 3 bytes",
            f"   {text}",
            "   time     none in ts, time, timestamp, @timestamp: that at which it is received",
            "   severity none in level, severity, lvl, log.level",
        ]
        for number, text in ((1, "one"), (2, "two"))
    ]


@pytest.mark.parametrize(
    ("line", "kind", "shown"),
    [
        (b"caf\xe9 \xff", "text, with bytes that are not UTF-8", r"caf\xe9 \xff"),
        (b"\x1b[31mred\x1b]0;title\x07", "text", r"\x1b[31mred\x1b]0;title\x07"),
        (b'{"a":"\x9b31m"}', "text, with bytes that are not UTF-8", r'{"a":"\x9b31m"}'),
        ('{"a":"\u202etxt.exe\u200b"}'.encode(), "JSON object", '{"a":"\\u202etxt.exe\\u200b"}'),
        (b'{"a":"\xc2\x9b31m"}', "JSON object", r'{"a":"\x9b31m"}'),
        (b"\x00\x01", "text", r"\x00\x01"),
    ],
)
def test_nothing_drives_the_terminal(explain: Explain, line: bytes, kind: str, shown: str) -> None:
    (told,) = explain(line)

    assert told[0] == f"── line 1 · {kind} · {len(line)} bytes"
    assert told[1] == f"   {shown}"
    assert [text for text in told if not text.isprintable()] == []


def test_a_level_that_drives_the_terminal(explain: Explain) -> None:
    (told,) = explain('{"level":"\u001b[31m","time":"\u009b","lvl":"E\u200b"}'.encode())

    assert [text for text in told if not text.isprintable()] == []


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        (b'{"level":30}', "info, from level = 30"),
        (b'{"level":"nonsense","log":{"level":"ERR"}}', "error, from log.level = 'ERR'"),
        (b'{"level":"nonsense","log":{"level":"Error"}}', "error, from log.level = 'Error'"),
        (b'{"severity":3}', "error, from severity = 3"),
        (b'{"level":true}', "none in level, severity, lvl, log.level"),
    ],
)
def test_severity_names_its_field(explain: Explain, line: bytes, severity: str) -> None:
    assert explain(line)[0][3] == f"   severity {severity}"


def test_a_long_line_is_cut_in_what_is_shown(explain: Explain) -> None:
    (told,) = explain(b"x" * 5000)

    assert told[1] == f"   {'x' * 2000} … and 3000 bytes more"
    assert told[-1] == f"                  5001 bytes: {'x' * 2000} … and 3000 bytes more"


def test_a_step_that_fails_says_why(command: Command, write: Callable[..., None]) -> None:
    write('steps: [{set: {"a.b": 1}}]\nsinks: {o: "stdout:"}\n')

    told = blocks(command("explain", stdin=b'{"a":1}\n').output)[0]

    (failure,) = [text for text in told if text.startswith("   steps    ")]
    assert failure.startswith("   steps    set: fails: ")
    assert told[-1].endswith(' bytes: {"a":1}')


@pytest.mark.parametrize(
    ("parse", "rule", "holds"),
    [
        ("json", "meta.parse_error", {b"text": True, b'{"a":1}': False, b"\xff": True}),
        ("none", "meta.invalid_utf8", {b"text": False, b'{"a":1}': False, b"\xff": True}),
        ("none", "exists(a)", {b"text": False, b'{"a":1}': False}),
        ("auto", "exists(a)", {b"text": False, b'{"a":1}': True}),
    ],
)
def test_lines_are_recognised_as_the_source_does(
    command: Command, write: Callable[..., None], parse: str, rule: str, holds: dict[bytes, bool]
) -> None:
    write(
        f"sources: {{in: {{type: stdin, parse: {parse}}}}}\n"
        f"routes: [{{to: [o], match: {rule}}}]\n"
        "sinks: {o: 'stdout:'}\n"
    )

    told = blocks(command("explain", stdin=b"\n".join(holds)).output)

    routes = [re.search(r"^   routes   (yes|no ) route1", "\n".join(block), re.MULTILINE) for block in told]
    sinks = [re.search(r"^   sinks    (yes|no ) o:", "\n".join(block), re.MULTILINE) for block in told]
    expected = ["yes" if is_so else "no " for is_so in holds.values()]
    assert [match and match[1] for match in routes] == expected
    assert [match and match[1] for match in sinks] == expected


@pytest.mark.parametrize(("parse", "kind"), [("[clf, klog]", ", taken by no parser (meta.parse_error)"), ("auto", "")])
def test_a_line_that_no_parser_takes_is_said_to_be_marked(
    command: Command, write: Callable[..., None], parse: str, kind: str
) -> None:
    write(f"sources: {{in: {{type: stdin, parse: {parse}}}}}\nsinks: {{o: 'stdout:?include=meta'}}\n")
    told = command("explain", stdin=b"x\n").output
    assert told.startswith(f"── line 1 · text{kind} · 1 bytes\n")
    assert ("parse_error" in told.partition("sinks")[2]) is bool(kind)


def test_a_request_to_the_url_itself_is_named_by_its_method(command: Command) -> None:
    told = command("explain", "--sink", "a=http+http://127.0.0.1:1/x", stdin=b"x\n").output
    assert '16 bytes by POST: {"message":"x"}' in told


def test_lines_of_another_source_than_the_first(command: Command, write: Callable[..., None]) -> None:
    write(
        "sources:\n"
        "  web: {type: file, include: [web.log], steps: [{set: {app: web}}]}\n"
        "  cli: {type: stdin, parse: {csv: {columns: [a]}}, steps: [{set: {app: cli}}]}\n"
        "sinks: {o: 'stdout:'}\n"
    )

    first, other = command("explain", stdin=b"x\n"), command("explain", "--source", "cli", stdin=b"x\n")

    assert '{"message":"x","app":"web"}' in first.output
    assert first.complaints == "note: lines as of the source web, the first: --source names another\n"
    assert '{"a":"x","app":"cli"}' in other.output
    assert other.complaints == ""
    unknown = command("explain", "--source", "clo", stdin=b"x\n")
    assert (unknown.code, unknown.output) == (2, "")
    assert unknown.complaints == "logrouter: --source: there is no source 'clo'; did you mean 'cli'?\n"


def test_lines_that_are_joined_are_explained_as_one(command: Command, write: Callable[..., None]) -> None:
    write("sources: {in: {type: stdin, multiline: java}}\nsinks: {o: 'stdout:'}\n")

    (joined, other) = blocks(command("explain", stdin=b"an error\n\tat a.B.c(B.java:1)\nfine\n").output)

    assert joined[:3] == ["── line 1 · text · 28 bytes · 2 lines joined", "   an error", "   \tat a.B.c(B.java:1)"]
    assert joined[-1].endswith(' bytes: {"message":"an error\\n\\tat a.B.c(B.java:1)"}')
    assert other[:2] == ["── line 2 · text · 4 bytes", "   fine"]


def test_files_of_containers_are_taken_apart(command: Command, write: Callable[..., None]) -> None:
    write("sources: {in: {type: docker, include: ['/none/*-json.log']}}\nsinks: {o: 'stdout:'}\n")
    lines = (
        b'{"log":"{\\"level\\":","stream":"stderr","time":"2026-01-31T12:00:00Z"}\n'
        b'{"log":"1}\\n","stream":"stderr","time":"2026-01-31T12:00:00Z"}\n'
    )

    (told,) = blocks(command("explain", stdin=lines).output)

    assert told[:2] == ["── line 1 · JSON object · 11 bytes", '   {"level":1}']


def test_a_time_that_the_runtime_of_a_container_wrote(command: Command, write: Callable[..., None]) -> None:
    write("sources: {in: {type: cri, include: ['/none/*.log']}}\nsinks: {o: 'stdout:'}\n")
    lines = (
        b"2026-01-31T12:00:00.5Z stdout F hello\n"
        b'2026-01-31T12:00:00.5Z stdout F {"time":"2026-01-31T11:59:00Z","a":1}\n'
    )

    told = blocks(command("explain", stdin=lines).output)

    assert [block[2] for block in told] == [
        "   time     2026-01-31T12:00:00.500Z, from meta.written; none in ts, time, timestamp, @timestamp",
        "   time     2026-01-31T11:59:00Z, from time = '2026-01-31T11:59:00Z'",
    ]


def test_no_lines(command: Command) -> None:
    assert command("explain") == (0, "", "")


def test_a_wrong_config(command: Command) -> None:
    assert command("explain", "--match", "stdout=(", stdin=b"x").code == 78


def test_events_hold_what_the_config_masks(command: Command, write: Callable[..., None], tmp_path: Path) -> None:
    """A resource out of a file is filled into events, and shown of the config nowhere."""
    (tmp_path / "namespace").write_text("shop-prod")
    write("""\
resource: {k8s.namespace.name: "${file:namespace}", stage: "${file:namespace}"}
steps: [{set: {a: "in {k8s.namespace.name}", b: "{stage}", when: 'startswith(resource.stage, "shop")'}}]
sinks: {stdout: {format: json, include: [resource]}}
""")
    explained = command("explain", stdin=b'{"x":1}').output
    event = '{"x":1,"a":"in shop-prod","b":"shop-prod","k8s.namespace.name":"shop-prod","stage":"shop-prod"}'
    assert explained.splitlines()[-2].strip().endswith(event)
    for name in ("config", "check"):
        done = command(name)
        assert done.code == 0
        assert "prod" not in done.output + done.complaints


def test_a_file_is_not_named_by_what_the_config_masks(
    command: Command, write: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "namespace").write_text("shop-prod")
    write("resource: {stage: '${file:namespace}'}\nsinks: {a: 'file:{stage}.log'}\n")
    done = command("check")
    assert 'sinks.a.path: resource["stage"] is out of a file' in done.complaints
    assert "prod" not in done.complaints


def test_a_line_of_which_a_step_makes_several_events(command: Command, write: Callable[..., None]) -> None:
    write(
        "steps: [{split: {field: a, merge: true}}, {discard: {when: n == 2}}, {set: {x: 1, when: n > 2}}]\n"
        "routes: [{name: high, match: n > 2, to: [out]}]\n"
        "sinks: {out: 'stdout:?format=json'}"
    )
    told = blocks(command("explain", stdin=b'{"a":[{"n":1},{"n":2},{"n":3}]}').output)[0]

    assert told[4:] == [
        "   steps    split: makes 3 events of it",
        "            discard: not for this event: n == 2 (2 of 3 events)",
        "            discard: takes the event out (1 of 3 events)",
        "            set: not for this event: n > 2 (1 of 2 events)",
        "            set: changes the event (1 of 2 events)",
        '   event    1 of 2: {"n":1}',
        "   routes   no  high → out: n > 2",
        "   sinks    no  out: no route that names it holds",
        '   event    2 of 2: {"n":3,"x":1}',
        "   routes   yes high → out: n > 2",
        "   sinks    yes out: everything",
        '                  14 bytes: {"n":3,"x":1}',
    ]


def test_what_steps_tell_at_the_end(command: Command, write: Callable[..., None]) -> None:
    write("steps: [{dedupe: {by: [message]}}, {set: {behind: true}}]\nsinks: {all: 'stdout:?format=json'}")
    *_, second, last = blocks(command("explain", stdin=b'{"message":"a"}\n{"message":"a","n":2}\n').output)

    assert second[-2:] == ["   steps    dedupe: takes the event out", "   sinks    none: a step has taken it out"]
    assert last == [
        "── at the end · a step tells of what it has left out",
        '   {"message":"a","n":2,"repeated":1,"behind":true}',
        "   sinks    yes all: everything",
        '                  49 bytes: {"message":"a","n":2,"repeated":1,"behind":true}',
    ]


def test_which_parser_has_recognised_a_line(command: Command, write: Callable[..., None]) -> None:
    write("sinks: {all: {url: 'stdout:?format=json'}}\n")
    done = command("explain", stdin=b"level=info msg=hi\njust text\n")
    first, second = blocks(done.output)
    assert first[0] == "── line 1 · text, taken by the parser logfmt · 17 bytes"
    assert "   severity info, from level = 'info'" in first
    assert second[0] == "── line 2 · text · 9 bytes"
