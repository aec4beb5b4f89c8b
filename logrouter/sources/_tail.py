"""The base of sources that follow files: `file`, and those that know more of theirs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal, TypeVar

from logrouter.event import Attributes
from logrouter.formats.values import without_surrogates
from logrouter.runtime.tailing import FileFraming, FileLines, Start
from logrouter.runtime.tailing.globs import Patterns
from logrouter.runtime.tailing.options import Options
from logrouter.runtime.tailing.tail import Tail
from logrouter.sources import Emit, LinesConfig, Source, SourceConfig
from logrouter.values import Duration


class TailConfig(LinesConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The options of all sources that follow files."""

    include: Sequence[str]
    """Which: paths, or patterns of them."""
    exclude: Sequence[str] = ()
    """Files that are left out though `include` matches. Without a slash: any file of such a name (`*.gz`)."""
    start: Literal["beginning", "end"] = "end"
    """Where to begin in files that are there at the very first start. What appears later is read from its beginning,
    and after a restart each file goes on where it was left, if `spool.directory` is set. `end`, as old files may hold
    years, and without a directory each start is the first."""
    watch: Literal["auto", "poll"] = "auto"
    """How growing files are noticed. `auto`: by inotify where that works, else as `poll`: by looking every
    `poll_interval`."""
    poll_interval: Duration = Duration(1.0)
    """How often to look, where inotify does not work; elsewhere one looks every ten seconds, in case. At least 10ms."""
    follow: bool = True
    """Whether to wait for what is appended, and for files that appear. `false`: what is there is read, unfinished last
    lines too, and that is the end; a file that is named and is not there, or cannot be read, is told of, and the exit
    code is 75."""
    read_on: bool = False
    """What SIGTERM does. `false`: no more is read, as the files wait for the next start. `true`: they are read on for
    half of `shutdown_timeout`, as stdin is. For a pod, whose files are gone with it: its app ends before a sidecar."""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.poll_interval < 0.01:
            yield f"poll_interval: at least 10ms, not {self.poll_interval}"


TailConfigT = TypeVar("TailConfigT", bound=TailConfig)


class TailSource(Source[TailConfigT]):
    """Follows files; subclasses say what is known of their events."""

    Config: ClassVar[type[SourceConfig]] = TailConfig
    live = False

    @classmethod
    def reads(cls, config: TailConfig, path: str) -> bool:
        """Whether it would follow a file at that absolute path."""
        return Patterns(config.include, config.exclude).matches(path)

    def __init__(self, config: TailConfigT) -> None:
        super().__init__(config)
        self.ends = not config.follow or config.read_on
        self._positions: Mapping[str, bytes] = {}
        self._tail: Tail | None = None
        self._stopped = False

    def streams_of(self, path: str) -> Mapping[str, Attributes] | None:
        """The streams in a file, by name, and what is known of their events. None: it is not to be read."""
        return {"": {"file": without_surrogates(path)}}

    def framing_of(self, path: str, starts: Mapping[str, Start]) -> FileFraming:
        """What makes frames of a file's bytes, and where its streams go on."""
        start = starts.get("", Start())
        framing = self.config.framing(start.memo, at_start=start.is_first)
        return FileLines(framing, self.config.quiet_seconds)

    def resume(self, positions: Mapping[str, bytes]) -> None:
        """How far files were read when the process ended before."""
        self._positions = positions

    async def run(self, emit: Emit) -> None:
        """Follow the files until `stop` is called."""
        if self._stopped:
            return
        config = self.config
        include, exclude = tuple(config.include), tuple(config.exclude)
        options = Options(include, exclude, config.start, config.watch, config.poll_interval, config.follow)
        self._tail = Tail(options, self, self.warn)
        self._tail.resume(self._positions)
        await self._tail.run(emit)
        self.left_out = self._tail.left_out

    def stop(self) -> None:
        """Read no more: what is not in the spool then is read after the next start."""
        self._stopped = True
        if self._tail is not None:
            self._tail.stop()
