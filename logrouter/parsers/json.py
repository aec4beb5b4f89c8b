"""JSON: a line that is a JSON object is an event as it is, byte for byte.

    - parse: json
    < {"level": "info", "n": 1.50}
    > {"level": "info", "n": 1.50}

Alone or first in a list it costs nothing. All else is marked `meta.parse_error`, unless another parser of the list
takes it. With `parse: json_or_text` and `parse: auto` it is not: there JSON and text may be mixed.
"""

from __future__ import annotations

from logrouter.event import Flag
from logrouter.parsers import Looks, Parser, ParserConfig
from logrouter.projection import recognise_line


class JsonConfig(ParserConfig, frozen=True):
    """It has no options."""


class Json(Parser[JsonConfig]):
    """Takes what is one already."""

    Config = JsonConfig
    looks = Looks(rb"[ \t\r]*+\{", rank=0)

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        return line if recognise_line(line) == Flag.JSON else None
