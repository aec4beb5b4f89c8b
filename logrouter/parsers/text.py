r"""Text that has no form: all of it is the `message`. It takes every line, so it stands last in a list.

    - parse: {text: {level: words}}
    < 10:00:00 ERROR [main] no route to host
    > {"level":"error","message":"10:00:00 ERROR [main] no route to host"}
    < upload of a.txt failed: disk is full
    > {"level":"error","message":"upload of a.txt failed: disk is full"}
    < done, 0 errors
    > {"message":"done, 0 errors"}

With `level: words` a `level` is made of the words in it. First counts a label, by which whoever wrote the line has said
what it is: a level in capitals or in brackets, in the first 200 characters (`ERROR`, `[warn]`, `<info>`); in any case
at the beginning, before a colon or behind a time (`error: …`, `12:00:01 debug …`); Android's letter (`E/Tag: …`). Else
what is said in the first 1,000 characters: `fatal` or `panic`, `critical`, `error`, `failed`, `exception`,
`ValueError`, `warning`, `deprecated` …, of which the gravest counts; but not where it is said that there was none
(`no errors`, `errors: 0`, `error=nil`, `non-fatal`).

It is a guess. `error page shown`, `retries after failures: on` and `NOTICE` on a list of words are taken for what they
are not; `cannot open a.txt` and what is said in other languages are not recognised. So it is done only where it is
asked for: behind parsers that know what a line says, as in

    sources: {app: {type: stdin, parse: [auto, {text: {level: words}}]}}
"""

from __future__ import annotations

import re
from typing import Final, Literal

from logrouter import severity
from logrouter.documents import Document, encode_document
from logrouter.parsers import Parser, ParserConfig
from logrouter.parsers._lazy import LazyPattern

_LEVELS: Final = (
    "trace|verbose|debug|info|information|notice|warn|warning|error|err|severe|critical|crit|alert|fatal|emerg|emergency"
    "|panic"
)
_LABELLED: Final = 200
"""Characters in which a label stands."""
_READ: Final = 1_000
"""Characters that are read."""
_AT_BEGINNING: Final = LazyPattern(
    rf"""
      (?P<letter>[VDIWEF])/[\w.$-]{{1,60}}\ *[(:]                                   # logcat -v brief
    | \d\d-\d\d\ \d\d:\d\d:\d\d\.\d{{3}}\ +\d+\ +\d+\ (?P<logcat>[VDIWEF])\          # logcat -v threadtime
    | (?=\W{{0,8}}\d)[\d\W_]{{1,40}}(?:[Tt][\d:.,]{{5,20}}[\d\W_]{{0,8}})?(?:[Zz][\d\W_]{{1,8}})?
      (?P<behind>(?i:{_LEVELS}))(?![\w/.=-])                                        # a time before it
    | \W{{0,4}}(?P<before>(?i:{_LEVELS}))\ ?[]:!>)|]                                # a colon behind it
    """,
    re.VERBOSE | re.ASCII,
)
_LABEL: Final = LazyPattern(
    rf"(?<![\w/.=-])(?:{_LEVELS.upper()})(?![\w/.=-])|[\[<(|]\ ?(?i:{_LEVELS})\ ?[]>)|]", re.ASCII
)
_FAILURES: Final = "errors?|fail(?:s|ed|ure|ures|ing)?|exceptions?"
_SAID: Final = LazyPattern(
    rf"""
      (?P<none>(?<![\w-])(?:no|not|non|0|zero|without|any)[ -](?:\w{{1,20}}\ )?
        (?:{_FAILURES}|warnings?|fatal|critical|panics?)(?!\w)
      | (?<!\w)(?:{_FAILURES}|warnings?)["']?\ ?[:=]\ ?["']?(?:0|none|null|nil|no|false|ok)(?![\w.]))
    | (?<![\w/.-])(?:
        (?P<fatal>fatal|panic|panicked)
      | (?P<critical>critical)
      | (?P<error>{_FAILURES}|severe|traceback|segfault|segmentation\ fault
        |(?-i:(?:\w+\.)*[A-Z][A-Za-z]*(?:Error|Exception)))
      | (?P<warning>warn|warnings?|deprecated|deprecation|\w*DeprecationWarning)
      )(?!\w|[/-]|\.\w)
    """,
    re.VERBOSE | re.ASCII | re.IGNORECASE,
)
_GRAVEST_FIRST: Final = ("fatal", "critical", "error", "warning")


class TextConfig(ParserConfig, frozen=True, kw_only=True):
    """Without options it makes text the message, and nothing else."""

    level: Literal["none", "words"] = "none"
    """Where the level comes from: nowhere, or from the words of the text."""


class Text(Parser[TextConfig]):
    """Takes every line."""

    Config = TextConfig

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        text = line.decode("utf-8", "replace")
        document: Document = {"message": text}
        if self.config.level == "words" and (level := level_of(text)) is not None:
            document = {"level": level, **document}
        return encode_document(document)


def level_of(text: str) -> str | None:
    """The level that a text speaks of, by its canonical name: its label, else the gravest that is said."""
    label = _label(text[:_LABELLED])
    if label is not None:
        return severity.name_of(severity.parse(label))
    said = {match.lastgroup for match in _SAID.pattern.finditer(text, 0, _READ)}
    return next((level for level in _GRAVEST_FIRST if level in said), None)


def _label(text: str) -> str | None:
    match = _AT_BEGINNING.pattern.match(text)
    if match is not None:
        return match[match.lastgroup or 0]
    match = _LABEL.pattern.search(text)
    return match[0].strip("[]<>()| ") if match is not None else None
