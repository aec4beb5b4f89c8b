"""The options `time_key`, `time_format`, `timezone`, by which a field becomes `time`, as rules understand it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from logrouter.documents import Document, Names, encode_value
from logrouter.memo import Memo
from logrouter.parsers import ParserConfig
from logrouter.parsers._dates import zone_named
from logrouter.parsers._shapes import Column
from logrouter.parsers._time_formats import TimeFormat

TIME: Final = "time"
"""The field that rules, templates and sinks look into (`times.FIELDS`)."""


class OwnTimeConfig(ParserConfig, frozen=True, kw_only=True):
    """Of all parsers whose times have a format of one's own"""

    time_key: str = TIME
    """The field that holds the time. With `time_format` it becomes `time`, in UTC as RFC 3339 has it; a text that is
    not of the format stays as it is, under its own name."""
    time_format: str | None = None
    """How it is written: directives of strptime (`%d/%b/%Y:%H:%M:%S.%f %z`), or `unix`, `unix_ms`, `unix_us`,
    `unix_ns`, `rfc3339`, `rfc2822`, `iso8601`; see [times](../times.md).
    Default: it stays as it is."""
    timezone: str = "UTC"
    """The zone of times that do not tell theirs, by its IANA name, such as `Europe/Stockholm`."""


class OwnTime:
    """What a config says of times. Its constructor raises ValueError where options do not go together."""

    def __init__(self, config: OwnTimeConfig, names: Collection[str] | None = None) -> None:
        """`names`: all fields that there can be, where that is known."""
        zone = zone_named(config.timezone)
        self.key = config.time_key
        self._format = None if config.time_format is None else TimeFormat(config.time_format, zone)
        if self._format is None:
            if self.key != TIME:
                raise ValueError("time_key: it needs time_format")
            if config.timezone != "UTC":
                raise ValueError("timezone: it needs time_format")
        elif names is not None and self.key not in names:
            raise ValueError(f"time_key: there is no field {self.key!r}")
        elif names is not None and self.key != TIME and TIME in names:
            raise ValueError(f"time_key: there is a field {TIME!r} already")
        self._texts = Memo(self._json, 1024)

    def converts(self, name: str) -> bool:
        """Whether a field of that name is the time that is to be read."""
        return self._format is not None and name == self.key

    def placed(self, fields: Document, received_ns: int) -> Document:
        """The fields with `time` instead of the one that held it. Another that is called so gets a number."""
        value = fields.get(self.key)
        if self._format is None or not isinstance(value, str):
            return fields
        text = self.text(value, received_ns)
        if text is None:
            return fields
        if self.key == TIME:
            fields[TIME] = text
            return fields
        names = {name: name for name in fields}
        if TIME in names:
            names[TIME] = Names(fields).unused(TIME)
        names[self.key] = TIME
        fields[self.key] = text
        return {names[name]: field for name, field in fields.items()}

    def text(self, text: str, received_ns: int) -> str | None:
        """A time as RFC 3339 in UTC; None where it is not of the format."""
        return None if self._format is None else self._format.utc_text(text, received_ns)

    def column(self) -> Column | None:
        """The same for the fast way; None where it depends on when a line was received."""
        if self._format is None or not self._format.tells_year:
            return None
        return Column(TIME, self._texts.__getitem__)

    def _json(self, raw: bytes) -> bytes:
        """Raises ValueError where the field would stay as it is."""
        text = self.text(raw.decode(), 0)
        if text is None:
            raise ValueError
        return encode_value(text)
