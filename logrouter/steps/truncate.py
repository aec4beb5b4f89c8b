"""Cut long texts: a field, or whatever is longest in an event that is too large.

    - truncate: {fields: [message, stack], characters: 20}
    < {"message": "a text of more than twenty characters", "stack": "short"}
    > {"message": "a text of m… 26 more", "stack": "short"}

`size` counts bytes of UTF-8 instead, and never cuts a character in two. What is put at the end says how much is
missing, in the same unit, and counts as well: what is left is never longer than was said. `marker` is another end;
where it is empty nothing tells of the cut, unless `count` names a field for the bytes that were left out.

    - truncate: {fields: [body], size: 10B, marker: …, count: truncated_bytes}
    < {"body": "räksmörgås"}
    > {"body": "räksm…", "truncated_bytes": 7}

With `event`, the longest texts of an event, wherever they are nested, are cut until its JSON is no larger than that:
all to about the same length, so that short ones stay whole. An event that is too large for another reason (very many
fields) passes on with its texts cut, marked `meta.step_failed` and counted.

    - truncate: {event: 60B}
    < {"id": 7, "message": "a long text in an event that is larger than sixty bytes"}
    > {"id": 7, "message": "a long text in an event that… 27 more"}

Only texts are cut: a number, an object or a list that is named stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, Final, NamedTuple

from logrouter.documents import Document, encode_document, encode_value
from logrouter.errors import Complaints, refuse
from logrouter.facts import Facts
from logrouter.references import parent_and_key
from logrouter.steps import Incomplete, Step, StepConfig
from logrouter.steps._paths import Path, field_paths, put, settable_path
from logrouter.values import Size

_NUMBER: Final = "{n}"
"""What stands in a marker for how much is missing."""
_MOST: Final = 10**12
"""More is never missing."""
_ROUNDS: Final = 4
"""How often an event is cut anew, shorter each time, as what is escaped takes more room than its length says."""
_ESCAPED_BYTES: Final = 6
"""What a byte takes at most in JSON: `\\u0000`."""


class TruncateConfig(StepConfig, frozen=True, kw_only=True):
    """At least one of `size`, `characters` and `event` must be given."""

    fields: tuple[str, ...] = ()
    """The fields to cut. Default: `message`, where `size` or `characters` is given."""
    size: Size | None = None
    """The bytes that each of them may have, as UTF-8."""
    characters: int | None = None
    """The characters that each of them may have."""
    event: Size | None = None
    """The bytes that the whole event may have, as JSON."""
    marker: str = "… {n} more"
    """What a text that was cut ends with; `{n}` in it is how many bytes or characters are missing."""
    count: str | None = None
    """A field for how many bytes were left out of the event. Default: it is not written."""


class Truncate(Step[TruncateConfig]):
    """Cuts fields first, then the event."""

    Config: ClassVar[type[StepConfig]] = TruncateConfig

    def __init__(self, config: TruncateConfig) -> None:
        super().__init__(config)
        cuts_fields = config.size is not None or config.characters is not None
        names = config.fields or (("message",) if cuts_fields else ())
        complaints = Complaints()
        with complaints:
            refuse(_problems(config))
        with complaints:
            self._paths = field_paths(names, "truncated")
        with complaints:
            self._count = None if config.count is None else settable_path(config.count)
        complaints.conclude()
        self._reserved = 0 if self._count is None else _cost_of_count(self._count)
        self._shortest = 2 + len(_ending(config.marker, _MOST).encode())
        least = self._shortest + self._reserved
        if config.event is not None and config.event < least:
            raise ValueError(f"event: expected {least}B or more, as what tells of the cut may take so many")

    def apply(self, document: Document, facts: Facts) -> None:
        left_out = 0
        for path in self._paths:
            if (place := parent_and_key(document, path)) is not None and isinstance(text := place[0][place[1]], str):
                place[0][place[1]], missing = self._cut(text)
                left_out += missing
        fits = True
        if self.config.event is not None:
            missing, fits = self._fit(document, self.config.event - self._reserved)
            left_out += missing
        if left_out and self._count is not None:
            put(document, self._count, left_out)
        if not fits:
            raise Incomplete("the event is too large whatever texts are cut")

    def _cut(self, text: str) -> tuple[str, int]:
        """A field's text, cut, and how many bytes of it are missing."""
        size, characters, marker = self.config.size, self.config.characters, self.config.marker
        if size is not None:
            return _cut_to(text, size, marker)
        assert characters is not None
        if len(text) <= characters:
            return text, 0
        length = _length_kept(len(text), characters, lambda n: len(_ending(marker, n)))
        return text[:length] + _ending(marker, len(text) - length), len(text[length:].encode())

    def _fit(self, document: Document, limit: int) -> tuple[int, bool]:
        """Cut the longest texts of an event. Gives how many bytes are missing, and whether it is small enough now."""
        excess = len(encode_document(document)) - limit
        if excess <= 0:
            return 0, True
        texts = sorted(_texts(document), key=lambda one: -one.cost)
        wanted = 0
        for attempt in range(_ROUNDS):
            wanted += excess
            level = max(_level([one.cost for one in texts], wanted), self._shortest)
            missing = sum(self._cut_one(one, level, attempt == _ROUNDS - 1) for one in texts if one.cost > level)
            excess = len(encode_document(document)) - limit
            if excess <= 0:
                return missing, True
        return missing, False

    def _cut_one(self, one: _Text, level: int, surely: bool) -> int:
        """Put in its place as much of a text as takes so many bytes of JSON: about, or surely no more."""
        length = len(one.text.encode())
        room = (level - 2) // _ESCAPED_BYTES if surely else (level - 2) * length // (one.cost - 2)
        one.holder[one.key], missing = _cut_to(one.text, max(room, self._shortest - 2), self.config.marker)
        return missing


class _Text(NamedTuple):
    """One text somewhere in an event."""

    holder: Any
    key: Any
    text: str
    cost: int
    """Bytes that it takes in JSON."""


def _texts(document: Document) -> Iterator[_Text]:
    """All texts. Not recursive: input decides how deep it is nested."""
    waiting: list[Any] = [document]
    while waiting:
        holder = waiting.pop()
        for key, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, str):
                yield _Text(holder, key, value, len(encode_value(value)))
            elif isinstance(value, dict | list):
                waiting.append(value)


def _level(costs: list[int], excess: int) -> int:
    """To what the largest must be cut so that so much is gone. `costs`: the largest first."""
    total = level = 0
    for count, cost in enumerate(costs, 1):
        if level >= cost:
            break
        total += cost
        level = (total - excess) // count
    return level


def _cut_to(text: str, size: int, marker: str) -> tuple[str, int]:
    """A text in so many bytes, its end included, and how many bytes of it are missing."""
    encoded = text.encode()
    if len(encoded) <= size:
        return text, 0
    length = _length_kept(len(encoded), size, lambda n: len(_ending(marker, n).encode()))
    while length and encoded[length] & 0xC0 == 0x80:  # not in the midst of a character
        length -= 1
    missing = len(encoded) - length
    return encoded[:length].decode() + _ending(marker, missing), missing


def _length_kept(length: int, limit: int, ending: Callable[[int], int]) -> int:
    """How much of a text is kept, so that with its end it is no longer than the limit. `ending`: how long that is."""
    kept = limit - ending(length - limit)
    while kept + ending(length - kept + 3) > limit:  # 3: a character of UTF-8 may have to go whole
        kept -= 1
    return kept


def _ending(marker: str, missing: int) -> str:
    return marker.replace(_NUMBER, str(missing))


def _cost_of_count(path: Path) -> int:
    """Bytes that it takes in JSON at most."""
    document: Document = {}
    put(document, path, _MOST)
    return len(encode_document(document))


def _problems(config: TruncateConfig) -> Iterator[str]:
    if config.size is None and config.characters is None and config.event is None:
        yield "expected size, characters or event: how long a text, or how large an event, may be"
    if config.size is not None and config.characters is not None:
        yield "expected size or characters, not both"
    if config.fields and config.size is None and config.characters is None:
        yield "fields: they need size or characters"
    ending = _ending(config.marker, _MOST)
    if config.characters is not None and config.characters < len(ending):
        yield f"characters: expected {len(ending)} or more, as the marker may take so many"
    if config.size is not None and config.size < len(ending.encode()):
        yield f"size: expected {len(ending.encode())}B or more, as the marker may take so many"
