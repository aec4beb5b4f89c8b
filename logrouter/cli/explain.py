"""`logrouter explain`: for each line on stdin, what is recognised, which rules hold, and what each sink would get.

Runs the real pipeline on one line at a time, up to the instructions that the sinks yield; nothing is performed.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from logrouter import severity, times
from logrouter.assembly import make_chain, make_router, make_sink
from logrouter.chain import is_unclear
from logrouter.config.settings import RouteSettings, Settings
from logrouter.documents import Document, decode_document, decode_text
from logrouter.event import Chunk, Flag
from logrouter.facts import Facts
from logrouter.formats.values import escape_controls
from logrouter.framing import Frame, LineFraming
from logrouter.ingest import Ingest
from logrouter.projection import recognise_line
from logrouter.references import MISSING, Field, lookup
from logrouter.rules import Rule
from logrouter.sinks import Append, Batch, Now, Request, Sink, Slice, Write
from logrouter.sources import LinesConfig

_KINDS = {0: "text", Flag.JSON: "JSON object", Flag.INVALID_UTF8: "text, with bytes that are not UTF-8"}


def main(argv: Sequence[str]) -> int:
    """Explain every line of standard input."""
    from logrouter.cli import _options

    parser = _options.parser(
        "explain", "For each line on standard input: what is recognised, which rules hold, what each sink would get."
    )
    _options.add_config_options(parser)
    explanation = Explanation(_options.load(parser.parse_args(argv)))
    stream = sys.stdin.buffer if sys.stdin is not None else BytesIO()  # None: it was closed when we started
    for number, line in enumerate(explanation.lines(stream), 1):
        print("\n".join(explanation.explain(number, line)), flush=True)
    return 0


class Explanation:
    """The pipeline of a config, to be asked about single lines."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._name, source = next(iter(settings.sources.items()))
        self._source = source
        self._attributes = {"source": self._name, "host": socket.gethostname(), "stream": "stdin"}
        self._sinks = {name: make_sink(name, settings) for name in settings.sinks}
        self._chain = make_chain((*source.steps, *settings.steps))
        self._router = make_router(self._sinks, settings, [self._chain])
        self._parse, keep_original = source.config.parse, source.config.keep_original
        self._parsing = Ingest(self._router, self._attributes, self._parse, keep_original=keep_original)
        self._ingest = Ingest(self._router, self._attributes, self._parse, self._chain, keep_original=keep_original)

    def lines(self, stream: Any) -> Iterator[bytes]:
        """The lines of a stream, framed as the source would."""
        config = self._source.config
        framing = config.framing() if isinstance(config, LinesConfig) else LineFraming(config.max_line)
        while data := stream.read1(65536):
            yield from framing.feed(data).lines
        yield from framing.finish().lines

    def explain(self, number: int, line: bytes) -> list[str]:
        """Everything about one line, as lines for people."""
        received_ns = time.time_ns()
        frame = Frame([line], line, {}, 0)
        (parsed,) = self._parsing.chunks(frame, received_ns)
        payload, flags = parsed.payloads[0], parsed.flags[0]
        facts = Facts(self._attributes, received_ns, self._router.resource, flags)
        document = _document(payload, flags)
        joined = f" · {lines} lines joined" if (lines := line.count(b"\n") + 1) > 1 else ""
        told = [f"── line {number} · {self._kind(line, received_ns)} · {len(line)} bytes{joined}"]
        told += [f"   {_shown(part)}" for part in line.split(b"\n")]
        if payload != line:
            told += _row("fields", [_shown(payload)])
        told += _row("time", _found(document, times.FIELDS, lambda value: times.parse(value), times.format_rfc3339))
        told += _row("severity", _found(document, severity.FIELDS, severity.parse, severity.name_of))
        told += _row("steps", self._steps(payload, flags, document, facts))
        chunks = self._ingest.chunks(frame, received_ns)
        if not chunks:
            return [*told, *_row("sinks", ["none: a step has taken it out"]), ""]
        after = _document(chunks[0].payloads[0], chunks[0].flags[0])
        told += _row("routes", [self._route(route, after, facts) for route in self._settings.routes])
        told += _row("sinks", [text for name in self._sinks for text in self._sink(name, chunks, after, facts)])
        return [*told, ""]

    def _kind(self, line: bytes, received_ns: int) -> str:
        """What a line is recognised as."""
        flags = recognise_line(line)
        if flags & Flag.JSON and self._parse.reads_json:
            return _KINDS[flags]
        text, taker = _KINDS[flags & ~Flag.JSON], self._parse.name_of_taker(line, received_ns)
        return text if taker is None else f"{text}, taken by the parser {taker}"

    def _steps(self, payload: bytes, flags: int, document: Document, facts: Facts) -> list[str]:
        """What each step does to the event as those before it have left it."""
        told = []
        unclear = is_unclear(payload, flags)
        for step in self._chain.steps:
            when = step.when_unclear if unclear else step.when
            if when is not None and not when.test(document, facts):
                told.append(f"{step.name}: not for this event: {_rule(when)}")
                continue
            if unclear and step.step.withholds(payload, flags):
                return [*told, f"{step.name}: withholds the event, whose fields cannot be read"]
            before = repr(document)
            try:
                verdict = step.apply(document, facts)
            except Exception as error:
                told.append(f"{step.name}: fails: {error}")
                continue
            if verdict is not None:
                return [*told, f"{step.name}: takes the event out"]
            told.append(f"{step.name}: {'changes nothing' if repr(document) == before else 'changes the event'}")
        return told

    def _route(self, route: RouteSettings, document: Document, facts: Facts) -> str:
        holds = route.match is None or route.match.test(document, facts)
        return f"{'yes' if holds else 'no '} {route.name} → {', '.join(route.to)}: {_rule(route.match)}"

    def _sink(self, name: str, chunks: list[Chunk], document: Document, facts: Facts) -> list[str]:
        """What one sink would do with it: the very bytes."""
        number = list(self._sinks).index(name)
        match = self._sinks[name].config.match
        parts = [part for chunk in chunks if (part := self._router.slice(chunk, number)) is not None]
        if not parts:
            refused = match is not None and not match.test(document, facts)
            return [f"no  {name}: {_rule(match) if refused else 'no route that names it holds'}"]
        told = [f"yes {name}: {_rule(match)}"]
        for data, target in _leaving(self._sinks[name], parts):
            told.append(f"      {len(data)} bytes{target}: " + _shown(data.removesuffix(b"\n")))
        return told


def _leaving(sink: Sink[Any], parts: list[Slice]) -> Iterator[tuple[bytes, str]]:
    """The bytes that would leave first, and where to; of a sink that must be answered, only what it begins with."""
    encoded = [sink.encode(part) for part in parts] if sink.gathers else []
    batch = Batch([] if sink.gathers else parts, encoded=encoded, first=parts[0].sequences[0], last=True)
    conversation = sink.send(batch)
    reply: Any = None
    while True:
        try:
            instruction = conversation.send(reply)
        except StopIteration:
            return
        reply = None
        match instruction:
            case Append(path, data):
                yield data, f" to {path}"
            case Write(data):
                yield data, ""
            case Request(method, target, body):
                yield body, f" by {method} {target}"
                return
            case Now():
                reply = parts[0].received_ns


def _document(payload: bytes, flags: int) -> Document:
    try:
        return decode_document(payload) if flags & Flag.JSON else decode_text(payload)
    except (ValueError, RecursionError):
        return {}


def _found(document: Document, fields: Sequence[Field], parse: Any, show: Any) -> list[str]:
    """The first of the fields that holds something usable, and what it means."""
    for field in fields:
        value = lookup(document, field.path)
        parsed = parse(value)
        if parsed is not None and parsed is not MISSING:
            return [f"{show(parsed)}, from {'.'.join(field.path)} = {_text(value)}"]
    return [f"none in {', '.join('.'.join(field.path) for field in fields)}"]


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
