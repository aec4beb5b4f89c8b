"""`logrouter describe`: list the sources, parsers, steps and sinks there are, or the options of one."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from typing import Final

from logrouter.component import Kind, load_module, names, plugins
from logrouter.errors import LogrouterError, did_you_mean, nearest_or_all

KINDS: Final[Mapping[str, Kind]] = {"source": "sources", "parser": "parsers", "step": "steps", "sink": "sinks"}
"""What one component of a kind is called → where these are."""


def main(argv: Sequence[str]) -> int:
    """Describe one component, one kind of them, or all."""
    options = make_parser().parse_args(argv)
    kind, name = _asked_for(options.kind, options.name)
    if name is None:
        print("\n".join(_listing([kind] if kind else [*KINDS])))
        return 0
    if name not in (known := _known(kind)):
        raise LogrouterError(f"there is no {kind} {name!r}; {nearest_or_all(name, known)}")
    from logrouter.reference import plain_page

    print(plain_page(KINDS[kind], name), end="")
    return 0


def make_parser() -> ArgumentParser:
    """The parser of its words."""
    from logrouter.cli import _options

    parser = _options.parser("describe", "List the components there are, or show the options of one.")
    parser.add_argument("kind", nargs="?", metavar="KIND", help=f"{', '.join(KINDS)}; default: all")
    parser.add_argument("name", nargs="?", metavar="NAME", help="for example `logrouter describe sink file`")
    return parser


def _asked_for(word: str | None, name: str | None) -> tuple[str, str | None]:
    """A kind ("": all of them) and a name, also where the name is given alone, or first."""
    kind = (word or "").removesuffix("s")  # the lists are headed by plurals
    if not kind or kind in KINDS:
        return kind, name
    of_kinds = [kind for kind in KINDS if word in _known(kind)]
    if word is None or not of_kinds:
        raise LogrouterError(f"there is nothing called {word!r}; {_nearest(word or '')}")
    if name is not None:
        meant = kind if (kind := name.removesuffix("s")) in of_kinds else of_kinds[0]
        raise LogrouterError(f"the kind comes first: logrouter describe {meant} {word}")
    if len(of_kinds) > 1:
        which = ", ".join(f"logrouter describe {kind} {word}" for kind in of_kinds)
        raise LogrouterError(f"{word!r} is of several kinds: {which}")
    return of_kinds[0], word


def _nearest(word: str) -> str:
    everything = [*KINDS, *(name for kind in KINDS for name in _known(kind))]
    return did_you_mean(word, everything) or f"there are the kinds {', '.join(KINDS)}"


def _known(kind: str) -> tuple[str, ...]:
    return (*names(KINDS[kind]), *plugins(KINDS[kind]))


def _listing(kinds: Sequence[str]) -> list[str]:
    known = {kind: _known(kind) for kind in kinds}
    width = max(len(name) for of_kind in known.values() for name in of_kind)
    lines = []
    for kind, of_kind in known.items():
        lines.append(f"{kind}s")
        for name in of_kind:
            summary = (load_module(KINDS[kind], name).__doc__ or "").splitlines()[0].replace("`", "")
            lines.append(f"  {name:<{width}}  {summary}")
    return [*lines, "", "logrouter describe KIND NAME shows the options of one"]
