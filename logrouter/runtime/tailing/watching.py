"""Learns when there is something to read: from inotify, and by the clock where that says nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from logrouter.runtime.tailing.file import TailedFile
from logrouter.runtime.tailing.globs import Look, Patterns
from logrouter.runtime.tailing.inotify import Inotify, silent_file_system

SAFETY_SECONDS: Final = 10.0
"""How often one looks all the same where inotify works: watches have a limit, and its queue may overflow."""
GATHER_SECONDS: Final = 0.02
"""Events come in crowds: they are taken together."""
MOST_GATHER_SECONDS: Final = 0.1
"""The kernel holds 16,384 of them, if nothing else is said (fs.inotify.max_queued_events)."""


class Watching:
    """Of the files of one source."""

    def __init__(self, patterns: Patterns, poll_interval_seconds: float, *, poll: bool) -> None:
        """`poll`: without inotify."""
        self.trouble: str | None = None
        """Why inotify cannot be had, at least not for all: one has to look more often."""
        self._patterns = patterns
        self._poll_interval_seconds = poll_interval_seconds
        self._files: Inotify | None = None
        self._folders: Inotify | None = None
        self._by_number: dict[int, TailedFile] = {}
        self._numbers: dict[TailedFile, int] = {}
        self._unwatched: set[TailedFile] = set()
        self._folder_numbers: set[int] = set()
        self._folders_unwatched = poll
        self._silent: dict[int, bool] = {}
        """By device: whether inotify may say nothing there."""
        if not poll:
            self._open()

    def _open(self) -> None:
        try:
            self._files = Inotify()
            self._folders = Inotify()
        except OSError as error:
            self._fail(error)
            self.close()

    def _fail(self, error: OSError) -> None:
        self.trouble = error.strerror
        self._folders_unwatched = True

    def close(self) -> None:
        """Let go of all watches."""
        if self._files is not None:
            self._files.close()
        if self._folders is not None:
            self._folders.close()
        self._files = self._folders = None

    @property
    def look_interval_seconds(self) -> float:
        """How often to look, whatever happens."""
        if self._folders_unwatched or self._unwatched:
            return self._poll_interval_seconds
        return max(SAFETY_SECONDS, self._poll_interval_seconds)

    # ── looking ──

    def look(self) -> Look:
        """What there is; when that changes from now on, it is noticed. To be called in a thread."""
        inotify = self._folders
        if inotify is None or not inotify.hold():  # nobody may wait for this thread any more
            return self._patterns.look()
        try:
            return self._look(inotify)
        finally:
            inotify.close()

    def _look(self, inotify: Inotify) -> Look:
        numbers: set[int] = set()
        failed = False

        def watch(folder: str) -> None:
            nonlocal failed
            try:
                numbers.add(inotify.watch_folder(folder))
                failed = failed or silent_file_system(folder) is not None
            except (FileNotFoundError, NotADirectoryError, PermissionError):
                pass  # it is not there, or not ours
            except OSError as error:
                self.trouble, failed = error.strerror, True

        look = self._patterns.look(watch)
        for number in self._folder_numbers - numbers:
            inotify.unwatch(number)
        self._folder_numbers, self._folders_unwatched = numbers, failed
        return look

    # ── files ──

    def watch(self, file: TailedFile) -> None:
        """Notice from now on when an open file grows."""
        if self._files is None or file in self._numbers:
            return
        assert file.open is not None
        try:
            if self._is_silent(file):
                self._unwatched.add(file)
                return
            number = self._files.watch_file(file.open.fd)
        except OSError as error:
            self.trouble = error.strerror
            self._unwatched.add(file)
        else:
            self._by_number[number], self._numbers[file] = file, number
            self._unwatched.discard(file)

    def _is_silent(self, file: TailedFile) -> bool:
        device = file.identity[0]
        if device not in self._silent:
            self._silent[device] = silent_file_system(file.where) is not None
        return self._silent[device]

    def is_noticed(self, file: TailedFile) -> bool:
        """Whether it is noticed when the file grows; else somebody has to look."""
        return file in self._numbers

    def forget(self, file: TailedFile) -> None:
        """The file is read no more."""
        self._unwatched.discard(file)
        number = self._numbers.pop(file, None)
        if number is not None and self._by_number.get(number) is file:
            del self._by_number[number]
            if self._files is not None:
                self._files.unwatch(number)

    # ── listening ──

    async def listen(self, grown: Callable[[list[TailedFile]], float], look: Callable[[], None]) -> None:
        """For ever: call `grown` with files that have something to read, and `look` when it is time to look.

        `grown` gives for how many seconds nobody needs to know more: while very many files grow, that is longer.
        """
        async with trio.open_nursery() as nursery:
            if self._files is not None:
                nursery.start_soon(self._listen_to_files, self._files, grown, look)
            if self._folders is not None:
                nursery.start_soon(self._listen_to_folders, self._folders, look)

    async def _listen_to_files(
        self, inotify: Inotify, grown: Callable[[list[TailedFile]], float], look: Callable[[], None]
    ) -> None:
        while True:
            await trio.lowlevel.wait_readable(inotify.fd)
            numbers, more = inotify.changed_files()
            if more:  # among others that there was too much to tell
                look()
            found = [file for number in numbers if (file := self._by_number.get(number)) is not None]
            await trio.sleep(min(grown(found), MOST_GATHER_SECONDS))

    async def _listen_to_folders(self, inotify: Inotify, look: Callable[[], None]) -> None:
        while True:
            await trio.lowlevel.wait_readable(inotify.fd)
            inotify.drain()
            look()
            await trio.sleep(GATHER_SECONDS)
