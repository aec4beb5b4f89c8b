from __future__ import annotations

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.config.mistakes import Mistakes
from logrouter.config.nodes import Node, plain, resolve_plain
from logrouter.config.yaml_nodes import parse_yaml


def read(text: str | bytes) -> Node:
    mistakes = Mistakes()
    node = parse_yaml(text, "f.yaml", mistakes)
    assert [str(mistake) for mistake in mistakes.found] == []
    assert node is not None
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("12", 12),
        ("-3", -3),
        ("+3", 3),
        ("1.50", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("on", "on"),
        ("yes", "yes"),
        ("012", "012"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("1:30", "1:30"),
        ("2020-01-01", "2020-01-01"),
        (".inf", ".inf"),
        ("1e999", "1e999"),
        ("1_000", "1_000"),
        ("tRUE", "tRUE"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    resolved = resolve_plain(text)
    assert resolved == value
    assert type(resolved) is type(value)
    if text:
        assert plain(read(f"a: {text}")) == {"a": value}


def test_a_quoted_scalar_is_text() -> None:
    assert plain(read("""["1", 'true', ""]""")) == ["1", "true", ""]


def test_every_node_knows_its_place() -> None:
    node = read("# é\nsinks:\n  ü: {url: 'file:a', list: [1,\n    two]}\n")
    sink = node.value["sinks"].value["ü"]
    assert sink.key_origin.place == "f.yaml:3:3"
    assert sink.origin.place == "f.yaml:3:6"
    assert sink.value["url"].origin.place == "f.yaml:3:12"
    assert sink.value["list"].value[1].origin.place == "f.yaml:4:5"


@pytest.mark.parametrize(
    ("document", "character", "place"),
    [
        ("match: level = 3", "=", "f.yaml:1:14"),
        ("match: 'level = 3'", "=", "f.yaml:1:15"),
        ('match: "é level = 3"', "=", "f.yaml:1:17"),
        ("match: >-\n  a == 1\n  and level = 3\n", "= 3", "f.yaml:3:13"),
        ("match: |\n  a == 1\n    and level = 3\n", "= 3", "f.yaml:3:15"),
        ("match: a == 1\n   and level = 3", "= 3", "f.yaml:2:14"),
        ("match: 'it''s = 3'", "=", "f.yaml:1:8"),
        ('match: "a \\" = 3"', "=", "f.yaml:1:8"),
    ],
)
def test_the_place_of_a_character(document: str, character: str, place: str) -> None:
    """Exact where the text stands as it is; the scalar's beginning where escapes hide it."""
    node = read(document).value["match"]
    assert node.origin.place_at(node.value, node.value.rindex(character)) == place


def test_the_place_after_the_last_character() -> None:
    node = read("match: >-\n  a and (b\n\nsinks:\n").value["match"]
    assert node.origin.place_at(node.value, len(node.value)) == "f.yaml:2:11"


def test_an_alias_is_the_same_again() -> None:
    assert plain(read("a: &x {k: [1, 2]}\nb: *x\n")) == {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}}


def test_a_byte_order_mark_is_skipped() -> None:
    assert plain(read(b"\xef\xbb\xbfa: 1")) == {"a": 1}


LAUGHS = "a: &a [1,2,3,4,5,6,7,8,9]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefg", "bcdefgh", strict=True)
)


QUOTE_COLON = """quote a value that holds ': ' or ends with ':', as the URL "stdout:" does"""


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"", "f.yaml:1:1: empty: there is no setting in it"),
        ("# only\n", "f.yaml:2:1: empty: there is no setting in it"),
        (b"a: \xff", "f.yaml:1:4: not UTF-8: byte 0xff cannot stand here"),
        ("a:\n b: \0", "f.yaml:2:5: the character U+0000 is not allowed in YAML"),
        (b"x" * 10_000_000, "f.yaml: larger than 1MiB, which no config is"),
        ("a:\n\tb: 1", "f.yaml:2:1: not valid YAML: a tab cannot indent (use spaces)"),
        ("a: @b", "f.yaml:1:4: not valid YAML: a value cannot begin with '@' (quote it)"),
        ("a: b: c", f"f.yaml:1:5: not valid YAML: a ':' is not allowed here ({QUOTE_COLON})"),
        ("a: {b: stdout:}", f"f.yaml:1:14: not valid YAML: a ':' is not allowed here ({QUOTE_COLON})"),
        ("a:\n  b: stdout:", f"f.yaml:2:12: not valid YAML: a ':' is not allowed here ({QUOTE_COLON})"),
        ("a: 'b\nc: d", "f.yaml:1:4: not valid YAML: this quote is never closed"),
        ("a: [1, 2\nb: 3", "f.yaml:1:4: not valid YAML: this '[' is never closed, or a ',' is missing"),
        (
            "a: {b: ${X}}",
            (
                "f.yaml:1:4: not valid YAML: this '{' is never closed, or a ',' is missing"
                ' (quote a value that holds ${…}: "${…}")'
            ),
        ),
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: the key 'a' stands twice in one mapping, first at f.yaml:1:1"),
        ("a: !!int 3", "f.yaml:1:4: tags are not supported (leave out !!int)"),
        ("a: !x 3", "f.yaml:1:4: tags are not supported (leave out !x)"),
        ("a: *b", "f.yaml:1:4: no anchor &b stands before this"),
        ("a: &a [*a]", "f.yaml:1:8: no anchor &a stands before this"),
        ("a: {<<: {b: 1}}", "f.yaml:1:5: merge keys (<<) are not supported (write the keys out)"),
        ("404: x", 'f.yaml:1:1: a key must be text, not 404 (write "404")'),
        ("? [a]\n: x", "f.yaml:1:3: a key must be text"),
        ("a: 1\n---\nb: 2", "f.yaml:2:1: a config is one document, and here a second one begins"),
        ("[" * 1000, "f.yaml:1:34: nested deeper than 32 levels"),
        (LAUGHS, "f.yaml:5:11: more than 20,000 values, which no config has"),
    ],
)
def test_what_is_refused(document: str | bytes, told: str) -> None:
    mistakes = Mistakes()
    parse_yaml(document, "f.yaml", mistakes)
    assert [str(mistake) for mistake in mistakes.found] == [told]


def test_several_mistakes_are_told_at_once() -> None:
    mistakes = Mistakes()
    node = parse_yaml("a: !x 1\na: 2\n3: 4\nb: 5", "f.yaml", mistakes)
    assert node is not None
    assert plain(node) == {"a": "1", "b": 5}  # in which more mistakes may be found
    assert [mistake.place for mistake in mistakes.found] == ["f.yaml:1:4", "f.yaml:2:1", "f.yaml:3:1"]


@pytest.mark.slow
@settings(deadline=None, max_examples=200)
@given(st.binary() | st.text() | st.text(alphabet="ab:-[]{}&*!|>'\"%@`#? \n\t\r,"))
def test_no_data_raises(data: bytes | str) -> None:
    mistakes = Mistakes()
    node = parse_yaml(data, "f.yaml", mistakes)
    assert node is not None or mistakes.found


# PyYAML writes YAML 1.1, where `0E0` is text and needs no quotes.
TEXTS = st.text().filter(lambda text: not isinstance(resolve_plain(text), float))
VALUES = st.recursive(
    TEXTS | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=20,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(VALUES)
def test_what_a_dumper_writes_is_read_back(value: object) -> None:
    text = yaml.safe_dump({"key": value})
    mistakes = Mistakes()
    node = parse_yaml(text, "f.yaml", mistakes)
    if not mistakes:
        assert node is not None
        assert plain(node) == {"key": value}
    # else a key that is `<<`, or that is not printable, needs what is refused on purpose
