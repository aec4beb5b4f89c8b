"""systemd's journal, by way of `journalctl`.

Each entry is one JSON event with all of its fields, under the names that the journal gives them (`_SYSTEMD_UNIT`,
`SYSLOG_IDENTIFIER`, `_PID` …; a field that an entry has several times is a list), but for three:

    message     MESSAGE
    severity    PRIORITY by name: fatal alert critical error warning notice info debug
    time        _SOURCE_REALTIME_TIMESTAMP, when it was sent, else when journald received it: as journalctl shows it

So `severity >= "warning" and _SYSTEMD_UNIT == "nginx.service"` is a rule like any other. Bytes that are no UTF-8 become
U+FFFD. Of an entry that is longer than `max_line` the rest is lost, and told.

Entries are read once each, over restarts and reboots: the journal's cursor is the position, kept in the spool. Where
the journal was vacuumed meanwhile, it goes on with the oldest entry that is left; how many are gone (of all units, as
nobody knows whose they were) is told and counted as `lost_events`. When `journalctl` ends, it is started again.

To read more than its own user's entries, logrouter must be in the group `systemd-journal` or `adm`
(`SupplementaryGroups=systemd-journal` in a unit). In a container mount the host's `/var/log/journal` and name it as
`directory`; `journalctl` (Debian: package `systemd`) must be in the image.
"""

from __future__ import annotations

import random
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final, Literal

import msgspec
import trio

from logrouter.backoff import Backoff
from logrouter.framing import NOTHING
from logrouter.journal_export import JournalFraming, is_same_entry, sequence_of
from logrouter.sources import Emit, Source, SourceConfig, Stream
from logrouter.sources._journalctl import Journalctl, running, unreadable_journal

READ_BYTES: Final = 256 * 1024
"""About 300 entries: 5 ms of work."""
READ_INTERVAL_SECONDS: Final = 0.02
"""As stdin's: while little comes at once it is not looked for more often."""
BUSY_BYTES: Final = 32 * 1024
FIRST_PAUSE_SECONDS: Final = 1.0
"""Before journalctl is started again; doubled up to half a minute."""

_KEY: Final = "journal"
"""There is one stream."""
_UNREAD: Final = ">"
"""Before the cursor of an entry that is yet to be read: the one that was read last is gone."""
_FIELD: Final = re.compile(r"[A-Z0-9_]{1,64}")


class JournaldConfig(SourceConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options of journald."""

    units: Sequence[str] = ()
    """Entries of and about these units alone, such as `[nginx.service, "php*"]`. Default: all."""
    matches: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)
    """Only entries with these values in their fields: `{_TRANSPORT: [kernel], PRIORITY: ["3", "4"]}`. journald itself
    looks for them, which costs less than a rule; a rule can say more."""
    start: Literal["end", "boot", "beginning"] = "end"
    """Where to begin when nothing has been read yet: at the end, with all entries of this boot, or with the oldest."""
    directory: str | None = None
    """A folder with journal files, where it is not this machine's own journal: `/var/log/journal` of a host."""
    namespace: str | None = None
    """The journal of this namespace, as journalctl's `--namespace` has it (`*`: of all)."""
    follow: bool = True
    """`false`: read what there is, and end."""
    journalctl: str = "journalctl"
    """The program, where it is not in `PATH`."""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        for field in self.matches:
            if not _FIELD.fullmatch(field):
                yield f"matches: {field!r} is no field of the journal: these are made of A-Z, 0-9 and _"


class JournaldSource(Source[JournaldConfig]):
    """Reads the journal from where it was read to before."""

    Config: ClassVar[type[SourceConfig]] = JournaldConfig
    live = False

    def __init__(self, config: JournaldConfig) -> None:
        super().__init__(config)
        self.ends = not config.follow
        self._stream = Stream(_KEY, {})
        self._cursor = ""
        """Of the last entry that was read."""
        self._is_read = True
        """Whether that was emitted; else it is the next."""
        self._backoff = Backoff(random.random, FIRST_PAUSE_SECONDS)
        self._waiting: trio.CancelScope | None = None
        self._stopped = False
        self._earliest = 0.0
        """When to read next."""

    @classmethod
    def problem_with(cls, config: JournaldConfig) -> str | None:
        """Why the journal cannot be read: journalctl is missing, or it may not."""
        if shutil.which(config.journalctl) is None:
            return f"{config.journalctl} is not there, or may not be executed: it comes with systemd"
        return unreadable_journal(config.directory)

    def resume(self, positions: Mapping[str, bytes]) -> None:
        """Go on behind the entry that was read last."""
        position = positions.get(_KEY, b"").decode()
        self._cursor = position.removeprefix(_UNREAD)
        self._is_read = self._cursor == position

    def stop(self) -> None:
        """Read no more."""
        self._stopped = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def run(self, emit: Emit) -> None:
        """Read the journal, and what is written to it, until `stop` is called."""
        while not self._stopped:
            problem = await self._read_on(emit)
            if problem is None and not self.config.follow:
                break
            await self._pause(problem or "it does not say why")

    async def _pause(self, reason: str) -> None:
        """Before journalctl is started again."""
        if not self._stopped:
            self.warn("journalctl has ended, and is started again", reason=reason)
            with trio.CancelScope() as self._waiting:
                await trio.sleep(self._backoff.next_seconds())

    async def _read_on(self, emit: Emit) -> str | None:
        """Read what there is, then what comes. Gives the reason for which journalctl has failed; None: for none.

        These are two runs: `--follow` gives entries of this boot alone (since systemd 251), and what was written last
        before a reboot would be left out.
        """
        problem = await self._find_beginning(emit)
        if problem is None:
            boot = ["--boot"] if self.config.start == "boot" and not self._cursor else []
            problem = await self._read(emit, *boot)
        if problem is None and self.config.follow:
            merge = ["--merge"] if self.config.directory else []  # it is the boots of another machine
            problem = await self._read(emit, "--follow", "--no-tail", *merge)
        return problem

    async def _find_beginning(self, emit: Emit) -> str | None:
        """Find the end of the journal, or look whether the entry that was read last is still there."""
        if not self._cursor and self.config.start != "end":
            return None
        framing = JournalFraming(self.config.max_line)
        problem = await self._run(["--lines=1"], partial(self._read_one, framing))
        if framing.cursor and not is_same_entry(framing.cursor, self._cursor):
            if self._cursor:
                self._tell_of_gap(framing.cursor)
                self._is_read = False
                await emit(NOTHING, time.time_ns(), self._stream, b"")  # how much to leave out behind it is void
            self._cursor = framing.cursor
            await emit(NOTHING, time.time_ns(), self._stream, self._position)
        return problem

    async def _read_one(self, framing: JournalFraming, child: Journalctl) -> str | None:
        """The entry at the cursor, of whatever unit, or the next where that is gone. Without a cursor the last one."""
        while not framing.cursor and (data := await self._next_bytes(child)):
            framing.feed(data)
        return None if framing.cursor or self._stopped else await child.failure()

    def _tell_of_gap(self, oldest: str) -> None:
        before, after = sequence_of(self._cursor), sequence_of(oldest)
        lost = max(0, after[1] - before[1] - 1) if before and after and before[0] == after[0] else None
        self.lost_events += lost or 0
        message = "the journal does not go back to where it was read to: entries are lost"
        self.warn(message, entries="unknown" if lost is None else lost)

    async def _read(self, emit: Emit, *arguments: str) -> str | None:
        """Emit what journalctl gives, until it ends or `stop` is called."""
        units = [f"--unit={unit}" for unit in self.config.units]
        matches = [f"{field}={value}" for field, values in self.config.matches.items() for value in values]
        framing = JournalFraming(self.config.max_line, self._cursor if self._is_read else "")
        return await self._run([*arguments, *units, *matches], partial(self._emit_all, framing, emit))

    async def _emit_all(self, framing: JournalFraming, emit: Emit, child: Journalctl) -> str | None:
        while data := await self._next_bytes(child):
            frame = framing.feed(data)
            if cut_bytes := framing.take_cut_bytes():
                self.lost_bytes += cut_bytes
                self.warn("an entry is longer than max_line: the rest of it is lost", bytes=cut_bytes)
            if frame.lines:
                self._backoff.reset()
                self._cursor, self._is_read = framing.cursor, True
                await emit(frame, time.time_ns(), self._stream, self._position)
        return None if self._stopped else await child.failure()

    @property
    def _position(self) -> bytes:
        return f"{'' if self._is_read else _UNREAD}{self._cursor}".encode()

    async def _run(self, arguments: Sequence[str], use: Callable[[Journalctl], Awaitable[str | None]]) -> str | None:
        """Run journalctl from where the journal was read to. Gives the reason for which it has failed."""
        try:
            async with running(self._command(arguments)) as child:
                try:
                    return await use(child)
                except ValueError as error:
                    return f"what it writes is no journal: {error}"
        except OSError as error:
            return f"{self.config.journalctl}: {error.strerror}"

    def _command(self, arguments: Sequence[str]) -> list[str]:
        """`--cursor` begins with the entry that was read last, which is left out then.

        `--after-cursor` leaves out one entry whichever it is: also where that one is gone, or does not match any more.
        """
        config = self.config
        command = [config.journalctl, "--output=export", "--quiet", "--all"]
        command += [f"--directory={config.directory}"] if config.directory else []
        command += [f"--namespace={config.namespace}"] if config.namespace else []
        command += [f"--cursor={self._cursor}"] if self._cursor else []
        return [*command, *arguments]

    async def _next_bytes(self, child: Journalctl) -> bytes:
        """What comes next. Empty: nothing will, or `stop` was called."""
        if self._stopped:
            return b""
        data = b""
        with trio.CancelScope() as self._waiting:
            await trio.sleep_until(self._earliest)
            data = await child.read(READ_BYTES)
        self._waiting = None
        self._earliest = trio.current_time() + READ_INTERVAL_SECONDS if len(data) < BUSY_BYTES else 0.0
        return data
