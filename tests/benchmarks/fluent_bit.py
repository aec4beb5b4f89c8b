"""What Fluent Bit is told, so that it does what logrouter does in a case; and what must come out then.

For each job its fastest way, of those tried with 5.1.1: it tails a file (the pipe took as long or longer), in reads of
1 MiB, with 64 MiB for what waits, and writes ten times a second (once a second took the same CPU and twice the memory).
It routes by rewriting the tags of the fewer events and a grep for the rest, as conditions on routes, and a grep for
each output, took half as long again. It changes by the filter `modify`, as `content_modifier` took a seventh longer. It
writes each record alone, or its line alone, and reads a time only where logrouter does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.cases import ALL, CASES, EVERY_ONE, Case
from tests.benchmarks.destinations import DESTINATIONS, Destination

_SERVICE = r"""
service: {flush: 0.1, grace: 30, log_level: error}
parsers:
  - {name: from_json, format: json}
  - {name: from_logfmt, format: logfmt}
  - name: from_access
    format: regex
    regex: '^(?<client>[^ ]*) [^ ]* [^ ]* \[(?<time>[^\]]*)\] "(?<method>[^ ]+) (?<path>[^ ]*) (?<protocol>[^"]*)"
      (?<status>[^ ]*) (?<size>[^ ]*) "(?<referrer>[^"]*)" "(?<user_agent>[^"]*)"$'
    types: status:integer size:integer
    time_key: time
    time_format: "%d/%b/%Y:%H:%M:%S %z"
    time_keep: true
  - name: from_syslog
    format: regex
    regex: '^<(?<pri>[0-9]{1,5})>1 (?<time>[^ ]+) (?<hostname>[^ ]+) (?<appname>[^ ]+) (?<procid>[-0-9]+)
      (?<msgid>[^ ]+) (?<data>(\[(.*?)\]|-)) (?<message>.+)$'
    types: procid:integer
multiline_parsers:
  - name: dated
    type: regex
    flush_timeout: 1000
    rules:
      - {state: start_state, regex: '/^\d{4}-\d\d-\d\d /', next_state: more}
      - {state: more, regex: '/^(?!\d{4}-\d\d-\d\d )/', next_state: more}
"""
PIPE: Final = """
    - name: stdin
      tag: it
      buffer_size: 1M
      mem_buf_limit: 64M"""
TAIL: Final = """
    - name: tail
      tag: it
      path: INPUT
      read_from_head: true
      buffer_chunk_size: 1M
      buffer_max_size: 1M
      mem_buf_limit: 64M"""
JSON: Final = TAIL + "\n      parser: from_json"
ONE_FILE: Final = '\n    - {name: file, match: "*", path: FOLDER, file: all, format: plain}'
THREE_FILES: Final = "".join(
    f"\n    - {{name: file, match: {tag}, path: FOLDER, file: {name}, format: plain}}"
    for tag, name in (("errors", "errors"), ("checkout", "checkout"), ("it", "visible"))
)
_RAW_FILE = '\n    - {name: file, match: "*", path: FOLDER, file: all, format: template, template: "{log}"}'
_SERVER = '\n    - {match: "*", host: 127.0.0.1, port: PORT, retry_limit: no_limits, '
ROUTES: Final = (
    "rewrite_tag, match: it, rule: $level ^(error|fatal)$ errors true, emitter_mem_buf_limit: 64M",
    "rewrite_tag, match: it, rule: $service ^checkout$ checkout true, emitter_mem_buf_limit: 64M",
    "grep, match: it, exclude: level ^debug$",
)
_CHANGES = ('modify, match: "*", set: [env prod, "email [redacted]"], rename: message text, remove: trace_id',)


def pipeline(source: str, outputs: str, filters: tuple[str, ...] = (), **values: object) -> str:
    """A whole config; the words in capitals are replaced by the values of these names."""
    steps = "".join(["\n  filters:", *(f"\n    - {{name: {told}}}" for told in filters)] if filters else "")
    text = f"{_SERVICE}pipeline:\n  inputs:{source}{steps}\n  outputs:{outputs}\n"
    for name, value in values.items():
        text = text.replace(name, str(value))
    return text


@dataclass(frozen=True)
class Job:
    """One row of the table: the same work, by both."""

    case: Case | Destination
    there: int
    """Fluent Bit's events a CPU second on the machine that the goals were set on; 0 where it was not asked."""
    goal: int
    """Logrouter's there."""
    source: str
    outputs: str
    filters: tuple[str, ...] = ()
    left: Callable[[Any], dict[str, Any]] | None = None
    """What it makes of a line, or of an event; None where the output holds the very bytes."""
    note: str = ""

    @property
    def title(self) -> str:
        return self.case.title + self.note

    @property
    def input_kind(self) -> str:
        return self.case.input_kind if isinstance(self.case, Case) else "json"

    def config(self, input_path: Path, folder: Path, port: int) -> str:
        return pipeline(self.source, self.outputs, self.filters, INPUT=input_path, FOLDER=folder, PORT=port)


def _same(event: dict[str, Any]) -> dict[str, Any]:
    return event


def access(line: str) -> dict[str, Any]:
    """The fields of an access log, the time as it came."""
    changed = _CASE["clf"].changed
    assert changed
    return changed(line) | {"time": line.split("[")[1].split("]")[0]}


def _syslog(line: str) -> dict[str, Any]:
    """The priority a text, and so is all structured data."""
    changed = _CASE["syslog"].changed
    assert changed
    event = changed(line)
    kept = {name: event[name] for name in ("time", "hostname", "appname", "procid", "message")}
    data = "[" + line.split("[")[1].split("]")[0] + "]" if "structured_data" in event else "-"
    return kept | {"pri": line[1:].split(">")[0], "msgid": "-", "data": data}


_CASE: Final = {case.name: case for case in CASES}
_SHIPPED: Final = {destination.name: destination for destination in DESTINATIONS}
_ONE_JSON = Case("json", "JSON to one file", "json", ALL, EVERY_ONE)
_BULK = _SERVER + "name: es, index: app, suppress_type_name: true, compress: gzip}"
_PUSH = _SERVER + 'name: loki, labels: "app=$service, level=$level"}'
_PYTHON = TAIL + "\n      multiline.parser: python"
_DATED = TAIL + "\n      multiline.parser: dated"
_ACCESS = TAIL + "\n      parser: from_access"
_LOGFMT = TAIL + "\n      parser: from_logfmt"
_SYSLOG = TAIL + "\n      parser: from_syslog"

JOBS: Final = (
    Job(_CASE["route"], 87_700, 700_000, JSON, THREE_FILES, ROUTES, _same),
    Job(_ONE_JSON, 254_000, 700_000, JSON, ONE_FILE, left=_same),
    Job(_CASE["text"], 1_300_000, 1_500_000, TAIL, _RAW_FILE),
    Job(
        _CASE["multiline"],
        1_740_000,
        3_000_000,
        _PYTHON,
        _RAW_FILE,
        note=" (its `python`: the traceback apart from its line)",
    ),
    Job(_CASE["multiline"], 0, 0, _DATED, _RAW_FILE, note=" (an expression of our own)"),
    Job(_CASE["clf"], 222_000, 450_000, _ACCESS, ONE_FILE, left=access),
    Job(_CASE["logfmt"], 420_000, 480_000, _LOGFMT, ONE_FILE, left=_CASE["logfmt"].changed),
    Job(_CASE["syslog"], 264_000, 450_000, _SYSLOG, ONE_FILE, left=_syslog),
    Job(_CASE["change"], 77_500, 280_000, JSON, ONE_FILE, _CHANGES, _CASE["change"].changed),
    Job(_SHIPPED["elasticsearch"], 97_100, 450_000, JSON, _BULK),
    Job(_SHIPPED["loki"], 180_200, 300_000, JSON, _PUSH),
)
