"""Appends events to files, one line each.

`path` may hold templates (`/var/log/{service.name}/{date}.ndjson`): each event goes to the file that its own
values name, folders are made as needed, and what comes from events cannot leave its part of the path. A symbolic
link is followed where the path is fixed, and refused at the end of a path that events have named.

Whole lines only: a write that fails half-way is taken up where it stopped, and after a crash an unfinished last
line is ended before the next begins. A batch counts as delivered once it is on the disk (`fsync`).

Compressed files can be read at any moment: every batch is a gzip member or zstd frame of its own. A file is
rotated to `errors.ndjson.1` (`errors.ndjson.1.gz`), that one to `.2`, and so on. A file that is moved or deleted by
others, as logrotate does, is opened anew; SIGHUP has all opened anew. A character device (`/dev/null`, a terminal) is
written to as it is; a named pipe or a socket is refused, and for streams there are the sinks `stdout` and `stderr`.
Two sinks with the same fixed path are refused: their lines would mix, and each would rotate the file of the other.

As a URL: `file:errors.ndjson`, `file:///var/log/app/{date}.ndjson?format=raw&rotate_size=64MiB`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from functools import lru_cache
from typing import Any, ClassVar, Literal, Self

import msgspec

from logrouter import formats
from logrouter.batch import merged
from logrouter.compression import SUFFIXES, Compression
from logrouter.errors import refuse
from logrouter.facts import Facts
from logrouter.sinks import (
    Append,
    Batch,
    Delivered,
    Instruction,
    Outcome,
    Sink,
    SinkConfig,
    SinkContext,
    Slice,
    Transport,
)
from logrouter.templates import Template, percent_decoded
from logrouter.values import Duration, Size

NAME_BYTES = 255
"""What Linux allows for one name in a path (NAME_MAX)."""
_CUT_BYTES = 200
"""What is left of a longer name, so that a hash and the number of a rotated file have room."""


class FileMode(int):
    """The permissions of a file, written as `chmod` takes them: `0640`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Three octal digits, with or without a 0 before them. Raises ValueError."""
        if not re.fullmatch(r"0?[0-7]{3}", text):
            raise ValueError(f"expected permissions such as 0640, not {text!r}")
        return cls(text, 8)

    def __str__(self) -> str:
        return f"0{self:03o}"


class FileConfig(SinkConfig, kw_only=True, frozen=True):
    """Where to, in which format, and when to rotate."""

    path: Template
    """Where to: relative to the working directory, or absolute. May hold templates; a value that an event does not have
    is `unknown`."""
    format: Literal["json", "raw", "logfmt"] = "json"
    """What a line looks like: a JSON object, the bytes as they came, or logfmt."""
    compression: Literal["auto", "none", "gzip", "zstd"] = "auto"
    """How the file is compressed. `auto`: as its name says (`.gz`, `.zst`), else not at all."""
    rotate_size: Size | None = None
    """A file is rotated before it grows beyond this, as it is on the disk. Default: never for its size."""
    rotate_interval: Duration | None = None
    """A file is rotated when a new interval begins, counted from midnight UTC: `1d`, `1h`. Default: never for its
    age."""
    keep: int = 10
    """How many rotated files are kept; older ones are deleted."""
    mode: FileMode = FileMode(0o640)
    """The permissions of a new file. Folders are made by the umask."""
    fsync: bool = True
    """Whether events count as delivered only once they are on the disk. `false` trusts that the system does not go
    down."""
    max_open_files: int = 64
    """How many files are kept open at once, where the path holds templates."""


class Handling(msgspec.Struct, frozen=True):
    """What a transport must know to write this sink's files."""

    compression: Compression
    rotate_size: int | None
    rotate_interval_seconds: float | None
    keep: int
    mode: int
    fsync: bool
    max_open_files: int
    follow_links: bool
    """Whether the path may end in a symbolic link."""


class FileSink(Sink[FileConfig]):
    """Encodes each batch, once for every file it goes to."""

    Config: ClassVar[type[SinkConfig]] = FileConfig
    transport: ClassVar[Transport] = "files"
    names_by: ClassVar[tuple[str, ...]] = ("path",)
    segments: ClassVar[bool] = True
    told_of_gaps: bool

    def __init__(self, config: FileConfig, context: SinkContext) -> None:
        super().__init__(config, context)
        refuse(_problems(config))
        self.told_of_gaps = config.format != "raw"
        self.handling = _handling(config)
        self._path: str | None = None
        if config.path.is_constant:
            self.known_path = self._path = _bounded(config.path.render({}, Facts({}, 0, context.resource)))
        else:
            self.templates = (config.path,)
            self.known_path = os.path.join(config.path.text.partition("{")[0].rpartition("/")[0] or ".", "")
        self._encode = formats.encoder(config.format, self.include)

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        return {"path": _path_from_url(url)}

    @classmethod
    def warnings(cls, config: FileConfig) -> list[str]:
        text = config.path.text
        told = []
        for compression, suffix in SUFFIXES.items():
            if config.compression == compression and not text.endswith(suffix):
                told.append(f"programs expect the name of a {compression} file to end with {suffix}")
            if text.endswith(suffix) and config.compression not in ("auto", compression):
                told.append(f"the path ends with {suffix} but the file is not compressed by {compression}")
        return told

    def send(self, batch: Batch) -> Generator[Instruction, Any, Outcome]:
        parts: dict[str, list[Slice]] = {}
        for part in batch.slices:
            for path, events in self._by_path(part):
                parts.setdefault(path, []).append(events)
        data = {path: lines for path, slices in parts.items() if (lines := self._lines(slices, path))}
        for path, lines in data.items():
            yield Append(path, lines, len(data))
        return Delivered()

    def _lines(self, slices: list[Slice], path: str) -> bytes:
        """All events of some slices: in one copy where a line tells nothing of its slice, nor do pieces of lines."""
        if len(slices) > 1 and not self.include and len({part.epoch for part in slices}) == 1:
            slices = [merged(slices)]
        return b"".join([self._encode(part, path) for part in slices])

    def _by_path(self, part: Slice) -> list[tuple[str, Slice]]:
        if self._path is not None:
            return [(self._path, part)]
        return [(_bounded(path), events) for path, events in part.by_text(part.columns[0])]


def _problems(config: FileConfig) -> Iterator[str]:
    text = config.path.text
    if text.startswith("~"):
        yield "path: ~ is not expanded; write the whole path"
    if not text or text.endswith("/"):
        yield f"path: {text!r} names no file"
    if "\0" in text:
        yield "path: a NUL cannot stand in a path"
    if config.format == "raw" and config.include:
        yield "include: raw lines have no room for attributes; use format: json or logfmt"
    if config.keep < 1:
        yield "keep: at least 1 rotated file is kept"
    if config.max_open_files < 1:
        yield "max_open_files: at least 1"
    for name, value in (("rotate_size", config.rotate_size), ("rotate_interval", config.rotate_interval)):
        if value is not None and value <= 0:
            yield f"{name}: must be more than 0"


def _handling(config: FileConfig) -> Handling:
    return Handling(
        compression=_compression(config),
        rotate_size=config.rotate_size,
        rotate_interval_seconds=config.rotate_interval,
        keep=config.keep,
        mode=config.mode,
        fsync=config.fsync,
        max_open_files=config.max_open_files,
        follow_links=config.path.is_constant,
    )


def _compression(config: FileConfig) -> Compression:
    if config.compression != "auto":
        return config.compression
    for compression, suffix in SUFFIXES.items():
        if config.path.text.endswith(suffix):
            return compression
    return "none"


@lru_cache(maxsize=1024)
def _bounded(path: str) -> str:
    """The path, with names that no file system takes cut short: one long value must not stop the sink.

    Two such names differ still, by a hash.
    """
    return "/".join(_bounded_name(name) for name in path.split("/"))


def _bounded_name(name: str) -> str:
    encoded = name.encode("utf-8", "replace")
    if len(encoded) <= NAME_BYTES - len(".9999.zst"):
        return name
    import hashlib

    suffix = next((suffix for suffix in SUFFIXES.values() if name.endswith(suffix)), "")
    cut = encoded[:_CUT_BYTES].decode("utf-8", "ignore")
    return f"{cut}~{hashlib.blake2b(encoded, digest_size=8).hexdigest()}{suffix}"


def _path_from_url(url: str) -> str:
    """`file:relative`, `file:/absolute`, `file:///absolute`, `file://localhost/absolute`."""
    path = url.removeprefix("file:")
    if path.startswith("//"):
        host, slash, rest = path[2:].partition("/")
        if host not in ("", "localhost"):
            raise ValueError(
                f"{host!r} is taken for a host; write file:{host}{slash}{rest} or file:///{host}{slash}{rest}"
            )
        path = slash + rest
    if not path or path.endswith("/"):
        raise ValueError("expected the path of a file, such as file:errors.ndjson or file:///var/log/app.ndjson")
    if "#" in path:
        raise ValueError("a # in a file's name is written %23")
    return percent_decoded(path)
