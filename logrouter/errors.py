"""Every error that logrouter raises on purpose, and whose fault it is.

    LogrouterError
    ├── ConfigError            the user's: the config, the environment or a flag. Exit 78
    │   └── one `Mistake` for each thing that is wrong, all found in one go
    ├── ExpressionError        the user's: a rule or template, with the column in its text
    ├── SeveralErrors          the user's: options of one component of which more than one is wrong
    ├── PluginError            another package's: what it adds cannot be loaded. A mistake in the config that names it
    ├── StartError             the user's: something that is needed to start cannot be had. Exit 69
    └── DestinationError       the destination's: it cannot be written to or reached now; tried again
        ├── ClosedByPeer       it never will again: whoever read our output has gone. A quiet end
        └── Moved              it is not where it was said to be: to be noted anew, and then tried again

What becomes of an event is never an exception: see `sinks.Outcome`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from types import TracebackType
from typing import TypeVar

import msgspec

GivenT = TypeVar("GivenT")
MadeT = TypeVar("MadeT")


class LogrouterError(Exception):
    """Base of all."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong with the config."""

    place: str
    """`logrouter.yaml:12:5`, `LOGROUTER_SINK_ES__MATCH`, `--match errors=…`"""
    problem: str
    """What is wrong and what was expected: one sentence, without a full stop."""
    hint: str | None = None
    """What the user may have meant."""
    excerpt: str | None = None
    """The text that is wrong and, in a second line, a caret under the character."""

    def __str__(self) -> str:
        text = f"{self.place}: {self.problem}"
        if self.hint:
            text += f" ({self.hint})"
        if self.excerpt:
            text += "\n" + "\n".join(f"    {line}" for line in self.excerpt.splitlines())
        return text


class ConfigError(LogrouterError):
    """The config is wrong. Holds every mistake that was found."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = list(mistakes)
        super().__init__("\n".join(map(str, self.mistakes)))


class ExpressionError(LogrouterError, ValueError):
    """A rule or a template is wrong at a character of its text."""

    def __init__(
        self, problem: str, text: str, column: int = 0, hint: str | None = None, *, unfinished: bool = False
    ) -> None:
        self.problem = problem
        self.text = text
        self.column = column
        """Counted from 0, in characters of `text`."""
        self.hint = hint
        self.unfinished = unfinished
        """Whether the text may have been cut short."""
        super().__init__(f"{problem} at column {column + 1} of {text!r}" + (f" ({hint})" if hint else ""))


class SeveralErrors(LogrouterError, ValueError):
    """More than one thing is wrong with the options of a component. Each becomes a mistake of its own."""

    def __init__(self, errors: Iterable[ValueError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(map(str, self.errors)))


class Complaints:
    """What is wrong with the options of one component, so that the user hears of all of it at once.

    complaints = Complaints()
    with complaints:
        …                       what raises ValueError here is kept, and the rest goes on behind it
    complaints.conclude()
    """

    def __init__(self) -> None:
        self._errors: list[ValueError] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: TracebackType | None) -> bool:
        if not isinstance(error, ValueError):
            return False
        self._errors += error.errors if isinstance(error, SeveralErrors) else (error,)
        return True

    def conclude(self) -> None:
        """Raise the one ValueError there was, or SeveralErrors."""
        if self._errors:
            raise self._errors[0] if len(self._errors) == 1 else SeveralErrors(self._errors)


def each(make: Callable[[GivenT], MadeT], given: Iterable[GivenT]) -> list[MadeT]:
    """What is made of each. Raises ValueError with what is wrong with all of them, see `Complaints`."""
    made, complaints = [], Complaints()
    for one in given:
        with complaints:
            made.append(make(one))
    complaints.conclude()
    return made


def refuse(problems: Iterable[str]) -> None:
    """Raise ValueError with what is wrong, if anything is: see `Complaints`."""
    complaints = Complaints()
    for problem in problems:
        with complaints:
            raise ValueError(problem)
    complaints.conclude()


class PluginError(LogrouterError):
    """What another package adds cannot be loaded, or is not what it should be."""


class DestinationError(LogrouterError):
    """A destination cannot take anything now. The same is tried again."""


class ClosedByPeer(DestinationError):
    """Whoever read this output has gone (`| head`): it ends, quietly."""


class Moved(DestinationError):
    """What is to be written would not stand where it was sealed. Nothing of it is written: seal it again first."""


class StartError(LogrouterError):
    """Something that is needed to start cannot be had: an address to listen on."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The nearest known word, if one is near, in whatever case."""
    from difflib import get_close_matches  # 5 ms of the start, for those who made a mistake

    folded = {name.casefold(): name for name in known}
    return next((folded[match] for match in get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The same as a hint."""
    near = nearest(word, known)
    return f"did you mean {near!r}?" if near else None


def nearest_or_all(word: str, known: Collection[str]) -> str:
    """The same, or else all words that there are."""
    return did_you_mean(word, known) or (f"there are {', '.join(known)}" if known else "there are none")
