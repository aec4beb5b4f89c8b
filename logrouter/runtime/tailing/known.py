"""Places of files that were read before and have not been found yet."""

from __future__ import annotations

import os

from logrouter.runtime.tailing.globs import Identity
from logrouter.runtime.tailing.place import Place, decode

Places = dict[str, Place]
"""How far the streams of one file were read, by their names."""


class Known:
    """By the keys of files."""

    def __init__(self) -> None:
        self._places: dict[str, Places] = {}

    def __len__(self) -> int:
        return len(self._places)

    def add(self, stream: str, position: bytes) -> None:
        """A position that the spool has kept, by the key of its stream. One that cannot be read is none."""
        if (place := decode(position)) is not None:
            key, _, name = stream.partition("/")
            self._places.setdefault(key, {})[name] = place

    def put_back(self, key: str, places: Places) -> None:
        """A file that cannot be found at present."""
        self._places[key] = places

    def take(self, identity: Identity, head: bytes) -> tuple[str, Places] | None:
        """The file of this identity that begins so: its key, and how far it was read. It is not known any more.

        The number of a device may be another one after a restart of the machine: the inode must be the same, and a
        beginning that tells something.
        """
        same = [key for key, places in self._places.items() if _identity(places) == identity]
        moved = [key for key, places in self._places.items() if _identity(places)[1] == identity[1]]
        for key in (*same, *moved):
            first = next(iter(self._places[key].values()))
            if first.head.is_of(head) and (key in same or first.head.length):
                return key, self._places.pop(key)
        return None

    def reused(self, identity: Identity) -> tuple[str, Places] | None:
        """What was known of another file that had this identity. It is not known any more."""
        for key, places in self._places.items():
            if _identity(places) == identity:
                return key, self._places.pop(key)
        return None

    def take_gone(self) -> list[tuple[str, Places]]:
        """What would have been found, was it there: the file system that it was on is. It is not known any more."""
        gone = [(key, places) for key, places in self._places.items() if is_reachable(places)]
        for key, _ in gone:
            del self._places[key]
        return gone


def _identity(places: Places) -> Identity:
    return next(iter(places.values())).identity


def is_reachable(places: Places) -> bool:
    """Whether the file system that a file was on is where it was: not, say, one that is not mounted yet."""
    place = next(iter(places.values()))
    folder = os.path.dirname(place.where)
    while True:
        try:
            return os.stat(folder).st_dev == place.device
        except FileNotFoundError:
            folder = os.path.dirname(folder)
        except OSError:
            return False
