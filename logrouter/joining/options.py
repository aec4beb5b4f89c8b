"""The option `multiline` of sources that read lines. What joins them is loaded where the option is used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, Self

import msgspec

from logrouter.rules.bounded import Condition
from logrouter.values import Duration

if TYPE_CHECKING:
    from logrouter.joining import Joiner

QUIET: Final = Duration(0.5)


class Language(str):
    """The name of a language whose tracebacks are known."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with those that there are."""
        from logrouter.joining.languages import LANGUAGES

        if text not in LANGUAGES:
            raise ValueError(f"expected one of {', '.join(LANGUAGES)}, not {text!r}")
        return cls(text)


class MultilineOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which lines are one event: one of `languages`, `start`, `continue`, `end`; and how long to wait for more."""

    languages: Literal["auto"] | Language | Sequence[Language] | None = None
    """Tracebacks of these: a language, a list of them, or `auto`, which is all."""
    start: Condition | None = None
    """A line in which this regular expression is found begins an event."""
    continue_: Condition | None = msgspec.field(default=None, name="continue")
    """A line in which it is found goes on with the event before."""
    end: Condition | None = None
    """A line in which it is found is the last of its event."""
    timeout: Duration = QUIET
    """After so long without a new line what is held is given out. At least 10ms."""

    def __post_init__(self) -> None:
        ways = {"languages": self.languages, "start": self.start, "continue": self.continue_, "end": self.end}
        given = [name for name, said in ways.items() if said is not None]
        if len(given) != 1:
            what = f"not {' and '.join(given)}" if given else "none is given"
            raise ValueError(f"expected one of languages, start, continue, end: {what}")
        if self.timeout < 0.01:
            raise ValueError(f"timeout: at least 10ms, not {self.timeout}")


Multiline = Literal["none", "auto"] | Language | Sequence[Language] | MultilineOptions


def joiner_of(multiline: Multiline) -> Joiner | None:
    """What joins lines as the option says. None: nothing does."""
    if isinstance(multiline, MultilineOptions):
        for kind, pattern in (("start", multiline.start), ("continue", multiline.continue_), ("end", multiline.end)):
            if pattern is not None:
                from logrouter.joining.own import PatternJoiner

                return PatternJoiner(kind, pattern)
        assert multiline.languages is not None
        multiline = multiline.languages
    if multiline == "none":
        return None
    names = [multiline] if isinstance(multiline, str) else multiline
    return _traceback_joiner(None if multiline == "auto" else frozenset(names))


def quiet_seconds(multiline: Multiline) -> float:
    """After how long without a new line what is held is given out."""
    return multiline.timeout if isinstance(multiline, MultilineOptions) else QUIET


@cache
def _traceback_joiner(chosen: frozenset[str] | None) -> Joiner:
    """That of some languages, or all. Made once: compiling the expression takes some milliseconds."""
    from logrouter.joining.languages import LANGUAGES
    from logrouter.joining.tracebacks import TracebackJoiner

    return TracebackJoiner(name for name in LANGUAGES if chosen is None or name in chosen)
