"""What cannot be read: said once, and when it is well again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from logrouter.runtime.tailing.globs import Look
from logrouter.runtime.tailing.opened import Damaged
from logrouter.sources import Tell

_DAMAGED: Final = "a compressed file is damaged: what stands before that is read, the rest once it is written anew"


_AGAIN: Final = "a file cannot be read: it is tried again and again"
_LEFT_OUT: Final = "a file cannot be read: what was not read of it is left out"


class Trouble(NamedTuple):
    """What is wrong with a file."""

    reason: str
    message: str


class Unreadable:
    """Of the files of one source, by their paths."""

    def __init__(self, warn: Tell, *, follow: bool = True) -> None:
        """`follow`: whether there is another time."""
        self._warn = warn
        self._follow = follow
        self._usual = _AGAIN if follow else _LEFT_OUT
        self._seen: dict[str, Trouble] = {}
        """As looking and opening say."""
        self._failing: dict[str, Trouble] = {}
        """As reading says."""
        self._told: dict[str, Trouble] = {}

    @property
    def left_out(self) -> Mapping[str, str]:
        """Path → why it was not read, or not all of it, where there is no other time."""
        return {} if self._follow else {path: trouble.reason for path, trouble in self._troubles().items()}

    def look(self, look: Look) -> None:
        """What was odd when somebody looked again; `tell` when all that is new has been opened. Where there is no other
        time, what is not there is odd as well."""
        odd = look.odd if self._follow else look.odd | look.absent
        self._seen = {path: Trouble(reason, self._usual) for path, reason in odd.items()}

    def cannot_open(self, path: str, error: OSError) -> None:
        """It will be tried when somebody looks again."""
        self._seen[path] = self._trouble_of(error)

    def cannot_read(self, path: str, error: OSError) -> None:
        """It will be tried after a while."""
        self._failing[path] = self._trouble_of(error)
        self.tell()

    def is_well(self, path: str) -> None:
        """It has been read, or need not be any more."""
        if self._failing.pop(path, None):
            self.tell()

    def tell(self) -> None:
        """Say what has changed."""
        troubles = self._troubles()
        for path, trouble in troubles.items():
            if self._told.get(path) != trouble:
                self._warn(trouble.message, about=path, file=path, reason=trouble.reason)
        for path in self._told.keys() - troubles.keys():
            self._warn("a file that could not be read can be, or is gone", about=path, file=path)
        self._told = troubles

    def _troubles(self) -> dict[str, Trouble]:
        return {**self._seen, **self._failing}

    def _trouble_of(self, error: OSError) -> Trouble:
        return Trouble(str(error.strerror), _DAMAGED if isinstance(error, Damaged) else self._usual)
