r"""The log of PostgreSQL: stderr, csvlog and jsonlog.

    - parse: postgresql
    < 2026-11-29 23:44:26.123 UTC [12] a@b ERROR:  division by zero
    > {"time":"2026-11-29T23:44:26.123Z","level":"ERROR","message":"division by zero","pid":12,"user":"a","dbname":"b"}
    < 2026-11-29 23:44:26 UTC [12]: user=app,db=shop STATEMENT:  select 1/0
    > {"time":"2026-11-29T23:44:26Z","level":"STATEMENT","message":"select 1/0","pid":12,"user":"app","dbname":"shop"}

Fields are called as in jsonlog, in all formats, but for `time` and `level`. A line that says more of the one before has
`DETAIL`, `HINT`, `STATEMENT` … for its level. On stderr the usual prefixes are known: PostgreSQL's and Debian's own,
pgBadger's, those of Amazon RDS, Azure, Google Cloud SQL and CloudNativePG; of another say what `log_line_prefix` is:

    - parse: {postgresql: {log_line_prefix: '%t %b[%p] %q%a '}}
    < 2026-11-29 23:44:26 UTC checkpointer[7] LOG:  shutting down
    > {"time":"2026-11-29T23:44:26Z","level":"LOG","message":"shutting down","backend_type":"checkpointer","pid":7}

Of csvlog the columns of PostgreSQL 9 to 18 are known. Zones are PostgreSQL's default abbreviations (`EST`, `CEST`) or,
where `timezone` names one, that one, unless the line says `UTC`, `GMT` or a number. A statement of several lines is one
event with `multiline: {start: '^\d{4}-\d\d-\d\d '}`.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from logrouter.documents import Document
from logrouter.parsers._csvlog import BEGINS, CsvShapes, csv_document
from logrouter.parsers._layouts import LayoutsConfig, LayoutsParser, looks_of
from logrouter.parsers._postgresql import json_document, layout_of_prefix, usual_layouts
from logrouter.parsers._shapes import Shape


class PostgresqlConfig(LayoutsConfig, frozen=True, kw_only=True):
    """It knows the format by the line."""

    format: Literal["auto", "stderr", "csv", "json"] = "auto"
    """The format, `log_destination`."""
    log_line_prefix: str | None = None
    """How lines on stderr begin, as in postgresql.conf. Default: whichever of the usual ones it is."""


_LOOKS = looks_of(usual_layouts(is_local=False), 20)


class Postgresql(LayoutsParser[PostgresqlConfig]):
    """Asks csvlog and jsonlog first: their lines are of no prefix."""

    Config = PostgresqlConfig
    looks = replace(_LOOKS, begin=rb"%b|%b" % (_LOOKS.begin, BEGINS))

    def __init__(self, config: PostgresqlConfig) -> None:
        self._is_local = config.timezone != "UTC"
        if config.format not in ("auto", "stderr"):
            if config.log_line_prefix is not None:
                raise ValueError(f"log_line_prefix: there is none in the format {config.format}")
            self.layouts = []
        elif config.log_line_prefix is not None:
            self.layouts = [layout_of_prefix(config.log_line_prefix, is_local=self._is_local)]
        else:
            self.layouts = usual_layouts(is_local=self._is_local)
        super().__init__(config)
        self._csv_shapes = CsvShapes(self._times, is_local=self._is_local)

    def read(self, text: str) -> Document | None:
        if self.config.format in ("auto", "json") and text[:1] == "{":
            return json_document(text, self._times, is_local=self._is_local)
        if self.config.format in ("auto", "csv") and (
            (document := csv_document(text, self._times, is_local=self._is_local)) is not None
        ):
            return document
        return super().read(text)

    def shape_of(self, line: bytes) -> Shape | None:
        if self.config.format in ("auto", "csv") and (shape := self._csv_shapes.of(line.decode())) is not None:
            return shape if shape.takes(line) else None
        return super().shape_of(line)
