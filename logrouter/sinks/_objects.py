"""What the sink `s3` makes of events before it sends them, what it writes down, and how objects are named.

    slices → lines by key → frames (gzip members, zstd frames) of some hundred kilobytes → the body of an object or part

What is not compressed yet waits until there is enough for a frame: events that come one by one would not get smaller.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Self

import msgspec

from logrouter import times
from logrouter.aws.documents import Part
from logrouter.compression import Compression, compress
from logrouter.sinks import Batch, Encoded
from logrouter.templates import Template

FRAME_BYTES: Final = 256 * 1024
"""What a frame holds at least, uncompressed. Larger ones are hardly denser: 1 % at 1 MiB."""
_KEY_BYTES: Final = 1020
"""The longest key: S3 takes 1024, of which `further` may want some."""
_SEGMENT_BYTES: Final = 250
"""The most between two slashes: MinIO and others, unlike AWS, keep objects as files and folders, and take 255."""
_DOTS: Final = re.compile(r"(?<![^/\\])( *)\.{1,2}( *)(?![^/\\])")
"""A way up or to nowhere: MinIO refuses such keys, also where blanks or backslashes are around it."""
_ID: Final = re.compile(r"(?<!\{)\{id\}(?!\})")
_MARK: Final = "\0"
"""Stands for the object's own name in a rendered key: nothing that comes from events can hold it."""


class KeyTemplate(Template):
    """Where objects are put. `{id}` is the object's own name; a template without it is that of a folder."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ExpressionError at the character that is wrong."""
        Template.parse(text)  # so that what is wrong is shown as it was written
        marked = _ID.sub(_MARK, text)
        if _MARK not in marked:
            folder = text.rstrip("/")
            marked = f"{folder}/{_MARK}" if folder else _MARK
        return cls(text, Template.parse(marked.lstrip("/")).parts)


def key_of(place: str, name: str, suffix: str) -> str:
    """The key of an object: `place` is the rendered template. Every server takes it, whatever events have put there."""
    before, _, after = place.partition(_MARK)
    *folders, beginning = before.split("/")
    own, *below = f"{name}{after or suffix}".split("/")
    own = _cut(beginning, _SEGMENT_BYTES - len(_encoded(own))) + own
    ending = _cut("/".join(_cut(part, _SEGMENT_BYTES) for part in (own, *below)), _KEY_BYTES)
    folder = "".join(f"{_cut(part, _SEGMENT_BYTES)}/" for part in folders)
    folder = "".join(_cut(folder, _KEY_BYTES - len(_encoded(ending))).rpartition("/")[:2])  # no folder is cut
    return _DOTS.sub(r"\1_\2", folder + ending)


def _cut(text: str, most_bytes: int) -> str:
    """The text, or as much of it as has room."""
    return _encoded(text)[: max(0, most_bytes)].decode("utf-8", "ignore")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


def name_of(batch: Batch, sink: str, received_ns: int) -> str:
    """An object's own name: the same whenever the batch is sent, and no other's.

    `20260131T235959Z-archive-5bd1e995a1b2c3d4-120000`: when its first event was received, the sink, epoch and sequence.
    """
    moment = times.format_basic(received_ns)
    return f"{moment}-{sink}-{batch.epoch & (2**64 - 1):016x}-{batch.first}"


def further(key: str, number: int) -> str:
    """Another key, for what finds its own one taken: `logs/x.ndjson.gz` is `logs/x~2.ndjson.gz`."""
    folder, slash, name = key.rpartition("/")
    stem, dot, suffixes = name.partition(".")
    return f"{folder}{slash}{stem}~{number}{dot}{suffixes}"


class Packing(msgspec.Struct, frozen=True):
    """How frames are made."""

    compression: Compression
    level: int | None = None


class Content(msgspec.Struct):
    """What goes into one object, or one part of it."""

    frames: list[bytes] = []
    lines: list[bytes] = []
    """Blocks of lines that are not compressed yet."""
    lines_bytes: int = 0
    size_bytes: int = 0
    """Of all of it, as it is now."""
    spared_bytes: int = 0
    """How much smaller it is than when its batch was cut, by what was compressed since."""
    events: int = 0

    def add(self, lines: bytes, events: int, packing: Packing) -> None:
        """Add lines, which are compressed as soon as there are enough."""
        self.events += events
        self.lines.append(lines)
        self.lines_bytes += len(lines)
        self.size_bytes += len(lines)
        if self.lines_bytes >= FRAME_BYTES:
            self.pack(packing)

    def pack(self, packing: Packing) -> None:
        """Compress what is not yet."""
        if self.lines_bytes:
            frame = compress(b"".join(self.lines), packing.compression, packing.level)
            self.frames.append(frame)
            self.size_bytes += len(frame) - self.lines_bytes
        self.lines, self.lines_bytes = [], 0

    def finish(self, packing: Packing) -> None:
        """Nothing is added any more."""
        cut_bytes = self.size_bytes
        self.pack(packing)
        self.spared_bytes += cut_bytes - self.size_bytes

    def extend(self, other: Content) -> None:
        """Add another one, both finished."""
        self.frames = [*self.frames, *other.frames]
        self.size_bytes += other.size_bytes
        self.spared_bytes += other.spared_bytes
        self.events += other.events


class Gathered(Encoded):
    """What has been made of some slices."""

    received_ns: int = 0
    """When the first of its events was received."""
    contents: dict[str, Content] = msgspec.field(default_factory=dict)
    """By rendered key."""


def joined(contents: Sequence[Content]) -> Content:
    """All of them as one."""
    whole = Content()
    for content in contents:
        whole.extend(content)
    return whole


class Upload(msgspec.Struct):
    """An object that is written in parts: begun, and not completed. Kept with the cursor."""

    place: str
    """The rendered key template: what is for the same place goes into it."""
    form: str
    """What its parts are: the suffix of such files. Others cannot follow them."""
    key: str
    upload_id: str
    """Empty: about to be begun."""
    opened_ns: int
    parts: list[Part] = []
    spared_bytes: int = 0
    """How much smaller they are than when they were cut: it is as large as asked for when it was meant to be."""
    events: int = 0

    @property
    def size_bytes(self) -> int:
        """Of all parts together."""
        return sum(part.size_bytes for part in self.parts)


class Target(msgspec.Struct):
    """An object, or part of one, as it was about to be sent."""

    place: str
    key: str
    size_bytes: int
    crc32: str


class Sealed(msgspec.Struct, omit_defaults=True):
    """What is written down of a batch before any of it is sent."""

    form: str
    objects: list[Target] = []
    """Each sent as a whole."""
    part: Target | None = None
    """Sent as the next part of what is open, or of an upload that the batch begins."""
    begun: Upload | None = None
    """The upload that it begins."""
    unlisted: int = 0
    """How many objects there are, where these are too many to be listed."""
    doubts: int = 0
    """How many of its events may be there already, under keys that were sealed before these."""

    @property
    def targets(self) -> list[Target]:
        """All of them."""
        return [*self.objects, *([self.part] if self.part else [])]
