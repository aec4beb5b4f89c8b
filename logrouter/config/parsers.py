"""The option `parse` of a source: a word, a parser, or a list of them."""

from __future__ import annotations

import re
from typing import Any, Final

from logrouter.config.conversion import WRONG, Converter
from logrouter.config.mistakes import shown
from logrouter.config.nodes import Node, Path, dotted, plain
from logrouter.errors import did_you_mean
from logrouter.parsers import Parser
from logrouter.parsers.auto import Auto
from logrouter.parsing import WORDS, Parse

_JSON = "json"


_LIST: Final = re.compile(r"\s*(?:\[|\w+\s*,)")
"""How a variable begins that holds a list: as YAML, or as `a,b`."""


def convert_parse(converter: Converter, node: Node, path: Path) -> Any:
    """The node as a `Parse`, or WRONG after adding its mistakes."""
    if converter.refuses_secret(node, path):
        return WRONG
    if (word := WORDS.get(node.text or "")) is not None and isinstance(node.value, str):
        return word
    if isinstance(node.value, list) or (node.style == "text" and _LIST.match(node.text or "")):
        items = converter.list_items(node, path)
    else:
        items = [node]
    if items is None:
        return WRONG
    if not items:
        converter.mistakes.add(node.origin, f"{dotted(path)}: expected at least one parser")
        return WRONG
    numbered = enumerate(items)
    parsers = [_parser(converter, item, path if item is node else (*path, str(n))) for n, item in numbered]
    if WRONG in parsers:
        return WRONG
    is_json, is_auto = items[0].text == _JSON, isinstance(parsers[0], Auto)
    return Parse(
        plain(node) if items[0] is node else [plain(item) for item in items],
        reads_json=is_json or is_auto,
        marks=not (is_auto and len(parsers) == 1),
        parsers=parsers[1:] if is_json else parsers,
    )


def _parser(converter: Converter, node: Node, path: Path) -> Parser[Any] | Any:
    entry = _entry(converter, node, path)
    if entry is None:
        return WRONG
    name, value = entry
    known = converter.known("parsers", name)
    if name in WORDS and name not in known:
        converter.mistakes.add(value.place_of_key, f"{dotted(path)}: {name} stands alone, not in a list of parsers")
        return WRONG
    if name not in known:
        hint = did_you_mean(name, (*known, *WORDS)) or f"known are: {', '.join(sorted({*known, *WORDS}))}"
        converter.mistakes.add(value.place_of_key, f"{dotted(path)}: unknown parser {name!r}", hint)
        return WRONG
    kind = converter.load("parsers", name, value, path)
    if kind is None:
        return WRONG
    options = converter.long_form(kind.options_from, value, path)
    return WRONG if options is None else converter.struct(options, kind.Config, path, make=kind)


def _entry(converter: Converter, node: Node, path: Path) -> tuple[str, Node] | None:
    """A parser's name and options."""
    if isinstance(node.value, str) and node.value[:1] != "{":
        return node.value, Node(None, node.origin)
    keys = converter.keys(node, path) if isinstance(node.value, dict | str) else None
    if keys is not None and len(keys) == 1:
        ((name, value),) = keys.items()
        return name, value
    problem = f"{dotted(path)}: expected a parser such as logfmt or {{regex: '…'}}, not {shown(node)}"
    converter.mistakes.add(node.origin, problem)
    return None
