"""Finding what is private in texts and documents, and putting something else in its place.

Goals, in this order: nothing that a pattern describes is left, whatever the input; the cost grows with the length
of the text, whatever the input; what is not private is left as it is.

So presets are not one clever regular expression each. Those with a checksum look for candidates cheaply and check them;
none backtracks over more than a few characters, and each has a hint, a piece of text without which there cannot be a
match, as most texts of most logs hold none. Expressions of the user's own are searched in overlapping windows.

Presets run one after the other, in the order of the table: what holds others (a URL with an e-mail address as its
password) before what it holds. A stand-in has brackets round it, so that the next preset sees it as no part of a word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from logrouter.documents import Document, Names
from logrouter.errors import did_you_mean
from logrouter.possessive import portable
from logrouter.rules.patterns import compile_pattern

Span = tuple[int, int]
StandIn = Callable[[str, str], str]
"""What to put in the place of a text, given the text and the name of the preset ("" for the user's own)."""

_WINDOW: Final = 32_768
"""Characters searched at once for a pattern of the user's: one whose cost is quadratic stays bearable."""
_OVERLAP: Final = 4_096
"""Characters that two windows share: what is no longer than this is found wherever it stands."""
_KNOWN_KEYS: Final = 4_096
"""How many keys of objects are remembered as clean: those of an app's events are few, and come again and again."""


class Detector(NamedTuple):
    """Finds one kind of private text."""

    name: str
    """The preset's name; "" for a pattern of the user's own."""
    spans: Callable[[str], Iterable[Span]]
    """Where it stands in a text: from left to right, apart, none empty."""
    hints: tuple[str, ...] = ()
    """A text that has none of these has nothing to find. None given: see `candidate`."""
    candidate: Callable[[str], object] | None = None
    """A quick search: a text in which it finds nothing has nothing to find. Neither given: any text may."""
    shortest: int = 1
    """A text of fewer characters has nothing to find."""
    numbers: bool = False
    """Whether it may be written as a JSON number."""


def detector(text: str) -> Detector:
    """The preset of that name, or one for a regular expression. Raises ValueError."""
    if text in PRESETS:
        return PRESETS[text]
    if re.fullmatch(r"[a-z][a-z0-9_]*", text):
        hint = did_you_mean(text, PRESETS) or f"presets are: {', '.join(PRESETS)}"
        raise ValueError(f"there is no preset {text!r} ({hint}); to search for that word, write (?:{text})")
    pattern = compile_pattern(text)
    if pattern.search(""):
        raise ValueError(f"the regular expression {text!r} matches an empty text, and so would redact nothing or all")
    return Detector("", lambda value: _in_windows(pattern, value), numbers=True)


def _span(match: re.Match[str]) -> Span:
    """Of the group `secret`, where the expression has one and it took part, else of all."""
    if "secret" in match.re.groupindex and match.start("secret") >= 0:
        return match.span("secret")
    return match.span()


def _matches(pattern: re.Pattern[str]) -> Callable[[str], Iterable[Span]]:
    return lambda text: (span for span in map(_span, pattern.finditer(text)) if span[0] < span[1])


def _in_windows(pattern: re.Pattern[str], text: str) -> Iterator[Span]:
    """Matches that are cut by the end of a window are searched again from where they start."""
    start = 0
    while True:
        end = min(start + _WINDOW, len(text))
        resume = end - _OVERLAP
        for match in pattern.finditer(text, start, end):
            if match.end() == end < len(text) and match.start() > start:
                resume = match.start()
                break
            span = _span(match)
            if span[0] < span[1]:
                yield span
            resume = max(resume, match.end())
        if end == len(text):
            return
        start = resume


# Cards ---------------------------------------------------------------------------------------------------------------

_DIGIT_RUN = re.compile(portable(r"(?<![0-9])[0-9](?:[ -]?[0-9]){12,}+"))
_DIGITS = re.compile(r"[0-9]+")
_ISSUER = re.compile(r"[456]|3[04-9]|22[2-9]|2[3-6]|27[01]|2720")
"""How the numbers of card networks begin (ISO/IEC 7812, as issued): not as a time in milliseconds does."""
_CARD_GROUPS: Final = 6
"""In how many groups of digits a card's number may be written."""
_DOUBLED: Final = {str(digit): (2 * digit) // 10 + (2 * digit) % 10 for digit in range(10)}


def _cards(text: str) -> Iterator[Span]:
    """Whole groups of digits that together are 13 to 19, begin as cards do, and pass the Luhn check."""
    for run in _DIGIT_RUN.finditer(text):
        groups = [match.span() for match in _DIGITS.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            last = _last_of_card(text, groups, first)
            if last is None:
                first += 1
            else:
                yield groups[first][0], groups[last][1]
                first = last + 1


def _last_of_card(text: str, groups: list[Span], first: int) -> int | None:
    """The last group of the longest card number that starts with the first."""
    start, stop = groups[first][0], min(first + _CARD_GROUPS, len(groups))
    if groups[stop - 1][1] - start < 13 or not _ISSUER.match(text, start):
        return None
    digits, found = "", None
    for place in range(first, stop):
        digits += text[slice(*groups[place])]
        if len(digits) > 19:
            break
        if len(digits) >= 13 and is_luhn(digits):
            found = place
    return found


def is_luhn(digits: str) -> bool:
    """The check of ISO/IEC 7812-1, annex B."""
    return (sum(map(int, digits[-1::-2])) + sum(_DOUBLED[digit] for digit in digits[-2::-2])) % 10 == 0


# IBAN ----------------------------------------------------------------------------------------------------------------

_IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_IBAN_TABLE: Final = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
    FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32
    LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24
    RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
_IBAN_LENGTHS: Final = {entry[:2]: int(entry[2:]) for entry in _IBAN_TABLE.split()}
"""Characters in each country's numbers, from the IBAN registry (SWIFT, ISO 13616)."""


def _ibans(text: str) -> Iterator[Span]:
    """As long as their country's are, and right by their check digits; in groups or not."""
    after = 0
    for head in _IBAN_HEAD.finditer(text):
        length = _IBAN_LENGTHS.get(head[0][:2].upper())
        if length is None or head.start() < after:
            continue
        rest = _characters(length - 4).match(text, head.end())
        if rest is not None and is_iban(head[0] + rest[0].replace(" ", "").replace("-", "")):
            after = rest.end()
            yield head.start(), after


@cache
def _characters(count: int) -> re.Pattern[str]:
    return re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{count}}}")


def is_iban(text: str) -> bool:
    """The check of ISO 13616: modulo 97, letters as numbers from 10."""
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


# The others ----------------------------------------------------------------------------------------------------------

_DOTTED = re.compile(portable(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]++(?:\.[A-Za-z0-9_-]*+){2,}+"))


def _json_web_tokens(text: str) -> Iterator[Span]:
    """Three to five parts in base64url, the first of which begins as `{"` does (RFC 7515, RFC 7516)."""
    for match in _DOTTED.finditer(text):
        start = match[0].find("eyJ")
        if start >= 0 and match[0].count(".", start) >= 2:
            yield match.start() + start, match.end()


_EMAIL = re.compile(
    portable(r"""(?<![\w.+-]) (?: [\w.+-] | (?<=\w)'(?=\w) | %(?!40) )++
        (?: @ | %40 | \\u0040 )                          # percent-encoded, or escaped in JSON inside a string
        [\w-]+ (?: \.[\w-]+ )+"""),
    re.VERBOSE,
)
_IPV4 = re.compile(
    r"""(?<![0-9])(?<![0-9]\.) (?: (?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9]) (?:\.(?=[0-9])|(?![0-9])) ){4}
        (?<!\.)(?!\.?[0-9])""",
    re.VERBOSE,
)
_BEARER = re.compile(
    portable(r"""(?i:\bbearer) (?:\s|%20|\+)++
        (?= [a-z]{0,19}[A-Z0-9._~+/=-] | [a-z]{20} )     # the word after "bearer" in prose is none
        (?P<secret> [A-Za-z0-9._~+/=-]{6,} )             # RFC 6750, b64token"""),
    re.VERBOSE,
)
_URL_PASSWORD = re.compile(r""":(?:\\?/){2}[^\s/?#:@"'<>]*:(?P<secret>[^\s/?#"'<>]+)@""")
_AWS_KEY = re.compile(
    r"""(?:AKIA|ASIA)[A-Z0-9]{16}
      | (?i:secret[_-]?(?:access[_-]?)?key) ["']?\s?[:=]\s?["']? (?P<secret> [A-Za-z0-9/+=]{40} ) (?![A-Za-z0-9/+=])""",
    re.VERBOSE,
)

PRESETS: Final = {
    preset.name: preset
    for preset in (
        Detector("url_password", _matches(_URL_PASSWORD), ("@",)),
        Detector("bearer", _matches(_BEARER), ("earer", "EARER"), shortest=13),
        Detector("jwt", _json_web_tokens, ("eyJ",)),
        Detector("aws_key", _matches(_AWS_KEY), ("AKIA", "ASIA", "ecret", "SECRET"), shortest=20),
        Detector("iban", _ibans, candidate=_IBAN_HEAD.search, shortest=15),
        Detector("card", _cards, candidate=_DIGIT_RUN.search, shortest=13, numbers=True),
        Detector("email", _matches(_EMAIL), ("@", "%40", "\\u0040")),
        Detector("ipv4", _matches(_IPV4), (".",), shortest=7),
    )
}
"""In the order in which they run."""


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
    """Replaces what detectors find, everywhere in a document: in strings, in keys, and in numbers."""

    def __init__(self, detectors: Iterable[Detector], stand_in: StandIn) -> None:
        order = [*PRESETS, ""]
        self._detectors = sorted(detectors, key=lambda one: order.index(one.name))
        self._may_match = _suspicion(self._detectors)
        self._of_numbers = [one for one in self._detectors if one.numbers]
        self._smallest = 10**12 if all(one.name for one in self._of_numbers) else 0
        self._stand_in = stand_in
        self._clean_keys: set[str] = set()

    def text(self, text: str) -> str:
        """The text without what was found; the same object if that is nothing."""
        if self._may_match(text):
            for one in self._detectors:
                text = self._replace(one, text)
        return text

    def document(self, document: Document) -> None:
        """Change all that the document holds, in place. Not recursive: input decides how deep it is nested."""
        waiting: list[Any] = [document]
        while waiting:
            container = waiting.pop()
            if isinstance(container, dict):
                self._change(container, container.items(), waiting)
                if not self._clean_keys.issuperset(container):
                    self._change_keys(container)
            else:
                self._change(container, enumerate(container), waiting)

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
        text = changed = repr(value) if isinstance(value, float) else str(value)
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
