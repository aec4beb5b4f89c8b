"""Places of files that were read before and have not been found yet."""

from __future__ import annotations

import os

from logrouter.runtime.tailing.globs import Identity
from logrouter.runtime.tailing.place import Place, decode, may_be_one

Places = dict[str, Place]
"""How far the streams of one file were read, by their names."""


class Known:
    """By the keys of files."""

    def __init__(self) -> None:
        self._places: dict[str, Places] = {}
        self._by_inode: dict[int, set[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._places)

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def add(self, stream: str, position: bytes) -> None:
        """A position that the spool has kept, by the key of its stream. One that cannot be read is none."""
        if (place := decode(position)) is not None:
            key, _, name = stream.partition("/")
            self._places.setdefault(key, {})[name] = place
            self._by_inode.setdefault(place.inode, set()).add(key)

    def may_be(self, identity: Identity) -> bool:
        """Whether a file of this identity was read."""
        return identity[1] in self._by_inode

    def take(self, identity: Identity, head: bytes, generation: int = 0) -> tuple[str, Places] | None:
        """The file of this identity that begins so: its key, and how far it was read. It is not known any more.

        The number of a device may be another one after a restart of the machine: then its beginning must tell it.
        """
        keys = self._by_inode.get(identity[1], set())
        for key in sorted(keys, key=lambda key: any_of(self._places[key]).identity != identity):
            place = any_of(self._places[key])
            is_it = may_be_one(place.generation, generation) and place.head.is_of(head)
            if is_it and (place.identity == identity or place.head.length):
                return key, self._pop(key)
        return None

    def take_gone(self) -> list[tuple[str, Places]]:
        """What would have been seen, was it where it was. It is not known any more.

        What was on a file system that is not there, as it is not mounted yet, is waited for.
        """
        gone = [key for key, places in self._places.items() if _is_reachable(any_of(places))]
        return [(key, self._pop(key)) for key in gone]

    def _pop(self, key: str) -> Places:
        places = self._places.pop(key)
        for inode in {place.inode for place in places.values()}:  # one of its streams may have moved on in a copy
            keys = self._by_inode[inode]
            keys.discard(key)
            if not keys:
                del self._by_inode[inode]
        return places


def any_of(places: Places) -> Place:
    """Of what all streams of a file have in common."""
    return next(iter(places.values()))


def _is_reachable(place: Place) -> bool:
    return is_reachable(os.fsdecode(place.where), place.identity)


def is_reachable(path: str, identity: Identity) -> bool:
    """Whether the file system that a file was on is where it was."""
    folder = os.path.dirname(path) or "/"
    while True:
        try:
            return os.stat(folder).st_dev == identity[0]
        except (FileNotFoundError, NotADirectoryError):
            folder = os.path.dirname(folder)
        except OSError:
            return False
