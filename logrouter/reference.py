"""Reference pages, made from the components themselves: documentation that cannot lie.

    python -m logrouter.reference docs        writes docs/steps/*.md, docs/sinks/*.md … anew
    logrouter describe sink file              shows the same as plain text

A page is the docstring of the component's file, and tables of the options of its `Config`: their names and types, the
defaults, and the docstring under each field. What it shares with others is told after its own, class by class; an
option that is a structure is followed by its parts (`batch.size`). Indented blocks of the file's docstring stand as
they are, but for examples, which are tests as well:

    - set: {alert: true}            how it is configured
    < {"level": "error"}            an event that comes in
    > {"level": "error", "alert": true}    and as it leaves; or (discarded); several, where it becomes several
"""

from __future__ import annotations

import re
import sys
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from logrouter import component
from logrouter.component import Kind

if typing.TYPE_CHECKING:
    import ast

KINDS: tuple[Kind, ...] = ("sources", "parsers", "steps", "sinks")
DISCARDED = "(discarded)"

_WORDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    object: "any value",
    Any: "any value",
    "Duration": "duration, such as `25s`",
    "Size": "size, such as `16MiB`",
    "CodeFile": "path of a file",
    "Rate": "rate, such as `100/s`",
    "Secret": "text, kept secret",
    "Rule": "rule",
    "Template": "template",
    "KeyTemplate": "template",
    "Pattern": "regular expression",
    "Condition": "regular expression",
    "Parse": "parser, or list of parsers",
    "Language": "language",
    "Moment": "time, such as `2026-01-31T12:00:00Z`",
}
"""Types in plain words. Our own are given by name: a page about one component should not load all."""


_WIDTH = 80
_LINK = re.compile(r"\[([^]]+)\]\(([^)]+\.md)\)")
"""Characters in a line of plain text: every terminal has so many."""
_ARROWS = {"<": "in  ", ">": "out "}


class Option(NamedTuple):
    """One field of a `Config`, as a user sees it."""

    name: str
    type: str
    """In plain words."""
    default: str
    """As YAML writes it; "needed" where there is none, "" where the docstring tells what leaving it out means."""
    text: str
    """The docstring under the field."""


class Example(NamedTuple):
    """A block of a component's docstring that shows it at work."""

    config: str
    """YAML, as it stands in the config."""
    events: tuple[tuple[str, str], ...]
    """Each as it comes in, and as it leaves: a line for each event that it has become."""


def page(kind: Kind, name: str) -> str:
    """The whole reference page of a component."""
    text = component.load_module(kind, name).__doc__ or ""
    config = component.load(kind, name).Config
    (_, own), *shared = groups(config)
    parts = [
        "<!-- Made by `python -m logrouter.reference docs`: change the docstrings, not this page. -->",
        f"# {name}",
        *(_markdown(block) for block in blocks(text)),
        _recognition(kind, name),
        "## Options",
        config.__doc__ or "",
        table(own) if own else "",
        *(part for title, listed in shared for part in (f"### {title}", table(listed))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain_page(kind: Kind, name: str) -> str:
    """The same page as text for a terminal."""
    text = component.load_module(kind, name).__doc__ or ""
    config = component.load(kind, name).Config
    (_, own), *shared = groups(config)
    parts = [
        f"{kind.removesuffix('s')} {name}",
        *(_plain(block) for block in blocks(text)),
        _plain(_recognition(kind, name)),
        "options",
        _plain(config.__doc__ or ""),
        *map(_plain_option, own),
        *(part for title, listed in shared for part in (_plain(title), *map(_plain_option, listed))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _recognition(kind: Kind, name: str) -> str:
    """Of a parser, whether it need be named; of `auto`, which need not."""
    if kind != "parsers":
        return ""
    if name == "auto":
        known = [f"`{other}`" for other in component.names(kind) if component.load(kind, other).looks]
        return f"Recognised are the formats of {', '.join(known[:-1])} and {known[-1]}."
    return "`parse: auto` recognises its lines." if component.load(kind, name).looks else ""


def groups(struct: type[msgspec.Struct]) -> list[tuple[str, list[Option]]]:
    """The options that a struct describes: its own, then those of each class that it inherits from, with a title."""
    told: set[str] = set()
    found = []
    for base in _bases(struct):
        names = base.__annotations__.keys() - told
        told |= names
        if names or base is struct:
            title = (base.__doc__ or base.__name__).split("\n")[0].rstrip(".")
            found.append((title, list(_options(struct, "", names))))
    return found


def options(struct: type[msgspec.Struct]) -> list[Option]:
    """All that can be said in a struct, its own before what it inherits; a structure is followed by its parts."""
    return [option for _, listed in groups(struct) for option in listed]


def _options(struct: type[msgspec.Struct], prefix: str, names: Set[str]) -> Iterator[Option]:
    import msgspec.structs

    docs = _field_docs(struct)
    for field in msgspec.structs.fields(struct):
        if field.name in names:
            yield _option(field, docs.get(field.name, ""), prefix)
            if (parts := _structure(field.type)) is not None:
                yield from _options(parts, f"{prefix}{field.encode_name}.", set(parts.__struct_fields__))


def _bases(struct: type[Any]) -> list[type[Any]]:
    """The class and those that it inherits from, the nearest first."""
    return [base for base in struct.__mro__ if issubclass(base, msgspec.Struct) and base is not msgspec.Struct]


def _structure(kind: Any) -> type[msgspec.Struct] | None:
    """The struct whose fields are options too, where an option is one."""
    for member in get_args(kind) or (kind,):
        if isinstance(member, type) and issubclass(member, msgspec.Struct) and not hasattr(member, "parse"):
            return member
    return None


def _option(field: msgspec.structs.FieldInfo, text: str, prefix: str) -> Option:
    words = type_words(field.type)
    if words == _WORDS["Secret"] and f"{field.encode_name}_file" not in text:
        text += f" `{field.encode_name}_file` names a file to read it from."
    return Option(prefix + field.encode_name, words, _default(field, text), text)


def table(listed: Sequence[Option]) -> str:
    """A Markdown table of options."""
    rows = [(f"`{one.name}`", one.type, one.default, " ".join(one.text.split())) for one in listed]
    lines = [("option", "type", "default", "meaning"), ("---",) * 4, *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def examples(text: str) -> list[Example]:
    """The examples in a docstring."""
    return [example for block in blocks(text) if (example := _example(block)) is not None]


def blocks(text: str) -> list[str]:
    """A docstring's paragraphs and indented blocks. Blank lines inside a block do not divide it."""
    found: list[str] = []
    for paragraph in "\n".join(map(str.rstrip, text.strip("\n").splitlines())).split("\n\n"):
        if found and found[-1].startswith("    ") and paragraph.startswith("    "):
            found[-1] += "\n\n" + paragraph
        elif paragraph:
            found.append(paragraph)
    return found


def type_words(kind: Any) -> str:
    """A field's type in plain words."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return type_words(arguments[0])
    if origin in (Union, types.UnionType):
        return _either([type_words(member) for member in _said(arguments)])
    if origin is Literal:
        return _either([f"`{_yaml(choice)}`" for choice in arguments])
    plain = origin or kind
    if isinstance(plain, type) and issubclass(plain, Mapping):
        return f"mapping of names to {_plural(arguments[1])}" if arguments else "mapping"
    if isinstance(plain, type) and issubclass(plain, Iterable) and plain in (list, tuple, set, frozenset, Sequence):
        return f"list of {_plural(arguments[0])}" if arguments else "list"
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct) and plain.__name__ not in _WORDS:
        return "mapping"
    return _WORDS.get(plain) or _WORDS.get(getattr(plain, "__name__", ""), "text")


def _said(members: Sequence[Any]) -> list[Any]:
    """The members of a union that a user is told of."""
    told = [member for member in members if member is not type(None)]
    if str in told:  # a MaybeSecret is a text to those who write it
        told = [member for member in told if getattr(member, "__name__", "") != "Secret"]
    return told


def _plural(kind: Any) -> str:
    """Of the kinds that stand in lists and mappings."""
    plurals = {str: "texts", Any: "values of any kind", int: "whole numbers", float: "numbers", bool: "true or false"}
    if get_origin(kind) in (Union, types.UnionType) and str in get_args(kind):
        return _either([_plural(member) for member in _said(get_args(kind))])
    words = type_words(kind)
    return plurals.get(kind) or (f"lists{words.removeprefix('list')}" if words.startswith("list ") else f"{words}s")


def _either(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _default(field: msgspec.structs.FieldInfo, text: str) -> str:
    """As the config writes it. Nothing where there is none, where the text says what it is, or parts have their own."""
    if field.required:
        return "needed"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    is_told = value in ((), [], {}) and "Default:" in text
    return "" if value is None or is_told or _structure(type(value)) else f"`{_yaml(value)}`"


def _yaml(value: Any) -> str:
    """A default as the config writes it."""
    if isinstance(value, bool | int | float) and type(value) in (bool, int, float):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_yaml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, msgspec.Struct):
        return "{}"
    return str(value)


def _field_docs(struct: type[Any]) -> dict[str, str]:
    """The docstrings under a struct's fields, by the fields' names, from the source of its classes."""
    docs: dict[str, str] = {}
    for base in reversed(_bases(struct)):
        docs.update(_docs_in(base))
    return docs


def _docs_in(struct: type[Any]) -> Iterator[tuple[str, str]]:
    import ast

    definition = _definition(struct)
    for statement, following in zip(definition.body, definition.body[1:], strict=False):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text


def _definition(struct: type[Any]) -> ast.ClassDef:
    import ast
    from inspect import getsource
    from textwrap import dedent

    (definition,) = ast.parse(dedent(getsource(struct))).body
    assert isinstance(definition, ast.ClassDef)
    return definition


def _markdown(block: str) -> str:
    """A paragraph as it is, an example as config and events, any other indented block as it is."""
    if not block.startswith("    "):
        return block
    example = _example(block)
    if example is None:
        return f"```text\n{_dedent(block)}\n```"
    shown = "\n".join(_shown("in   ", before) + "\n" + _shown("out  ", after) for before, after in example.events)
    return f"```yaml\n{example.config}\n```\n\n```text\n{shown}\n```"


def _shown(mark: str, lines: str) -> str:
    return "\n".join((mark + line).rstrip() for line in lines.split("\n"))


def _plain(block: str, indent: str = "") -> str:
    """A paragraph wrapped, without backticks (words that need a mark get quotes), an example, or a block as it is."""
    from textwrap import fill

    if not block.startswith("    "):
        text = _LINK.sub(_named_page, " ".join(block.split()))
        text = re.sub(r"`(\w+)`", r"'\1'", text).replace("`", "").replace("**", "")
        return fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    return re.sub("^    ([<>])(?= |$)", lambda match: f"    {_ARROWS[match[1]]}", block, flags=re.MULTILINE)


def _named_page(link: re.Match[str]) -> str:
    """A link where none can be followed; one to a page of the same kind says enough by its words."""
    words, page = link.groups()
    return f"{words} (docs/{page.removeprefix('../')})" if page.startswith("../") else words


def _plain_option(option: Option) -> str:
    from textwrap import fill

    default = option.default if option.default in ("", "needed") else f"default {option.default}"
    name = f"  {option.name}   "
    head = f"{name}{'; '.join(filter(None, (option.type, default)))}".replace("`", "")
    head = fill(head, _WIDTH, subsequent_indent=" " * len(name), break_on_hyphens=False)
    return f"{head}\n{_plain(option.text, ' ' * 6)}"


def _example(block: str) -> Example | None:
    if not block.startswith("    "):
        return None
    lines = _dedent(block).split("\n")
    config = "\n".join(line for line in lines if line[:2] not in ("< ", "<", "> "))
    events = re.findall(r"^((?:<(?: .*)?\n)+)((?:> .*\n)+)", "\n".join((*lines, "")), re.MULTILINE)
    if not events or sum(before.count("\n") for before, _ in events) != sum(line[:2] in ("< ", "<") for line in lines):
        return None
    return Example(config, tuple((_unmarked(before), _unmarked(after)) for before, after in events))


def _unmarked(lines: str) -> str:
    """Lines without what marks them as an example's."""
    return "\n".join(line[2:] for line in lines.splitlines())


def _dedent(block: str) -> str:
    from textwrap import dedent

    return dedent(block)


def main(arguments: Sequence[str]) -> int:
    """Write the pages of all components into a folder."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m logrouter.reference docs", file=sys.stderr)
        return 2
    for kind in KINDS:
        for name in component.names(kind):
            path = Path(arguments[0], kind, f"{name}.md")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page(kind, name), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
