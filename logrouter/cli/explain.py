"""`logrouter explain`: for each line on stdin, what is recognised, which rules hold, and what each sink would get.

Runs the real pipeline on one line at a time, up to the instructions that the sinks yield; nothing is performed.
"""

from __future__ import annotations

import socket
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import groupby
from typing import Any

from logrouter import severity, times
from logrouter.config.settings import RouteSettings, Settings
from logrouter.documents import Document
from logrouter.event import Attributes, Flag
from logrouter.formats.values import escape_controls
from logrouter.projection import recognise_line
from logrouter.references import MISSING, Field, lookup
from logrouter.rehearsal import Arrival, Passage, Rehearsal, Stepped
from logrouter.rules import Rule
from logrouter.runtime.tailing import Part

_KINDS = {0: "text", Flag.JSON: "JSON object", Flag.INVALID_UTF8: "text, with bytes that are not UTF-8"}
_EFFECTS = {
    "unchanged": "changes nothing",
    "changed": "changes the event",
    "withheld": "withholds the event, whose fields cannot be read",
    "taken out": "takes the event out",
}
_NONE = "none in"


def main(argv: Sequence[str]) -> int:
    """Explain every line of standard input."""
    from logrouter.cli import _options

    options = make_parser().parse_args(argv)
    settings = _options.load(options)
    source = _options.source_of(options, settings)
    explanation = Explanation(settings, source)
    stream = sys.stdin.buffer if sys.stdin is not None else BytesIO()  # None: it was closed when we started
    number = 0
    for note in settings.provenance.notes:
        print(f"note: {note}", file=sys.stderr)
    if options.source is None and len(settings.sources) > 1:
        print(f"note: lines as of the source {source}, the first: --source names another", file=sys.stderr)
    for parts in explanation.parts(stream):
        for told in explanation.explain(parts, number):
            number += 1
            print("\n".join(told), flush=True)
    for told in explanation.conclude():
        print("\n".join(told), flush=True)
    return 0


def make_parser() -> ArgumentParser:
    """The parser of its flags."""
    from logrouter.cli import _options

    parser = _options.parser(
        "explain", "For each line on standard input: what is recognised, which rules hold, what each sink would get."
    )
    _options.add_source_option(parser)
    _options.add_config_options(parser)
    return parser


class Explanation:
    """The pipeline of a config, to be asked about single lines of one source."""

    def __init__(self, settings: Settings, source: str) -> None:
        self._settings = settings
        self._rehearsal = Rehearsal(settings, source, {"host": socket.gethostname(), "stream": "stdin"})
        self._parse = self._rehearsal.source.config.parse.for_source()

    def parts(self, stream: Any) -> Iterator[Sequence[Part]]:
        """The lines of a stream, framed as the source would."""
        framing = self._rehearsal.framing()
        while data := stream.read1(65536):
            yield framing.feed(data)
        yield framing.finish()

    def explain(self, parts: Sequence[Part], number: int) -> Iterator[list[str]]:
        """Everything about each line, as lines for people. `number`: how many there were before."""
        for passage in self._rehearsal.passages(parts, time.time_ns()):
            number += 1
            yield self._told(passage, number)

    def _told(self, passage: Passage, number: int) -> list[str]:
        line, document = passage.line, passage.parsed.document
        self._parse.turn_to(passage.parsed.facts.attributes["stream"])
        joined = f" · {lines} lines joined" if (lines := line.count(b"\n") + 1) > 1 else ""
        told = [f"── line {number} · {self._kind(line, passage.received_ns)} · {len(line)} bytes{joined}"]
        told += [f"   {_shown(part)}" for part in line.split(b"\n")]
        if passage.parsed.payload != line:
            told += _row("fields", [_shown(passage.parsed.payload)])
        told += _row("time", [_time(document, passage.parsed.facts.attributes)])
        told += _row("severity", [_found(document, severity.FIELDS, severity.parse, severity.name_of)])
        told += _row("steps", list(_steps(passage.steps)))
        if not passage.arrivals:
            return [*told, *_row("sinks", ["none: a step has taken it out"]), ""]
        for place, arrival in enumerate(passage.arrivals):
            if (events := len(passage.arrivals)) > 1:
                told += _row("event", [f"{place + 1} of {events}: {_shown(arrival.event.payload)}"])
            told += self._arrival(arrival)
        return [*told, ""]

    def conclude(self) -> Iterator[list[str]]:
        """What steps tell by themselves at the end, as lines for people."""
        for arrival in self._rehearsal.told(time.time_ns(), ending=True):
            told = ["── at the end · a step tells of what it has left out", f"   {_shown(arrival.event.payload)}"]
            yield [*told, *self._arrival(arrival), ""]

    def _arrival(self, arrival: Arrival) -> list[str]:
        routes = [self._route(route, arrival) for route in self._settings.routes]
        sinks = [text for name in self._settings.sinks for text in self._sink(name, arrival)]
        return [*_row("routes", routes), *_row("sinks", sinks)]

    def _kind(self, line: bytes, received_ns: int) -> str:
        """What a line is recognised as."""
        flags = recognise_line(line)
        if flags & Flag.JSON and self._parse.reads_json:
            return _KINDS[flags]
        text, taker = _KINDS[flags & ~Flag.JSON], self._parse.name_of_taker(line, received_ns)
        if taker is None:
            return f"{text}, taken by no parser (meta.parse_error)" if self._parse.marks else text
        return f"{text}, taken by the parser {taker}"

    def _route(self, route: RouteSettings, arrival: Arrival) -> str:
        if (holds := arrival.routes.get(route.name)) is None:
            return f"no  {route.name} → {', '.join(route.to)}: not asked, as one before it has `stop`"
        return f"{'yes' if holds else 'no '} {route.name} → {', '.join(route.to)}: {_rule(route.match)}"

    def _sink(self, name: str, arrival: Arrival) -> list[str]:
        """What one sink would do with it: the very bytes."""
        if name in arrival.refusals:
            refusal = arrival.refusals[name]
            return [f"no  {name}: {'no route that names it holds' if refusal is None else _rule(refusal)}"]
        told = [f"yes {name}: {_rule(self._settings.sinks[name].config.match)}"]
        for data, to, is_request in arrival.sinks[name]:
            target = f" {'by' if is_request else 'to'} {to}" if to else ""
            told.append(f"      {len(data)} bytes{target}: " + _shown(data.removesuffix(b"\n")))
        return told


def _steps(steps: Sequence[Stepped]) -> Iterator[str]:
    """What each did; where events have become several before it, to how many it did that."""
    for _, of_one in groupby(steps, key=lambda step: step.place):
        said = Counter(map(_step, of_one))
        events = said.total()
        for text, count in said.items():
            yield f"{text} ({count} of {events} events)" if events > 1 else text


def _step(step: Stepped) -> str:
    if step.effect == "not asked":
        return f"{step.name}: not for this event: {_rule(step.when)}"
    if step.effect == "divided":
        return f"{step.name}: makes {step.made} events of it"
    return f"{step.name}: {_EFFECTS.get(step.effect) or f'fails: {step.error}'}"


def _time(document: Document, attributes: Attributes) -> str:
    """When it happened, and what says so: a field, or else who wrote it, or else we by receiving it."""
    found = _found(document, times.FIELDS, lambda value: times.parse(value), times.format_rfc3339)
    if not found.startswith(_NONE):
        return found
    if "written" in attributes:
        return f"{times.format_rfc3339(int(attributes['written']))}, from meta.written; {found}"
    return f"{found}: that at which it is received"


def _found(document: Document, fields: Sequence[Field], parse: Any, show: Any) -> str:
    """The first of the fields that holds something usable, and what it means."""
    for field in fields:
        value = lookup(document, field.path)
        parsed = parse(value)
        if parsed is not None and parsed is not MISSING:
            return f"{show(parsed)}, from {'.'.join(field.path)} = {_text(value)}"
    return f"{_NONE} {', '.join('.'.join(field.path) for field in fields)}"


def _row(title: str, texts: Sequence[str]) -> list[str]:
    return [f"   {title if not place else '':<9}{text}" for place, text in enumerate(texts)]


def _rule(rule: Rule | None) -> str:
    return "everything" if rule is None else f"{' '.join(rule.text.split())}"


def _text(value: object) -> str:
    return escape_controls(repr(value))


def _shown(data: bytes) -> str:
    """Bytes for a terminal: control characters escaped, and not more than anybody reads."""
    text = escape_controls(data[:2000].decode("utf-8", "backslashreplace"))
    return text + (f" … and {len(data) - 2000} bytes more" if len(data) > 2000 else "")
