"""Follows the files of one source: one task reads them all, a block each in turn.

Invariants:
- a file is what its identity and its first bytes say, whatever it is called; it is read once, from its place on;
- one that is rotated away is read on until nothing has come for a while, and then its unfinished line counts as one;
- what is not where it was (truncated, deleted, or gone while nobody looked) is looked for in its folder: a copy, or a
  compressed one, is read on where the file was left. One that is there beside its original waits for that;
- what is in the spool and what is not is told by positions alone: `stop` may come at any moment, and so may a kill;
- no more descriptors are open than a share of what the process may have.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Final

import trio

from logrouter.framing import NOTHING
from logrouter.runtime.tailing import Part, Treatment
from logrouter.runtime.tailing.descriptors import Descriptors
from logrouter.runtime.tailing.file import READ_BYTES, BegunAnew, TailedFile, stream_key
from logrouter.runtime.tailing.globs import Identity, Look, Patterns, Seen
from logrouter.runtime.tailing.known import Known, Places, any_of, is_reachable
from logrouter.runtime.tailing.looking import LOOK_SHARE, Aside, Looking
from logrouter.runtime.tailing.opened import Damaged, OpenFile, open_file
from logrouter.runtime.tailing.options import Options
from logrouter.runtime.tailing.schedule import Schedule
from logrouter.runtime.tailing.searching import Sought, find_again
from logrouter.runtime.tailing.table import Table
from logrouter.runtime.tailing.unreadable import Unreadable
from logrouter.runtime.tailing.watching import GATHER_SECONDS, Watching
from logrouter.runtime.threads import in_thread
from logrouter.sources import Emit, Stream, Tell

RENAMED_SECONDS: Final = 60.0
"""How long nothing must come of a file that was renamed away, until it counts as complete: its writer may not have
opened the new one yet."""
DELETED_SECONDS: Final = 5.0
"""The same of one that was deleted, and takes room on the disk as long as it is open. Fluent Bit's `rotate_wait`."""
BUSY_BYTES: Final = READ_BYTES // 4
"""A read that gives more is followed by the next as soon as others had their turn."""
BEGAN: Final = "began"
"""The key of what is no stream: that this source has been here before, and has seen all that was there."""


class Tail:
    """The files of one source."""

    def __init__(
        self,
        options: Options,
        treatment: Treatment,
        warn: Tell,
        *,
        aside: Aside | None = None,
    ) -> None:
        """`aside` calls a function that may take a while: by default in a thread, which may hang."""
        self._aside: Aside = aside or partial(in_thread, abandon_on_cancel=True)
        self._options = options
        self._treatment = treatment
        self._warn = warn
        self._patterns = Patterns(options.include, options.exclude)
        self._watching = Watching(self._patterns, options.poll_interval_seconds, poll=options.watch == "poll")
        self._looking = Looking(self._watching, self._aside, self._wake_up)
        self._schedule: Schedule[TailedFile] = Schedule()
        self._known = Known()
        self._table = Table()
        self._descriptors = Descriptors()
        self._unreadable = Unreadable(warn, follow=options.follow)
        self._told_trouble: str | None = None
        self._is_first_look = True
        self._is_first_start = True
        self._stopped = False
        self._waiting: trio.CancelScope | None = None
        self._emit: Emit

    def resume(self, positions: Mapping[str, bytes]) -> None:
        """How far streams had been read when the process ended before."""
        self._is_first_start = BEGAN not in positions
        for key, position in positions.items():
            if key != BEGAN:
                self._known.add(key, position)

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        self._wake_up()

    @property
    def left_out(self) -> Mapping[str, str]:
        """Without `follow`: the files that could not be read, by their paths, and why."""
        return self._unreadable.left_out

    async def run(self, emit: Emit) -> None:
        """Follow the files until `stop`; without `follow`, read them to their ends."""
        self._emit = emit
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._looking.run)
                nursery.start_soon(self._watching.listen, self._have_grown, self._looking.want)
                await self._read_in_turn()
                nursery.cancel_scope.cancel()
        finally:
            self._watching.close()
            self._descriptors.close_all()

    async def _read_in_turn(self) -> None:
        while not self._stopped:
            if (look := self._looking.take()) is not None:
                await self._take_in(look)
            elif (file := self._schedule.pop(trio.current_time())) is not None:
                await self._read(file)
            elif self._options.follow or self._is_first_look:
                await self._wait()
            else:
                await self._end_all()
                return

    async def _wait(self) -> None:
        """Until a file is due, or something has happened."""
        with trio.CancelScope(deadline=self._schedule.next_due) as self._waiting:
            await trio.sleep_forever()
        self._waiting = None

    def _wake_up(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()

    def _have_grown(self, files: list[TailedFile]) -> float:
        """Gives when to tell of others."""
        now = trio.current_time()
        for file in files:
            self._schedule.wake(file, now)
        self._wake_up()
        return max(GATHER_SECONDS, self._schedule.interval_seconds)

    # ── looking ──

    async def _take_in(self, look: Look) -> None:
        """Begin with files that are new, and leave those that are gone."""
        self._unreadable.look(look)
        for file in (*self._table.take_replaced(look), *self._table.take_missing(look)):
            await self._miss(file)
        fresh = [seen for seen in look.files.values() if not self._is_there(seen)]
        if self._known:
            fresh = await self._recognise(fresh, look)
        for seen in fresh:
            if self._stopped:
                return
            await self._begin_if_readable(seen)
        self._unreadable.tell()
        if (trouble := self._watching.trouble) != self._told_trouble:
            self._told_trouble = trouble
            self._warn("inotify cannot be had for all files: they are looked at instead", reason=trouble)
        if self._is_first_look:
            await self._have_begun()

    async def _have_begun(self) -> None:
        """All that was there has its place. Where that is not kept, the next start is the first again."""
        if self._is_first_start:
            await self._emit(NOTHING, time.time_ns(), Stream(BEGAN, {}), b"1")
        self._is_first_look = False

    def _is_there(self, seen: Seen) -> bool:
        """Whether the file has been found before. If it has changed without that being noticed, it is read."""
        file = self._table.find(seen)
        if file is None:
            return self._table.is_left_alone(seen)
        if seen.changed != file.changed:
            self._schedule.wake(file, trio.current_time())
        file.changed, file.seen_at = seen.changed, seen.path
        return True

    async def _recognise(self, fresh: Iterable[Seen], look: Look) -> list[Seen]:
        """Begin with files that were read before, wherever they are now. Gives the others."""
        others = []
        for seen in fresh:
            if self._known.may_be(seen.identity):
                await self._begin_if_readable(seen)
            else:
                others.append(seen)
        for key, places in self._known.take_gone():
            await self._search_known(key, places, look)
        return [seen for seen in others if not self._is_there(seen)]

    # ── a file comes ──

    async def _begin_if_readable(self, seen: Seen) -> None:
        try:
            await self._begin(seen)
        except FileNotFoundError:  # it was renamed since somebody looked: that is seen, and no trouble
            await trio.lowlevel.checkpoint()
        except OSError as error:
            self._unreadable.cannot_open(seen.path, error)
            await trio.lowlevel.checkpoint()

    async def _begin(self, seen: Seen) -> None:
        """Begin to read a file. Raises OSError."""
        with ExitStack() as closing:
            opened = open_file(seen.path)
            closing.callback(opened.close)
            if opened.identity != seen.identity:  # another one has taken its place, and is seen in a moment
                self._looking.want()
                return
            known = self._recognised(opened)
            if known is not None and not opened.holds(any_of(known[1]).read_to, any_of(known[1]).head):
                await self._search_known(*known, None)
                known = None
            file = self._made(seen.path, seen.identity, known)
            if file is None:
                self._table.unwanted.add(seen.identity)
                return
            closing.pop_all()
        file.changed, file.seen_at = seen.changed, seen.path
        self._table.add(file)
        await self._read_on(file, opened)
        if known is None:
            await self._start(file)

    def _recognised(self, opened: OpenFile) -> tuple[str, Places] | None:
        """The file as it was read before, if it was. Raises OSError."""
        if not self._known.may_be(opened.identity):
            return None
        return self._known.take(opened.identity, opened.head(), opened.generation)

    def _made(self, path: str, identity: Identity, known: tuple[str, Places] | None) -> TailedFile | None:
        """The file, named as when it was found first; None: it is not wanted."""
        try:
            if known is None:
                return TailedFile(self._table.new_key(identity, self._known), path, identity, self._treatment, 0)
            key, places = known
            return TailedFile(key, os.fsdecode(any_of(places).path), identity, self._treatment, places)
        except KeyError:
            return None

    async def _start(self, file: TailedFile) -> None:
        """Decide where a file begins that was not known, and say so where it is not plain."""
        if self._is_first_look and self._is_first_start and self._options.start == "end":
            file.start_at_end()
        if file.read_to or len(file.streams) > 1:
            for stream in file.streams.values():
                await self._emit(NOTHING, time.time_ns(), stream, stream.position)
        else:
            await trio.lowlevel.checkpoint()

    async def _read_on(self, file: TailedFile, opened: OpenFile) -> None:
        """Read a file by this descriptor from now on."""
        self._table.leave_family(file)
        self._descriptors.give(file, opened)
        self._table.join_family(file)
        self._watching.watch(file)
        self._schedule.read_next(file, trio.current_time())
        if opened.is_compressed and file.read_to:
            with suppress(OSError):  # that is told when it is read
                await self._aside(partial(opened.seek, file.read_to))

    # ── a file is read ──

    async def _read(self, file: TailedFile) -> None:
        now = file.read_at = trio.current_time()
        try:
            if file.open is None and not await self._reopen(file):
                if file.left_at is not None:  # nobody looks for it
                    await self._go_after(file)
                file.changed = None  # where it is seen next, it is read
                return
            self._descriptors.used(file)
            data = file.read()
        except BegunAnew:
            await self._begin_anew(file)
            return
        except OSError as error:
            self._unreadable.cannot_read(file.path, error)
            self._descriptors.close(file)
            self._try_again(file, error)
            return
        self._unreadable.is_well(file.path)
        if not data:
            await self._at_end(file, now)
        elif file.is_at_beginning and (original := self._table.original_of(file, data)) is not None:
            self._let_go(file)
            self._table.set_aside(file, original)
        else:
            file.written_at = now
            await self._emit_parts(file, file.feed(data))
            if len(data) >= BUSY_BYTES:
                self._schedule.read_next(file, trio.current_time())
            else:
                self._schedule.rest(file, now)

    def _try_again(self, file: TailedFile, error: OSError) -> None:
        """It takes no more of the time than looking does. What is damaged is tried when it is seen to have changed."""
        now = trio.current_time()
        file.read_at = now + (now - file.read_at) * LOOK_SHARE  # who wakes it before that is told to wait
        if isinstance(error, Damaged) and file.left_at is None:
            self._schedule.quiet(file)
        else:
            self._schedule.read_at(file, max(file.read_at, now + self._options.poll_interval_seconds))

    async def _reopen(self, file: TailedFile) -> bool:
        """Open it again. False: it is not there any more. Raises BegunAnew, OSError."""
        for path in (file.where, file.seen_at):
            with suppress(FileNotFoundError, NotADirectoryError), ExitStack() as closing:
                opened = open_file(path)
                closing.callback(opened.close)
                if opened.identity == file.identity:
                    if not file.is_in(opened):
                        raise BegunAnew
                    closing.pop_all()
                    await self._read_on(file, opened)
                    file.due = None
                    return True
        self._looking.want()
        return False

    async def _emit_parts(self, file: TailedFile, parts: Sequence[Part]) -> None:
        for part in parts:
            position = file.position(part.stream, part.held_bytes, part.memo)
            await self._emit(part.frame, time.time_ns(), file.streams[part.stream], position)

    async def _at_end(self, file: TailedFile, now: float) -> None:
        """Nothing more is in it. One that was left is complete when that has been so for a while."""
        assert file.open is not None
        if file.flush_at <= now:
            await self._emit_parts(file, file.flush())
        if file.left_at is None:
            await trio.lowlevel.checkpoint()
            if file.flush_at < float("inf"):
                self._schedule.read_at(file, file.flush_at)
            return
        until = max(file.left_at, file.written_at) + (DELETED_SECONDS if file.open.is_deleted() else RENAMED_SECONDS)
        if now >= until:
            await self._finish(file)
        elif self._watching.is_noticed(file):
            self._schedule.read_at(file, min(until, file.flush_at))
        else:
            self._schedule.read_at(file, min(until, file.flush_at, now + self._options.poll_interval_seconds))

    # ── a file goes ──

    async def _begin_anew(self, file: TailedFile) -> None:
        """What it held is gone: it was truncated, or its inode belongs to another one."""
        if not await self._search(file):
            await self._finish(file)
        self._looking.want()

    async def _miss(self, file: TailedFile) -> None:
        """A file that is at none of the paths any more."""
        try:
            is_there = file.open is not None or await self._reopen(file)
        except BegunAnew:
            is_there = False
        except OSError:  # that is told when it is read
            is_there = True
        if is_there:
            self._table.add(file, left_at=trio.current_time())
            self._schedule.wake(file, trio.current_time())
            return
        await self._go_after(file)

    async def _go_after(self, file: TailedFile) -> None:
        """It is not where it was."""
        self._let_go(file)
        if not await self._search(file):
            await self._lose(file)

    async def _lose(self, file: TailedFile) -> None:
        """It is nowhere. Where its file system is gone as well, it is known when that returns."""
        if is_reachable(file.where, file.identity):
            await self._finish(file)
            return
        self._let_go(file)
        for key, position in file.positions():
            self._known.add(key, position)

    async def _search(self, file: TailedFile) -> bool:
        """Read a file on that is not where it was. False: it is nowhere."""
        inode = file.identity[1]
        sought = Sought(file.where, inode, file.generation, file.head, file.read_to, file.written_ns)
        opened = await self._found(sought)
        if opened is None:
            return False
        self._let_go(file)
        await self._settle(file, opened)
        return True

    async def _search_known(self, key: str, places: Places, look: Look | None) -> None:
        """The same for what was read before this process began, unless it is not to be read any more."""
        place = any_of(places)
        opened = None
        if self._patterns.matches(os.fsdecode(place.path)):
            read_to = max(place.read_to for place in places.values())
            where = os.fsdecode(place.where)
            sought = Sought(where, place.inode, place.generation, place.head, read_to, place.written_ns)
            opened = await self._found(sought)
        file = self._made("", place.identity, (key, places)) if opened is not None else None
        if opened is not None and file is not None:
            await self._settle(file, opened, look)
            return
        if opened is not None:
            opened.close()
        for name in places:
            await self._emit(NOTHING, time.time_ns(), Stream(stream_key(key, name), {}), b"")

    async def _found(self, sought: Sought) -> OpenFile | None:
        found: OpenFile | None = await self._aside(partial(find_again, sought, self._table.begun()))
        return found

    async def _settle(self, file: TailedFile, opened: OpenFile, look: Look | None = None) -> None:
        """Read a file on by a descriptor of what it is now."""
        identity = opened.identity
        is_at_path = self._table.is_at_path(identity) or (look is not None and identity in look.files)
        if (begun := self._table.files.get(identity)) is not None:  # nothing has been read of it yet
            self._let_go(begun)
        file.identity = identity
        self._table.add(file, None if is_at_path else trio.current_time())
        await self._read_on(file, opened)

    async def _finish(self, file: TailedFile) -> None:
        """It is complete: its last line counts, and its place need not be remembered, unless there is a copy."""
        if self._table.has_copy(file) and await self._search(file):
            return
        self._let_go(file)
        await self._emit_parts(file, file.finish())
        for stream in file.streams.values():
            await self._emit(NOTHING, time.time_ns(), stream, b"")

    def _let_go(self, file: TailedFile) -> None:
        self._table.remove(file)
        self._unreadable.is_well(file.path)
        self._schedule.quiet(file)
        self._watching.forget(file)
        self._descriptors.close(file)

    async def _end_all(self) -> None:
        """Without `follow`: the last lines count."""
        for file in list(self._table.files.values()):
            await self._emit_parts(file, file.finish())
