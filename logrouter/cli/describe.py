"""`logrouter describe`: list the sources, parsers, steps and sinks there are, or the options of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from logrouter.component import Kind, load_module, names, plugins

KINDS: Final[Mapping[str, Kind]] = {"source": "sources", "parser": "parsers", "step": "steps", "sink": "sinks"}
"""What one component of a kind is called → where these are."""


def main(argv: Sequence[str]) -> int:
    """Describe one component, one kind of them, or all."""
    from logrouter.cli import _options
    from logrouter.errors import LogrouterError, nearest_or_all

    parser = _options.parser("describe", "List the components there are, or show the options of one.")
    parser.add_argument("kind", nargs="?", type=_singular, choices=[*KINDS], help="what to describe; default: all")
    parser.add_argument("name", nargs="?", help="for example `logrouter describe sink file`")
    options = parser.parse_args(argv)
    if options.name is None:
        print("\n".join(_listing([options.kind] if options.kind else [*KINDS])))
        return 0
    kind = KINDS[options.kind]
    known = (*names(kind), *plugins(kind))
    if options.name not in known:
        hint = nearest_or_all(options.name, known)
        raise LogrouterError(f"there is no {options.kind} {options.name!r}; {hint}")
    from logrouter.reference import plain_page

    print(plain_page(kind, options.name), end="")
    return 0


def _singular(kind: str) -> str:
    """The lists are headed by plurals."""
    return kind.removesuffix("s")


def _listing(kinds: Sequence[str]) -> list[str]:
    known = {kind: (*names(KINDS[kind]), *plugins(KINDS[kind])) for kind in kinds}
    width = max(len(name) for of_kind in known.values() for name in of_kind)
    lines = []
    for kind, of_kind in known.items():
        lines.append(f"{kind}s")
        for name in of_kind:
            summary = (load_module(KINDS[kind], name).__doc__ or "").splitlines()[0].replace("`", "")
            lines.append(f"  {name:<{width}}  {summary}")
    return [*lines, "", "logrouter describe KIND NAME shows the options of one"]
