"""Which dead letters a command is about, and where they are."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

from logrouter.cli._spool_options import EXIT_DAMAGED, Found, parse_rule, tell
from logrouter.dead_letters import DeadLetter, parse_id
from logrouter.errors import LogrouterError, nearest_or_all
from logrouter.event import Offset
from logrouter.facts import Facts
from logrouter.figures import counted
from logrouter.formats.events import document_of
from logrouter.rules import Rule
from logrouter.runtime.letter_files import LetterFile, LetterFiles, held
from logrouter.values import all_revealed


class Read(NamedTuple):
    """A letter that is wanted."""

    letter: DeadLetter
    size_bytes: int
    """What it takes on disk."""


class Choice:
    """Which letters are wanted. No flag: all."""

    def __init__(self, found: Found, options: Namespace) -> None:
        """Raises LogrouterError where an id or the rule is none."""
        try:
            self.ids: set[Offset] = set(map(parse_id, options.ids))
        except ValueError as error:
            raise LogrouterError(str(error)) from None
        self.sink: str | None = options.sink
        self._reason: str | None = options.reason
        self._rule = parse_rule("--where", options.where)
        self._resource = all_revealed(found.settings.resource) if found.settings else {}
        self.configured = frozenset(found.settings.sinks) if found.settings else frozenset()
        """The sinks that the config has, if one was read."""
        self.is_all = not (self.ids or self.sink or self._reason or self._rule)

    def has(self, letter: DeadLetter) -> bool:
        """Whether a letter is wanted."""
        return (
            (not self.ids or letter.id in self.ids)
            and self.sink in (None, letter.sink)
            and self._reason in (None, letter.reason)
            and (self._rule is None or self._holds(self._rule, letter))
        )

    def _holds(self, rule: Rule, letter: DeadLetter) -> bool:
        facts = Facts(letter.attributes, letter.received_ns, self._resource, letter.flags)
        return rule.test(document_of(letter.payload, letter.flags), facts)


def files_of(found: Found) -> LetterFiles:
    """The dead letters of a spool. To change them, waits for others that do."""
    return LetterFiles(found.directory.dead_letters, lock=partial(held, wait=True))


class Reading:
    """Goes through letters, and keeps an account of what could not be read."""

    def __init__(self, files: LetterFiles, choice: Choice | None = None) -> None:
        """`choice`: None: all. Raises LogrouterError where it names a sink that is nowhere."""
        if choice is not None:
            _check_sink(choice, files)
        self.unreadable = 0
        """Lines."""
        self.seen: set[Offset] = set()
        """Ids of letters that were asked for by id."""
        self._files = files
        self._choice = choice

    def all(self) -> Iterator[Read]:
        """All letters that are wanted, sink by sink, each in the order in which they came."""
        for file in self._files.all():
            yield from self.of(file)

    def of(self, file: LetterFile) -> Iterator[Read]:
        """Those of one file."""
        if self._choice is not None and self._choice.sink not in (None, file.sink):
            return
        unreadable = 0
        for line in self._files.lines(file):
            if line.letter is None:
                unreadable += line.data.endswith(b"\n")  # else it is being written just now
            elif self._choice is None or self._choice.has(line.letter):
                if self._choice is not None and self._choice.ids:
                    self.seen.add(line.letter.id)
                yield Read(line.letter, len(line.data))
        if unreadable:
            self.unreadable += unreadable
            tell(f"{file.path}: {counted(unreadable, 'line')} cannot be read: left out")

    def check(self) -> int:
        """The exit code. Raises LogrouterError where a letter was asked for that is not there."""
        if self._choice is not None and (missing := self._choice.ids - self.seen):
            names = ", ".join(offset.name for offset in sorted(missing))
            raise LogrouterError(f"there is no dead letter {names}")
        return EXIT_DAMAGED if self.unreadable else 0


def _check_sink(choice: Choice, files: LetterFiles) -> None:
    known = sorted(choice.configured | files.by_sink().keys())
    if choice.sink is None or choice.sink in known:
        return
    hint = nearest_or_all(choice.sink, known)
    raise LogrouterError(f"--sink: no sink {choice.sink!r} has dead letters; {hint}")
