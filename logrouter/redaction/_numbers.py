"""Numbers that have a check: of payment cards, and of bank accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from string import ascii_letters, digits
from typing import Final

from logrouter.possessive import portable
from logrouter.redaction._detector import Detector, Shape, Span, kinds

_DIGIT_RUN = re.compile(portable(r"[0-9](?<![0-9]{2})(?:[ -]?[0-9]){12,}+"))  # first what is quickly found
_AS_NUMBERS: Final = kinds({"a": ascii_letters, "e": "eE", "0": f"{digits} -+", ",": ",]}\t\r\n"})
_MANY_DIGITS: Final = Shape(_AS_NUMBERS, b"0" * 13)
"""What every such number begins with, be it in groups."""
_EXPONENT: Final = Shape(_AS_NUMBERS, b"0e0", behind=b"0*+,")
"""How a number of JSON ends that may be larger than its digits."""
_DIGITS = re.compile(r"[0-9]+")
_HEX_BEFORE = re.compile(r"[0-9A-Za-z]{0,64}\Z")
_HEX_AFTER = re.compile(r"[0-9A-Za-z]{0,64}")
_IS_HEX = re.compile(r"[0-9]*[A-Fa-f][0-9A-Fa-f]*")
_ISSUER = re.compile(r"[456]|3[04-9]|22[2-9]|2[3-6]|27[01]|2720")
"""How the numbers of card networks begin (ISO/IEC 7812, as issued): not as a time in milliseconds does."""
_CARD_GROUPS: Final = 6
"""In how many groups of digits a card's number may be written."""
_DOUBLED: Final = {str(digit): (2 * digit) // 10 + (2 * digit) % 10 for digit in range(10)}


def _cards(text: str) -> Iterator[Span]:
    """Whole groups of digits that together are 13 to 19, begin as cards do, and pass the Luhn check.

    Digits within a hexadecimal number are none: one trace id in some thousands holds such.
    """
    for run in _DIGIT_RUN.finditer(text):
        groups = [match.span() for match in _DIGITS.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            last = _last_of_card(text, groups, first)
            if last is None or _is_in_hexadecimal(text, groups[first][0], groups[last][1]):
                first += 1
            else:
                yield groups[first][0], groups[last][1]
                first = last + 1


def _is_in_hexadecimal(text: str, start: int, end: int) -> bool:
    """Whether digits are part of a longer word that is a hexadecimal number."""
    before = _HEX_BEFORE.search(text, max(0, start - 64), start)
    after = _HEX_AFTER.match(text, end)
    around = (before[0] if before else "") + (after[0] if after else "")
    return _IS_HEX.fullmatch(around) is not None


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


_IBAN_HEAD = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
_LIKE_IBAN: Final = Shape(kinds({"a": ascii_letters, "0": digits}), b" aa00", skipped=1)
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
        if rest is None or _HASH.fullmatch(head[0] + rest[0]):
            continue
        if is_iban(head[0] + rest[0].replace(" ", "").replace("-", "")):
            after = rest.end()
            yield head.start(), after


_HASH = re.compile(r"[0-9a-f]{4}[0-9a-f]*[a-f][0-9a-f]*")
"""What is a hexadecimal number in small letters: an id in a log, and no account of Belgium."""


@cache
def _characters(count: int) -> re.Pattern[str]:
    return re.compile(rf"(?:[ -]?[A-Za-z0-9]){{{count}}}")


def is_iban(text: str) -> bool:
    """The check of ISO 13616: modulo 97, letters as numbers from 10."""
    return int("".join(str(int(character, 36)) for character in text[4:] + text[:4])) % 97 == 1


PRESETS: Final = (
    Detector("iban", _ibans, of_lines=True, shapes=(_LIKE_IBAN,)),
    Detector("card", _cards, of_lines=True, shapes=(_MANY_DIGITS, _EXPONENT), numbers=True),
)
