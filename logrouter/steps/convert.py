"""Convert fields to numbers, truths, text, or times.

    - convert: {status: int, took: milliseconds, size: bytes, ok: bool, id: text, at: time}
    < {"status": "503", "took": "1.5s", "size": "64KiB", "ok": "yes", "id": 17, "at": 1764460800}
    > {"status": 503, "took": 1500, "size": 65536, "ok": true, "id": "17", "at": "2025-11-30T00:00:00Z"}

A field is converted to one of these:

    int           a whole number: of text, of a number without a fraction, of true (1) and false (0)
    float         a number
    bool          true, yes, on, t, y, 1 and false, no, off, f, n, 0, in any case
    text          the text of a number or a truth; of an object or a list, its JSON
    time          RFC 3339 in UTC: of text that has it, of seconds, milliseconds, micro- or nanoseconds since 1970,
                  which it is told by how many they are, or of what time_format describes
    unix          the time as seconds since 1970; unix_ms, unix_us, unix_ns as milli-, micro- and nanoseconds
    seconds       a length of time as a number of seconds: 250ms, 1.5s, 1m30s, 2 h, 12µs, 00:01:30.5; a number alone is
                  taken for seconds
    milliseconds  the same in milliseconds, for which a number alone is taken
    bytes         a size as a number of bytes: 10KiB and 10K (1024), 10kB and 10KB (1000), 1.5 GB, 512 B, 512

A value that is what it shall be already stays, and so does null. One that cannot be converted stays as it is, and the
event is marked `meta.step_failed` and counted; the other fields are converted all the same. With `on_error: remove` it
is taken out, marked as well: for a destination that refuses an event in which a number is none. With `keep` it stays,
and nothing is said. Options stand beside `fields`:

    - convert: {fields: {status: int, bytes: int}, on_error: remove}
    < {"status": "503", "bytes": "-"}
    > {"status": 503}

Times in a format of your own are read [as parsers read them](../times.md):

    - convert: {fields: {at: time}, time_format: '%d/%b/%Y %H:%M', timezone: Europe/Stockholm}
    < {"at": "30/Nov/2026 01:00"}
    > {"at": "2026-11-30T00:00:00Z"}
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from logrouter.documents import Document
from logrouter.errors import Complaints
from logrouter.facts import Facts
from logrouter.parsers._dates import zone_named
from logrouter.parsers._time_formats import TimeFormat
from logrouter.references import parent_and_key
from logrouter.steps import Incomplete, Step, StepConfig
from logrouter.steps._conversions import CONVERSIONS, Conversion, Kind, of_time
from logrouter.steps._paths import Path, check_apart, field_paths


class ConvertConfig(StepConfig, frozen=True, kw_only=True):
    """Fields and their types alone are short for `{fields: …}`."""

    fields: dict[str, Kind]
    """The fields, and what each shall be."""
    on_error: Literal["mark", "keep", "remove"] = "mark"
    """What is done with a value that cannot be converted: it stays, and the event is marked and counted; it is kept as
    if nothing were; or it is removed, and the event marked and counted."""
    time_format: str | None = None
    """How texts that are converted to times are written, where it is not RFC 3339; see [times](../times.md)."""
    timezone: str = "UTC"
    """The zone of times that do not tell theirs, by its IANA name, such as `Europe/Stockholm`. For `time_format`."""


class Convert(Step[ConvertConfig]):
    """Converts each field that is there."""

    Config: ClassVar[type[StepConfig]] = ConvertConfig

    def __init__(self, config: ConvertConfig) -> None:
        super().__init__(config)
        if not config.fields:
            raise ValueError("expected at least one field to convert")
        own, complaints = None, Complaints()
        with complaints:
            zone = zone_named(config.timezone)
            own = None if config.time_format is None else TimeFormat(config.time_format, zone)
            if own is None and config.timezone != "UTC":
                raise ValueError("timezone: it needs time_format")
        with complaints:
            paths = field_paths(config.fields, "converted")
            check_apart(paths)
        complaints.conclude()
        self._fields: list[tuple[str, Path, Conversion]] = []
        for (name, kind), path in zip(config.fields.items(), paths, strict=True):
            conversion = CONVERSIONS.get(kind) or of_time(kind, own)
            self._fields.append((f"{name} cannot be made {kind}", path, conversion))

    @classmethod
    def options_from(cls, value: Any) -> Any:
        is_short = isinstance(value, dict) and not isinstance(value.get("fields"), dict)
        return {"fields": value} if is_short else value

    def apply(self, document: Document, facts: Facts) -> None:
        failed = []
        for problem, path, convert in self._fields:
            place = parent_and_key(document, path)
            if place is None:
                continue
            holder, key = place
            value = holder[key]
            if value is None:
                continue
            try:
                holder[key] = convert(value, facts.time_ns)
            except (ValueError, ArithmeticError):
                failed.append(problem)
                if self.config.on_error == "remove":
                    del holder[key]
        if failed and self.config.on_error != "keep":
            raise Incomplete("; ".join(failed))
