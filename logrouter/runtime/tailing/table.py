"""Which files there are, and which of them is which. Nothing here waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from contextlib import closing, suppress
from typing import NamedTuple

from logrouter.runtime.tailing.file import TailedFile
from logrouter.runtime.tailing.globs import Identity, Look, Seen
from logrouter.runtime.tailing.opened import open_file
from logrouter.runtime.tailing.searching import Family, family_of, is_copy


class Copy(NamedTuple):
    """A file that need not be read."""

    original: TailedFile
    changed: tuple[int, int] | None
    """As `Seen` says: when it is written to, it has to be looked at again."""


class Table:
    """The files of one source."""

    def __init__(self) -> None:
        self.files: dict[Identity, TailedFile] = {}
        """Those at paths that are looked for."""
        self.left: dict[Identity, TailedFile] = {}
        """Those that were there, and are read to their end."""
        self.unwanted: set[Identity] = set()
        """Those that the source does not want."""
        self._copies: dict[Identity, Copy] = {}
        """Those that hold what another one does, which is read: they wait until that is gone."""
        self._families: defaultdict[Family, list[TailedFile]] = defaultdict(list)
        self._keys: set[str] = set()

    def take_missing(self, look: Look) -> list[TailedFile]:
        """Take out the files that are at no path any more; and forget those that need not be read."""
        for identity in (self._copies.keys() | self.unwanted) - look.files.keys():
            self._copies.pop(identity, None)
            self.unwanted.discard(identity)
        return [self.files.pop(identity) for identity in self.files.keys() - look.files.keys()]

    def take_replaced(self, look: Look) -> list[TailedFile]:
        """Take out the closed files whose inode others have now: what is open keeps its own. Opens those that moved."""
        found = [(self.files.get(seen.identity), seen) for seen in look.files.values()]
        replaced = [file for file, seen in found if file is not None and _is_replaced(file, seen)]
        for file in replaced:
            self.remove(file)
        return replaced

    def find(self, seen: Seen) -> TailedFile | None:
        """The file that is read already, if any."""
        if (left := self.left.pop(seen.identity, None)) is not None:
            left.left_at = None
            self.files[seen.identity] = left
        return self.files.get(seen.identity)

    def is_left_alone(self, seen: Seen) -> bool:
        """Whether the file need not be read, as far as is known."""
        copy = self._copies.get(seen.identity)
        return seen.identity in self.unwanted or (copy is not None and copy.changed == seen.changed)

    def is_at_path(self, identity: Identity) -> bool:
        """Whether such a file was there when somebody looked."""
        return identity in self._copies or identity in self.files

    def add(self, file: TailedFile, left_at: float | None = None) -> None:
        """A file that is read from now on. `left_at`: since when it is at no path."""
        file.left_at = left_at
        self._copies.pop(file.identity, None)
        (self.files if left_at is None else self.left)[file.identity] = file
        self._keys.add(file.key)

    def remove(self, file: TailedFile) -> None:
        """It is read no more, or is another one from now on."""
        for files in (self.files, self.left):
            if files.get(file.identity) is file:
                del files[file.identity]
        self._keys.discard(file.key)
        self.leave_family(file)

    def new_key(self, identity: Identity, taken: Container[str]) -> str:
        """The key of a file that is new. What had this inode before may be read on elsewhere, and keeps its own."""
        key = name = "{:x}-{:x}".format(*identity)
        number = 1
        while key in self._keys or key in taken:
            number += 1
            key = f"{name}.{number}"
        return key

    def begun(self) -> set[Identity]:
        """The files of which something has been read: they are no copies of others."""
        return {file.identity for file in (*self.files.values(), *self.left.values()) if not file.is_at_beginning}

    # ── copies ──

    def join_family(self, file: TailedFile) -> None:
        """Its copies are looked for by what it is called now."""
        self._families[family_of(file.where)].append(file)

    def leave_family(self, file: TailedFile) -> None:
        """It will be called otherwise, or is read no more."""
        family = family_of(file.where)
        if file in (members := self._families[family]):
            members.remove(file)
        if not members:
            del self._families[family]

    def original_of(self, file: TailedFile, data: bytes) -> TailedFile | None:
        """The file that is read already and of which this one, which begins so, is a copy."""
        for other in self._families[family_of(file.where)]:
            with suppress(OSError):
                if other is not file and is_copy(data, file.where, other):
                    return other
        return None

    def set_aside(self, file: TailedFile, original: TailedFile) -> None:
        """It is a copy, and waits."""
        self._copies[file.identity] = Copy(original, file.changed)

    def has_copy(self, file: TailedFile) -> bool:
        """Whether a copy of it waits."""
        return any(copy.original is file for copy in self._copies.values())


def _is_replaced(file: TailedFile, seen: Seen) -> bool:
    """Whether what is at another path than before, with its inode, is another file. Cannot be known: it is not."""
    if file.open is not None or file.is_at_beginning or seen.path == file.seen_at:
        return False
    with suppress(OSError), closing(open_file(seen.path)) as opened:
        return opened.identity == file.identity and not file.is_in(opened)
    return False
