"""What would become of a line: the pipeline of a config, run on one line at a time, and performed for nobody.

`explain` tells what it finds, `test` compares it with what is expected. Lines go the way that they go in earnest, from
`Ingest` to the instructions that the sinks yield; nothing is written or sent. Beside that way each step is done once
more on its own, by a chain of its own, to tell what it did. So steps that remember events see each of them once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, Final, Literal, NamedTuple

from msgspec.structs import replace

from logrouter import component
from logrouter.assembly import make_chain, make_router, make_sink
from logrouter.chain import NamedStep, is_unclear
from logrouter.compression import Compression, decompress
from logrouter.config.settings import Settings
from logrouter.documents import Document, decode_document, decode_text, encode_document
from logrouter.event import Attributes, Chunk, Flag, Offset
from logrouter.facts import Facts
from logrouter.framing import Frame, LineFraming
from logrouter.ingest import Ingest
from logrouter.rules import Rule
from logrouter.runtime.tailing import FileFraming, FileLines, Part, Start
from logrouter.sinks import Append, Batch, Keep, Now, Request, Sink, Slice, Write
from logrouter.sources import LinesConfig
from logrouter.steps import KEEP, Incomplete

_MAGIC: Final[dict[bytes, Compression]] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
"""How what is compressed begins: RFC 1952 §2.3.1, RFC 8878 §3.1.1."""


class Event(NamedTuple):
    """An event at one place of its way."""

    payload: bytes
    flags: int
    document: Document
    """What its payload says; of an object that nobody can read, nothing."""
    facts: Facts


class Stepped(NamedTuple):
    """What one step did to an event as those before it had left it."""

    name: str
    effect: Literal["not asked", "unchanged", "changed", "failed", "withheld", "taken out", "divided"]
    when: Rule | None = None
    """The condition, where it did not hold."""
    error: str = ""
    """Why it failed."""
    made: int = 1
    """Into how many events it was divided."""
    place: int = 0
    """Of the step among all."""


class Leaving(NamedTuple):
    """What a sink would write or send of one event."""

    data: bytes
    """As it is before it is compressed on the way."""
    to: str = ""
    """The path of a file, or the method and target of a request; empty where it is a stream."""
    is_request: bool = False


class Arrival(NamedTuple):
    """An event behind the steps: who gets it, and how."""

    event: Event
    routes: Mapping[str, bool]
    """By name, in order, whether each holds; those behind a route with `stop` that holds are not asked."""
    sinks: Mapping[str, Sequence[Leaving]]
    """By name, what leaves through each sink that gets it."""
    refusals: Mapping[str, Rule | None]
    """By name, for each other sink its own rule, which does not hold; None: no route that names the sink does."""


class Passage(NamedTuple):
    """One line's way."""

    line: bytes
    received_ns: int
    parsed: Event
    """As the parsers have made it, before any step."""
    steps: Sequence[Stepped]
    """In their order. Where one has made several events of it, those after it stand there once for each."""
    arrivals: Sequence[Arrival]
    """One; none where a step has taken it out; several where a step has made several of it."""


class Rehearsal:
    """The pipeline of a config, for the lines of one source."""

    def __init__(self, settings: Settings, source: str, attributes: Attributes) -> None:
        """`attributes`: what is known of the lines (`meta.…`), beside `source`."""
        self._settings = settings
        self._attributes = {"source": source, **attributes}
        self.source = settings.sources[source]
        config = self.source.config
        self.sinks: dict[str, Sink[Any]] = {name: _sink(name, settings) for name in settings.sinks}
        self._numbers = {name: number for number, name in enumerate(self.sinks)}
        self._arrived = 0
        self._shown, chain = make_chain(settings, source), make_chain(settings, source)
        self._router = make_router(self.sinks, settings, [chain])
        keep_original = config.keep_original
        self._parsing = Ingest(self._router, self._attributes, config.parse, keep_original=keep_original)
        self._ingest = Ingest(self._router, self._attributes, config.parse, chain, keep_original=keep_original)
        self._chain = chain

    def framing(self) -> FileFraming:
        """What makes lines of the source's bytes, those joined that belong together."""
        config = self.source.config
        kind = component.load("sources", self.source.type)
        if hasattr(kind, "framing_of"):  # it reads files, of lines or of what containers wrote
            framing: FileFraming = kind(config).framing_of("", {"": Start(is_first=True)})
            return framing
        if isinstance(config, LinesConfig):
            return FileLines(config.framing(at_start=True), config.quiet_seconds)
        return FileLines(LineFraming(config.max_line), inf)

    def passages(self, parts: Iterable[Part], received_ns: int) -> Iterator[Passage]:
        """The way of each line."""
        for part in parts:
            for place, line in enumerate(part.frame.lines):
                mark = part.frame.marks.get(place)
                frame = Frame([line], line, {} if mark is None else {0: mark}, 0, written_ns=part.frame.written_ns)
                yield self._passage(frame, received_ns, part.stream)

    def told(self, now_ns: int, *, ending: bool = False) -> list[Arrival]:
        """The way of the events that steps make by themselves, as it is time. `ending`: no more lines come."""
        told = self._ingest.told(self._chain.overdue(now_ns, self._router.resource, ending=ending), now_ns)
        return [self._arrival(event) for event in self._events(told)]

    def passage(self, line: bytes, received_ns: int) -> Passage:
        """The way of one whole line."""
        return self._passage(Frame([line], line, {}, 0), received_ns, "")

    def _passage(self, frame: Frame, received_ns: int, stream: str) -> Passage:
        """The way of the one line of a frame."""
        attributes = {**self._attributes, "stream": stream} if stream else self._attributes
        (parsed,) = self._events(self._parsing.chunks(frame, received_ns, attributes, stream=stream))
        # These are given a document of their own, as steps change it in place.
        steps = list(self._stepped(parsed._replace(document=document_of(parsed.payload, parsed.flags))))
        events = self._events(self._ingest.chunks(frame, received_ns, attributes, stream=stream))
        return Passage(frame.lines[0], received_ns, parsed, steps, [self._arrival(event) for event in events])

    def _events(self, chunks: Sequence[Chunk]) -> Iterator[Event]:
        for chunk in chunks:
            for payload, flags in zip(chunk.payloads, chunk.flags, strict=True):
                facts = Facts(chunk.attributes, chunk.received_ns, self._router.resource, flags)
                yield Event(payload, flags, document_of(payload, flags), facts)

    def _stepped(self, event: Event) -> Iterator[Stepped]:
        """What each step does to the event as those before it have left it: `Chain.apply`, told."""
        unclear = is_unclear(event.payload, event.flags)
        documents = [event.document]
        for place, step in enumerate(self._shown.steps):
            done = [_applied(step, event._replace(document=document), unclear) for document in documents]
            yield from (stepped._replace(place=place) for stepped, _ in done)
            documents = [document for _, left in done for document in left]

    def _arrival(self, event: Event) -> Arrival:
        """An event's way from the spool on, which it goes alone."""
        facts = event.facts
        chunk = Chunk([event.payload], bytes((event.flags,)), facts.attributes, facts.received_ns)
        chunk.offset = Offset(0, self._arrived)
        self._arrived += 1
        (routed,) = self._router.route(chunk)
        shares = {name: self._router.slice(routed, number) for name, number in self._numbers.items()}
        leaving = {name: list(_leaving(self.sinks[name], part)) for name, part in shares.items() if part is not None}
        refusals = {name: self._refusal(name, event) for name in self.sinks if name not in leaving}
        return Arrival(event, self._routes(event), leaving, refusals)

    def _routes(self, event: Event) -> dict[str, bool]:
        asked = {}
        for route in self._settings.routes:
            asked[route.name] = route.match is None or route.match.test(event.document, event.facts)
            if asked[route.name] and route.stop:
                break
        return asked

    def _refusal(self, sink: str, event: Event) -> Rule | None:
        match = self.sinks[sink].config.match
        return None if match is None or match.test(event.document, event.facts) else match


def _sink(name: str, settings: Settings) -> Sink[Any]:
    sink = settings.sinks[name]
    config = component.load("sinks", sink.type).for_rehearsal(sink.config)
    return make_sink(name, replace(settings, sinks={name: replace(sink, config=config)}))


def _applied(step: NamedStep, event: Event, unclear: bool) -> tuple[Stepped, list[Document]]:
    """What a step does to an event, and what is left for those after it."""
    payload, flags, document, facts = event
    when = step.when_unclear if unclear else step.when
    if when is not None and not when.test(document, facts):
        return Stepped(step.kind, "not asked", when), [document]
    if unclear and step.step.withholds(payload, flags):
        return Stepped(step.kind, "withheld"), []
    before = encode_document(document)
    try:
        outcome = step.apply(document, facts)
        made = [document] if outcome is None or outcome is KEEP else [] if isinstance(outcome, str) else outcome
        after = list(map(encode_document, made))
    except Exception as error:
        left = (
            [] if step.step.fails_closed else [document if isinstance(error, Incomplete) else decode_document(before)]
        )
        return Stepped(step.kind, "failed", error=str(error)), left
    documents = list(map(decode_document, after))
    if len(after) == 1:
        return Stepped(step.kind, "unchanged" if after == [before] else "changed"), documents
    if not after:
        return Stepped(step.kind, "taken out"), []
    return Stepped(step.kind, "divided", made=len(after)), documents


def _leaving(sink: Sink[Any], part: Slice) -> Iterator[Leaving]:
    """The bytes that would leave first, and where to; of a sink that must be answered, only what it begins with."""
    encoded = [sink.encode(part)] if sink.gathers else []
    batch = Batch([] if sink.gathers else [part], encoded=encoded, first=part.sequences[0], last=True)
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
                yield Leaving(data, path)
            case Write(data):
                yield Leaving(data)
            case Request(method, target):
                data = instruction.whole_body
                data = _not_compressed(data) if sink.gathers else data
                yield Leaving(data, f"{method} {target}".rstrip(), is_request=True)
                return
            case Keep(told=told):
                yield Leaving(told())
            case Now():
                reply = part.received_ns


def _not_compressed(body: bytes) -> bytes:
    """What a sink that gathers has compressed itself, as it was before."""
    for magic, compression in _MAGIC.items():
        if body.startswith(magic):
            return decompress(body, compression)
    return body


def document_of(payload: bytes, flags: int) -> Document:
    """What a payload says; nothing, where it is an object that nobody can read."""
    try:
        return decode_document(payload) if flags & Flag.JSON else decode_text(payload)
    except (ValueError, RecursionError):
        return {}
