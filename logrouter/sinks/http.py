"""Sends events to any HTTP endpoint: a log service, a gateway, a chat.

    sinks:
      gateway:
        url: http+https://logs.example.org/ingest?tenant=shop
        token_file: /run/secrets/gateway
        compression: gzip
      chat:
        type: http
        url: ${file:/run/secrets/chat_webhook}
        match: severity >= "error"
        body: {text: "{service.name}: {message}"}

`format` says how events make a request: `json_lines` (one object a line), `json_array`, or `raw` (the lines as they
came); a batch is one request. With `body` every event is a request of its own: a structure, sent as JSON, in which each
text is a template; what comes from the event is escaped, whatever it holds. A `body` that is a text is sent as text.
Such requests are made one after the other, in the order of the events, whatever `concurrency` says; and at once, unless
`batch.age` is set.

**At least once.** What is tried again may be there twice, after a crash all that was on its way: no endpoint is known
to recognise it. Where yours answers 409 to what it has already, say `deliver_on: [409]`.

**What an answer means.**

    status                          what becomes of the events
    2xx                             delivered
    400, 422                        sent in halves, until the event is found that is to blame: a dead letter
    413                             sent in halves; a single event is a dead letter
    408, 425, 429, 5xx              tried again, after what Retry-After asks for; 429, 503: and less at once
    3xx, 401, 403, 404, 405, other  tried again, and told once a minute and in /status: the URL or the credentials
                                    are wrong, and no event is to blame
    400 for want of TLS             the same: plain HTTP where TLS is spoken, or no client certificate, in the words of
                                    nginx, Apache or Go

`deliver_on`, `retry_on` and `reject_on` name statuses that mean something else here: `409`, `5xx`.

`check --connect` asks by HEAD, and then sends a batch of no events: an empty body, or `[]`. That shows whether the URL,
the method, the credentials and the compression are taken. With `body` or `format: raw` it sends none, as even an empty
one might be an event.

As a URL: `http+https://logs.example.org/ingest?tenant=shop`, `http+http://localhost:8080`; its query is the
endpoint's own. A plain `https:` URL needs `type: http` beside it.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

import msgspec

from logrouter.compression import LEVELS
from logrouter.errors import DestinationError
from logrouter.event import Offset
from logrouter.formats.ndjson import json_lines, json_objects
from logrouter.formats.raw import raw_lines
from logrouter.http_sink import SUCCESS, HttpConfig, HttpSink, endpoint_of, http_url, kept_url, refusal, shown
from logrouter.sinks import (
    Batch,
    Conversation,
    Delivered,
    EventOutcome,
    Halve,
    Instruction,
    Pause,
    Rejected,
    Request,
    Response,
    Retry,
    SinkConfig,
    SinkContext,
)
from logrouter.sinks._bodies import BodyTemplate
from logrouter.values import MaybeSecret

_CONTENT_TYPES = {
    "json_lines": "application/x-ndjson",
    "json_array": "application/json",
    "raw": "text/plain; charset=utf-8",
}
_REFUSED = (400, 413, 422)
"""Something in it is refused, or it is too large."""
_OF_THE_CONNECTION = re.compile(
    rb"plain HTTP (?:request was sent to HTTPS port|to an SSL-enabled server port)"  # nginx; Apache
    rb"|HTTP request to an HTTPS server"  # Go
    rb"|No required SSL certificate was sent|The SSL certificate error|Request Header Or Cookie Too Large"  # nginx
)
"""What is answered by 400 before anybody has looked at the request: no event is to blame."""
_NO_EVENTS = {"json_lines": b"", "json_array": b"[]"}
"""A batch without any. An empty text may be a line, and what a template makes is an event."""
_NOT_KNOWN = (401, 403, 407)
_NOBODY_BEHIND = (502, 503, 504)
_EVENTS_AT_ONCE = 100
"""How many events are settled together by default where each is a request. After a crash all of a batch is sent again,
which holds more where more was read at once."""


class Status(str):
    """A status, `409`, or all of a class, `5xx`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        if not re.fullmatch(r"[1-5](?:[0-9]{2}|xx)", text):
            raise ValueError(f"expected a status such as 409 or 5xx, not {text!r}")
        return cls(text)


class AnyHttpConfig(HttpConfig, kw_only=True, frozen=True):
    """Where to, what a request looks like, and what the answers mean."""

    url: MaybeSecret
    """The whole URL, query included. From `${file:…}` it is a secret: webhooks have their key in it. So is one whose
    query has a name that speaks of a key, token or the like: `?api_key=…`."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """How it is sent."""
    format: Literal["json_lines", "json_array", "raw", "template"] | None = None
    """How events make a request. Default: `template` where there is a `body`, else `json_lines`."""
    body: Any = None
    """What is sent for one event: any structure, whose texts are templates; or a text, a template."""
    content_type: str | None = None
    """Default: `application/x-ndjson`, `application/json`, or for text `text/plain; charset=utf-8`."""
    compression: Literal["none", "gzip", "zstd"] = "none"
    """How requests are compressed: not every endpoint takes it."""
    compression_level: int | None = None
    """How hard: gzip 1 to 9, zstd 1 to 22. Default: 1, 3. More costs much and saves little."""
    deliver_on: tuple[Status, ...] = ()
    """Statuses, beside 2xx, by which the endpoint says that it has the events: `[409]`."""
    retry_on: tuple[Status, ...] = ()
    """Statuses after which the same is tried again: `[400]` where that comes from a proxy in between."""
    reject_on: tuple[Status, ...] = ()
    """Statuses by which an event is refused for good. Sent in halves until it is found, it is a dead letter."""

    def __post_init__(self) -> None:
        super().__post_init__()
        msgspec.structs.force_setattr(self, "url", kept_url(self.url))

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        if self.format == "template" and self.body is None:
            yield "format: a template needs a body"
        if self.body is not None and self.format not in (None, "template"):
            yield f"body: with a body, the format is template, not {self.format}"
        levels = LEVELS.get(self.compression, range(0))
        if self.compression_level is not None and self.compression_level not in levels:
            told = f"of {self.compression} it is from 1 to {levels[-1]}" if levels else "nothing is compressed"
            yield f"compression_level: {told}"


class AnyHttpSink(HttpSink[AnyHttpConfig]):
    """Sends batches, or with `body` single events."""

    Config: ClassVar[type[SinkConfig]] = AnyHttpConfig

    def __init__(self, config: AnyHttpConfig, context: SinkContext) -> None:
        super().__init__(config, context)
        self._body = BodyTemplate(config.body) if config.body is not None else None
        self._format = config.format or ("json_lines" if self._body is None else "template")
        self.endpoint = endpoint_of(config, config.url, {"Content-Type": config.content_type or self._content_type()})
        self.told_of_gaps = self._format != "raw"
        if self._body is not None:
            self.templates = self._body.templates
            self.concurrency = 1
            events, age = config.batch.events or _EVENTS_AT_ONCE, config.batch.age or 0  # nothing is gained by waiting
            self.batching = msgspec.structs.replace(self.batching, events=events, age_seconds=float(age))

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        """`http+https://…`, or a plain URL."""
        return {"url": http_url(url, "http")}

    @classmethod
    def warnings(cls, config: AnyHttpConfig) -> list[str]:
        """What has no effect."""
        if config.body is not None and config.include:
            return ["include: with a body nothing is added to events: name it in the body"]
        return []

    def _content_type(self) -> str:
        """Of what the format makes; a body is a structure, sent as JSON, or a text."""
        if self._format == "template":
            return _CONTENT_TYPES["raw" if isinstance(self.config.body, str) else "json_array"]
        return _CONTENT_TYPES[self._format]

    def send(self, batch: Batch) -> Conversation:
        if self._body is not None:
            return self._send_each(batch, self._body)
        return self._send_all(batch)

    def probe(self) -> Generator[Instruction, Any, list[str]]:
        """HEAD, which tells little but of credentials and gateways; then a batch of no events, if there can be one."""
        response: Response = yield Request("HEAD", "")
        if response.status in (*_NOT_KNOWN, *_NOBODY_BEHIND):
            return [_wrong("HEAD", response)]
        nothing = _NO_EVENTS.get(self._format)
        if nothing is None:
            return []
        response = yield self._request(nothing)
        return [_wrong(self.config.method, response)] if isinstance(self._judge(response), Retry) else []

    # ── a batch is a request ──

    def _send_all(self, batch: Batch) -> Conversation:
        pieces: list[bytes] = []
        open_line: Offset | None = None
        for part in batch.slices:
            if self._format == "raw":
                data, open_line = raw_lines(part, open_line)
            elif self._format == "json_array":
                data = b",".join(json_objects(part, self.include))
            else:
                data = json_lines(part, self.include)
            pieces += [data] if data else []
            yield Pause()
        if not pieces:  # what logrouter tells in a stream is none of the app's lines
            return Delivered()
        body = b"[" + b",".join(pieces) + b"]" if self._format == "json_array" else b"".join(pieces)
        response = yield self._request(body)
        return self._judge(response)

    def _request(self, body: bytes) -> Request:
        return Request(self.config.method, "", body, (), self.config.compression, self.config.compression_level)

    def _judge(self, response: Response) -> Delivered | Retry | Halve:
        """What a status means: of a batch, or of an event alone."""
        status, config = response.status, self.config
        if _among(status, config.deliver_on):
            return Delivered()
        if _among(status, config.reject_on):
            return Halve(f"HTTP {status}", shown(response.body))
        if _among(status, config.retry_on):
            return refusal(response)
        if status in SUCCESS:
            return Delivered()
        if status in _REFUSED and not _OF_THE_CONNECTION.search(response.body):
            return Halve(f"HTTP {status}", shown(response.body))
        return refusal(response)

    # ── an event is a request ──

    def _send_each(self, batch: Batch, body: BodyTemplate) -> Conversation:
        outcomes: list[EventOutcome] = []
        for part in batch.slices:
            for data in body.render(part):
                yield Pause()
                outcomes.append((yield from self._send_one(data)))
                if isinstance(outcomes[-1], Retry):  # what comes after it must not overtake it
                    return outcomes + [outcomes[-1]] * (len(batch) - len(outcomes))
        return outcomes

    def _send_one(self, data: bytes) -> Generator[Instruction, Any, EventOutcome]:
        try:
            response = yield self._request(data)
        except DestinationError as error:  # what was sent before it is delivered all the same
            return Retry(str(error))
        outcome = self._judge(response)
        return Rejected(outcome.reason, outcome.detail) if isinstance(outcome, Halve) else outcome


def _wrong(method: str, response: Response) -> str:
    """What a status says that no event is to blame for."""
    status = response.status
    match status:
        case 401 | 403:
            return f"the credentials are refused (HTTP {status})"
        case 407:
            return "the proxy wants other credentials (HTTP 407)"
        case 404 | 410:
            return f"there is nothing at this URL that takes {method} (HTTP {status})"
        case 405 | 501:
            return f"{method} is not what it takes (HTTP {status}): set method"
        case 415:
            return "it does not take this content_type, or this compression (HTTP 415)"
        case _ if status in range(300, 400):
            leads = urlsplit(response.headers.get("location", ""))
            to = f"to {leads.scheme}://{leads.hostname}" if leads.hostname else "elsewhere"
            return f"it redirects {to} (HTTP {status}), and no redirect is followed: correct the URL"
    return f"{method} is answered by {refusal(response).reason}"


def _among(status: int, named: tuple[Status, ...]) -> bool:
    return bool(named) and (str(status) in named or f"{status // 100}xx" in named)
