"""Which files there are: patterns as shells know them.

    /var/log/*.log           `*`, `?` and `[…]` within one name; a name that begins with a dot must be asked for
    /var/log/**/*.log        `**`: any number of folders, also none; no hidden ones, no symbolic links
    exclude: ["*.gz", "/var/log/audit/*"]     without a slash: any such name; with one: the whole path

Symbolic links are followed, but for those to folders below `**`. A file that several paths lead to is there once, by
the first of these in order.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from fnmatch import translate
from typing import Final, NamedTuple

from logrouter.runtime.disk import kind_of

Identity = tuple[int, int]
"""Device and inode."""

_MAGIC: Final = re.compile(r"[*?[]")


class Seen(NamedTuple):
    """A file that was there."""

    path: str
    identity: Identity
    changed: tuple[int, int]
    """Its size, and when it was written to: another pair says that it was written to."""


class Look:
    """What was there when somebody looked."""

    def __init__(self) -> None:
        self.files: dict[Identity, Seen] = {}
        self.odd: dict[str, str] = {}
        """Path → why what is there cannot be read."""
        self.absent: dict[str, str] = {}
        """The same of paths that are no patterns, where nothing is."""
        self.folders: set[str] = set()
        """Where files may appear or vanish."""


class Patterns:
    """What to look for."""

    def __init__(self, include: Sequence[str], exclude: Sequence[str] = ()) -> None:
        """Patterns that are not absolute begin in the working directory."""
        self._include = [os.path.abspath(pattern) for pattern in include]
        names = [translate(pattern) for pattern in exclude if "/" not in pattern]
        self._excluded_names = re.compile("|".join(names)) if names else None
        self._excluded_paths = [_parts_of(os.path.abspath(pattern)) for pattern in exclude if "/" in pattern]

    def look(self, watch: Callable[[str], None] = lambda folder: None) -> Look:
        """Look for them. `watch` is called with each folder before it is read."""
        return _Walk(self, watch).run(self._include)

    def matches(self, path: str) -> bool:
        """Whether a file at that path would be found."""
        names = path.strip("/").split("/")
        return any(_matches(names, _parts_of(pattern)) for pattern in self._include) and not self.excludes(path)

    def excludes(self, path: str) -> bool:
        """Whether a path that matches is left out all the same."""
        if self._excluded_names is not None and self._excluded_names.match(os.path.basename(path)):
            return True
        return any(_matches(path.strip("/").split("/"), parts) for parts in self._excluded_paths)


_Part = Callable[[str], object] | None
"""Whether a name matches. None: any number of names."""


def _parts_of(pattern: str) -> list[_Part]:
    parts = pattern.strip("/").split("/")
    return [None if part == "**" else re.compile(translate(part)).match for part in parts]


def _matches(names: Sequence[str], parts: Sequence[_Part]) -> bool:
    """Whether a path matches a pattern, both taken apart."""
    if not parts:
        return not names
    part, *rest = parts
    if part is None:
        return any(_matches(names[start:], rest) for start in range(len(names) + 1))
    return bool(names) and bool(part(names[0])) and _matches(names[1:], rest)


class _Walk:
    """One look."""

    def __init__(self, patterns: Patterns, watch: Callable[[str], None]) -> None:
        self._patterns = patterns
        self._watch = watch
        self._look = Look()

    def run(self, include: Sequence[str]) -> Look:
        for pattern in include:
            literal = not _MAGIC.search(pattern)
            for path, is_link in self._below("/", pattern.strip("/").split("/")):
                if not self._patterns.excludes(path):
                    self._add(path, is_link, literal)
        return self._look

    def _below(self, folder: str, parts: Sequence[str]) -> Iterator[tuple[str, bool]]:
        """The paths that match, and whether they are links."""
        part, *rest = parts
        if part == "**":
            yield from self._any_depth(folder, rest or ["*"])
        elif _MAGIC.search(part):
            yield from self._matching(folder, part, rest)
        elif not rest:
            path = os.path.join(folder, part)
            self._note(folder)
            yield path, os.path.islink(path)
        elif os.path.isdir(path := os.path.join(folder, part)):
            yield from self._below(path, rest)
        else:
            self._note(folder)  # where it may appear
            if not any(map(_MAGIC.search, rest)):
                yield os.path.join(path, *rest), False

    def _any_depth(self, folder: str, rest: Sequence[str]) -> Iterator[tuple[str, bool]]:
        folders = [entry.path for entry in self._entries(folder) if _is_folder(entry) and entry.name[0] != "."]
        yield from self._below(folder, rest)
        for path in folders:
            yield from self._any_depth(path, rest)

    def _matching(self, folder: str, part: str, rest: Sequence[str]) -> Iterator[tuple[str, bool]]:
        matches = re.compile(translate(part)).match
        for entry in self._entries(folder):
            if not matches(entry.name) or (entry.name[0] == "." and part[0] != "."):
                continue
            if not rest:
                yield entry.path, entry.is_symlink()
            elif os.path.isdir(entry.path):
                yield from self._below(entry.path, rest)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        self._note(folder)
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):  # gone, meanwhile
            return []
        except OSError as error:
            self._look.odd[folder] = str(error.strerror)
            return []

    def _note(self, folder: str) -> None:
        if folder not in self._look.folders:
            self._look.folders.add(folder)
            self._watch(folder)

    def _add(self, path: str, is_link: bool, literal: bool) -> None:
        if is_link:  # what it leads to is rotated where it is
            self._note(os.path.dirname(os.path.realpath(path)))
        try:
            status = os.stat(path)
        except (FileNotFoundError, NotADirectoryError) as error:  # a link that leads nowhere, or it is gone
            if literal:
                self._look.absent[path] = str(error.strerror)
            return
        except OSError as error:
            self._look.odd[path] = str(error.strerror)
            return
        if stat.S_ISREG(status.st_mode):
            identity = status.st_dev, status.st_ino
            self._look.files.setdefault(identity, Seen(path, identity, (status.st_size, status.st_mtime_ns)))
        elif literal or not stat.S_ISDIR(status.st_mode):
            self._look.odd[path] = f"it is {kind_of(status.st_mode)}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False
