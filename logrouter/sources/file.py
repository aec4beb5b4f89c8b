"""Files that grow: `tail -F` of many, with rotation, and each line once over restarts.

Each line of the files that `include` matches becomes an event, with the file's path as `meta.file`. A file is known by
its device and inode and by its first KiB, not by its name: it is read on after it was renamed, and read from its
beginning when it was truncated, or when a new file has taken its inode. Rotated files that are compressed (`.gz`,
`.zst`) are not read again; those that are new are read. [Following files](../files.md) tells what else may happen to
them.

Where `spool.directory` is set, how far each file was read is kept with the events: after a restart, be it by `kill -9`,
each goes on exactly there. Else each start is the first, and begins as `start` says.

A last line without its newline is waited for, and counts as a line when the file is rotated away or deleted. Nothing is
lost when the spool is full or a destination is down: the files wait.

As a URL: `file:app.log`, `file:///var/log/**/*.log?exclude=*.gz`. A `?` that is part of a pattern is written `%3F`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from logrouter.sources import SourceConfig
from logrouter.sources._tail import TailConfig, TailSource
from logrouter.templates import percent_decoded


class FileConfig(TailConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which files."""

    include: Sequence[str]
    """Which files to follow: paths, or patterns (`/var/log/*.log`, `/srv/**/log/*`). `*`, `?` and `[…]` stay within
    one name, and do not match a dot at its beginning; `**` is any number of folders."""

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if not self.include:
            yield "include: expected at least one path or pattern"
        for pattern in self.include:
            if not pattern or pattern.endswith("/"):
                yield f"include: {pattern!r} names no file; for all files in a folder write {pattern}*"
            if pattern.startswith("~"):
                yield "include: ~ is not expanded; write the whole path"


class FileSource(TailSource[FileConfig]):
    """Follows files of lines."""

    Config: ClassVar[type[SourceConfig]] = FileConfig

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        """`file:relative`, `file:/absolute`, `file:///absolute`: one path or pattern."""
        path = url.removeprefix("file:")
        if path.startswith("//"):
            host, slash, rest = path[2:].partition("/")
            if host not in ("", "localhost"):
                raise ValueError(f"{host!r} is taken for a host; write file:{host}{slash}{rest}")
            path = slash + rest
        return {"include": [percent_decoded(path)]}
