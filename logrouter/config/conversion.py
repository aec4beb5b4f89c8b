"""Nodes to the typed structures of `Config` classes, by their annotations.

msgspec's own conversion stops at the first error and knows nothing of places. This one goes on, field by field,
and adds a mistake for each thing that is wrong. What it cannot convert is WRONG, and so is all that holds it.

Understood: str int float bool Any, Literal, unions, lists, tuples, mappings, structs, `Annotated[…, Meta]`, and
every class with a `parse(text)`. For a field `x: Secret` the key `x_file` names a file to read it from; a `CodeFile` is
read as well. What came out of `${file:…}` is taken by `Secret` and `MaybeSecret` alone.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from logrouter import component
from logrouter.component import Kind
from logrouter.config.assignments import parse_text
from logrouter.config.files import read_code, read_secret
from logrouter.config.kinds import LISTS, MAPPINGS, fields_of, is_secret, members_of, other_words, rank_of
from logrouter.config.mistakes import Mistakes, shown
from logrouter.config.nodes import Node, Origin, Path, dotted, holder_of, plain, rewrap
from logrouter.config.scalars import ScalarError, read_bool, read_float, read_int, read_literal, read_parsed, read_str
from logrouter.config.words import hint_for, meant_by
from logrouter.errors import ExpressionError, PluginError, SeveralErrors
from logrouter.parsing import Parse
from logrouter.values import CodeFile, Secret


class _Wrong:
    def __repr__(self) -> str:
        return "WRONG"


WRONG: Final = _Wrong()
"""What could not be converted; its mistake has been added."""

_SCALARS = {bool: read_bool, int: read_int, float: read_float, str: read_str}


class Converter:
    """Converts one config, and remembers where each value came from."""

    def __init__(self, mistakes: Mistakes) -> None:
        self.mistakes = mistakes
        self.plugins = True
        """Whether other packages are asked for what is not built in."""
        self.origins: dict[Path, Origin] = {}
        """Of every value that was set."""

    def convert(self, node: Node, kind: Any, path: Path) -> Any:
        """The node as `kind`, or WRONG."""
        self.origins[path] = node.origin
        if node.origin.unfilled:
            return WRONG
        if node.secret:
            return self._secret(node, kind, path)
        origin = get_origin(kind)
        if kind is Parse:
            return self._parse(node, path)
        if kind is Any or kind is object:
            return self._any(node, path)
        if origin is Union or isinstance(kind, types.UnionType):
            return self._union(node, get_args(kind), path)
        if origin is Annotated:
            return self._annotated(node, kind, path)
        if (origin or kind) in LISTS:
            return self._list(node, kind, path)
        if (origin or kind) in MAPPINGS:
            return self._mapping(node, kind, path)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and not hasattr(kind, "parse"):
            return self.struct(node, kind, path)
        return self._scalar(node, kind, path)

    def known(self, kind: Kind, wanted: str | None) -> tuple[str, ...]:
        """The components there are; others than the built-in ones are looked for only where they are wanted."""
        built_in = component.names(kind)
        if wanted is None or wanted in built_in or not self.plugins:
            return built_in
        return tuple(sorted({*built_in, *component.plugins(kind)}))

    def load(self, kind: Kind, name: str, node: Node, path: Path) -> Any | None:
        """A component's class, or None after adding the mistake."""
        try:
            return component.load(kind, name)
        except PluginError as error:
            self.mistakes.add(node.origin, f"{dotted(path)}: {error}")
            return None

    def refuses_secret(self, node: Node, path: Path) -> bool:
        """Whether the value is a secret, where what stands is shown. If so, adds the mistake."""
        if node.secret:
            problem = f"{dotted(path)}: what a file holds is secret, and this is shown by `config` and in errors"
            self.mistakes.add(node.origin, problem, "use ${VAR} here; a secret goes into an option such as password")
        return node.secret

    def _secret(self, node: Node, kind: Any, path: Path) -> Any:
        """What came out of a file of secrets, for an option that keeps it secret."""
        for member in members_of(kind):
            if is_secret(member):
                return self._scalar(node, member, path)
        self.refuses_secret(node, path)
        return WRONG

    def struct(
        self, node: Node, struct: Any, path: Path, ignored: Sequence[str] = (), make: Callable[[Any], Any] | None = None
    ) -> Any:
        """A mapping as a struct, or as what `make` makes of that; keys in `ignored` are somebody else's."""
        keys = self.keys(node, path)
        if keys is None:
            return WRONG
        fields = fields_of(struct)
        values: dict[str, Any] = {}
        for key, item in keys.items():
            if key in fields:
                values[fields[key].name] = self.convert(item, fields[key].type, (*path, key))
            elif (base := key.removesuffix("_file")) != key and base in fields and is_secret(fields[base].type):
                values.update({fields[base].name: self._secret_file(item, keys, base, path)})
            elif key not in ignored:
                self.unknown(key, item, path, [*fields, *ignored])
                values[key] = WRONG
                if meant := meant_by(key, fields):
                    values.setdefault(fields[meant].name, WRONG)  # nobody is told that this is missing
        self._require(node, fields, values, path)
        return self._construct(node, struct, values, path, make)

    def keys(self, node: Node, path: Path, known: Iterable[str] = ()) -> dict[str, Node] | None:
        """The mapping that the node is (a variable may hold it as YAML), or None after adding the mistake. `known`: the
        keys that it may have."""
        if node.style == "text" and isinstance(node.value, str):
            parsed = parse_text(node, self.mistakes)
            if parsed is None:
                return None
            node = parsed
        if node.value is None:
            return {}
        if isinstance(node.value, dict):
            return node.value
        hint = f"with: {', '.join(sorted(known))}" if known else None
        self.mistakes.add(node.origin, f"{dotted(path)}: expected a mapping, not {shown(node)}", hint)
        return None

    def unknown(self, key: str, node: Node, path: Path, known: Sequence[str]) -> None:
        """Add the mistake that there is no such key."""
        where = f" in {dotted(path)}" if path else ""
        hint = hint_for(key, known) or (f"known are: {', '.join(sorted(known))}" if known else None)
        self.mistakes.add(node.place_of_key, f"unknown key {key!r}{where}", hint)

    def _require(self, node: Node, fields: Mapping[str, Any], values: dict[str, Any], path: Path) -> None:
        for key, field in fields.items():
            if field.required and field.name not in values:
                self.mistakes.add(node.origin, f"{dotted(path)} needs {key!r}")
                values[field.name] = WRONG

    def _construct(
        self, node: Node, struct: Any, values: dict[str, Any], path: Path, make: Callable[[Any], Any] | None
    ) -> Any:
        """Where options are wrong, it is tried with their defaults, to hear what is said of the right ones."""
        fields = fields_of(struct)
        right = {name: value for name, value in values.items() if value is not WRONG}
        if any(field.required and field.name not in right for field in fields.values()):
            return WRONG
        wrong = {key for key, field in fields.items() if values.get(field.name) is WRONG}
        try:
            config = struct(**right)
            made = make(config) if make else config
        except ValueError as error:
            told_of = {key for key, field in fields.items() if field.name in right}
            for one in error.errors if isinstance(error, SeveralErrors) else (error,):
                if len(right) == len(values) or _is_about(one, told_of, wrong, node):
                    self.complain(node, path, one)
            return WRONG
        return made if len(right) == len(values) else WRONG

    def long_form(self, options_from: Callable[[Any], Any], node: Node, path: Path) -> Node | None:
        """A component's options as a mapping, made by its `options_from` of what stands there; None after adding the
        mistake that it has found."""
        try:
            options = options_from(plain(node))
        except ValueError as error:
            self.complain(node, path, error)
            return None
        return rewrap({} if options is None else options, node)

    def complain(self, node: Node, path: Path, error: ValueError) -> None:
        """Add what a component said of its options; at the very character, if it quotes a text of them."""
        if isinstance(error, ExpressionError):
            node = holder_of(node, error.text) or node
        self.mistakes.add_value(node, dotted(path), error)

    def _secret_file(self, node: Node, keys: Mapping[str, Node], base: str, path: Path) -> Any:
        """The secret that the file named by `<base>_file` holds."""
        where = (*path, base)
        if base in keys:
            self.mistakes.add(node.place_of_key, f"{dotted(where)} and {dotted(where)}_file are both set")
            return WRONG
        self.origins[where] = node.origin
        if self.refuses_secret(node, (*path, f"{base}_file")):
            return WRONG
        try:
            return Secret.parse(read_secret(read_str(node)))
        except ValueError as error:
            self.mistakes.add(node.origin, f"{dotted(where)}_file: {error}")
            return WRONG

    def _scalar(self, node: Node, kind: Any, path: Path) -> Any:
        try:
            if kind in _SCALARS:
                return _SCALARS[kind](node)
            if kind is CodeFile:
                return read_code(read_str(node))
            if get_origin(kind) is Literal:
                return read_literal(node, kind)
            return read_parsed(node, kind)
        except ValueError as error:
            hint = error.hint if isinstance(error, ScalarError) else None
            self.mistakes.add_value(node, dotted(path), error, hint)
            return WRONG

    def _parse(self, node: Node, path: Path) -> Any:
        from logrouter.config.parsers import convert_parse

        return convert_parse(self, node, path)

    def _any(self, node: Node, path: Path) -> Any:
        if node.style == "text" and isinstance(node.value, str) and node.value[:1] in ("[", "{"):
            parsed = parse_text(node, self.mistakes)
            return WRONG if parsed is None else plain(parsed)
        if isinstance(node.value, dict):
            return self._mapping(node, dict[str, Any], path)
        return self._list(node, list[Any], path) if isinstance(node.value, list) else plain(node)

    def _annotated(self, node: Node, kind: Any, path: Path) -> Any:
        """A value within `msgspec.Meta` bounds."""
        value = self.convert(node, get_args(kind)[0], path)
        if value is WRONG:
            return WRONG
        try:
            msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            problem = (
                str(error)
                .replace("Expected `int`", "expected a number")
                .replace("Expected `float`", "expected a number")
            )
            self.mistakes.add_value(node, dotted(path), ValueError(f"{problem}, not {shown(node)}"))
            return WRONG
        return value

    def _list(self, node: Node, kind: Any, path: Path) -> Any:
        items = self.list_items(node, path)
        if items is None:
            return WRONG
        args = get_args(kind) or (Any,)
        values = [self.convert(item, args[0], (*path, str(index))) for index, item in enumerate(items)]
        if any(value is WRONG for value in values):
            return WRONG
        container = get_origin(kind) or kind
        return tuple(values) if container in (tuple, Sequence) else container(values)

    def list_items(self, node: Node, path: Path) -> list[Node] | None:
        """The list that the node is; a variable may hold it as YAML, or as `a,b`."""
        if node.style == "text" and isinstance(node.value, str):
            if node.value.lstrip()[:1] not in ("[", "-"):
                parts = [part.strip() for part in node.value.split(",")]
                return [Node(part, node.origin, text=part, style="text") for part in parts if part]
            parsed = parse_text(node, self.mistakes)
            if parsed is None:
                return None
            node = parsed
        if isinstance(node.value, list):
            return node.value
        hint = f"write [{node.text}]" if isinstance(node.value, str) and len(node.value) < 60 else None
        self.mistakes.add(node.origin, f"{dotted(path)}: expected a list, not {shown(node)}", hint)
        return None

    def _mapping(self, node: Node, kind: Any, path: Path) -> Any:
        keys = self.keys(node, path)
        if keys is None:
            return WRONG
        item_kind = (get_args(kind) or (str, Any))[1]
        values = {key: self.convert(item, item_kind, (*path, key)) for key, item in keys.items()}
        return WRONG if any(value is WRONG for value in values.values()) else values

    def _union(self, node: Node, members: Sequence[Any], path: Path) -> Any:
        """The first member that takes the node. If none does, what the likeliest one says."""
        if type(None) in members and node.value is None:
            return None
        others = [member for member in members if member is not type(None)]
        if str in others:  # MaybeSecret, and the node is none
            others = [member for member in others if not is_secret(member)]
        members = sorted(others, key=lambda member: rank_of(node, member))
        if len(members) == 1:
            return self.convert(node, members[0], path)
        told = None
        for member in members:
            trial = Converter(Mistakes())
            value = trial.convert(node, member, path)
            if value is not WRONG and not trial.mistakes:
                self.origins |= trial.origins
                return value
            told = told or trial.mistakes
        also = (
            other_words(members[1:]) if rank_of(node, members[0]) else None
        )  # 0: it has this one's shape, and no other's
        for mistake in told.found if told else ():
            self.mistakes.add(mistake.place, mistake.problem, mistake.hint or also, mistake.excerpt)
        return WRONG


def _is_about(error: ValueError, right: Set[str], wrong: Set[str], node: Node) -> bool:
    """Whether an error is about a right option, and not due to the default that stands for a wrong one.

    It begins with the option's name, or it is about the very text.
    """
    if isinstance(error, ExpressionError):
        return holder_of(node, error.text) is not None
    words = re.findall(r"\w+", str(error))
    return words[:1] != [] and words[0] in right and wrong.isdisjoint(words)
