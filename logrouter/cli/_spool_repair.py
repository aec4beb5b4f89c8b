"""`logrouter spool repair`: what is damaged is set aside, so that what is whole can be read without stumbling.

A damaged file is kept under another name, in the folder `aside`; in its place comes one with its whole parts:

    segments/000000000007.segment     without the damaged records; their sequences are missing, as before
    segments/000000000008.segment     an empty one, where the end of the log would be forgotten otherwise
    cursors/errors.0                  without the damaged entries
    aside/000000000007.segment.damaged, aside/errors.0.damaged

Invariants:
- a file that is not damaged is not touched;
- at any moment either the damaged file or the repaired one has its name: who is killed amid a repair repairs again.
"""

from __future__ import annotations

import os
import secrets
import struct
from argparse import Namespace
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final

from logrouter.cli._spool_check import CheckedJournal, CheckedLog, CheckedSegment, check_log, sinks_in, total_of
from logrouter.cursors import Ledger, State, encode_entry
from logrouter.errors import StartError
from logrouter.runtime.disk import opened, sync_folder, write_all
from logrouter.runtime.spool.directory import SpoolDirectory, problem_with
from logrouter.segments import SALT_BYTES, Header, encode_header, marker_with

ASIDE: Final = "aside"
_UNFINISHED: Final = ".repairing"
_BLOCK_BYTES: Final = 2**20
_EPOCH: Final = struct.Struct("<8xQ")
"""Where a header's epoch stands."""


def repair(directory: SpoolDirectory, options: Namespace) -> int:
    """Set aside what is damaged; with `dry_run` only tell. Nobody else may use the spool."""
    if not options.dry_run:
        _take(directory)
    try:
        print("\n".join(_repair(directory, options.dry_run)))
    finally:
        directory.close()
    return 0


def _take(directory: SpoolDirectory) -> None:
    if problem := problem_with(directory.path):
        raise StartError(f"cannot repair: {problem}")
    try:
        holder = directory.take_lock()
    except OSError as error:
        raise StartError(f"cannot repair {directory.path}: {error.strerror}") from error
    if holder is not None:
        raise StartError(f"cannot repair {directory.path} while process {holder} uses it: stop that first")
    _give(os.path.join(directory.path, "lock"), directory.path)


def _repair(directory: SpoolDirectory, dry_run: bool) -> list[str]:
    workshop = _Workshop(directory, dry_run)
    workshop.clean()
    log = check_log(directory)
    journals = [CheckedJournal(directory, sink) for sink in sinks_in(directory)]
    if log.end_is_damaged:
        workshop.mark_end(log)
    for number, checked in enumerate(log.segments):
        if checked.damages:
            workshop.mend_segment(checked, _neighbours(log.segments, number))
    for journal in journals:
        if journal.damages:
            workshop.mend_journal(journal, log)
    damages = [*log.damages, *(damage for journal in journals for damage in journal.damages)]
    if not damages:
        return [f"{directory.path}: nothing to repair"]
    conclusion = "would set aside" if dry_run else "set aside"
    return [*workshop.told, f"{conclusion}: {total_of(damages)}"]


def _neighbours(segments: list[CheckedSegment], number: int) -> list[int]:
    """The epochs of the segments before and behind, as far as they can be read."""
    around = [*segments[:number][-1:], *segments[number + 1 :][:1]]
    return [checked.segment.header.epoch for checked in around if checked.segment.header.size]


class _Workshop:
    """Where files are mended."""

    def __init__(self, directory: SpoolDirectory, dry_run: bool) -> None:
        self.told: list[str] = []
        self._directory = directory
        self._dry_run = dry_run
        self._aside = os.path.join(directory.path, ASIDE)

    def clean(self) -> None:
        """Away with what a repair that was killed has left."""
        if self._dry_run:
            return
        for folder in (self._directory.segments, self._directory.cursors, self._aside):
            with suppress(FileNotFoundError):
                for name in os.listdir(folder):
                    if name.endswith(_UNFINISHED):
                        os.unlink(os.path.join(folder, name))

    def mend_segment(self, checked: CheckedSegment, neighbours: list[int]) -> None:
        """Set a damaged segment aside and put one with its whole records in its place, if it has any."""
        path = checked.segment.path
        self.told += [str(damage) for damage in checked.damages]
        if checked.needs_header and checked.first is None:
            self._replace(path, None)
            return
        header = encode_header(_new_header(checked, neighbours)) if checked.needs_header else b""
        start = 0 if header else checked.segment.header.size
        kept = checked.whole if header else [(0, start), *checked.whole]
        self._replace(path, _parts(path, header, kept))

    def mark_end(self, log: CheckedLog) -> None:
        """Begin an empty segment, so that the log still ends where it did."""
        assert log.end is not None
        marker = marker_with(secrets.token_bytes(SALT_BYTES))
        header = Header(log.last.header.epoch, log.end, log.last.closed_ns, log.positions, marker)
        name = f"{log.segments[-1].segment.number + 1:012d}.segment"
        path = os.path.join(self._directory.segments, name)
        verb = "would begin" if self._dry_run else "began"
        self.told.append(f"{verb} {path}, empty, so that the log ends where it did: at sequence {log.end}")
        if not self._dry_run:
            self._write(path, [encode_header(header)], log.last.path)

    def mend_journal(self, journal: CheckedJournal, log: CheckedLog) -> None:
        """Set its damaged files aside, and keep the whole entries; where they tell nothing, begin anew."""
        self.told += [*map(str, journal.damages), journal.cost]
        if journal.state is not None:
            for path, whole in journal.kept.items():
                self._replace(path, [whole] if whole else None)
            return
        for path in journal.kept:
            self._set_aside(path)
        if not self._dry_run:
            state = State(journal.sink, log.oldest, log.oldest, Ledger())
            self._write(f"{journal.path}.1", [encode_entry(state, 1)], self._directory.cursors)
            self._unlink([path for path in journal.kept if path.endswith(".0")])

    def _replace(self, path: str, pieces: Iterable[bytes] | None) -> None:
        """Set a file aside, and put another in its place, or none."""
        self._set_aside(path)
        if self._dry_run:
            return
        if pieces is None:
            self._unlink([path])
        else:
            self._write(path, pieces, path)

    def _set_aside(self, path: str) -> None:
        name = _free_name(self._aside, path)
        self.told.append(f"{'would keep' if self._dry_run else 'kept'} the damaged file as {name}")
        if not self._dry_run:
            self._keep(path, name)

    def _unlink(self, paths: Sequence[str]) -> None:
        for path in paths:
            os.unlink(path)
            sync_folder(os, os.path.dirname(path))

    def _keep(self, path: str, name: str) -> None:
        """A second name for the file, or a copy where the file system has no second names."""
        if not os.path.isdir(self._aside):
            os.mkdir(self._aside, 0o700)
            _give(self._aside, self._directory.path)
            sync_folder(os, self._directory.path)
        if os.path.exists(name):
            return  # a repair that was killed has done so
        try:
            os.link(path, name)
        except OSError:
            self._write(name, _parts(path, b"", [(0, os.stat(path).st_size)]), path)
        sync_folder(os, self._aside)

    def _write(self, path: str, pieces: Iterable[bytes], like: str) -> None:
        """Make a file, all at once as others see it, that belongs to whom another one does."""
        unfinished = path + _UNFINISHED
        with opened(os, unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) as fd:
            for piece in pieces:
                write_all(os, fd, [piece])
            os.fsync(fd)
        _give(unfinished, like)
        os.rename(unfinished, path)
        sync_folder(os, os.path.dirname(path))


def _new_header(checked: CheckedSegment, neighbours: list[int]) -> Header:
    """A header for records that have lost theirs, or that stand where they cannot."""
    assert checked.first is not None
    epoch = checked.segment.header.epoch if checked.segment.header.size else _epoch_of(checked.segment.path, neighbours)
    return Header(epoch, checked.first, checked.first_received_ns, checked.positions, checked.segment.header.marker)


def _epoch_of(path: str, neighbours: list[int]) -> int:
    """The epoch that the segment was written in: that of both segments beside it, or the one in what is left of its
    header. Should that be wrong, its events have other ids than before: they may arrive twice."""
    if len(neighbours) == 2 and neighbours[0] == neighbours[1]:
        return neighbours[0]
    with opened(os, path, os.O_RDONLY) as fd:
        start = os.pread(fd, _EPOCH.size, 0)
    found: int = _EPOCH.unpack(start)[0] if len(start) == _EPOCH.size else 0
    return found or secrets.randbits(64)


def _parts(path: str, front: bytes, ranges: Iterable[tuple[int, int]]) -> Iterable[bytes]:
    """Some bytes, and then these parts of a file."""
    yield front
    with opened(os, path, os.O_RDONLY) as fd:
        for start, end in ranges:
            while start < end:
                block = os.pread(fd, min(_BLOCK_BYTES, end - start), start)
                if not block:
                    raise OSError(f"{path} has become shorter")
                yield block
                start += len(block)


def _free_name(folder: str, path: str) -> str:
    """A name for the damaged file that no other file has: numbers of segments may come again."""
    number = 1
    while True:
        name = os.path.join(folder, f"{os.path.basename(path)}.damaged{'' if number == 1 else f'.{number}'}")
        if not os.path.exists(name) or os.path.samefile(name, path):
            return name
        number += 1


def _give(path: str, like: str) -> None:
    """Let a file belong to the owner of another one: root may repair what a service must read."""
    owner = os.stat(like)
    with suppress(PermissionError):
        os.chown(path, owner.st_uid, owner.st_gid)
