"""Putting stand-ins in the place of what detectors find, in texts and in parsed documents."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from itertools import accumulate
from typing import Any, Final, NamedTuple

from logrouter.documents import Document, Names
from logrouter.redaction._clues import Clues, Mask
from logrouter.redaction._detector import Detector

StandIn = Callable[[str, str], str]
"""What to put in the place of a text, given the text and the name of the preset ("" for the user's own)."""

_KNOWN_KEYS: Final = 4_096
"""How many keys of objects are remembered: those of an app's events are few, and come again and again."""
_LONG_KEY: Final = 100
"""A key of so many characters is not."""
_KNOWN_SETS: Final = 256
"""How many sets of detectors are remembered."""
_ANY: Final = -1
"""Of detectors."""
_END: Final = b"\0"
"""Ends a text among others. One that holds it is looked at as two."""
_NUMBERS: Final = (int, float, Decimal)
_SECRETS: Final = (str, *_NUMBERS)


class _Key(NamedTuple):
    """What is known of a key."""

    preset: str
    """By which the value of such a field is private; "" where it is not."""
    text: str
    """What becomes of the key itself."""


class _Asked(NamedTuple):
    """A detector that is asked of texts."""

    number: int
    needs: str
    replace: Callable[[str], str]


class Scrubber:
    """Replaces what detectors find, everywhere in a document: in strings, in keys, and in numbers.

    Most documents hold nothing that most detectors look for. So all texts of some documents are looked at as one first,
    in C; then the few detectors that may find something are asked of the few texts in which they may.
    """

    def __init__(self, detectors: Iterable[Detector], stand_in: StandIn) -> None:
        self._detectors = tuple(detectors)
        self._stand_in = stand_in
        self.clues = Clues(self._detectors)
        self._all = [_Asked(number, one.needs, self._replacing(one)) for number, one in enumerate(self._detectors)]
        self._asked: dict[Mask, Sequence[_Asked]] = {}
        """Sets of detectors that were asked together."""
        self._later: dict[int, tuple[Clues, str, Mask]] = {}
        """The clues of the detectors behind one; its stand-in, if that is always the same, and what these may find in
        it: often nothing else is left of a text."""
        self._of_lines: Mask = sum(1 << number for number, one in enumerate(self._detectors) if one.of_lines)
        self.of_numbers: Mask = sum(1 << number for number, one in enumerate(self._detectors) if one.numbers)
        """The detectors that are asked of numbers."""
        self._of_numbers = [one for one in self._detectors if one.numbers]
        self._smallest = 10**12 if all(one.name for one in self._of_numbers) else 0
        self._names = [(one.names, one.name) for one in self._detectors if one.names is not None]
        self._keys: dict[str, _Key] = {}
        self._plain_keys: set[str] = set()
        """Those of the known ones for which nothing is to be done."""

    def text(self, text: str) -> str:
        """The text without what was found; the same object if that is nothing."""
        return self._redacted(text, self.clues.suspects(text)) or ""

    def redacted(self, texts: Sequence[str], suspects: Mask) -> Sequence[str]:
        """The same for some texts, where it is known which detectors may find something in them: in C, as lines of one
        text, where that makes no difference."""
        lines = "\n".join(texts)
        if lines.count("\n") == len(texts) - 1:
            changed = self._redacted(lines, suspects, self._of_lines)
            if changed is not None:
                return changed.split("\n")
        return [self._redacted(text, suspects) or "" for text in texts]

    def _redacted(self, text: str, suspects: Mask, askable: Mask = _ANY) -> str | None:
        """None where others would have to be asked than may be."""
        while suspects:
            if suspects & ~askable:
                return None
            for number, needs, replace in self._asked.get(suspects) or self._asked_by(suspects):
                if needs in text and (changed := replace(text)) is not text:
                    text, suspects = changed, self._later_suspects(number, changed)
                    break
            else:
                break
        return text

    def _asked_by(self, suspects: Mask) -> Sequence[_Asked]:
        """These detectors."""
        asked = [one for number, one in enumerate(self._all) if suspects >> number & 1]
        if len(self._asked) < _KNOWN_SETS:
            self._asked[suspects] = asked
        return asked

    def _later_suspects(self, number: int, changed: str) -> Mask:
        """Which detectors may find something in a text that one has changed: of those that come after it."""
        if number not in self._later:
            clues = Clues(self._detectors, number + 1)
            alone = self._stand_in("", self._detectors[number].name)
            self._later[number] = clues, alone, clues.suspects(alone)
        clues, alone, of_alone = self._later[number]
        return of_alone if changed == alone else clues.suspects(changed)

    def _replacing(self, one: Detector) -> Callable[[str], str]:
        """What gives a text without what a detector finds; the same object if that is nothing."""
        if one.whole is None:
            return partial(self._replace, one)
        stand_in, name = self._stand_in, one.name
        return partial(one.whole.sub, lambda match: stand_in(match[0], name))

    def _replace(self, one: Detector, text: str) -> str:
        pieces: list[str] = []
        after = 0
        for start, end in one.spans(text):
            pieces += (text[after:start], self._stand_in(text[start:end], one.name))
            after = end
        if not pieces:
            return text
        pieces.append(text[after:])
        return "".join(pieces)

    def number(self, value: int | float | Decimal) -> Any:
        """The number itself, or, if its digits are private, what becomes of them as text."""
        if not self._of_numbers or -self._smallest < value < self._smallest:
            return value
        text = changed = repr(value) if isinstance(value, float) else str(value)
        for one in self._of_numbers:
            changed = self._replace(one, changed)
        return value if changed == text else changed

    def is_plain(self, key: str) -> bool:
        """Whether neither a key nor, because of it, its value is private."""
        if key in self._plain_keys:
            return True
        preset, text = self._known(key)
        return not preset and text == key

    def _known(self, key: str) -> _Key:
        if (known := self._keys.get(key)) is not None:
            return known
        preset = next((preset for names, preset in self._names if names.fullmatch(key)), "")
        known = _Key(preset, self.text(key))
        if len(self._keys) < _KNOWN_KEYS and len(key) < _LONG_KEY:
            self._keys[key] = known
            if known == ("", key):
                self._plain_keys.add(key)
        return known

    def document(self, document: Document) -> None:
        """Change all that the document holds, in place."""
        self.documents((document,))

    def documents(self, documents: Sequence[Document]) -> None:
        """Change all that each holds, in place. Not recursive: input decides how deep it is nested."""
        texts: list[str] = []
        places: list[tuple[Any, Any]] = []
        """Where each text stands: an object or a list, and the key or the index in it."""
        waiting: list[Any] = list(documents)
        for container in waiting:  # which grows
            if container.__class__ is dict:
                if not self._plain_keys.issuperset(container):
                    self._change_keys(container)
                items: Iterable[tuple[Any, Any]] = container.items()
            else:
                items = enumerate(container)
            for place, value in items:
                kind = value.__class__
                if kind is str:
                    texts.append(value)
                    places.append((container, place))
                elif kind is dict or kind is list:
                    waiting.append(value)
                elif kind in _NUMBERS:
                    container[place] = self.number(value)
        alike: dict[Mask, list[int]] = {}
        for number, suspects in self._suspected(texts).items():
            alike.setdefault(suspects, []).append(number)
        for suspects, numbers in alike.items():
            changed = self.redacted([texts[number] for number in numbers], suspects)
            for number, text in zip(numbers, changed, strict=True):
                container, place = places[number]
                container[place] = text

    def _suspected(self, texts: Sequence[str]) -> dict[int, Mask]:
        """The texts in which something may be found, and which detectors may find it."""
        always = self.clues.always
        found = dict.fromkeys(range(len(texts)), always) if always else {}
        block, starts = _as_block(texts)
        for begin, suspects in self.clues.suspected(block, _END).items():
            number = bisect_right(starts, begin + 1) - 1
            found[number] = found.get(number, always) | suspects
        return found

    def _change_keys(self, container: Document) -> None:
        """Change the values of fields whose name says that they are private, then the keys themselves; what nests
        there is looked into."""
        renamed: dict[str, str] = {}
        for key, value in container.items():
            preset, text = self._known(key)
            if preset and value.__class__ in _SECRETS and value != "":
                container[key] = self._stand_in(str(value), preset)
            if text != key:
                renamed[key] = text
        if not renamed:
            return
        items = list(container.items())
        container.clear()
        names = Names(key for key, _ in items if key not in renamed)
        for key, value in items:
            container[names.unused(renamed[key]) if key in renamed else key] = value


def _as_block(texts: Sequence[str]) -> tuple[bytes, list[int]]:
    """Texts as one block for clues, and where each begins."""
    joined = "\0".join(texts)
    if joined.isascii():
        block, lengths = joined.encode(), map(len, texts)
    else:
        encoded = [text.encode("utf-8", "replace") for text in texts]
        block, lengths = _END.join(encoded), map(len, encoded)
    return _END + block, list(accumulate((length + 1 for length in lengths), initial=1))
