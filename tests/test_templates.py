"""What templates say, and where they are wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.errors import ExpressionError
from logrouter.facts import Facts, resolve
from logrouter.references import Field, Meta, Reference, Resource, Severity, Time
from logrouter.templates import MAX_SEGMENT_BYTES, Template, path_segment, text_of
from tests import strategies

FACTS = Facts(
    {"stream": "stderr", "source": "/var/x"}, 1_769_903_999_123_000_000, {"service.name": "shop/eu", "app": "a"}
)
DOCUMENT: dict[str, Any] = {
    "msg": "hi", "n": 1.5, "big": 10**30, "yes": True, "nil": None, "list": [1, {"a": "é"}], "object": {"a": "x"},
    "level": "warn", "path": "../etc", "user-agent": "curl", "odd name": "o", "d.e": "literal", "app": {"x": 1},
    "@timestamp": "2026-01-02T03:04:05Z",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{x}} {{{msg}}}", "{x} {hi}"),
        ("app-{date}", "app-2026-01-02"),
        ("{hour}|{date:%Y.%m.%d}|{date:%H:%M:%S}|{date:%d%%}", "03|2026.01.02|03:04:05|02%"),
        ("{date:%-d.%-m.%y}", "2.1.26"),
        ("{time}", "2026-01-02T03:04:05Z"),
        ("{severity}", "warning"),
        ("{msg} {n} {big} {yes} {nil}", "hi 1.5 1000000000000000000000000000000 true null"),
        ("{list}", '[1,{"a":"é"}]'),
        ("{object} {object.a} {missing}", "unknown x unknown"),
        ("{service.name}", "shop/eu"),
        ("{app}", "a"),
        ("{d.e}", "literal"),
        ('{event["odd name"]}', "o"),
        ('{event["service.name"]}', "unknown"),
        ("{user-agent}{ msg }", "curlhi"),
        ("{@timestamp}", "2026-01-02T03:04:05Z"),
        ("{meta.stream} {meta.partial}", "stderr unknown"),
        ('{resource["service.name"]} {resource.app} {resource.nope}', "shop/eu a unknown"),
        ("'\"\\{msg}\n", "'\"\\hi\n"),
    ],
)
def test_render(text: str, expected: str) -> None:
    assert Template.parse(text).render(DOCUMENT, FACTS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/logs/{path}/x", "/logs/.._etc/x"),
        ("{service.name}/{date:%Y/%m}", "shop/eu/2026/01"),
        ("{meta.source}", "_var_x"),
        ("{app}/{missing}", "a/unknown"),
        ("{severity}", "warning"),
    ],
)
def test_render_segments(text: str, expected: str) -> None:
    assert Template.parse(text).render(DOCUMENT, FACTS, segment=True) == expected


def test_an_event_s_own_field_goes_before_the_resource() -> None:
    template = Template.parse("{service.name}")

    assert template.render({"service": {"name": "a/b"}}, FACTS) == "a/b"
    assert template.render({"service": {"name": "a/b"}}, FACTS, segment=True) == "a_b"
    assert template.render({"service.name": ""}, FACTS, segment=True) == "_"
    assert template.render({"service": "x"}, FACTS) == "shop/eu"


@pytest.mark.parametrize("text", ["{missing}", "{severity}", "{object}", "{meta.partial}", '{resource["nope"]}'])
def test_something_else_can_stand_for_what_is_missing(text: str) -> None:
    template = Template.parse(f"a{text}").where_missing("")
    assert template.render({"object": {"a": 1}}, FACTS) == "a"
    assert template != Template.parse(f"a{text}")
    assert Template.parse("{a}{service.name}").where_missing("").render({"a": None}, FACTS) == "nullshop/eu"


def test_a_missing_severity_is_unknown() -> None:
    assert Template.parse("{severity}").render({}, FACTS) == "unknown"


@pytest.mark.parametrize(
    ("time", "expected"),
    [("0033-04-03", "0033-04-03"), ("9999-12-31T23:59:59Z", "9999-12-31"), ("9999-12-31T23:59:59-01:00", "2026-01-31")],
)
def test_dates_at_the_edge(time: str, expected: str) -> None:
    assert Template.parse("{date}").render({"ts": time}, FACTS) == expected


@pytest.mark.parametrize(
    ("text", "references"),
    [
        ("x", set()),
        ("{date}{hour}{time}", {Time()}),
        ("{severity}", {Severity()}),
        ("{service.name}", {Field(("service", "name")), Resource("service.name")}),
        ('{event["a"]}{meta.host}{resource.c}', {Field(("a",)), Meta("host"), Resource("c")}),
    ],
)
def test_references(text: str, references: set[Reference]) -> None:
    template = Template.parse(text)

    assert template.references == references
    assert template.is_constant is not bool(references)


@pytest.mark.parametrize(
    ("text", "caret"),
    [
        ("a{b", " ^"),
        ("a}b", " ^"),
        ("{a}}", "   ^"),
        ("{}", "^"),
        ("{a:b}", "  ^"),
        ("{a b}", "  ^"),
        ("{a.}", "  ^"),
        ("{date:}", "     ^"),
        ("{date:%Y-%Q}", "         ^"),
        ("{date:%s}", "      ^"),
        ("{date:%f}", "      ^"),
        ("{date:x%}", "       ^"),
        ("{event.a}", "      ^"),
        ("{meta}", " ^"),
        ("{a!r}", "  ^"),
        ('{event["a}', "^"),
    ],
)
def test_a_mistake_is_shown_at_its_character(text: str, caret: str) -> None:
    with pytest.raises(ExpressionError) as raised:
        Template.parse(text)

    assert raised.value.text == text
    assert raised.value.column == caret.index("^")


def test_a_template_is_bounded_in_length() -> None:
    with pytest.raises(ExpressionError, match="at most"):
        Template.parse("a" * 10_001)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "_"),
        (".", "_"),
        ("..", "_"),
        ("...", "..."),
        ("a/b\\c", "a_b\\c"),
        ("a\0\n\x7f\x85b", "a____b"),
        ("é" * 150, "é" * 100),
        ("a" + "é" * 150, "a" + "é" * 99),
        ("\ud800", "?"),
    ],
)
def test_path_segment(text: str, expected: str) -> None:
    assert path_segment(text) == expected


def test_templates_are_equal_by_their_text() -> None:
    assert Template.parse("{a}") == Template.parse("{a}")
    assert len({Template.parse("{a}"), Template.parse("{a}")}) == 1
    assert repr(Template.parse("{a}")) == "Template('{a}')"


PIECES = st.sampled_from(
    [
        "{level}",
        "{http.status}",
        "{a.b}",
        "{date}",
        "{hour}",
        "{time}",
        "{severity}",
        "{meta.stream}",
        "x",
        "{{",
        "'\"\\\n",
    ]
)


@given(st.lists(PIECES, max_size=5).map("".join), strategies.documents, st.booleans())
@settings(deadline=None, max_examples=25)
def test_the_source_over_resolved_values_is_the_slow_way(text: str, document: dict[str, Any], segment: bool) -> None:
    template = Template.parse(text)
    names: dict[Reference, str] = {reference: f"v{number}" for number, reference in enumerate(template.references)}
    constants: dict[str, object] = {}
    source = template.source(names.__getitem__, constants, segment=segment)
    variables = {variable: resolve(reference, document, FACTS) for reference, variable in names.items()}

    assert eval(source, constants, variables) == template.render(document, FACTS, segment=segment)


@given(st.one_of(st.text(max_size=30), st.text("{}ab.:%Y[]\"'", max_size=20)))
@settings(deadline=None, max_examples=25)
def test_any_text_is_a_template_or_an_expression_error(text: str) -> None:
    try:
        rendered = Template.parse(text).render(DOCUMENT, FACTS)
    except ExpressionError as error:
        assert 0 <= error.column <= len(text)  # noqa: PT017 - most texts parse, some do not
    else:
        assert isinstance(rendered, str)


@given(st.text())
@settings(deadline=None, max_examples=25)
def test_a_segment_stays_in_its_folder(text: str) -> None:
    segment = path_segment(text)

    assert segment not in ("", ".", "..")
    assert not {"/", "\0", "\n"} & set(segment)
    assert len(segment.encode()) <= MAX_SEGMENT_BYTES


@given(strategies.values)
@settings(deadline=None, max_examples=25)
def test_any_value_has_a_text(value: Any) -> None:
    assert isinstance(text_of(value), str)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("app-{date}", 86_400),
        ("{date:%Y}-{hour}", 3600),
        ("{date:%H:%M}", 60),
        ("{date} {date:%S}", 1),
        ("{time}", None),
        ("{date} {time}", None),
        ("{date} {a}", None),
        ("app", None),
    ],
)
def test_how_long_a_text_of_time_alone_is_the_same(text: str, seconds: int | None) -> None:
    assert Template.parse(text).holds_seconds == seconds
