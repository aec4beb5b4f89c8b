"""Finding what is private in texts and documents, and putting something else in its place.

Goals, in this order: nothing that a pattern describes is left, whatever the input; the cost grows with the length
of the text, whatever the input; what is not private is left as it is.

So presets are not one clever regular expression each. Those with a checksum look for candidates cheaply and check them;
none backtracks over more than a few characters, and each has clues without which there cannot be a match, as most texts
of most logs hold none (`_clues.py`). Objects of JSON are not parsed, where presets are all that is looked for: what is
found is replaced as it is written (`_splicing.py`). Expressions of the user's own whose cost grows faster than the text
are searched for in overlapping windows, as long as `rules.cost` says.

Presets run one after the other, in the order of the table: what holds others (a URL with an e-mail address as its
password) before what it holds. A stand-in has brackets round it, so that the next preset sees it as no part of a word.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from logrouter.errors import ExpressionError, did_you_mean, each
from logrouter.redaction import _addresses, _credentials, _keys, _numbers
from logrouter.redaction._detector import Detector as Detector
from logrouter.redaction._detector import Span, span_of
from logrouter.redaction._scrubber import Scrubber as Scrubber
from logrouter.redaction._scrubber import StandIn as StandIn
from logrouter.redaction._splicing import redacted_lines as redacted_lines
from logrouter.rules.cost import HINT, SHORTEST, TOO_DEAR, longest
from logrouter.rules.patterns import PatternError, compile_pattern

_OVERLAP: Final = 4_096
"""Characters that two windows share, or half of them: what is no longer than this is found wherever it stands."""

PRESETS: Final = {
    preset.name: preset for preset in (*_keys.PRESETS, *_credentials.PRESETS, *_numbers.PRESETS, *_addresses.PRESETS)
}
"""By name, in the order in which they run."""
ALL: Final = "all"
"""The word for all presets."""


def detectors(patterns: Iterable[str]) -> list[Detector]:
    """Those that names of presets and regular expressions stand for, each once, in the order in which they run.

    Raises ExpressionError for what is neither, or SeveralErrors.
    """
    found: dict[str, Detector] = {}
    for named in each(_named, patterns):
        found |= named
    order = [*PRESETS, ""]
    return sorted(found.values(), key=lambda one: order.index(one.name))


def _named(text: str) -> Mapping[str, Detector]:
    """All that a name of presets or an expression stands for."""
    if text == ALL:
        return PRESETS
    return {text: PRESETS.get(text) or _own(text)}


def _own(text: str) -> Detector:
    """What finds an expression of the user's own."""
    if re.fullmatch(r"[a-z][a-z0-9_]*", text):
        known = (ALL, *PRESETS)
        hint = did_you_mean(text, known) or f"presets are: {', '.join(known)}"
        raise ExpressionError(f"there is no preset {text!r}", text, 0, f"{hint}; to search for that word: (?:{text})")
    try:
        pattern = compile_pattern(text)
    except PatternError as error:
        raise ExpressionError(str(error), text, error.position, error.hint) from None
    if pattern.search(""):
        raise ExpressionError("the regular expression matches an empty text, and so would redact nothing or all", text)
    window = longest(text, of_lines=True) or sys.maxsize
    if window < SHORTEST:
        raise ExpressionError(TOO_DEAR, text, 0, HINT)
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
