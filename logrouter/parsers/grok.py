r"""Grok: regular expressions out of named patterns, as Logstash and Elasticsearch have them.

    - parse: {grok: '^%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} %{GREEDYDATA:message}'}
    < 2026-11-23T10:00:00Z WARN disk is nearly full
    > {"time":"2026-11-23T10:00:00Z","level":"WARN","message":"disk is nearly full"}

`%{NAME:field}` is what the pattern NAME matches, as a field; `%{NAME:field:int}` a number of it (`float`, `bool`).
`[http][method]` is a field in an object; a name with dots is one name. `(?<field>…)` is a field without a pattern. What
matched nothing is no field, and one that comes twice is a list. All patterns are known of Logstash's `grok-patterns`,
`httpd`, `linux-syslog`, `haproxy` and `java`: USERNAME, NUMBER, IPORHOST, TIMESTAMP_ISO8601, SYSLOGBASE,
COMBINEDAPACHELOG, HAPROXYHTTP, CATALINALOG … Their fields are those of the Elastic Common Schema, or the older ones:

    - parse: {grok: {match: '^%{SYSLOGLINE}', fields: legacy, time_key: timestamp, time_format: '%b %e %H:%M:%S'}}
    < Nov 23 10:00:00 web1 cron[42]: done
    > {"time":"2025-11-23T10:00:00Z","logsource":"web1","program":"cron","pid":"42","message":"done"}

`patterns` adds some of your own. Of several expressions the first that matches counts:

    - parse: {grok: {match: ['^%{ORDER:order} (?<state>\w+)$', '^%{ORDER:order}$'], patterns: {ORDER: '[A-Z]{2}-\d+'}}}
    < AB-17 sent
    > {"order":"AB-17","state":"sent"}
    < AB-18
    > {"order":"AB-18"}

An expression is searched for in the line: begin it with `^`, or lines that do not match cost much more. It is of
Oniguruma's syntax; what Python's has not (`[a&&b]`, `\G`, `\K`) is told at the start. What it may cost is bounded as
that of the parser `regex` is: where an expression can share out a line in many ways, long lines are not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from logrouter.documents import Document, encode_document
from logrouter.errors import ExpressionError, refuse
from logrouter.parsers import Parser
from logrouter.parsers._grok_fields import SETS
from logrouter.parsers._oniguruma import Path, path_of, written
from logrouter.parsers._own_times import TIME, OwnTime, OwnTimeConfig
from logrouter.parsers._types import CASTS, Cast
from logrouter.rules.cost import BoundedPattern
from logrouter.rules.patterns import PatternError


class GrokConfig(OwnTimeConfig, frozen=True, kw_only=True):
    """The expression alone stands for `{match: …}`."""

    match: str | list[str]
    """The expression; or several, of which the first that matches counts."""
    patterns: dict[str, str] = msgspec.field(default_factory=dict)
    """Name → expression. It may hold other patterns, and comes before a known one of that name."""
    fields: Literal["ecs", "legacy"] = "ecs"
    """How the known patterns name their fields: as the Elastic Common Schema (`[source][address]`), or as Logstash did
    before it (`clientip`)."""


class Grok(Parser[GrokConfig]):
    """Tries one expression after the other."""

    Config = GrokConfig

    def __init__(self, config: GrokConfig) -> None:
        super().__init__(config)
        texts = [config.match] if isinstance(config.match, str) else config.match
        if not texts:
            raise ValueError("match: expected at least one expression")
        odd = (name for name in config.patterns if re.fullmatch(r"\w+", name) is None)
        refuse(f"patterns: a name has letters, digits and _, not {name!r}" for name in odd)
        self._own_time = OwnTime(config)
        self._time_path = path_of(config.time_key)
        patterns = {**SETS[config.fields], **config.patterns}
        self._expressions = [_Expression(text, patterns) for text in texts]
        if config.time_format is not None:
            self._check_time()

    def _check_time(self) -> None:
        paths = {path for expression in self._expressions for path in expression.paths}
        if self._time_path not in paths:
            raise ValueError(f"time_key: there is no field {self.config.time_key!r}")
        if self._time_path != (TIME,) and (TIME,) in {path[:1] for path in paths}:
            raise ValueError(f"time_key: there is a field {TIME!r} already")

    @classmethod
    def options_from(cls, value: Any) -> Any:
        return {"match": value} if isinstance(value, str | list) else value

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        text = line.decode("utf-8", "replace")
        for expression in self._expressions:
            found = expression.found(text)
            if found is not None:
                return encode_document(self._document(found, received_ns))
        return None

    def _document(self, found: Iterable[tuple[Path, Cast, str]], received_ns: int) -> Document:
        document: Document = {}
        for path, cast, text in found:
            if path == self._time_path and (time := self._own_time.text(text, received_ns)) is not None:
                _put(document, (TIME,), time)
            else:
                _put(document, path, cast(text))
        return document


class _Expression:
    """One of `match`. Raises ExpressionError."""

    def __init__(self, text: str, patterns: Mapping[str, str]) -> None:
        expression, captures = written(text, patterns)
        if not captures:
            raise ExpressionError("expected at least one field, such as %{WORD:name}", text)
        self.paths = {capture.path for capture in captures}
        for path in self.paths:
            if any(path[:count] in self.paths for count in range(1, len(path))):
                raise ExpressionError(f"the field {path[-2]!r} cannot be a text and hold {path[-1]!r}", text)
        self._captures = [(capture.path, CASTS[capture.type]) for capture in captures]
        try:
            self._pattern = BoundedPattern(expression, text)
        except PatternError as error:
            raise ExpressionError(str(error), text) from None

    def found(self, text: str) -> list[tuple[Path, Cast, str]] | None:
        """The fields that are not empty: their paths, casts and texts. None where it does not match."""
        match = self._pattern.search(text)
        if match is None:
            return None
        groups = zip(self._captures, match.groups(), strict=True)
        return [(path, cast, group) for (path, cast), group in groups if group]


def _put(document: Document, path: Path, value: Any) -> None:
    *holders, name = path
    for holder in holders:
        document = document.setdefault(holder, {})
    if name not in document:
        document[name] = value
    elif isinstance(document[name], list):
        document[name].append(value)
    else:
        document[name] = [document[name], value]
