"""Files and folders of the disk that crashes: what was written, and what of it no crash can take."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from random import Random
from typing import Final, NamedTuple

SECTOR_BYTES: Final = 512


class Write(NamedTuple):
    """Bytes at an offset."""

    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        """Make the change."""
        if len(content) < self.offset:
            content.extend(bytes(self.offset - len(content)))
        content[self.offset : self.offset + len(self.data)] = self.data

    def sectors(self) -> Iterator[Write]:
        """The parts of it that reach the disk each as a whole."""
        start, end = self.offset, self.offset + len(self.data)
        while start < end:
            stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
            yield Write(start, self.data[start - self.offset : stop - self.offset])
            start = stop


class Resize(NamedTuple):
    """A new length."""

    length: int

    def apply(self, content: bytearray) -> None:
        """Make the change."""
        del content[self.length :]
        content.extend(bytes(self.length - len(content)))


class File:
    """What is in a file, and what of it a power cut may take."""

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.mode = stat.S_IFREG | mode
        self.modified_at = 0.0
        self.content = bytearray()
        """What reading gives."""
        self.synced = bytearray()
        """What no crash can take."""
        self.changes: list[Write | Resize] = []
        """What the next sync makes of the one the other."""
        self.has_dropped = False
        """Whether a sync could not write something."""

    def change(self, change: Write | Resize) -> None:
        """What was asked for."""
        change.apply(self.content)
        self.changes.append(change)

    def sync(self) -> None:
        """No crash can take it any more."""
        for change in self.changes:
            change.apply(self.synced)
        self.changes.clear()

    def fail_to_sync(self) -> None:
        """What was to be written is dropped: a further sync does not write it."""
        self.has_dropped = self.has_dropped or bool(self.changes)
        self.changes.clear()

    def forget_dropping(self) -> None:
        """The process has died: what was dropped may be written after all."""
        if self.has_dropped:
            self.changes = [Resize(len(self.content)), Write(0, bytes(self.content))]
        self.has_dropped = False

    def cut_power(self, random: Random) -> None:
        """Some of what was not synced is lost."""
        share = random.choice((0.0, 0.5, 1.0))
        for change in self.changes:
            pieces = change.sectors() if isinstance(change, Write) else [change]
            for piece in pieces:
                if random.random() < share:
                    piece.apply(self.synced)
        if len(self.content) > len(self.synced) and random.random() < share / 2:
            Resize(len(self.content)).apply(self.synced)
        self.content = bytearray(self.synced)
        self.changes.clear()
        self.has_dropped = False


class Folder:
    """The same of the names in a folder."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.mode = stat.S_IFDIR | 0o755
        self.modified_at = 0.0
        self.names: dict[str, File | Folder] = {}
        self.synced: dict[str, File | Folder] = {}
        self.changes: list[dict[str, File | Folder | None]] = []

    def change(self, change: dict[str, File | Folder | None]) -> None:
        """What was asked for. None: the name goes."""
        _rename(self.names, change)
        self.changes.append(change)

    def sync(self) -> None:
        """No crash can take it any more."""
        self.synced = dict(self.names)
        self.changes.clear()

    def cut_power(self, random: Random) -> None:
        """Some of what was not synced is lost."""
        share = random.choice((0.0, 0.5, 1.0))
        for change in self.changes:
            if random.random() < share:
                _rename(self.synced, change)
        self.names = dict(self.synced)
        self.changes.clear()
        for node in dict.fromkeys(self.names.values()):
            node.cut_power(random)


def _rename(names: dict[str, File | Folder], change: dict[str, File | Folder | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


class Descriptor:
    """An open file or folder."""

    def __init__(self, node: File | Folder, flags: int) -> None:
        self.node = node
        self.flags = flags
        self.offset = 0
