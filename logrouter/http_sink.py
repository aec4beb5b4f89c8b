"""What the sinks that speak HTTP share: their options, and how a batch becomes one request and its answer outcomes."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import ClassVar, Generic, Literal, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec

from logrouter import pages
from logrouter.batch import READ_BYTES
from logrouter.endpoint import Endpoint, Timeouts, Tls
from logrouter.errors import refuse
from logrouter.instructions import Outcome, Pause, Request, Response, Retry
from logrouter.sinks import Batch, Batching, Conversation, RetryPolicy, Sink, SinkConfig, SinkContext, Slice, Transport
from logrouter.values import Duration, MaybeSecret, Secret, Size, revealed

SUCCESS = range(200, 300)
CONGESTED = (429, 503)
"""Statuses by which a destination says that it gets too much at once."""
_HEADER_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_NOT_IN_HEADER = r"[\x00-\x08\x0a-\x1f\x7f]|^[ \t]|[ \t]$"
"""RFC 9110 §5.1, §5.5."""
EMPTY = "empty: leave it out where there is none"
_PROVES_WHO_WE_ARE = r"(?i)auth|cookie|token|secret|passw|api-?key|(?:^|[-_])key$"
"""Names of headers, and of what is in the query of a URL, whose texts are secrets, wherever they were written."""
_NOT_IN_HOST = r"[\s@\\^`{|}<>\"%\x00-\x1f]"
_SHOWN_BYTES = 300
"""Of a body that tells what is wrong."""


class BatchOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """When a batch is sent: as soon as one of these is reached, or the spool needs the room."""

    size: Size | None = None
    """As it is sent, so compressed. Before it is compressed a batch holds no more than about 1MiB, of `loki` 2MiB, of
    `elasticsearch` 4MiB, and a quarter of the sink's share of `spool.memory`. Default: as much as that."""
    events: int | None = None
    """How many events at most. Default: as many as fit; of `http` with a `body` 100."""
    age: Duration | None = None
    """How long the first event waits for others. Default: 1s; of `http` with a `body` not at all."""

    def __post_init__(self) -> None:
        least = {"size": self.size, "events": self.events}
        refuse(f"{name}: must be more than 0" for name, value in least.items() if value is not None and value < 1)


class RetryOptions(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How what was not taken is tried again: after a random wait, of which the longest doubles from try to try."""

    initial: Duration = Duration(0.2)
    """The longest first wait. Each wait is a random part of the longest, which doubles from try to try."""
    cap: Duration = Duration(30.0)
    """Where that ends. What the destination asks for (`Retry-After`) is waited for all the same, up to an hour."""
    give_up: Duration | Literal["never"] = "never"
    """After how long what could not be delivered is given up: a dead letter where the sink has them, else
    discarded."""

    @property
    def policy(self) -> RetryPolicy:
        """What the delivery goes by."""
        return RetryPolicy(self.initial, self.cap, None if self.give_up == "never" else float(self.give_up))


class HttpConfig(SinkConfig, kw_only=True, frozen=True):
    """The options of every sink that speaks HTTP."""

    user: MaybeSecret | None = None
    """With `password`: who we are (basic authentication)."""
    password: Secret | None = None
    """`password_file` names a file that holds it."""
    token: Secret | None = None
    """A bearer token. `token_file` names a file that holds it."""
    headers: Mapping[str, MaybeSecret] = msgspec.field(default_factory=dict)
    """Sent with every request. Those whose names speak of a key, token, cookie or the like are kept secret."""
    tls: Tls = Tls()
    """How the connection is secured: TLS 1.2 or newer. Its files are read for the first connection, and anew after
    SIGHUP."""
    proxy: MaybeSecret | None = None
    """The URL of an HTTP proxy. Default: what `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say."""
    timeouts: Timeouts = Timeouts()
    """How long each phase of a request may take. What takes longer is tried again."""
    batch: BatchOptions = BatchOptions()
    """How much makes a request."""
    concurrency: int = 4
    """How many requests may be under way at most; how many there are adapts to what the destination takes, and to the
    sink's share of `spool.memory`. One of `http` with a `body`."""
    retry: RetryOptions = RetryOptions()
    """How what was not taken is tried again."""
    on_reject: Literal["keep", "discard"] = "keep"
    """What becomes of an event that the destination refuses for good: a dead letter (`logrouter dlq`), where the spool
    has a folder; or it is discarded, counted."""

    def __post_init__(self) -> None:
        refuse(self.problems())
        msgspec.structs.force_setattr(self, "headers", kept_headers(self.headers))
        msgspec.structs.force_setattr(self, "proxy", kept_proxy(self.proxy))

    def problems(self) -> Iterator[str]:
        """What is wrong with the options, in one sentence each, which begins with the name of one."""
        if self.password is not None and self.user is None:
            yield "password: a password needs a user"
        if self.token is not None and self.user is not None:
            yield "token: either a token or user and password"
        if self.token == "":
            yield f"token: {EMPTY}"
        if self.concurrency < 1:
            yield "concurrency: must be more than 0"


ConfigT = TypeVar("ConfigT", bound=HttpConfig)


class HttpSink(Sink[ConfigT], Generic[ConfigT]):
    """Makes one request of a batch: what is to be written is `encode_slice`, `request` and `outcome`."""

    transport: ClassVar[Transport] = "http"
    ordered: ClassVar[bool] = False
    default_age_seconds: ClassVar[float] = 1.0
    read_bytes: ClassVar[int] = READ_BYTES
    """See `Batching.read_bytes`."""
    endpoint: Endpoint
    """Set by the constructor: see `endpoint_of`."""

    def __init__(self, config: ConfigT, context: SinkContext) -> None:
        super().__init__(config, context)
        batch = config.batch
        age = self.default_age_seconds if batch.age is None else float(batch.age)
        self.batching = Batching(batch.size, batch.events, age, self.read_bytes)
        self.retry = config.retry.policy
        self.concurrency = config.concurrency
        self.on_reject = config.on_reject

    def send(self, batch: Batch) -> Conversation:
        pieces = []
        for part in batch.slices:
            pieces += self.encode_slice(part)
            yield Pause()
        response = yield self.request(pieces)
        return self.outcome(batch, response)

    def encode_slice(self, part: Slice) -> list[bytes]:
        """The events of a slice as pieces of the body."""
        raise NotImplementedError

    def request(self, pieces: list[bytes]) -> Request:
        """The request that takes them all."""
        raise NotImplementedError

    def outcome(self, batch: Batch, response: Response) -> Outcome:
        """What has become of the batch."""
        raise NotImplementedError


def endpoint_of(config: HttpConfig, url: MaybeSecret, headers: Mapping[str, MaybeSecret] | None = None) -> Endpoint:
    """The endpoint that the options describe. `headers` of the sink's own give way to the user's.

    Raises ValueError for a URL that leads nowhere, and for a header that HTTP cannot carry.
    """
    check_url(revealed(url))
    check_proxy(config.proxy)
    sent: dict[str, MaybeSecret] = {**(headers or {}), **_authorization(config), **config.headers}
    check_headers(sent)
    return Endpoint(url, sent, config.tls, config.timeouts, config.proxy, config.concurrency)


def kept_headers(headers: Mapping[str, MaybeSecret]) -> dict[str, MaybeSecret]:
    """The same, those that prove who we are as secrets."""
    return {
        name: Secret(revealed(text)) if re.search(_PROVES_WHO_WE_ARE, name) else text for name, text in headers.items()
    }


def kept_url(url: MaybeSecret) -> MaybeSecret:
    """The URL of an endpoint: all of it is secret where its query proves who we are, as `?api_key=…` does."""
    names = [pair.partition("=")[0] for pair in revealed(url).partition("?")[2].split("&")]
    return Secret(revealed(url)) if any(re.search(_PROVES_WHO_WE_ARE, unquote(name)) for name in names) else url


def kept_proxy(url: MaybeSecret | None) -> MaybeSecret | None:
    """The URL of a proxy: all of it is secret where it holds a user, and so perhaps a password."""
    return Secret(revealed(url)) if url is not None and "@" in revealed(url) else url


def check_url(url: str, option: str = "url") -> None:
    """Raises ValueError where it leads nowhere. Its texts say nothing of the URL, which may be secret."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"{option}: expected https://… or http://…")
    try:
        found = parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ValueError(f"{option}: the port is a number up to 65535") from None
    if not found or re.search(_NOT_IN_HOST, parts.netloc):
        raise ValueError(f"{option}: a URL has a host, such as https://example.org")


def check_proxy(proxy: MaybeSecret | None) -> None:
    """Raises ValueError where it cannot be one. It may hold a password, so nothing of it is told."""
    if proxy is None:
        return
    url = revealed(proxy)
    scheme, colon, _ = url.partition("://")
    if (colon and scheme not in ("http", "https")) or not urlsplit(url if colon else f"http://{url}").hostname:
        raise ValueError("proxy: expected http://host:port or https://host:port")


def check_headers(headers: Mapping[str, MaybeSecret]) -> None:
    """Raises ValueError for one that HTTP cannot carry."""
    for name, text in headers.items():
        if not re.fullmatch(_HEADER_NAME, name):
            raise ValueError(f"headers: {name!r} is no name of a header")
        if re.search(_NOT_IN_HEADER, revealed(text)):
            raise ValueError(
                f"headers: the text of {name!r} holds a character that no header can, or a blank at an end"
            )


def _authorization(config: HttpConfig) -> dict[str, MaybeSecret]:
    if config.token is not None:
        return {"Authorization": Secret(f"Bearer {config.token.reveal()}")}
    if config.user is not None:
        password = config.password.reveal() if config.password is not None else ""
        pair = f"{revealed(config.user)}:{password}".encode()
        return {"Authorization": Secret(f"Basic {base64.b64encode(pair).decode()}")}
    return {}


def http_url(url: str, scheme: str) -> str:
    """`http:` or `https:` URL that a sink's own stands for: `loki+http://h:3100` is `http://h:3100`.

    Raises ValueError where there is no host, or a scheme that is neither.
    """
    given, colon, rest = url.partition("://")
    if not colon or not rest.strip("/"):
        raise ValueError(f"expected a URL with a host, such as {scheme}+https://example.org")
    kind, plus, carrier = given.partition("+")
    chosen = carrier if plus else (kind if kind in ("http", "https") else "https")
    if chosen not in ("http", "https"):
        raise ValueError(f"{chosen!r} is no way to reach it: write {scheme}+https://… or {scheme}+http://…")
    return f"{chosen}://{rest}"


def refusal(response: Response) -> Retry:
    """What is to be tried again, as the destination refuses it for reasons that are not the events' own."""
    text = shown(response.body)
    if pages.is_page(response.body):
        text = text.removeprefix(f"{response.status} ")
    reason = f"HTTP {response.status}"
    return Retry(f"{reason}: {text}" if text else reason, response.retry_after_seconds, response.status in CONGESTED)


def shown(body: bytes) -> str:
    """The beginning of a body, in one line, fit to be shown. Of a page of HTML it is what a reader sees."""
    text = pages.text_of(body)[:_SHOWN_BYTES] if pages.is_page(body) else _in_one_line(body[:_SHOWN_BYTES])
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def _in_one_line(body: bytes) -> str:
    return " ".join(body.decode("utf-8", "replace").split())
