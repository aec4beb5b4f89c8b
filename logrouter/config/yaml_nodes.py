"""YAML to nodes, strictly: the part of YAML 1.2 on which everybody agrees.

Built from parser events, not from the loader's objects: so that depth and the growth of aliases are bounded,
keys are checked where they stand, and `on`, `012` and dates stay the text they are. Tags, merge keys and a
second document are refused; an alias is fine. PyYAML is imported on first use only: a start without a config
file does not pay for it.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import Any

from logrouter.config.mistakes import Mistakes, printable
from logrouter.config.nodes import MAX_DEPTH, Node, Origin, ScalarSource, place, resolve_plain

MAX_BYTES = 2**20
"""1 MiB: a thousand times an ordinary config, and read in about a second."""
_MAX_NODES = 20_000
"""After aliases: what a document of MAX_BYTES rarely reaches, and a "billion laughs" does at once."""

_UNPRINTABLE = "[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
"""What is no `c-printable` (YAML 1.2.2, 5.1). Letter for letter as PyYAML has it: compiling it takes 8 ms, and `re`
remembers it."""

_COLON = "a ':' is not allowed here"
_QUOTE_COLON = "quote a value that holds ': ' or ends with ':', as the URL \"stdout:\" does"
_SYNTAX: tuple[tuple[str, str, str | None], ...] = (
    ("mapping values are not allowed", _COLON, _QUOTE_COLON),
    ("found unexpected ':'", _COLON, _QUOTE_COLON),
    ("while scanning a quoted scalar", "this quote is never closed", None),
    ("expected ',' or '}'", "this '{' is never closed, or a ',' is missing", None),
    ("expected ',' or ']'", "this '[' is never closed, or a ',' is missing", None),
    ("sequence entries are not allowed", "a list item ('- ') is not allowed here", "check the indentation"),
    ("did not find expected key", "this does not fit what stands above it", "check indentation and quotes"),
    ("expected <block end>", "this does not fit what stands above it", "check indentation and quotes"),
    ("did not find expected '-'", "this does not fit the list above it", "check the indentation"),
    ("could not find expected ':'", "a ':' is missing after this key", "check indentation and quotes"),
    ("node content", "a value is missing here", None),
    ("tab character", "a tab cannot indent", "use spaces"),
)
"""What the parser says, what we say, and a hint. Both parsers of PyYAML, C and Python, are in it."""

_OPENED = ("this quote", "this '{'", "this '['")
"""Problems that are told at what was opened, not where the end was missed."""


class _Refused(Exception):
    """The document cannot be read further; the mistake has been added."""


def parse_yaml(data: bytes | str, name: str, mistakes: Mistakes) -> Node | None:
    """The node of a document, without what is wrong in it; None where it cannot be read. Never raises for any data.

    `name` is a file's or a variable's, as places show it.
    """
    text = _decode(data, name, mistakes)
    if text is None:
        return None
    import yaml

    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        return _Builder(yaml.parse(text, Loader=loader), text, name, mistakes).document()
    except yaml.MarkedYAMLError as error:
        _add_syntax(error, text, name, mistakes)
    except yaml.YAMLError as error:
        mistakes.add(name, f"not valid YAML: {str(error).splitlines()[0]}")
    except _Refused:
        pass
    return None


def _decode(data: bytes | str, name: str, mistakes: Mistakes) -> str | None:
    if len(data) > MAX_BYTES:
        mistakes.add(name, "larger than 1MiB, which no config is")
        return None
    try:
        text = data.removeprefix(BOM_UTF8).decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError as error:
        valid = error.object[: error.start].decode("utf-8", "replace")
        where = place(name, valid, len(valid))
        mistakes.add(where, f"not UTF-8: byte 0x{error.object[error.start]:02x} cannot stand here")
        return None
    if bad := re.search(_UNPRINTABLE, text):
        mistakes.add(place(name, text, bad.start()), f"the character U+{ord(bad[0]):04X} is not allowed in YAML")
        return None
    return text


def _add_syntax(error: Any, text: str, name: str, mistakes: Mistakes) -> None:
    """Say in plain words what the parser stumbled over."""
    mark = error.problem_mark or error.context_mark
    said = f"{error.context or ''} {error.problem or ''}".strip()
    problem, hint = _plain_words(said, text[mark.index : mark.index + 1])
    if problem.startswith(_OPENED) and error.context_mark:
        mark = error.context_mark
    line_end = text.find("\n", mark.index)
    if "${" in text[text.rfind("\n", 0, mark.index) + 1 : line_end if line_end >= 0 else len(text)]:
        hint = 'quote a value that holds ${…}: "${…}"'
    mistakes.add(f"{name}:{mark.line + 1}:{mark.column + 1}", f"not valid YAML: {problem}", hint)


def _plain_words(said: str, character: str) -> tuple[str, str | None]:
    if "cannot start any token" in said:
        if character == "\t":
            return "a tab cannot indent", "use spaces"
        return f"a value cannot begin with {character!r}", "quote it"
    for words, problem, hint in _SYNTAX:
        if words in said:
            return problem, hint
    return said, None


class _Builder:
    """Turns one document's events into nodes."""

    def __init__(self, events: Iterator[Any], text: str, name: str, mistakes: Mistakes) -> None:
        import yaml

        self._yaml: Any = yaml
        self._events = events
        self._text = text
        self._name = name
        self._mistakes = mistakes
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0

    def document(self) -> Node:
        """The one document there is."""
        next(self._events)  # the stream's start
        event = next(self._events)
        if isinstance(event, self._yaml.StreamEndEvent):
            self._refuse(event, "empty: there is no setting in it")
        node = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        event = next(self._events)
        if not isinstance(event, self._yaml.StreamEndEvent):
            self._refuse(event, "a config is one document, and here a second one begins")
        return node

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, self._yaml.AliasEvent):
            return self._alias(event)
        before = self._count
        self._grow(event, 1)
        if depth > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag not in (None, "!"):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._add(event, "tags are not supported", f"leave out {printable(tag)}")
        if isinstance(event, self._yaml.ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, self._yaml.MappingStartEvent):
            node = Node(self._mapping(depth), self._origin(event))
        else:
            node = Node(self._items(depth), self._origin(event))
        if event.anchor:
            self._anchors[event.anchor] = (node, self._count - before)
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self._anchors:
            self._refuse(event, f"no anchor &{event.anchor} stands before this")
        node, size = self._anchors[event.anchor]
        self._grow(event, size)
        return node

    def _grow(self, event: Any, by: int) -> None:
        self._count += by
        if self._count > _MAX_NODES:
            self._refuse(event, f"more than {_MAX_NODES:,} values, which no config has")

    def _scalar(self, event: Any) -> Node:
        text: str = event.value
        is_plain = event.style in (None, "") and event.tag is None
        source = ScalarSource(self._name, self._text, event.start_mark.index, event.end_mark.index)
        origin = Origin(self._place(event), source=source)
        value = resolve_plain(text) if is_plain else text
        return Node(value, origin, text=text, style="plain" if is_plain else "quoted")

    def _items(self, depth: int) -> list[Node]:
        items = []
        while not isinstance(event := next(self._events), self._yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return items

    def _mapping(self, depth: int) -> dict[str, Node]:
        mapping: dict[str, Node] = {}
        merged: dict[str, Node] = {}
        while not isinstance(event := next(self._events), self._yaml.MappingEndEvent):
            key = self._key(event, depth)
            value = self._node(next(self._events), depth + 1)
            if key is None:
                if self._is_merge_key(event):
                    merged |= _merged_keys(value)
                continue
            if key in mapping:
                first = mapping[key].place_of_key.place
                self._add(event, f"the key {key!r} stands twice in one mapping, first at {first}")
                continue
            mapping[key] = Node(value.value, value.origin, self._origin(event), value.text, value.style)
        return {**merged, **mapping}

    def _is_merge_key(self, event: Any) -> bool:
        """Whether a key that is none is `<<`."""
        return isinstance(event, self._yaml.ScalarEvent) and event.value == "<<"

    def _key(self, event: Any, depth: int) -> str | None:
        """A key's text, or None when it is no key (the mistake has been added)."""
        node = self._node(event, depth + 1)
        if not node.is_scalar:
            self._add(event, "a key must be text")
            return None
        if not isinstance(node.value, str):
            self._add(event, f"a key must be text, not {node.text or 'empty'}", f'write "{node.text}"')
            return None
        if node.value == "<<" and node.style == "plain":
            self._add(event, "merge keys (<<) are not supported", "write the keys out")
            return None
        return node.value

    def _place(self, event: Any) -> str:
        return f"{self._name}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"

    def _origin(self, event: Any) -> Origin:
        return Origin(self._place(event))

    def _add(self, event: Any, problem: str, hint: str | None = None) -> None:
        self._mistakes.add(self._place(event), problem, hint)

    def _refuse(self, event: Any, problem: str) -> Any:
        self._add(event, problem)
        raise _Refused


def _merged_keys(node: Node) -> dict[str, Node]:
    """What `<<` was to add. It is refused, and done all the same: else these keys would be told as missing."""
    merged: dict[str, Node] = {}
    for item in node.value if isinstance(node.value, list) else [node]:
        merged |= item.value if isinstance(item.value, dict) else {}
    return merged
