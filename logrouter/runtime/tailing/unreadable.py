"""What cannot be read: said once, and when it is well again."""

from __future__ import annotations

from collections.abc import Mapping

from logrouter.sources import Tell


class Unreadable:
    """Of the files of one source, by their paths."""

    def __init__(self, warn: Tell) -> None:
        self._warn = warn
        self._seen: dict[str, str] = {}
        """Why, as looking and opening say."""
        self._failing: dict[str, str] = {}
        """As reading says."""
        self._told: dict[str, str] = {}

    def look(self, odd: Mapping[str, str]) -> None:
        """What was odd when somebody looked again; `tell` when all that is new has been opened."""
        self._seen = dict(odd)

    def cannot_open(self, path: str, error: OSError) -> None:
        """It will be tried when somebody looks again."""
        self._seen[path] = str(error.strerror)

    def cannot_read(self, path: str, error: OSError) -> None:
        """It will be tried after a while."""
        self._failing[path] = str(error.strerror)
        self.tell()

    def is_well(self, path: str) -> None:
        """It has been read, or need not be any more."""
        if self._failing.pop(path, ""):
            self.tell()

    def tell(self) -> None:
        """Say what has changed."""
        reasons = {**self._seen, **self._failing}
        for path, reason in reasons.items():
            if self._told.get(path) != reason:
                self._warn("a file cannot be read: it is tried again and again", about=path, file=path, reason=reason)
        for path in self._told.keys() - reasons.keys():
            self._warn("a file that could not be read can be, or is gone", about=path, file=path)
        self._told = reasons
