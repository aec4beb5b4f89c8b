"""`logrouter demo`: realistic lines to try things with, as a small web shop would write them.

    logrouter demo --count 200 --rate 50 | logrouter

An *entry* is what an app writes at once: mostly one line, several for a traceback. `entries` is pure: the same
seed, kind and start time give the same bytes. `emit` paces them; `main` is the command.

This is a process of its own beside the router: it imports no part of it, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from argparse import ArgumentParser

KINDS: Final = ("mixed", "json", "text", "access")

WRITE_BYTES: Final = 64 * 1024
"""What one write holds at full speed: a pipe's default capacity."""
NAP_SECONDS: Final = 0.01
"""The shortest sleep. At high rates the entries of one nap are written together, as a busy app's would be."""
FULL_SPEED_STEP_NS: Final = 10_000
"""How far apart entries say they are when no rate spaces them: a busy shop's 100,000 a second."""


class Shop(NamedTuple):
    """What tells one line from the next: a source of chance, and the time of the entry."""

    random: Random
    now_ns: int


class Route(NamedTuple):
    """Something that the shop can be asked for."""

    service: str
    method: str
    path: str
    message: str
    usual_ms: int


ROUTES: Final = (
    Route("catalog", "GET", "/products", "listed products", 12),
    Route("catalog", "GET", "/products/{id}", "showed product", 6),
    Route("search", "GET", "/search?q={word}", "searched", 35),
    Route("cart", "POST", "/cart/items", "added to cart", 9),
    Route("checkout", "POST", "/orders", "placed order", 120),
    Route("payment", "POST", "/payments", "charged card", 340),
    Route("web", "GET", "/healthz", "healthy", 1),
)
_ROUTE_WEIGHTS: Final = tuple(accumulate((20, 30, 15, 12, 8, 6, 9)))

LEVELS: Final = ("debug", "info", "warning", "error")
_LEVEL_WEIGHTS: Final = tuple(accumulate((15, 70, 10, 5)))
_STATUSES: Final = {"debug": (200,), "info": (200, 200, 201, 304), "warning": (404, 409, 429), "error": (500, 502, 503)}
_PROBLEMS: Final = {
    "warning": ("stock is low", "retrying: upstream was slow", "rate limit reached", "cart has expired"),
    "error": ("payment provider timed out", "connection to database lost", "could not reserve stock"),
}
_WORDS: Final = ("teapot", "blue+mug", "caf%C3%A9", "lamp", "chair", "notebook")
_CUSTOMERS: Final = ("ada", "grace", "edsger", "barbara", "dennis", "zoe")
_AGENTS: Final = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "curl/8.8.0",
)
_TEXTS: Final = (
    "INFO  worker {number}: picked up job {trace}",
    "WARN  cache: hit rate down to 0.{number}",
    "DEBUG mailer: order confirmation queued for {customer}@example.com",
    "ERROR mailer: 451 4.7.1 greylisted, trying again in {number}s",
    "INFO  labels: printed {number} for Zoë Müller, 東京",
    "nightly report written to /srv/reports/{trace}.csv",
    "INFO  search: index refreshed, {number}00 documents in 1.{number} s",
)
_TRACEBACK: Final = """\
Traceback (most recent call last):
  File "/app/shop/workers.py", line 88, in run
    self.handle(job)
  File "/app/shop/orders.py", line 214, in handle
    price = self.prices[item.sku] * item.quantity
            ~~~~~~~~~~~^^^^^^^^^^
KeyError: 'sku-{number}'
"""


def entries(seed: int | None, kind: str, start_ns: int, step_ns: int) -> Iterator[bytes]:
    """Endless entries of a kind, `step_ns` apart from `start_ns`. Each is whole lines in UTF-8, ending in a newline."""
    random = Random(seed)
    makers, weights = _MAKERS[kind]
    now_ns = start_ns
    while True:
        (make,) = random.choices(makers, cum_weights=weights)
        yield make(Shop(random, now_ns)).encode()
        now_ns += step_ns


def lines(seed: int | None, kind: str, start_ns: int, step_ns: int = 100_000_000) -> Iterator[bytes]:
    """The same, line by line."""
    for entry in entries(seed, kind, start_ns, step_ns):
        yield from entry.splitlines(keepends=True)


def first_lines(source: Iterable[bytes], count: int) -> Iterator[bytes]:
    """Entries until they make so many lines; the last entry is cut where it must be."""
    left = count
    for entry in source:
        if left <= 0:
            return
        if entry.count(b"\n") > left:
            entry = b"".join(entry.splitlines(keepends=True)[:left])
        left -= entry.count(b"\n")
        yield entry


def emit(
    source: Iterable[bytes],
    rate: float,
    write: Callable[[bytes], object],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Write entries at `rate` lines a second, 0 for as fast as they can be made.

    Time lost (a slow reader, a stopped process) is made up for, so that the rate holds on average.
    """
    started, written, pending = clock(), 0, bytearray()
    for entry in source:
        pending += entry
        written += entry.count(b"\n")
        ahead_seconds = written / rate - (clock() - started) if rate else 0.0
        if ahead_seconds >= NAP_SECONDS or len(pending) >= WRITE_BYTES:
            write(bytes(pending))
            pending.clear()
        if ahead_seconds >= NAP_SECONDS:
            sleep(ahead_seconds)
    if pending:
        write(bytes(pending))


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    options = make_parser().parse_args(argv)
    step_ns = int(1e9 / options.rate) if options.rate else FULL_SPEED_STEP_NS
    source = entries(options.seed, options.format, time.time_ns() if options.start is None else options.start, step_ns)
    try:
        emit(source if options.count is None else first_lines(source, options.count), options.rate, _write_stdout)
    except BrokenPipeError:
        _abandon_stdout()
    except KeyboardInterrupt:
        return 130  # what a shell says of a command that Ctrl-C ended
    return 0


def make_parser() -> ArgumentParser:
    """The parser of its flags."""
    from logrouter.cli import _options

    parser = _options.parser("demo", "Write realistic log lines to try things with.")
    parser.add_argument("--count", type=_whole_number, metavar="N", help="stop after N lines (default: never)")
    parser.add_argument(
        "--rate", type=_rate, default=10.0, metavar="N", help="lines a second, 0: no limit (default: 10)"
    )
    parser.add_argument("--format", choices=KINDS, default="mixed", help="what kind of lines (default: mixed)")
    parser.add_argument("--seed", type=int, metavar="N", help="the same lines for the same number, but for their times")
    parser.add_argument("--start", type=_instant, metavar="TIME", help="when the first line happened (default: now)")
    return parser


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise _refusal("a number of lines", text)
    return int(text)


def _rate(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1e9:  # refuses NaN too
        raise _refusal("a number of lines a second", text)
    return number


def _instant(text: str) -> int:
    """Nanoseconds since 1970 from an ISO 8601 time; one without an offset is UTC."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _refusal("a time such as 2026-01-31T12:00:00Z", text) from None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp() * 1_000_000) * 1_000


def _refusal(expected: str, text: str) -> Exception:
    from argparse import ArgumentTypeError

    return ArgumentTypeError(f"expected {expected}, not {text!r}")


def _write_stdout(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _abandon_stdout() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere, without a complaint."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


# ── what the shop writes ──────────────────────────────────────────────────────────────────────────────


def _json_line(shop: Shop) -> str:
    """What a service with structured logging writes."""
    return json.dumps(_request_event(shop), ensure_ascii=False, separators=(",", ":")) + "\n"


def _request_event(shop: Shop) -> dict[str, Any]:
    random = shop.random
    (route,) = random.choices(ROUTES, cum_weights=_ROUTE_WEIGHTS)
    level = "debug" if route.path == "/healthz" else _level(random)
    event: dict[str, Any] = {
        "time": _rfc3339(shop.now_ns),
        "level": level,
        "service": route.service,
        "message": random.choice(_PROBLEMS[level]) if level in _PROBLEMS else route.message,
        "http": {"method": route.method, "path": _path(route, random), "status": random.choice(_STATUSES[level])},
        "duration_ms": round(route.usual_ms * random.lognormvariate(0, 0.7) * (8 if level == "error" else 1), 1),
        "trace_id": _trace(random),
    }
    if route.service in ("checkout", "payment"):
        event["customer"] = {
            "id": random.randrange(10_000, 99_999),
            "email": f"{random.choice(_CUSTOMERS)}@example.com",
        }
    return event


def _access_line(shop: Shop) -> str:
    """The combined format of nginx and Apache."""
    random = shop.random
    (route,) = random.choices(ROUTES, cum_weights=_ROUTE_WEIGHTS)
    seconds = shop.now_ns // 1_000_000_000
    return '{ip} - - [{time}] "{method} {path} HTTP/1.1" {status} {size} "{referrer}" "{agent}"\n'.format(
        ip=f"203.0.113.{random.randrange(1, 255)}",  # TEST-NET-3: nobody's
        time=time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(seconds)),
        method=route.method,
        path=_path(route, random),
        status=random.choice(_STATUSES[_level(random)]),
        size=random.randrange(80, 40_000),
        referrer=random.choice(("-", "https://shop.example.com/")),
        agent=random.choice(_AGENTS),
    )


def _text_line(shop: Shop) -> str:
    """What a worker without structured logging prints."""
    random = shop.random
    text = random.choice(_TEXTS).format(
        number=random.randrange(10, 99), trace=_trace(random)[:8], customer=random.choice(_CUSTOMERS)
    )
    return f"{_rfc3339(shop.now_ns)} {text}\n"


def _traceback(shop: Shop) -> str:
    return _TRACEBACK.format(number=shop.random.randrange(1_000, 9_999))


def _level(random: Random) -> str:
    return random.choices(LEVELS, cum_weights=_LEVEL_WEIGHTS)[0]


def _path(route: Route, random: Random) -> str:
    return route.path.format(id=random.randrange(1, 2_000), word=random.choice(_WORDS))


def _trace(random: Random) -> str:
    return f"{random.getrandbits(128):032x}"


def _rfc3339(now_ns: int) -> str:
    seconds, nanoseconds = divmod(now_ns, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{nanoseconds // 1_000_000:03d}Z"


_MAKERS: Final[dict[str, tuple[tuple[Callable[[Shop], str], ...], tuple[int, ...]]]] = {
    "mixed": ((_json_line, _access_line, _text_line, _traceback), (70, 84, 98, 100)),
    "json": ((_json_line,), (1,)),
    "text": ((_text_line, _traceback), (95, 100)),
    "access": ((_access_line,), (1,)),
}
"""For each kind, what makes its entries, and how often, as weights added up."""
