"""What is recognised, what stays text, and that looking at whole blocks gives what looking at single lines does."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import component, reference
from logrouter.config import load
from logrouter.errors import ConfigError
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.parsers import Looks, Parser, ParserConfig, _recognition
from logrouter.parsers._lazy import LazyPattern
from logrouter.parsers._recognition import Format, Recognition, Sorts
from logrouter.parsers.auto import Auto, AutoConfig
from logrouter.parsing import Parse
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from tests.parsers.layouts import RECEIVED_NS as VECTORS_RECEIVED_NS
from tests.parsers.layouts import vectors

RECEIVED_NS = 1_790_000_000_000_000_000
NOWHERE = Path("/nonexistent")
AUTO = Auto(AutoConfig())
PROSE = (Path(__file__).parent / "prose.txt").read_bytes().splitlines()
"""What programs print that is of no format."""
OF_FORMATS = [
    before.encode()
    for name in component.names("parsers")
    if component.load("parsers", name).looks
    for example in reference.examples(component.load_module("parsers", name).__doc__ or "")
    for before, _ in example.events
]
ACCESS = b'::1 - - [23/Nov/2026:10:00:00 +0100] "GET /a HTTP/1.1" 304 -'
LOGFMT = b"level=info msg=ready"
some_lines = st.sampled_from([*OF_FORMATS, *filter(None, PROSE)])


def together(lines: list[bytes], parser: Parser[Any] | None = None) -> list[bytes | None]:
    parser = parser or Auto(AutoConfig())
    return list(parser.parse_all(lines, b"\n".join(lines), RECEIVED_NS))


# ── what it takes ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("line", [line for line in PROSE if line], ids=range(len([line for line in PROSE if line])))
def test_prose_stays_text(line: bytes) -> None:
    assert AUTO.taker(line, RECEIVED_NS) is None


def test_prose_together_stays_text() -> None:
    lines = [line for line in PROSE if line]
    assert together(lines) == [None] * len(lines)


def test_an_app_whose_lines_are_of_two_formats_has_the_fields_of_the_first() -> None:
    """Rust's and Python's loggers both write so."""
    info, error = (f"2026-11-29T23:44:26Z {level:<5} mailer: sent".encode() for level in ("INFO", "ERROR"))
    both = {AUTO.for_source().taker(line, RECEIVED_NS) for line in (info, error)}
    assert len(both) == 2
    keys = [list(json.loads(one or b"")) for one in together([info, error])]
    assert keys[0] == keys[1]


@pytest.mark.parametrize(
    ("first", "line", "fields"),
    [
        (
            b"2026-11-29 23:44:26,123 INFO app: ready",
            b"2026-11-29T23:44:26.123Z  INFO 1 --- [           main] com.example.Demo    : Starting Demo",
            {"message": "Starting Demo", "pid": 1, "thread": "main", "logger": "com.example.Demo"},
        ),
        (
            b"2026-11-29 23:44:26,123 INFO app: ready",
            b"2026-11-29 23:44:26.123  INFO [shop,64f1a2b3c4d5e6f7,1234567890abcdef] 1 --- [main] c.e.Demo : ready",
            {"message": "ready", "trace": "shop,64f1a2b3c4d5e6f7,1234567890abcdef", "thread": "main"},
        ),
        (
            b"2026-11-29 23:44:26,123 INFO app: ready",
            b"2026-11-29 23:44:26,124 ERROR [http-nio-8080-exec-1] c.e.App - failed",
            {"message": "failed", "thread": "http-nio-8080-exec-1", "logger": "c.e.App"},
        ),
        (
            b"2026/11/29 23:44:26 listening",
            b"2026/11/29 23:44:27 [error] 3#3: *1 timed out, client: ::1",
            {"message": "timed out", "pid": 3, "level": "error", "client": "::1"},
        ),
        (
            b"INFO  [alembic.runtime.migration] Context impl PostgresqlImpl.",
            b"WARN  [main] 2026-11-29 23:44:26,123 CassandraDaemon.java:556 - JMX is not enabled",
            {"time": "2026-11-29T23:44:26.123Z", "message": "JMX is not enabled", "thread": "main", "line": 556},
        ),
        (
            b"2026-11-29 23:44:26 [scrapy.core.engine] INFO: Spider opened",
            b"2026-11-29 23:44:26.123 UTC [68] ERROR:  no such table",
            {"message": "no such table", "pid": 68, "level": "ERROR"},
        ),
    ],
)
def test_what_came_first_does_not_take_the_lines_of_others_as_messages(
    first: bytes, line: bytes, fields: dict[str, object]
) -> None:
    """A source of several files reads a Python app beside Spring Boot, a Go app beside nginx, in any order."""
    made = json.loads(together([first, line])[1] or b"")
    assert fields.items() <= made.items()


def test_formats_may_be_mixed() -> None:
    lines = [b"starting", ACCESS, LOGFMT, b'{"a": 1}', ACCESS, b"done"]
    made = together(lines)
    assert made == [AUTO.parse(line, RECEIVED_NS) for line in lines]
    assert [one and next(iter(json.loads(one))) for one in made] == [None, "client", "level", "a", "client", None]


def test_colours_hide_no_format() -> None:
    line = (
        b"\x1b[2m2026-11-29T23:44:26Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mapp\x1b[0m\x1b[2m:\x1b[0m \x1b[1mready\x1b[0m"
    )
    assert AUTO.taker(line, RECEIVED_NS) == "rust"
    made = together([b"\x1b[0m", line, b"\x1b[1mhello\x1b[0m", b"", line])
    assert [one and json.loads(one)["message"] for one in made] == [None, "ready", None, None, "ready"]


def test_a_json_object_is_an_event_as_it_is() -> None:
    assert AUTO.parse(b' {"level" : 1.50}', RECEIVED_NS) == b' {"level" : 1.50}'


@pytest.mark.parametrize(
    "line",
    [
        b"level=info the server is ready",
        ACCESS.replace(b"23/Nov", b"41/Nov"),
        b"time=5",
        b"server=a port=80",
        b"a=1 b=2 c=3 d=4 e=5 f=6 g=7 h=8 i=9 j=0 k=1 l=2 m=3 n=4 o=5 p=6 q=7 level=info",
    ],
)
def test_what_begins_like_a_format_and_is_none_stays_text(line: bytes) -> None:
    assert AUTO.parse(line, RECEIVED_NS) is None


@pytest.mark.parametrize(
    "line",
    [
        b"level=info msg=ready",
        b"msg=ready took=5ms",
        b'host=a dyno="web 1" at=info',
        b'time="2026-11-29T10:00:00Z" level=info msg="say \\"hi\\""',
        b"ts=2026-11-29T10:00:00Z caller=main.go:12 component=web",
    ],
)
def test_logfmt_is_known_by_a_key_that_logs_have(line: bytes) -> None:
    assert AUTO.taker(line, RECEIVED_NS) == "logfmt"


def test_only_the_formats_that_are_named() -> None:
    parser = Auto(AutoConfig(formats=("logfmt",)))
    assert together([ACCESS, LOGFMT, b"{}"], parser) == [None, b'{"level":"info","msg":"ready"}', b"{}"]


@pytest.mark.parametrize("line", OF_FORMATS, ids=range(len(OF_FORMATS)))
def test_a_zone_changes_nothing_of_what_is_taken(line: bytes) -> None:
    """Also where the zone that a parser takes is that of a format of one's own, as of logfmt."""
    assert Auto(AutoConfig(timezone="Asia/Tokyo")).taker(line, RECEIVED_NS) == AUTO.taker(line, RECEIVED_NS)


def test_the_zone_is_for_parsers_that_need_one() -> None:
    line = b"2026/11/23 10:00:00 [error] 3#3: *1 timed out"
    made = Auto(AutoConfig(timezone="Asia/Tokyo")).parse(line, RECEIVED_NS)
    assert made is not None
    assert json.loads(made)["time"] == "2026-11-23T01:00:00Z"


# ── in which order ────────────────────────────────────────────────────────────────────────────────────


class Even(Parser[ParserConfig]):
    """Takes lines of an even length."""

    looks = Looks(rb"[ab]", rank=1)

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        return None if len(line) % 2 else b'{"even":1}'


class Short(Even):
    looks = Looks(rb"[bc](?![^\n]{3})", rank=2)

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        return b'{"short":1}' if len(line) < 3 else None


class Dated(Even):
    looks = Looks(rb"\d\d:\d\d |\[\d", rank=1)


class Whatever(Even):
    looks = Looks(rb"[c-e]|bb", rank=3)

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        return b'{"any":1}'


KINDS = (Even, Short, Whatever)
SORTS = Sorts([Format(kind.__name__, kind, "UTC") for kind in KINDS])


def by_definition(lines: list[bytes]) -> list[bytes | None]:
    """Each of the first that takes it, of those that it begins like: those that have taken a line before come first."""
    seen: list[type[Even]] = []
    made: list[bytes | None] = []
    for line in lines:
        for kind in [*seen, *KINDS]:
            assert kind.looks is not None
            if re.match(kind.looks.begin, line) and (one := kind(ParserConfig()).parse(line, 0)) is not None:
                made.append(one)
                seen += [] if kind in seen else [kind]
                break
        else:
            made.append(None)
    return made


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.text("abcdex\n", min_size=0, max_size=4).map(str.encode), min_size=1, max_size=8),
    st.integers(0, 8),
)
def test_the_first_that_takes_a_line_of_those_that_it_begins_like(lines: list[bytes], cut: int) -> None:
    """However the lines are divided into blocks."""
    alone, some = Recognition(SORTS), Recognition(SORTS)
    expected = by_definition(lines)
    assert [alone.parse(line, 0) for line in lines] == expected
    blocks = [block for block in (lines[:cut], lines[cut:]) if block]
    assert [one for block in blocks for one in some.parse_all(block, b"\n".join(block), 0)] == expected


def test_a_refused_line_is_asked_of_those_behind() -> None:
    lines = [b"bbb", b"aa", b"bbb", b"bb"]
    made = [b'{"any":1}', b'{"even":1}', b'{"any":1}', b'{"any":1}']
    assert Recognition(SORTS).parse_all(lines, b"\n".join(lines), 0) == made


def test_a_format_whose_lines_come_between_others_is_shown_its_own_alone() -> None:
    """The parser takes long over a line that is none of its own."""
    shown: list[list[bytes]] = []

    class Strict(Even):
        looks = Looks(rb"a", rank=1)

        def parse_all(self, lines: list[bytes], block: bytes, received_ns: int) -> list[bytes | None]:
            shown.append(lines)
            return [self.parse(line, received_ns) for line in lines]

    recognition = Recognition(Sorts([Format("strict", Strict, "UTC")]))
    lines = [b"ab", b"prose"] * 50
    assert recognition.parse_all(lines, b"\n".join(lines), 0) == [b'{"even":1}', None] * 50
    assert shown == [[b"ab"] * 50]


def test_for_the_first_line_only_what_can_begin_like_it_is_compiled() -> None:
    compiled: list[bytes] = []

    class Watched(LazyPattern[bytes]):
        @cached_property
        def pattern(self) -> re.Pattern[bytes]:
            compiled.append(self.expression)
            return re.compile(self.expression)

    sorts = Sorts([Format(kind.__name__, kind, "UTC") for kind in (Even, Dated)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_recognition, "LazyPattern", Watched)
        assert Recognition(sorts).parse_all([b"Xyz"], b"Xyz", 0) == [None]
        assert compiled == []
        assert Recognition(sorts).parse_all([b"1st"], b"1st", 0) == [None]
        assert compiled == [rb"\d\d:\d\d "]
        assert Recognition(sorts).parse_all([b"abc"], b"abc", 0) == [None]
        assert compiled[1:] == [Even.looks.begin]


# ── of whose lines ────────────────────────────────────────────────────────────────────────────────────


OF_PYTHON = b"2026-11-29 23:44:26,123 INFO app: ready"
OF_RUST = b"2026-11-29T23:44:26Z  INFO mailer: sent"
OF_EITHER = b"2026-11-29T23:44:26Z ERROR mailer: sent"


def of_streams(parser: Parser[Any], lines: list[tuple[str, bytes]]) -> list[bytes | None]:
    made: list[bytes | None] = []
    for stream, line in lines:
        parser.turn_to(stream)
        made += together([line], parser)
    return made


@pytest.mark.parametrize(
    ("first", "line", "fields"),
    [
        (OF_RUST, OF_EITHER, {"target": "mailer"}),
        (
            b"2026-11-29T23:44:26.123Z [INFO]  agent.server: ready: addr=1",
            b"2026-11-29T23:44:26.124Z [ERROR] agent: failed: error=refused",
            {"message": "failed", "error": "refused"},
        ),
        (
            b"2026-11-29 23:44:26,123 INFO  [org.jboss.as] (MSC service thread 1-1) started",
            b"2026-11-29 23:44:26,124 ERROR [org.jboss.as] (MSC service thread 1-1) failed",
            {"logger": "org.jboss.as", "thread": "MSC service thread 1-1", "message": "failed"},
        ),
    ],
)
def test_an_app_has_the_fields_that_it_has_alone_whatever_is_read_beside(
    first: bytes, line: bytes, fields: dict[str, object]
) -> None:
    auto = Auto(AutoConfig())
    made = of_streams(auto, [("a", OF_PYTHON), ("b", first), ("a", OF_PYTHON), ("b", line)])
    assert made[3] is not None
    assert fields.items() <= json.loads(made[3]).items()
    assert made[1::2] == of_streams(Auto(AutoConfig()), [("b", first), ("b", line)])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"), st.sampled_from([OF_PYTHON, OF_RUST, OF_EITHER, LOGFMT, b"text"]) | some_lines
        ),
        max_size=20,
    )
)
def test_a_stream_is_what_it_is_alone_in_whatever_order_streams_are_read(lines: list[tuple[str, bytes]]) -> None:
    made = of_streams(Auto(AutoConfig()), lines)
    for stream in "abc":
        alone = [line for name, line in lines if name == stream]
        mixed = [one for (name, _), one in zip(lines, made, strict=True) if name == stream]
        assert mixed == (together(alone) if alone else [])


LOGGED = [
    pytest.param(name, line.encode(), fields, id=f"{name}-{place}")
    for name in ("go", "java", "php", "python", "redis", "ruby", "rust")
    for place, (line, fields) in enumerate(vectors(name))
]


@pytest.mark.parametrize(("name", "line", "fields"), LOGGED)
def test_what_comes_first_after_a_restart_is_what_it_was_before(name: str, line: bytes, fields: object) -> None:
    """Nothing is remembered then: an app's own logger is known by whichever of its lines that is."""
    made = Auto(AutoConfig()).parse(line, VECTORS_RECEIVED_NS)
    assert made is not None
    assert json.loads(made) == fields


def test_only_so_many_streams_are_remembered_those_that_were_read_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_recognition, "STREAMS", 2)
    auto = Auto(AutoConfig())
    of_streams(auto, [(name, OF_PYTHON) for name in "abcad"])
    made = of_streams(auto, [(name, OF_EITHER) for name in "acb"])
    assert [next(reversed(json.loads(one or b""))) for one in made] == ["logger", "logger", "target"]


def test_what_has_no_format_is_not_remembered() -> None:
    auto = Auto(AutoConfig())
    of_streams(auto, [(str(number), b"text") for number in range(99)])
    assert auto._memory._others == {}


# ── together ──────────────────────────────────────────────────────────────────────────────────────────


cut_lines = st.builds(lambda line, length: line[: 1 + length % len(line)], some_lines, st.integers(0, 300))
joined_lines = st.lists(some_lines, min_size=2, max_size=3).map(b"\n".join)


@settings(deadline=None, max_examples=200)
@given(st.lists(some_lines | cut_lines | joined_lines, min_size=1, max_size=8))
def test_lines_together_are_what_each_is_alone(lines: list[bytes]) -> None:
    alone = Auto(AutoConfig())
    assert together(lines) == [alone.parse(line, RECEIVED_NS) for line in lines]


# ── in its place ──────────────────────────────────────────────────────────────────────────────────────


def test_an_app_that_writes_json_alone_loads_no_parser() -> None:
    parser = Auto(AutoConfig())
    ingest = Ingest(Router([SinkRouting("s", None)]), {}, Parse("auto", reads_json=True, marks=False, parsers=[parser]))
    ingest.chunks(Frame([b"{}", b'{"a":1}'], b'{}\n{"a":1}', {}, 0), RECEIVED_NS)
    (own,) = ingest._parse.parsers
    assert own is not parser, "what one source has written means nothing for another"
    assert "_recognition" not in vars(own)
    ingest.chunks(Frame([b"{}", LOGFMT], b"{}\n" + LOGFMT, {}, 0), RECEIVED_NS)
    assert "_recognition" in vars(own)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("{formats: [clg]}", "sources.app.parse: formats: unknown parser 'clg' (did you mean 'clf'?)"),
        ("{formats: [auto]}", "sources.app.parse: formats: unknown parser 'auto'"),
        (
            "{formats: [csv]}",
            "sources.app.parse: formats: nearly any line could be csv: name it in the list beside auto",
        ),
        (
            "{timezone: Europe/Stokholm}",
            "sources.app.parse: timezone: expected an IANA name such as Europe/Stockholm, not 'Europe/Stokholm'",
        ),
        ("{format: clf}", "unknown key 'format' in sources.app.parse"),
    ],
)
def test_wrong_options(said: str, told: str) -> None:
    text = f"sources: {{app: {{type: stdin, parse: {{auto: {said}}}}}}}"
    with pytest.raises(ConfigError) as caught:
        load(environ={"LOGROUTER_CONFIG_YAML": text}, folder=NOWHERE, system_folder=NOWHERE)
    (mistake,) = caught.value.mistakes
    assert mistake.problem == told
