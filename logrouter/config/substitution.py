"""`${VAR}`, `${VAR:-default}`, `${VAR:?message}`, `${file:/run/secrets/x}`, `${credential:x}` in a document's scalars.

Done after parsing, so that a value can never become structure; before typing, so that it can become a number.
In a URL each value enters one component, percent-encoded: `x@evil.example:443/#` stays a (bad) host name.
Only a value that is `${X}` alone may be a whole URL. `$${` stands for a literal `${`.

`${credential:x}` is `${file:…}` of the file x that systemd gives a service in $CREDENTIALS_DIRECTORY (systemd.exec(5)).

A value that holds anything out of a file is a Secret, and stays one as long as it is config, so that it is masked
wherever config is shown. Where it may stand, the option's type says (`conversion`); anywhere else it is a mistake:

- `Secret`: an option that is always secret (`password`, `key` …).
- `MaybeSecret`: one that is shown, unless its value came out of a file: the values of `resource`. Events get the text
  itself (`assembly`); what a sink names things by must not be made from it (`Sink.names_by`).
- In a URL the user, the password and each value of the query become options, and those that hold something out of a
  file are secret. A URL that is `${file:…}` alone is secret as a whole: so is all that it becomes (`urls`).

Variables and flags are not substituted: the shell has done that, and a password may hold `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from logrouter.config.files import read_secret
from logrouter.config.mistakes import Mistakes
from logrouter.config.nodes import Node, Origin, Path, dotted, is_utf8, resolve_plain
from logrouter.values import MASK, Secret

_REFERENCE = r"\$\$\{|\$\{([^{}]*)\}|\$\{"
_SECRET = ("${file:", "${credential:")
_VARIABLE = r"(?s)([A-Za-z_][A-Za-z0-9_]*)(?::([-?])(.*))?"


class _Piece(msgspec.Struct, frozen=True):
    """What one reference is replaced by."""

    value: str
    via: str
    """The reference as it is shown; empty for a literal `${`."""

    @property
    def is_secret(self) -> bool:
        return self.via.startswith(_SECRET)


_UNFILLED = _Piece("", "")


class Substitution:
    """Fills in one config's references."""

    def __init__(self, environ: Mapping[str, str], mistakes: Mistakes) -> None:
        self._environ = environ
        self._mistakes = mistakes

    def fill(self, node: Node, path: Path = ()) -> Node:
        """The node with all references filled in; what cannot be is a mistake, becomes empty, and is `unfilled`."""
        if isinstance(node.value, dict):
            value = {key: self.fill(item, (*path, key)) for key, item in node.value.items()}
            return Node(value, node.origin, node.key_origin)
        if isinstance(node.value, list):
            return Node(
                [self.fill(item, (*path, str(i))) for i, item in enumerate(node.value)], node.origin, node.key_origin
            )
        if isinstance(node.value, str) and "${" in node.value:
            return self._fill_scalar(node, path)
        return node

    def _fill_scalar(self, node: Node, path: Path) -> Node:
        encode = _is_url(path) and not re.fullmatch(_REFERENCE, node.value)
        pieces: list[_Piece] = []
        exact = True
        for match in re.finditer(_REFERENCE, node.value):
            try:
                pieces.append(self._piece(match, encode))
            except ValueError as error:
                place = node.origin.place_at(node.value, match.start()) if exact else node.origin.place
                exact = False  # finding a character costs as much as the scalar is long: for the first only
                self._mistakes.add(place, f"{dotted(path)}: {error}")
                pieces.append(_UNFILLED)
        return _filled(node, pieces)

    def _piece(self, match: re.Match[str], encode: bool) -> _Piece:
        if match[0] == "$${":
            return _Piece("${", "")
        value = self._value(match[1])
        return _Piece(_encoded(value) if encode else value, _name_only(match[0]))

    def _value(self, inside: str | None) -> str:
        """What `${inside}` stands for. Raises ValueError with what is wrong."""
        if inside is None:
            raise ValueError("this '${' is never closed; write $${ for a literal one")
        if inside.startswith("file:"):
            return read_secret(inside.removeprefix("file:"))
        if inside.startswith("credential:"):
            return self._credential(inside.removeprefix("credential:"))
        match = re.fullmatch(_VARIABLE, inside)
        if match is None:
            raise ValueError(f"expected a variable's name in '${{{inside}}}'; write $${{ for a literal '${{'")
        name, operator, rest = match.groups()
        value = self._environ.get(name)
        if value is not None and not is_utf8(value):
            raise ValueError(f"the variable {name} is not UTF-8")
        if operator == "-":
            return value or rest
        if operator == "?" and not value:
            raise ValueError(f"the variable {name} is not set{f': {rest}' if rest else ''}")
        if value is None:
            raise ValueError(f"the variable {name} is not set; write ${{{name}:-}} where it may be missing")
        return value

    def _credential(self, name: str) -> str:
        """What systemd gave us under this name. Raises ValueError with what is wrong."""
        folder = self._environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise ValueError(f"there are no credentials: CREDENTIALS_DIRECTORY is not set, so {name!r} cannot be read")
        if name in ("", ".", "..") or "/" in name:
            raise ValueError(f"expected the name of a credential, not {name!r}")
        return read_secret(f"{folder}/{name}")


def _filled(node: Node, pieces: Sequence[_Piece]) -> Node:
    """The node with its references replaced by these."""
    text = _joined(node.value, [piece.value for piece in pieces])
    via = " ".join(piece.via for piece in pieces if piece.via)
    origin = Origin(node.origin.place, via, unfilled=_UNFILLED in pieces)
    if any(piece.is_secret for piece in pieces):
        shape = _joined(node.value, [MASK if piece.is_secret else piece.value for piece in pieces])
        return Node(Secret(text), origin, node.key_origin, Secret(text), shape=shape)
    value = resolve_plain(text) if node.style == "plain" and not origin.unfilled else text
    return Node(value, origin, node.key_origin, text, node.style)


def _joined(text: str, values: Sequence[str]) -> str:
    left = iter(values)
    return re.sub(_REFERENCE, lambda match: next(left), text)


def _is_url(path: Path) -> bool:
    """Sinks and sources are URLs, or have options that are."""
    if len(path) < 2 or path[0] not in ("sinks", "sources"):
        return False
    return len(path) == 2 or path[-1] == "url" or path[-1].endswith("_url")


def _name_only(reference: str) -> str:
    """`${VAR:-default}` as `${VAR}`, for showing where a value came from."""
    if reference.startswith(_SECRET):
        return reference
    return f"${{{reference[2:-1].partition(':')[0]}}}"


def _encoded(value: str) -> str:
    """For one component of a URL."""
    from urllib.parse import quote

    return quote(value, safe="")
