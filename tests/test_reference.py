"""Reference pages are fresh, and made as they should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from logrouter import component, reference
from logrouter.rules import Rule
from logrouter.values import Duration, MaybeSecret, Secret, Size

DOCS = Path(__file__).parent.parent / "docs"
COMPONENTS = [(kind, name) for kind in reference.KINDS for name in component.names(kind)]


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_pages_are_fresh(kind, name):
    """If not: `python -m logrouter.reference docs`."""
    path = DOCS / kind / f"{name}.md"
    assert path.exists(), "write it by: python -m logrouter.reference docs"
    assert path.read_text(encoding="utf-8") == reference.page(kind, name)


@pytest.mark.parametrize("kind", reference.KINDS)
def test_no_page_is_left_of_what_is_gone(kind):
    assert {path.stem for path in (DOCS / kind).glob("*.md")} <= set(component.names(kind))


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_every_option_is_documented(kind, name):
    for option in reference.options(component.load(kind, name).Config):
        assert option.text.strip(), f"{kind}/{name}: {option.name} has no docstring"


class Base(msgspec.Struct, kw_only=True):
    when: Rule | None = None
    """Which."""


class Own(Base, kw_only=True):
    count: int
    """How many,
    over two lines."""
    age: Duration = Duration(3600)
    """How old | at most."""
    size: Size | Literal["never"] = Size(1024)
    """How large."""
    names: tuple[str, ...] = ("a", "b")
    """Which names."""
    labels: dict[str, Any] = {}
    """Which labels."""
    token: Secret | None = None
    """What opens it."""
    way: Literal["in", "out"] = msgspec.field(default="in", name="with")
    """How."""
    undocumented: bool = False


def test_options():
    assert reference.options(Own) == [
        ("count", "whole number", "needed", "How many,\n    over two lines."),
        ("age", "duration, such as `25s`", "`1h`", "How old | at most."),
        ("size", "size, such as `16MiB` or `never`", "`1KiB`", "How large."),
        ("names", "list of texts", "`[a, b]`", "Which names."),
        ("labels", "mapping of names to values of any kind", "`{}`", "Which labels."),
        ("token", "text, kept secret", "", "What opens it. `token_file` names a file to read it from."),
        ("with", "`in` or `out`", "`in`", "How."),
        ("undocumented", "true or false", "`false`", ""),
        ("when", "rule", "", "Which."),
    ]


class Parts(msgspec.Struct, frozen=True):
    size: int = 3
    """How large."""
    key: Secret | None = None
    """Which. `key_file` names its file."""


class Whole(Own, kw_only=True):
    """What is its own."""

    parts: Parts = Parts()
    """Which parts."""


def test_a_structure_is_followed_by_its_parts_and_what_is_inherited_comes_last():
    (_, own), (_, inherited), (title, last) = reference.groups(Whole)
    assert own == [
        ("parts", "mapping", "", "Which parts."),
        ("parts.size", "whole number", "`3`", "How large."),
        ("parts.key", "text, kept secret", "", "Which. `key_file` names its file."),
    ]
    assert inherited == reference.options(Own)[:-1]
    assert (title, last) == ("Base", reference.options(Base))


def test_table():
    listed = [reference.Option("a", "text", "", "One | two\n    three.")]
    assert reference.table(listed).splitlines()[2] == "| `a` | text |  | One \\| two three. |"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (list[int], "list of whole numbers"),
        (Sequence[Rule], "list of rules"),
        (Mapping[str, float], "mapping of names to numbers"),
        (int | Literal["a", "b"], "whole number or `a` or `b`"),
        (Base, "mapping"),
        (MaybeSecret | None, "text"),
        (dict[str, MaybeSecret], "mapping of names to texts"),
    ],
)
def test_type_words(kind, words):
    assert reference.type_words(kind) == words


def test_blocks_and_examples():
    text = """Title.

    - set: {a: 1}
    < {}
    > {"a": 1}

    drawing

    of two parts

Text.
"""
    assert len(reference.blocks(text)) == 3
    assert reference.examples("    - x\n\n    - y\n    < 1\n    > 2\n    < 3\n    > (discarded)") == [
        reference.Example("- x\n\n- y", (("1", "2"), ("3", "(discarded)")))
    ]
    assert reference.examples("    - x\n    < 1\n    > 2\n    > 3\n    < 4\n    > 5") == [
        reference.Example("- x", (("1", "2\n3"), ("4", "5")))
    ]


def test_pages_are_written_into_a_folder(tmp_path):
    assert reference.main([str(tmp_path)]) == 0
    assert {path.stem for path in (tmp_path / "steps").iterdir()} == set(component.names("steps"))
    assert reference.main([]) == 2
