"""The parser of flags: argparse's, which also says what may have been meant by what it does not know."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from typing import Final

from logrouter.errors import did_you_mean

_CONFIGS: Final = (".yaml", ".yml", ".json")
_FLAGS: Final = {"help": "--help", "version": "--version"}
"""Commands of many programs that are flags here."""


class Parser(argparse.ArgumentParser):
    """One that gives the next step."""

    def parse_args(  # type: ignore[override]  # of its overloads that one which everybody calls
        self, args: Sequence[str] | None = None, namespace: None = None
    ) -> argparse.Namespace:
        """The options; ends the process where something is not known, or wrong."""
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            hint = _meant(unknown[0], self)
            self.error(f"unrecognized arguments: {' '.join(unknown)}" + (f" ({hint})" if hint else ""))
        return options


def meant_by_command(word: str) -> str | None:
    """What may have been meant where a command stands that there is not, if that is no command."""
    return f"write logrouter {_FLAGS[word]}" if word in _FLAGS else _meant_by_file(word, reads_lines=True)


def _meant(argument: str, parser: argparse.ArgumentParser) -> str | None:
    flags = list(_flags(parser))
    if argument.startswith("-"):
        return did_you_mean(argument.partition("=")[0], flags)
    if "--config" not in flags:
        return None
    return _meant_by_file(argument, reads_lines=parser.prog in ("logrouter", "logrouter explain"))


def _meant_by_file(word: str, *, reads_lines: bool) -> str | None:
    if word.endswith(_CONFIGS):
        return f"if it is the config, say --config {word}"
    return f"lines are read from standard input: < {word}" if reads_lines and os.path.exists(word) else None


def _flags(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Those of a parser, and of the commands in it."""
    for action in parser._actions:  # argparse has no public way to list them
        yield from (flag for flag in action.option_strings if flag.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _flags(inner)
