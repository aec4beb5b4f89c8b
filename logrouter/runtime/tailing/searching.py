"""Where a file is now that is not where it was: renamed, copied before it was truncated, or compressed.

Rotated files stay in their folder, and but for numbers and dates they are called as before: `app.log` becomes
`app.log.1`, `app-2026-01-01.log`, `app.log.2.gz`. All of these are one family. So one looks there alone, for the same
inode, and then for the same beginning in the family.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Final, NamedTuple

from logrouter.runtime.tailing.file import TailedFile
from logrouter.runtime.tailing.globs import Identity
from logrouter.runtime.tailing.opened import OpenFile, compression_of, open_file
from logrouter.runtime.tailing.place import HEAD_BYTES, Head, may_be_one

_NUMBERS: Final = re.compile(r"[-_.]\d[-_.:TZ\d]*(?=\.|$)")
_SECOND_NS: Final = 1_000_000_000
"""Of the time of their original, copies and compressed files may keep no more than the second."""
Family = tuple[str, str]
"""A folder, and what files in it are called but for numbers, dates and how they are compressed."""


def family_of(path: str) -> Family:
    """What a file and those that it is rotated to have in common."""
    folder, name = os.path.split(path)
    name = name if compression_of(name) == "none" else name.rpartition(".")[0]
    return folder, _NUMBERS.sub("", name) or name


class Sought(NamedTuple):
    """A file that is not where it was: see `place.Place`."""

    where: str
    inode: int
    generation: int
    head: Head
    read_to: int
    written_ns: int
    """When what was read had been written. With a short head, what is older only begins with the same words."""


def find_again(sought: Sought, taken: Container[Identity]) -> OpenFile | None:
    """The file, read so far; None: it is gone. To be called in a thread.

    `taken`: files of which it is known that they are others. What cannot be read is none of these.
    """
    for entry in _candidates(sought.where, sought.inode):
        with suppress(OSError), ExitStack() as closing:
            file = open_file(entry.path)
            closing.callback(file.close)
            if file.identity not in taken and _is_same(file, sought):
                closing.pop_all()
                return file
    return None


def _is_same(file: OpenFile, sought: Sought) -> bool:
    head = sought.head
    if file.identity[1] == sought.inode:
        return may_be_one(file.generation, sought.generation) and file.holds(sought.read_to, head)
    if head.length < HEAD_BYTES and file.written_ns() < sought.written_ns // _SECOND_NS * _SECOND_NS:
        return False
    return head.length > 0 and file.holds(sought.read_to, head)


def _candidates(where: str, inode: int) -> Iterator[os.DirEntry[str]]:
    """Those with the inode first, then those that are named after it: what was renamed last, first."""
    try:
        with os.scandir(os.path.dirname(where)) as found:
            entries = [entry for entry in found if entry.is_file(follow_symlinks=False)]
    except OSError:
        return
    yield from (entry for entry in entries if entry.inode() == inode)
    family = family_of(where)
    named = [entry for entry in entries if entry.inode() != inode and family_of(entry.path) == family]
    yield from sorted(named, key=lambda entry: entry.name)


def is_copy(data: bytes, where: str, original: TailedFile) -> bool:
    """Whether a file of the same family, with which these bytes begin, is a copy of another, or will be one.

    A copy that is being made is shorter than the head that is known. Raises OSError.
    """
    head = original.head
    if len(where) <= len(original.where) or not head.length or (len(data) >= head.length and not head.is_of(data)):
        return False
    with _opened(original) as file:
        if file is None or not original.is_in(file):  # it was truncated, or deleted, a moment ago
            return len(data) >= head.length
        return file.head(len(data)) == data


@contextmanager
def _opened(file: TailedFile) -> Iterator[OpenFile | None]:
    """The file that is read, for a while; None: it is not where it was."""
    if file.open is not None:
        yield file.open
        return
    try:
        opened = open_file(file.where)
    except FileNotFoundError:
        yield None
        return
    try:
        yield opened if opened.identity == file.identity else None
    finally:
        opened.close()
