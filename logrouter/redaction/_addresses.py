"""Addresses of people and machines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from logrouter.possessive import portable
from logrouter.redaction._detector import Detector, Span, matches

_LETTERS: Final = r"A-Za-z0-9_\w"
"""In a class of characters: `\\w`, with those first that are told by one look into a table."""
_EMAIL = re.compile(
    portable(rf"""(?<![\w.+-]) (?=[\w.+-]|%(?!40))
        [{_LETTERS}.+-]*+ (?: (?: (?<=\w)'(?=\w) | %(?!40) ) [{_LETTERS}.+-]*+ )*+
        (?: @ | %40 | \\u0040 )                          # percent-encoded, or escaped in JSON inside a string
        [{_LETTERS}-]++ (?: \.[{_LETTERS}-]++ )++"""),
    re.VERBOSE,
)
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?<![0-9])(?<![0-9]\.)(?:{_OCTET}(?:\.(?=[0-9])|(?![0-9]))){{4}}(?<!\.)(?!\.?[0-9])")
_DOTS = re.compile(rb"_[0-9][0-9]{0,2}_[0-9]{1,3}_[0-9]")
_LIKE_IPV6 = re.compile(rb":[0-9a-fk:](?:(?<=::)|[0-9a-fk]{0,3}:[0-9a-fk]{1,4}:)")
"""Two colons, or three with hexadecimal digits between them (a `b` is folded to `k`): one of these stands in every such
address, and not in a time."""
_COLONS = re.compile(
    portable(r"(?<![0-9A-Za-z:.])(?=[0-9A-Fa-f]*+:[0-9A-Fa-f]*+:)[0-9A-Fa-f:]++(?:\.[0-9]++){0,3}+(?![0-9A-Za-z])")
)
"""What has two colons, and between them nothing but hexadecimal digits."""
_MAPPED = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")


def _ipv6(text: str) -> Iterator[Span]:
    """Addresses as RFC 4291 §2.2 writes them. `dead::beef` is one, `std::string`, a time and a MAC address are not."""
    for match in _COLONS.finditer(text):
        start, end = match.span()
        while end > start and text[end - 1] == ":" and text[end - 2 : end] != "::":
            end -= 1  # the colon of the sentence
        if any(map(str.isdigit, match[0])) and _is_ipv6(text[start:end]):
            yield start, end


def _is_ipv6(text: str) -> bool:
    head, dot, _ = text.partition(".")
    if dot:  # the last 32 bits are written as IPv4
        colon = head.rfind(":") + 1
        if _MAPPED.fullmatch(text, colon) is None:
            return False
        text = f"{text[:colon]}0:0"
    before, gap, after = text.partition("::")
    groups = [part for side in (before, after) if side for part in side.split(":")]
    if not all(1 <= len(group) <= 4 for group in groups):
        return False
    return len(groups) <= 7 if gap else len(groups) == 8


PRESETS: Final = (
    Detector("email", matches(_EMAIL), _EMAIL, of_lines=True, hints=(b"@", b"%40", rb"\u0040")),
    Detector("ipv6", _ipv6, of_lines=True, folded=(_LIKE_IPV6,)),
    Detector("ipv4", matches(_IPV4), _IPV4, of_lines=True, folded=(_DOTS,)),
)
