r"""LTSV, Labeled Tab-separated Values (http://ltsv.org): `label:value`, with tabs between them.

    - parse: ltsv
    < host:127.0.0.1	time:[28/Feb/2013:12:00:00 +0900]	req:GET / HTTP/1.1	status:200	size:5316
    > {"host":"127.0.0.1","time":"2013-02-28T03:00:00Z","req":"GET / HTTP/1.1","status":200,"size":5316}

The labels are the fields' names. `time` in the brackets of access logs becomes RFC 3339; and what ltsv.org recommends
for numbers becomes one: `status`, `size`, `reqsize`, `reqtime`, `reqtime_microsec`, `apptime`. What does not look like
one (`-`) stays text, as all else is. There are no escapes.
"""

from __future__ import annotations

from logrouter.parsers._access import utc_text
from logrouter.parsers._pairs import Grammar, PairsConfig, PairsParser
from logrouter.parsers._types import CASTS

_GRAMMAR = Grammar(between_pairs="\t", after_key=":", quotes="", key="[0-9A-Za-z_.-]++")


class LtsvConfig(PairsConfig, frozen=True, kw_only=True):
    """It needs no options."""


class Ltsv(PairsParser[LtsvConfig]):
    """The grammar of http://ltsv.org, in ABNF: a label is of letters, digits and `_.-`, a value has no tab."""

    Config = LtsvConfig

    def __init__(self, config: LtsvConfig) -> None:
        super().__init__(config, _GRAMMAR, _CASTS)


def _time(text: str) -> str:
    try:
        return utc_text(text[1:-1]) if text[:1] == "[" else text
    except ValueError:
        return text


_CASTS = {
    "time": _time,
    **dict.fromkeys(("status", "size", "reqsize", "reqtime_microsec"), CASTS["int"]),
    **dict.fromkeys(("reqtime", "apptime"), CASTS["float"]),
}
