r"""A regular expression of your own: its named groups are the fields.

    - parse: {regex: '^(?P<level>[A-Z]+) (?P<message>.*)'}
    < WARN disk is nearly full
    > {"level":"WARN","message":"disk is nearly full"}

The expression, of Python's `re`, is searched for in the line, so write `^` where the line must begin with it. A group
that takes no part in the match is no field. `types` makes numbers of what looks like them; what does not, stays text.

    - parse: {regex: {pattern: '(?P<path>\S+) took (?P<ms>\d+)(?P<retry> again)?', types: {ms: int}}}
    < GET /a took 12
    > {"path":"/a","ms":12}

Times of another format than RFC 3339 are read by [`time_format`](../times.md):

    - parse: {regex: {pattern: '^\[(?P<at>[^]]+)\] (?P<message>.*)', time_key: at, time_format: '%d/%b/%y %H:%M:%S'}}
    < [23/Nov/26 10:00:00] ready
    > {"time":"2026-11-23T10:00:00Z","message":"ready"}

An expression whose cost could explode is refused. Where it grows faster than the line, long lines are not taken: more
than 8,192 characters where it grows with the square, 586 with the cube. That is so where an expression does not begin
with `^` and then repeats, or repeats what can share out a text in several ways (`.*-.*-x`); not so for
`^\S+ \[[^]]*\] .*`. A longer line is taken all the same where it has few of the characters at which it could be shared
out, here `-`: such as an access log's, with its few blanks, by the expressions that are usual for these.
"""

from __future__ import annotations

from typing import Any

import msgspec

from logrouter.documents import encode_document
from logrouter.errors import refuse
from logrouter.parsers import Parser
from logrouter.parsers._own_times import OwnTime, OwnTimeConfig
from logrouter.parsers._types import CASTS, Type
from logrouter.rules.cost import BoundedPattern
from logrouter.rules.patterns import Pattern


class RegexConfig(OwnTimeConfig, frozen=True, kw_only=True):
    """The expression alone stands for `{pattern: …}`."""

    pattern: Pattern
    """The regular expression, with at least one named group."""
    types: dict[str, Type] = msgspec.field(default_factory=dict)
    """Group → `int`, `float` or `bool`. Default: all are text."""


class Regex(Parser[RegexConfig]):
    """Searches each line."""

    Config = RegexConfig

    def __init__(self, config: RegexConfig) -> None:
        super().__init__(config)
        self._pattern = BoundedPattern(config.pattern.text)
        self._names = self._pattern.compiled.groupindex
        if not self._names:
            raise ValueError("pattern: expected at least one named group, such as (?P<message>.*)")
        refuse(f"types: there is no group {name!r} in the pattern" for name in config.types if name not in self._names)
        self._own_time = OwnTime(config, self._names)
        self._casts = {name: CASTS[kind] for name, kind in config.types.items() if not self._own_time.converts(name)}

    @classmethod
    def options_from(cls, value: Any) -> Any:
        return {"pattern": value} if isinstance(value, str) else value

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        match = self._pattern.search(line.decode("utf-8", "replace"))
        if match is None:
            return None
        fields: dict[str, Any] = {name: text for name, text in match.groupdict().items() if text is not None}
        for name, cast in self._casts.items():
            if name in fields:
                fields[name] = cast(fields[name])
        return encode_document(self._own_time.placed(fields, received_ns))
