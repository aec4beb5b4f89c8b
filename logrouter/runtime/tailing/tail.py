"""Follows the files of one source: one task reads them all, a block each in turn.

Invariants:
- a file is what its identity and its first bytes say, whatever it is called; it is read once, from its place on;
- one that is rotated away is read on until nothing has come for a while, and then its unfinished line counts as one;
- what is in the spool and what is not is told by positions alone: `stop` may come at any moment, and so may a kill;
- no more descriptors are open than a share of what the process may have.
"""

from __future__ import annotations

import os
import resource
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Final

import trio

from logrouter.framing import Frame
from logrouter.runtime.tailing import Part, Treatment
from logrouter.runtime.tailing.file import READ_BYTES, BegunAnew, TailedFile, stream_key
from logrouter.runtime.tailing.globs import Identity, Look, Patterns, Seen
from logrouter.runtime.tailing.known import Known, Places
from logrouter.runtime.tailing.opened import OpenFile
from logrouter.runtime.tailing.options import Options
from logrouter.runtime.tailing.schedule import Schedule
from logrouter.runtime.tailing.watching import GATHER_SECONDS, Watching
from logrouter.runtime.threads import in_thread
from logrouter.sources import Emit, Stream, Tell

RENAMED_SECONDS: Final = 60.0
"""How long nothing must come of a file that was renamed away, until it counts as complete: its writer may not have
opened the new one yet."""
DELETED_SECONDS: Final = 5.0
"""The same of one that was deleted, and takes room on the disk as long as it is open."""
LOOK_SHARE: Final = 20
"""Looking takes no more than a twentieth of the time, however much happens in the folders."""
BUSY_BYTES: Final = READ_BYTES // 4
"""A read that gives more is followed by the next as soon as others had their turn."""
OPEN_SHARE: Final = 2
"""Half the descriptors that the process may have are for files that are read."""
BEGAN: Final = "began"
"""The key of what is no stream: that this source has been here before."""
_NOTHING: Final = Frame([], b"", {}, 0)


class Tail:
    """The files of one source."""

    def __init__(
        self,
        options: Options,
        treatment: Treatment,
        warn: Tell,
        *,
        look_in: Callable[[Callable[[], Look]], Awaitable[Look]] | None = None,
    ) -> None:
        """`look_in` calls a function that may take a while: by default in a thread, which may hang."""
        self._look_in = look_in or partial(in_thread, abandon_on_cancel=True)
        self._options = options
        self._treatment = treatment
        self._warn = warn
        self._patterns = Patterns(options.include, options.exclude)
        self._watching = Watching(self._patterns, options.poll_interval_seconds, poll=options.watch == "poll")
        self._schedule: Schedule[TailedFile] = Schedule()
        self._known = Known()
        self._files: dict[Identity, TailedFile] = {}
        """Those at paths that are looked for."""
        self._left: dict[Identity, TailedFile] = {}
        """Those that were there, and are read to their end."""
        self._open: OrderedDict[TailedFile, None] = OrderedDict()
        """Those with a descriptor; what was read last comes last."""
        self._most_open = max(16, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // OPEN_SHARE)
        self._unreadable: dict[str, str] = {}
        self._unwanted: set[Identity] = set()
        self._is_first_look = True
        self._is_first_start = True
        self._look: Look | None = None
        self._look_wanted = trio.Event()
        self._stopped = False
        self._waiting: trio.CancelScope | None = None
        self._emit: Emit

    def resume(self, positions: Mapping[str, bytes]) -> None:
        """How far streams had been read when the process ended before."""
        for key, position in positions.items():
            self._is_first_start = False
            if key != BEGAN:
                self._known.add(key, position)

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        self._wake_up()

    async def run(self, emit: Emit) -> None:
        """Follow the files until `stop`; without `follow`, read them to their ends."""
        self._emit = emit
        try:
            async with trio.open_nursery() as nursery:
                if self._stopped:
                    return
                await self._say_began()
                nursery.start_soon(self._look_again_and_again)
                nursery.start_soon(self._watching.listen, self._has_grown, self._want_look)
                await self._read_in_turn()
                nursery.cancel_scope.cancel()
        finally:
            self._watching.close()
            for file in list(self._open):
                file.close()

    async def _say_began(self) -> None:
        if self._is_first_start:
            await self._emit(_NOTHING, time.time_ns(), Stream(BEGAN, {}), b"1")

    async def _read_in_turn(self) -> None:
        while not self._stopped:
            if self._look is not None:
                look, self._look = self._look, None
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

    # ── looking ──

    async def _look_again_and_again(self) -> None:
        while True:
            started = trio.current_time()
            self._look = await self._look_in(self._watching.look)
            self._wake_up()
            took = trio.current_time() - started
            with trio.move_on_after(self._watching.look_interval_seconds):
                await self._look_wanted.wait()
            await trio.sleep(max(GATHER_SECONDS, took * LOOK_SHARE))
            self._look_wanted = trio.Event()

    def _want_look(self) -> None:
        self._look_wanted.set()

    def _has_grown(self, file: TailedFile) -> None:
        self._schedule.wake(file, trio.current_time())
        self._wake_up()

    async def _take_in(self, look: Look) -> None:
        """Begin with files that are new, and leave those that are gone."""
        odd = dict(look.odd)
        for identity in self._files.keys() - look.files.keys():
            await self._miss(self._files.pop(identity))
        for seen in look.files.values():
            if self._stopped:
                return
            try:
                await self._see(seen)
            except OSError as error:
                odd[seen.path] = str(error.strerror)
        self._tell_unreadable(odd)
        for key, places in self._known.take_gone() if self._is_first_look else ():
            await self._search(key, places)
        self._is_first_look = False

    async def _see(self, seen: Seen) -> None:
        """A file that is there. Raises OSError."""
        file = self._files.get(seen.identity)
        if file is None and (file := self._left.pop(seen.identity, None)) is not None:
            file.left_at = None
            self._files[seen.identity] = file
        if file is None:
            if seen.identity not in self._unwanted:
                await self._begin(seen)
        elif seen.size != file.read_to and not self._watching.is_noticed(file):
            self._schedule.wake(file, trio.current_time())

    def _tell_unreadable(self, odd: Mapping[str, str]) -> None:
        for path, reason in odd.items():
            if self._unreadable.get(path) != reason:
                self._warn("cannot read a file: tried again and again", about=path, file=path, reason=reason)
        for path in self._unreadable.keys() - odd.keys():
            self._warn("a file can be read again, or is gone", about=path, file=path)
        self._unreadable = dict(odd)

    # ── a file comes ──

    async def _begin(self, seen: Seen) -> None:
        """Begin to read a file. Raises OSError."""
        open_file = OpenFile(seen.path)
        if open_file.identity != seen.identity:  # another one has taken its place, and is seen in a moment
            open_file.close()
            self._want_look()
            return
        try:
            known = self._known.take(seen.identity, open_file.head())
            if known is not None and open_file.status().st_size < min(p.read_to for p in known[1].values()):
                await self._forget(known)
                known = None
            while (other := self._known.reused(seen.identity)) is not None:
                await self._forget(other)
            file = self._made(seen, known)
        except BaseException:
            open_file.close()
            raise
        if file is None:
            open_file.close()
            self._unwanted.add(seen.identity)
            return
        self._take_open(file, open_file)
        self._files[seen.identity] = file
        if known is None:
            await self._start(file)
        self._schedule.read_next(file, trio.current_time())

    def _made(self, seen: Seen, known: tuple[str, Places] | None) -> TailedFile | None:
        """The file; None: it is not wanted."""
        try:
            if known is None:
                key = "{:x}-{:x}".format(*seen.identity)
                return TailedFile(key, seen.path, seen.identity, self._treatment, 0)
            key, places = known
            path = os.fsdecode(next(iter(places.values())).path)
            return TailedFile(key, path, seen.identity, self._treatment, places)
        except KeyError:
            return None

    async def _start(self, file: TailedFile) -> None:
        """Decide where a file begins that was not known, and say so where it is not plain."""
        assert file.open is not None
        if self._is_first_look and self._is_first_start and self._options.start == "end":
            file.start_at(_last_line_start(file.open))
        if file.read_to or len(file.streams) > 1:
            for stream in file.streams.values():
                await self._emit(_NOTHING, time.time_ns(), stream, stream.position)

    def _take_open(self, file: TailedFile, open_file: OpenFile) -> None:
        while len(self._open) >= self._most_open:
            self._close(next(iter(self._open)))
        file.opened(open_file)
        self._open[file] = None
        self._watching.watch(file)

    def _close(self, file: TailedFile) -> None:
        file.close()
        self._open.pop(file, None)

    # ── a file is read ──

    async def _read(self, file: TailedFile) -> None:
        now = file.read_at = trio.current_time()
        try:
            if file.open is None and not self._reopen(file):
                return
            self._open.move_to_end(file)
            data = file.read()
        except BegunAnew:
            await self._begin_anew(file)
            return
        except OSError as error:
            self._tell_unreadable({**self._unreadable, file.path: str(error.strerror)})
            self._close(file)
            self._want_look()
            return
        if not data:
            await self._at_end(file, now)
            return
        file.written_at = now
        await self._emit_parts(file, file.feed(data))
        if len(data) >= BUSY_BYTES:
            self._schedule.read_next(file, trio.current_time())
        else:
            self._schedule.rest(file, now)

    def _reopen(self, file: TailedFile) -> bool:
        """Open it again. False: it is not there any more. Raises OSError."""
        try:
            open_file = OpenFile(file.where)
        except FileNotFoundError:
            self._want_look()
            return False
        if open_file.identity != file.identity:
            open_file.close()
            self._want_look()
            return False
        self._take_open(file, open_file)
        return True

    async def _emit_parts(self, file: TailedFile, parts: Sequence[Part]) -> None:
        for frame, held_bytes, memo, name in parts:
            await self._emit(frame, time.time_ns(), file.streams[name], file.position(name, held_bytes, memo))

    async def _at_end(self, file: TailedFile, now: float) -> None:
        """Nothing more is in it. One that was left is complete when that has been so for a while."""
        assert file.open is not None
        if file.left_at is None:
            await trio.lowlevel.checkpoint()
            return
        deleted = file.open.status().st_nlink == 0
        until = max(file.left_at, file.written_at) + (DELETED_SECONDS if deleted else RENAMED_SECONDS)
        if now >= until:
            await self._finish(file)
        elif self._watching.is_noticed(file):
            self._schedule.read_at(file, until)
        else:
            self._schedule.read_at(file, min(until, now + self._options.poll_interval_seconds))

    # ── a file goes ──

    async def _begin_anew(self, file: TailedFile) -> None:
        """What it held is gone: it was truncated, or its inode belongs to another one."""
        await self._finish(file)
        self._want_look()

    async def _miss(self, file: TailedFile) -> None:
        """A file that is at none of the paths any more."""
        now = trio.current_time()
        if file.open is None and not self._reopen(file):
            await self._finish(file)
            return
        file.left_at = now
        self._left[file.identity] = file
        self._schedule.wake(file, now)

    async def _search(self, key: str, places: Places) -> None:
        await self._forget((key, places))

    async def _finish(self, file: TailedFile) -> None:
        """It is complete: its last line counts, and its place need not be remembered."""
        self._let_go(file)
        parts = {part.stream: part.frame for part in file.finish()}
        for name, stream in file.streams.items():
            await self._emit(parts.get(name, _NOTHING), time.time_ns(), stream, b"")

    def _let_go(self, file: TailedFile) -> None:
        for files in (self._files, self._left):
            if files.get(file.identity) is file:
                del files[file.identity]
        self._schedule.quiet(file)
        self._watching.forget(file)
        self._close(file)

    async def _forget(self, known: tuple[str, Places]) -> None:
        """Its place need not be remembered."""
        key, places = known
        for name in places:
            await self._emit(_NOTHING, time.time_ns(), Stream(stream_key(key, name), {}), b"")

    async def _end_all(self) -> None:
        """Without `follow`: the last lines count."""
        for file in list(self._files.values()):
            parts = {part.stream: part.frame for part in file.finish()}
            for name, frame in parts.items():
                await self._emit(frame, time.time_ns(), file.streams[name], file.position(name))


def _last_line_start(file: OpenFile) -> int:
    """Where its unfinished last line begins: its end, where there is none, or a very long one."""
    size = file.status().st_size
    start = max(0, size - READ_BYTES)
    return start + file.read(start, size - start).rfind(b"\n") + 1 if size else 0
