r"""logfmt: keys and values, as Heroku, logrus, Go's slog and many others write them.

    - parse: logfmt
    < level=info msg="stopped \"A\"" tag#a=b took=12ms
    > {"level":"info","msg":"stopped \"A\"","tag#a":"b","took":"12ms"}

A value is all up to a blank, or stands in quotation marks, with escapes as Go and JSON write them (`\"`, `\n`,
`\u00e9`). All are text, as logfmt knows no numbers; `types` makes numbers of those that a rule compares. A key that
comes twice gets a number, `key#2`.

    - parse: {logfmt: {types: {status: int}, bare_keys: true}}
    < status=503 cached path=/a
    > {"status":503,"cached":true,"path":"/a"}
"""

from __future__ import annotations

from logrouter.parsers import Looks
from logrouter.parsers._pairs import Grammar, PairsConfig, PairsParser

_KEY = rb"[A-Za-z_][0-9A-Za-z_.-]*+="
_VALUE = rb'(?:"(?:[^"\\\n]++|\\[^\n])*+"|[!#-\xff]*+) ++'
_KNOWN = rb"(?:at|caller|err|error|level|lvl|logger|message|msg|sev|severity|time|timestamp|ts)="
_BEGIN = rb"(?=%b)(?:(?=%b)[a-z]++=%b%b|%b%b(?:(?!%b)%b%b){0,14}+%b)" % (
    *(_KEY, _KNOWN, _VALUE, _KEY),
    *(_KEY, _VALUE, _KNOWN, _KEY, _VALUE, _KNOWN),
)
"""Two pairs, and the key of one of the first 16 is one that those who write logs use: nobody else writes so."""


class LogfmtConfig(PairsConfig, frozen=True, kw_only=True):
    """It needs no options."""

    bare_keys: bool = False
    """Whether words without a value are fields that are `true`. Default: a line that has some is not logfmt."""


class Logfmt(PairsParser[LogfmtConfig]):
    """The grammar of github.com/go-logfmt/logfmt, and more lenient: it lets `=` and quotation marks be in values."""

    Config = LogfmtConfig
    looks = Looks(_BEGIN, rank=5)

    def __init__(self, config: LogfmtConfig) -> None:
        super().__init__(config, Grammar(bare_keys=config.bare_keys))
