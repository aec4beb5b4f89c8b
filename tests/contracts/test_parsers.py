"""What every parser keeps to. A new parser is tested by existing; EXAMPLE_OPTIONS tells how it may be configured."""

from __future__ import annotations

import json
import re
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import component, reference
from logrouter.documents import decode_document
from logrouter.event import Flag
from logrouter.parsers import Parser
from logrouter.possessive import portable
from logrouter.projection import recognise_line
from tests.parse_option import parse_of
from tests.strategies import lines

RECEIVED_NS = 1_790_000_000_000_000_000
"""September 2026."""
NAMES = component.names("parsers")

EXAMPLE_OPTIONS: dict[str, list[str]] = {
    "auto": ["auto", "{auto: {formats: [clf, logfmt], timezone: Europe/Stockholm}}"],
    "clf": ["clf", "{clf: {format: combined}}", "{clf: {format: apache_error, timezone: Europe/Stockholm}}"],
    "cri": ["cri"],
    "csv": [
        "{csv: {columns: [time, level, message, code], types: {code: int}}}",
        r'{csv: {columns: [a, b], separator: "\t", quote: ""}}',
        "{csv: {columns: [a, b], time_key: b, time_format: '%H:%M:%S'}}",
        "{csv: {columns: [a, b, c], separator: ';', quote: \"'\", types: {a: float}}}",
    ],
    "docker": ["docker"],
    "go": ["go", "{go: {timezone: Europe/Stockholm}}"],
    "java": ["java", "{java: {timezone: Europe/Stockholm}}"],
    "grok": [
        "{grok: '^%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{GREEDYDATA:message}'}",
        "{grok: {match: ['^%{COMBINEDAPACHELOG}', '%{WORD:a}=%{INT:[b][c]:int}', '%{DATA:a} - %{DATA:a}$']}}",
        "{grok: {match: '%{SYSLOGBASE}', fields: legacy, time_key: timestamp, time_format: '%b %e %H:%M:%S'}}",
    ],
    "json": ["json"],
    "klog": ["klog", "{klog: {timezone: Europe/Stockholm}}"],
    "key_value": [
        "key_value",
        "{key_value: {field_separator: ',', value_separator: ':', types: {port: int}}}",
        "{key_value: {field_separator: '|', quotes: '', bare_keys: true, types: {a: float}}}",
    ],
    "logfmt": [
        "logfmt",
        "{logfmt: {types: {status: int}, bare_keys: true}}",
        "{logfmt: {time_key: a, time_format: unix, types: {a: int}}}",
        "{logfmt: {time_key: at, time_format: '%b %d %H:%M', timezone: Europe/Stockholm}}",
    ],
    "ltsv": ["{ltsv: {time_format: '%d/%b/%Y:%H:%M:%S %z'}}", "ltsv", "{ltsv: {types: {a: int, status: text}}}"],
    "php": ["php", "{php: {timezone: Europe/Stockholm}}"],
    "postgresql": [
        "postgresql",
        "{postgresql: {format: csv}}",
        "{postgresql: {log_line_prefix: '%t %b[%p] %q%a '}}",
    ],
    "python": ["python", "{python: {timezone: America/New_York}}"],
    "redis": ["redis", "{redis: {timezone: Europe/Stockholm}}"],
    "regex": [
        "{regex: '(?P<level>[a-z]+)=(?P<n>\\d+)?'}",
        "{regex: {pattern: '^(?P<a>\\d+) (?P<b>.*)', time_key: a, time_format: unix_ms}}",
        "{regex: {pattern: '^(?P<a>.)(?P<b>.*)', types: {a: int, b: float}}}",
    ],
    "text": ["{text: {level: words}}", "text"],
    "ruby": ["ruby", "{ruby: {timezone: Europe/Stockholm}}"],
    "rust": ["rust", "{rust: {timezone: Europe/Stockholm}}"],
    "traceback": ["traceback", "{traceback: {timezone: Europe/Stockholm}}"],
    "syslog": ["syslog", "{syslog: {timezone: Europe/Stockholm}}"],
}
"""As they stand in a list of parsers, each at least once."""
every_parser = pytest.mark.parametrize("name", NAMES)
every_option = pytest.mark.parametrize(
    "said", [pytest.param(said, id=f"{name}-{n}") for name in NAMES for n, said in enumerate(EXAMPLE_OPTIONS[name])]
)
examples = [
    pytest.param(example.config, before, after, id=f"{name}-{before[:30]}")
    for name in NAMES
    for example in reference.examples(component.load_module("parsers", name).__doc__ or "")
    for before, after in example.events
]


recognised = [
    pytest.param(name, before.encode(), id=f"{name}-{before[:30]}")
    for name in NAMES
    if component.load("parsers", name).looks
    for example in reference.examples(component.load_module("parsers", name).__doc__ or "")
    if example.config == f"- parse: {name}"
    for before, _ in example.events
]
"""Those of the parsers that `auto` knows, without options."""


def parser_of(said: str) -> Parser[Any]:
    """The one parser. It stands behind another, as `json` does nothing where it is first."""
    _, parser = parse_of(f"[{{regex: '(?P<never>\\b\\B)'}}, {said}]").parsers
    return parser


@every_parser
def test_it_is_documented_with_an_example(name: str) -> None:
    text = component.load_module("parsers", name).__doc__ or ""
    assert len(text.splitlines()) >= 3
    assert reference.examples(text)
    for option in reference.options(component.load("parsers", name).Config):
        assert option.text, f"{option.name} has no docstring"


@pytest.mark.parametrize(("config", "before", "after"), examples)
def test_examples_on_its_page(config: str, before: str, after: str) -> None:
    made = parser_of(config.removeprefix("- parse: ")).parse(before.encode(), RECEIVED_NS)
    assert made is not None, "it is not taken"
    assert json.dumps(json.loads(made)) == json.dumps(json.loads(after)), "also the order of the fields"


@pytest.mark.parametrize(("name", "line"), recognised)
def test_auto_recognises_the_examples_on_its_page(name: str, line: bytes) -> None:
    """And none that is asked before takes them, or even has to be asked: that costs time."""
    auto = parser_of("auto")
    assert auto.taker(line, RECEIVED_NS) == name
    looks = {other: kind.looks for other in NAMES if (kind := component.load("parsers", other)).looks}
    alike = [other for other in looks if re.match(portable(looks[other].begin), line)]
    assert min(alike, key=lambda other: (looks[other].rank, other)) == name, alike


@pytest.mark.parametrize(("name", "line"), recognised)
def test_how_its_lines_begin_holds_no_newline(name: str, line: bytes) -> None:
    begin = re.compile(portable(component.load("parsers", name).looks.begin))
    assert begin.groups == 0
    for place in range(1, len(line)):
        match = begin.match(line[:place] + b"\n" + line[place:])
        assert match is None or match.end() <= place
        assert (match is None) == (begin.match(line[:place]) is None), "what follows the line makes a difference"


_VECTORS = Path(__file__).parent.parent / "parsers" / "lines"


@pytest.mark.parametrize("name", [name for name in NAMES if component.load("parsers", name).looks])
def test_where_auto_asks_it_no_line_is_taken_that_does_not_begin_as_it_looks(name: str) -> None:
    """`parse: auto` does not look at how each begins."""
    kind = component.load("parsers", name)
    parser = kind(kind.Config())
    parser.only_alike()
    begins = re.compile(portable(kind.looks.begin)).match
    known = [line for other, line in (each.values for each in recognised) if other == name] + OTHERS.get(name, [])
    if (vectors := _VECTORS / f"{name}.txt").exists():
        known += [line[2:].encode() for line in vectors.read_text().splitlines() if line[:1] == "<"]

    @settings(deadline=None, max_examples=40)
    @given(st.lists(nearly(known), min_size=1, max_size=12))
    def check(some: list[bytes]) -> None:
        expected = [parser.parse(line, RECEIVED_NS) if begins(line) else None for line in some]
        assert list(parser.parse_all(some, b"\n".join(some), RECEIVED_NS)) == expected

    check()


OTHERS = {
    "clf": [
        b'::1 id ann [23/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" 304 -',
        b'a.b:80 ::1 - a[b [23/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" 304 5 "-" "curl"',
        b'[2016-04-15T20:17:00.310Z] "GET / HTTP/2" 204 - 1 0 2 1 "::1" "curl" "a-b" "c" "tcp://10.0.2.1:80"',
        b'a:- [::1] - - [23/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" 304 5 "-" "curl"',
    ],
    "logfmt": [b"a=1 b=2", b"a=1 msg=", b'level=info msg="a b" c= d', b"x=\x7f level=a"],
    "postgresql": [b'{"timestamp":"2026-11-29 23:44:26.123 UTC","error_severity":"LOG"}'],
    "syslog": [
        b"2026-11-29T23:44:26Z web app: a",
        b"2026-11-29T23:44:26.123Z web app[1]: a",
        b"2026-11-29T23:44:26Z web sudo: a",
        b"Nov 05 23:44:26.1234567890 web app[1]: a",
        b"Nov 29 23:44:26 web app: a",
        b"<34>1 2026-11-29T23:44:26Z h a - - - x",
    ],
}
"""Lines that are taken otherwise, or nearly."""


@st.composite
def nearly(draw: st.DrawFn, known: list[bytes]) -> bytes:
    """A line that a parser knows, perhaps with something else in it."""
    line = draw(st.sampled_from(known))
    if draw(st.booleans()):
        return line
    place = draw(st.integers(1, len(line)))
    put_in = draw(st.sampled_from([b"", b" ", b"0", b"a", b"\x22", b"[", b"-", b"=", b":", b"\\", b"\x7f", b"\n"]))
    return line[:place] + put_in + line[place + draw(st.integers(0, 2)) :]


@every_option
def test_what_it_makes_is_a_json_object_whatever_the_line(said: str) -> None:
    parser = parser_of(said)

    @settings(deadline=None, max_examples=30)
    @given(lines | st.binary(min_size=1, max_size=60) | st.text(min_size=1, max_size=60).map(str.encode))
    def check(line: bytes) -> None:
        if (made := parser.parse(line, RECEIVED_NS)) is not None:
            assert recognise_line(made) == Flag.JSON
            assert isinstance(decode_document(made), dict)

    check()


@every_option
def test_lines_together_are_what_each_is_alone(said: str) -> None:
    parser = parser_of(said)
    known = [before.encode() for _, before, _ in (each.values for each in examples)]
    line = lines | st.sampled_from([b"a=1", b"x\ny=2"]) | st.sampled_from(known)

    @settings(deadline=None, max_examples=30)
    @given(st.lists(line, min_size=1, max_size=8))
    def check(some: list[bytes]) -> None:
        assert list(parser.parse_all(some, b"\n".join(some), RECEIVED_NS)) == [
            parser.parse(line, RECEIVED_NS) for line in some
        ]

    check()


PIECES = [
    b"a",
    b" ",
    b'"',
    b"\\",
    b"=",
    b"a=",
    b'a="',
    b" - [",
    b"[a] ",
    b', client: "',
    b"a, ",
    b"a : ",
    b",",
    b"a\tb:",
]
STARTS = [b"", b"1 - ", b"[", b'x - - [23/Nov/2026:10:00:00 +0000] "', b"a=1 "]


@pytest.mark.slow
@pytest.mark.parametrize("said", [said for name in NAMES for said in EXAMPLE_OPTIONS[name]])
def test_a_long_line_takes_linear_time(said: str) -> None:
    """Squared, 50,000 bytes are 25 seconds or more; linear, a tenth."""
    parser = parser_of(said)
    for line in (start + piece * (50_000 // len(piece)) for start in STARTS for piece in PIECES):
        began = process_time()
        parser.parse_all([line], line, RECEIVED_NS)
        assert process_time() - began < 5, line[:40]
