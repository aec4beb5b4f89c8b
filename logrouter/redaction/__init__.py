"""Finding what is private in texts and documents, and putting something else in its place.

Goals, in this order: nothing that a pattern describes is left, whatever the input; the cost grows with the length
of the text, whatever the input; what is not private is left as it is.

So presets are not one clever regular expression each. Those with a checksum look for candidates cheaply and check them;
none backtracks over more than a few characters, and each has a hint, a piece of text without which there cannot be a
match, as most texts of most logs hold none. Expressions of the user's own whose cost grows
faster than the text are searched for in overlapping windows, as long as `rules.cost` says.

Presets run one after the other, in the order of the table: what holds others (a URL with an e-mail address as its
password) before what it holds. A stand-in has brackets round it, so that the next preset sees it as no part of a word.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from logrouter.documents import Document, Names
from logrouter.errors import did_you_mean
from logrouter.redaction import _addresses, _credentials, _keys, _numbers
from logrouter.redaction._detector import Detector as Detector
from logrouter.redaction._detector import Span, span_of
from logrouter.rules.cost import HINT, SHORTEST, TOO_DEAR, longest
from logrouter.rules.patterns import compile_pattern

StandIn = Callable[[str, str], str]
"""What to put in the place of a text, given the text and the name of the preset ("" for the user's own)."""

_OVERLAP: Final = 4_096
"""Characters that two windows share, or half of them: what is no longer than this is found wherever it stands."""
_KNOWN_KEYS: Final = 4_096
"""How many keys of objects are remembered as clean: those of an app's events are few, and come again and again."""


PRESETS: Final = {
    preset.name: preset for preset in (*_keys.PRESETS, *_credentials.PRESETS, *_numbers.PRESETS, *_addresses.PRESETS)
}
"""By name, in the order in which they run."""
ALL: Final = "all"
"""The word for all presets."""
_NUMBERS: Final = (int, float, Decimal)
_SECRETS: Final = (str, *_NUMBERS)
_TOGETHER: Final = 16
"""Documents whose texts are looked at as one."""
_KNOWN_SETS: Final = 256
"""Sets of detectors for which there is a scrubber at hand."""


def detectors(patterns: Iterable[str]) -> list[Detector]:
    """Those that names of presets and regular expressions stand for, each once, in the order in which they run.

    Raises ValueError for what is neither.
    """
    found: dict[str, Detector] = {}
    for pattern in patterns:
        found |= PRESETS if pattern == ALL else {pattern: _detector(pattern)}
    order = [*PRESETS, ""]
    return sorted(found.values(), key=lambda one: order.index(one.name))


def _detector(text: str) -> Detector:
    if text in PRESETS:
        return PRESETS[text]
    if re.fullmatch(r"[a-z][a-z0-9_]*", text):
        known = (ALL, *PRESETS)
        hint = did_you_mean(text, known) or f"presets are: {', '.join(known)}"
        raise ValueError(f"there is no preset {text!r} ({hint}); to search for that word, write (?:{text})")
    pattern = compile_pattern(text)
    if pattern.search(""):
        raise ValueError(f"the regular expression {text!r} matches an empty text, and so would redact nothing or all")
    window = longest(text, of_lines=True) or sys.maxsize
    if window < SHORTEST:
        raise ValueError(f"{TOO_DEAR} ({HINT})")
    return Detector("", lambda value: _in_windows(pattern, window, value), numbers=True)


def _in_windows(pattern: re.Pattern[str], window: int, text: str) -> Iterator[Span]:
    """Matches that are cut by the end of a window are searched again from where they start."""
    overlap = min(_OVERLAP, window // 2)
    start = 0
    while True:
        end = min(start + window, len(text))
        resume = end - overlap
        for match in pattern.finditer(text, start, end):
            if match.end() == end < len(text) and match.start() > start:
                resume = match.start()
                break
            span = span_of(match)
            if span[0] < span[1]:
                yield span
            resume = max(resume, match.end())
        if end == len(text):
            return
        start = resume


def _suspicion(detectors: Iterable[Detector]) -> Callable[[str], object]:
    """One function that tells for a text whether any of them may find something, made for just these."""
    constants: dict[str, Any] = {}
    terms = []
    for number, one in enumerate(detectors):
        hints = " or ".join(f"{hint!r} in text" for hint in one.hints)
        if one.candidate is not None:
            constants[f"candidate{number}"] = one.candidate
            hints = f"candidate{number}(text)"
        terms.append(f"(len(text) >= {one.shortest} and ({hints or 'True'}))")
    suspicion: Callable[[str], object] = eval(f"lambda text: {' or '.join(terms)}", constants)  # of our own making
    return suspicion


class Scrubber:
    """Replaces what detectors find, everywhere in a document: in strings, in keys, and in numbers.

    Most documents hold nothing that most detectors look for. So of several documents all texts are looked at as one
    first, in C; then the few detectors that may find something are asked of each text.
    """

    def __init__(self, detectors: Iterable[Detector], stand_in: StandIn) -> None:
        self._detectors = tuple(detectors)
        self._each = [(one, _suspicion([one])) for one in self._detectors]
        self._may_match = _suspicion(self._detectors)
        self._of_numbers = [one for one in self._detectors if one.numbers]
        self._smallest = 10**12 if all(one.name for one in self._of_numbers) else 0
        self._names = [(one.names, one.name) for one in self._detectors if one.names is not None]
        self._stand_in = stand_in
        self._private: dict[str, str] = {}
        """Keys that are known, and by which preset their value is private; "" where it is not."""
        self._clean_keys: set[str] = set()
        self._of_some: dict[tuple[Detector, ...], Scrubber] = {}
        """The same with some of the detectors alone."""

    def text(self, text: str) -> str:
        """The text without what was found; the same object if that is nothing."""
        if self._may_match(text):
            for one, may_match in self._each:
                if may_match(text):
                    text = self._replace(one, text)
        return text

    def documents(self, documents: Sequence[Document]) -> None:
        """Change each as `document` does."""
        for start in range(0, len(documents), _TOGETHER):
            some = documents[start : start + _TOGETHER]
            scrubber = self._with(self._suspected(some))
            if scrubber is not None:
                for document in some:
                    scrubber.document(document)

    def _suspected(self, documents: Sequence[Document]) -> tuple[Detector, ...]:
        """The detectors that may find something in them."""
        texts, keys = self._texts(documents)
        text = "\n".join((*texts, *keys))
        private = set(map(self._preset_of, keys)) if self._names else ()
        return tuple(one for one, may_match in self._each if may_match(text) or (one.names and one.name in private))

    def _texts(self, documents: Sequence[Document]) -> tuple[list[str], set[str]]:
        """All strings in them, with the numbers that are looked at, and all keys."""
        found: list[str] = []
        keys: set[str] = set()
        waiting: list[Any] = list(documents)
        for container in waiting:  # which grows
            if container.__class__ is dict:
                keys.update(container)
                container = container.values()
            for value in container:
                kind = value.__class__
                if kind is str:
                    found.append(value)
                elif kind is dict or kind is list:
                    waiting.append(value)
                elif kind in _NUMBERS and not -self._smallest < value < self._smallest:
                    found.append(_digits_of(value))
        return found, keys

    def _with(self, detectors: tuple[Detector, ...]) -> Scrubber | None:
        """One that has these detectors alone; None where there are none."""
        if not detectors or detectors == self._detectors:
            return self if detectors else None
        if detectors not in self._of_some:
            if len(self._of_some) == _KNOWN_SETS:
                self._of_some.clear()
            self._of_some[detectors] = Scrubber(detectors, self._stand_in)
        return self._of_some[detectors]

    def document(self, document: Document) -> None:
        """Change all that the document holds, in place. Not recursive: input decides how deep it is nested."""
        waiting: list[Any] = [document]
        while waiting:
            container = waiting.pop()
            if isinstance(container, dict):
                if self._names:
                    self._change_named(container)
                self._change(container, container.items(), waiting)
                if not self._clean_keys.issuperset(container):
                    self._change_keys(container)
            else:
                self._change(container, enumerate(container), waiting)

    def _change_named(self, container: Document) -> None:
        """Change the values of fields whose name says that they are private; what nests there is looked into."""
        for key, value in container.items():
            preset = self._preset_of(key)
            if preset and value.__class__ in _SECRETS and value != "":
                container[key] = self._stand_in(str(value), preset)

    def _preset_of(self, key: str) -> str:
        if (known := self._private.get(key)) is not None:
            return known
        found = next((preset for names, preset in self._names if names.fullmatch(key)), "")
        if len(self._private) < _KNOWN_KEYS and len(key) < 100:
            self._private[key] = found
        return found

    def _change(self, container: Any, items: Iterable[tuple[Any, Any]], waiting: list[Any]) -> None:
        """Change the values of one object or list; what nests in it is added to what waits."""
        for place, value in items:
            kind = value.__class__
            if kind is str:
                if self._may_match(value):
                    container[place] = self.text(value)
            elif kind is dict or kind is list:
                waiting.append(value)
            elif self._of_numbers and (kind is int or kind is float or kind is Decimal):
                container[place] = self._number(value)

    def _number(self, value: int | float | Decimal) -> Any:
        """The number, or, if its digits are private, what becomes of them as text."""
        if -self._smallest < value < self._smallest:
            return value
        text = changed = _digits_of(value)
        for one in self._of_numbers:
            changed = self._replace(one, changed)
        return value if changed == text else changed

    def _change_keys(self, container: Document) -> None:
        renamed = {key: self.text(key) for key in container}
        if len(self._clean_keys) < _KNOWN_KEYS:
            self._clean_keys.update(key for key, new in renamed.items() if key is new and len(key) < 100)
        if all(key is new for key, new in renamed.items()):
            return
        items = list(container.items())
        container.clear()
        names = Names(key for key, new in renamed.items() if key is new)
        for key, value in items:
            container[key if renamed[key] is key else names.unused(renamed[key])] = value

    def _replace(self, one: Detector, text: str) -> str:
        pieces: list[str] = []
        after = 0
        for start, end in one.spans(text):
            pieces += (text[after:start], self._stand_in(text[start:end], one.name))
            after = end
        return "".join((*pieces, text[after:])) if pieces else text


def _digits_of(number: int | float | Decimal) -> str:
    return repr(number) if isinstance(number, float) else str(number)
