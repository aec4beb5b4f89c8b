"""What every source of configuration is turned into before it means anything: a tree of nodes.

A file, a variable, a flag and a default all make the same nodes, and each node knows its origin. So every
mistake can name its place, and `logrouter config` can tell where each value came from.

    Node ── value    a scalar, {key: Node} or [Node]
         ├─ origin   where the value stands: `logrouter.yaml:12:5`, `LOGROUTER_SINK_ES__MATCH`, `--match errors=…`
         └─ text     a scalar as it was written: `1.10` is also the text "1.10", where text is wanted

Nodes are never changed once made: YAML aliases share them.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from logrouter.values import Secret

Path: TypeAlias = tuple[str, ...]
"""Where a node stands in the configuration: `("sinks", "errors", "match")`."""

MAX_DEPTH = 32
"""Of a tree: what walks it may recurse."""

Style: TypeAlias = Literal["plain", "quoted", "text"]
"""How a scalar was written. `text` is a variable's, a flag's or a URL's: it is YAML only for a list or mapping."""


class ScalarSource(msgspec.Struct, frozen=True):
    """The characters of a YAML document that make up one scalar: `document[start:end]`."""

    name: str
    document: str
    start: int
    end: int

    def __repr__(self) -> str:
        return f"ScalarSource({self.name!r}, {self.start}, {self.end})"  # the document may hold a password

    @property
    def ends_at_comment(self) -> bool:
        """Whether a comment follows it on its line."""
        return re.compile(r"[ \t]+#").match(self.document, self.end) is not None

    def place_at(self, value: str, column: int) -> str | None:
        """The place of the character `value[column]`, or None where escapes hide it.

        A scalar folds and indents its lines, but it keeps what is not white space, in order. So the n-th
        such character of the value is the n-th of the document's.
        """
        raw = self.document[self.start : self.end]
        quote = raw[:1]
        if (quote == '"' and "\\" in raw) or (quote == "'" and "''" in raw[1:-1]):
            return None
        header = raw.find("\n") + 1 if quote in ("|", ">") else int(quote in ("'", '"'))
        body = raw[header : len(raw) - int(quote in ("'", '"'))]
        return place(self.name, self.document, self.start + header + _matching_index(body, value, column))


def _matching_index(body: str, value: str, column: int) -> int:
    """The index in `body` of the character that is `value[column]`, both read without white space."""
    inked = [index for index, character in enumerate(body) if not character.isspace()]
    before = sum(not character.isspace() for character in value[:column])
    if before < len(inked):
        return inked[before]
    return inked[-1] + 1 if inked else 0


def place(name: str, document: str, index: int) -> str:
    """`name:line:column` of a character, both counted from 1."""
    line_start = document.rfind("\n", 0, index) + 1
    return f"{name}:{document.count(chr(10), 0, index) + 1}:{index - line_start + 1}"


class Origin(msgspec.Struct, frozen=True):
    """Where a value came from."""

    place: str
    via: str = ""
    """What was substituted into it there: `${POD_NAME}`."""
    source: ScalarSource | None = None
    """The scalar's own characters, while its text still is exactly these."""
    unfilled: bool = False
    """Whether a reference in it could not be filled in. That is told; what else is wrong with it only follows."""

    def place_at(self, value: str, column: int) -> str:
        """The place of one character of the value, as exactly as it can be known."""
        return (self.source and self.source.place_at(value, column)) or self.place

    def __str__(self) -> str:
        return f"{self.place} {self.via}" if self.via else self.place


DEFAULT = Origin("default")
"""The origin of what nobody set."""


class Node(msgspec.Struct, frozen=True, eq=False):
    """A value and where it came from."""

    value: Any
    """str, int, float, bool, None, `dict[str, Node]` or `list[Node]`."""
    origin: Origin
    key_origin: Origin | None = None
    """Where the key stands of which this is the value."""
    text: str | None = None
    """A scalar as written; None for a mapping or a list."""
    style: Style = "quoted"
    shape: str = ""
    """Of a secret: its text with MASK for what came out of files. It tells which parts of a URL are secret."""

    @property
    def place_of_key(self) -> Origin:
        """Where its key stands; where the value stands, if it has none."""
        return self.key_origin or self.origin

    @property
    def is_scalar(self) -> bool:
        """Whether it is a single value: text, a number, a boolean, nothing."""
        return not isinstance(self.value, dict | list)

    @property
    def ends_at_comment(self) -> bool:
        """Whether a ` #` in YAML may have cut it short."""
        return self.style == "plain" and self.origin.source is not None and self.origin.source.ends_at_comment

    @property
    def secret(self) -> bool:
        """Whether something of it came out of a file of secrets: it is never shown."""
        return isinstance(self.value, Secret)


def text_node(text: str, place: str) -> Node:
    """A variable's or a flag's value: text, until the option's type says what it is."""
    return Node(text, Origin(place), text=text, style="text")


def is_utf8(value: str) -> bool:
    """Whether a variable or a flag, of which Python keeps any bytes, is text."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def node_of(value: Any, origin: Origin, style: Style = "quoted") -> Node:
    """Wrap a plain value, all of it at one origin."""
    if isinstance(value, Node):
        return value
    if isinstance(value, dict):
        return Node({key: node_of(item, origin, style) for key, item in value.items()}, origin)
    if isinstance(value, list | tuple):
        return Node([node_of(item, origin, style) for item in value], origin)
    return Node(value, origin, text=scalar_text(value), style=style)


def plain(node: Node) -> Any:
    """A node's value without its origins."""
    if isinstance(node.value, dict):
        return {key: plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return resolve_plain(node.value) if node.style == "text" and isinstance(node.value, str) else node.value


def rewrap(value: Any, node: Node) -> Node:
    """Give the parts of a plain value, made out of `plain(node)`, their origins back.

    What equals the node is the node; a key keeps the origin it has there; the rest stands at the node's place.
    """
    original = plain(node)
    if _same(value, original):
        return node
    if isinstance(value, dict):
        known = node.value if isinstance(node.value, dict) else {}
        wrapped = {
            key: node if _same(item, original) else rewrap(item, known.get(key, node)) for key, item in value.items()
        }
        return Node(wrapped, node.origin)
    return node_of(value, replace(node.origin, source=None))


def _same(value: Any, original: Any) -> bool:
    return value is original or (type(value) is type(original) and bool(value == original))


def holder_of(node: Node, text: str) -> Node | None:
    """The scalar under the node that holds exactly this text, or the value of the key that does."""
    if node.is_scalar:
        return node if node.text == text else None
    items = node.value.items() if isinstance(node.value, dict) else ((None, item) for item in node.value)
    for key, item in items:
        if key == text:
            return Node(text, item.place_of_key, text=text)
        if found := holder_of(item, text):
            return found
    return None


def dotted(path: Path) -> str:
    """A path as messages show it. Control characters are escaped: a config must not drive a terminal."""
    return ".".join(part if part.isprintable() else repr(part)[1:-1] for part in path)


_INTEGER = r"[-+]?(?:0|[1-9][0-9]*)"
_FLOAT = r"[-+]?(?:0|[1-9][0-9]*|(?=\.[0-9]))(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_INTEGER_DIGITS = 4000
"""Beyond it Python refuses to read an integer (4300 by default)."""


def resolve_plain(text: str) -> str | int | float | bool | None:
    """What an unquoted YAML scalar means: the core schema of YAML 1.2, decimal numbers only.

    `on`, `yes`, `012`, `0x1f`, `1:30`, `.inf` and dates stay text.
    """
    if text in _WORDS:
        return _WORDS[text]
    if re.fullmatch(_INTEGER, text) and len(text) < _INTEGER_DIGITS:
        return int(text)
    if re.fullmatch(_FLOAT, text) and isfinite(number := float(text)):
        return number
    return text


def scalar_text(value: Any) -> str:
    """A scalar as YAML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value  # as it is: the `str` of a secret is its mask
    return "null" if value is None else str(value)
