"""Seeded input files: the same bytes on every machine, made once and kept in the folder for temporary files.

json     about 280 bytes, with a nested object, as a web shop's services would write them
text     about 100 bytes, a plain line of an app
access   about 215 bytes, the combined format of nginx and Apache
logfmt   about 175 bytes, an app's, with three sets of keys
ltsv     about 245 bytes, an access log
syslog   about 133 bytes, RFC 5424, one in four with structured data
csv      about 101 bytes, eight columns of which one is quoted
tracebacks  about 72 bytes: lines of text, one in eight an error with a traceback of eight lines: half of all
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from random import Random

SEED = 12
EDITION = 1
"""Raise it with every change to what is made, so that no file of an older edition is taken for a new one."""
LINES_PER_WRITE = 10_000

# Chosen by one draw of 0…99, so that their shares stand here to be read: 15 % debug, 70 % info, 10 %, 4 %, 1 %.
_LEVELS = ["debug"] * 15 + ["info"] * 70 + ["warning"] * 10 + ["error"] * 4 + ["fatal"]
_SERVICES = ("catalog", "search", "cart", "checkout", "payment", "mailer", "web", "stock")
_PATHS = ("/products", "/orders", "/search", "/cart/items")
_MESSAGES = ("request handled", "cache miss, asked the origin", r"user said \"hello\"", "queue drained", "café opened")
_TEXTS = (
    "connection from client accepted by worker number",
    "cache entry written after a miss for the key with hash",
    "checkpoint complete: wrote buffers, files added, removed and recycled:",
)
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:128.0) Gecko/20100101 Firefox/128.0",
)


def json_lines(random: Random) -> Iterator[str]:
    """Endless JSON lines. Every number differs, so that a router gains nothing by remembering whole events."""
    for number, draw in _draws(random):
        status = 500 + draw % 4 if draw % 100 > 94 else 200
        yield (
            f'{{"time":"2026-11-23T{_clock(number)}.{draw % 1000:03d}Z","level":"{_LEVELS[draw % 100]}",'
            f'"service":"{_SERVICES[draw >> 8 & 7]}","message":"{_MESSAGES[draw % 5]}",'
            f'"http":{{"method":"GET","path":"{_PATHS[draw >> 16 & 3]}/{draw >> 20 & 0xFFFF}","status":{status}}},'
            f'"duration_ms":{(draw >> 40 & 0xFFF) / 8},"host":"shop-{draw >> 52 & 7}","trace_id":"{draw:032x}",'
            f'"email":"user{draw >> 60 & 0xFFF}@example.com"}}\n'
        )


def text_lines(random: Random) -> Iterator[str]:
    for number, draw in _draws(random):
        level = _LEVELS[draw % 100].upper()
        yield f"2026-11-23 {_clock(number)} {level} [{draw & 0xFFFF}] {_TEXTS[draw % 3]} {draw >> 16 & 0xFFFFFF}\n"


def access_lines(random: Random) -> Iterator[str]:
    for number, draw in _draws(random):
        status = 500 + draw % 4 if draw % 100 > 94 else 200
        yield (
            f"203.0.113.{draw & 0xFF} - - [23/Nov/2026:{_clock(number)} +0000] "
            f'"GET {_PATHS[draw >> 16 & 3]}/{draw >> 20 & 0xFFFF} HTTP/1.1" {status} {draw >> 40 & 0xFFFF} '
            f'"https://shop.example.com/" "{_AGENTS[draw >> 60 & 1]}"\n'
        )


def logfmt_lines(random: Random) -> Iterator[str]:
    for number, draw in _draws(random):
        level = _LEVELS[draw % 100]
        head = f"time=2026-11-23T{_clock(number)}.{draw % 1000:03d}Z level={level} service={_SERVICES[draw >> 8 & 7]}"
        tail = f"duration_ms={(draw >> 40 & 0xFFF) / 8} host=shop-{draw >> 52 & 7} trace_id={draw & (1 << 64) - 1:016x}"
        path = f"{_PATHS[draw >> 16 & 3]}/{draw >> 20 & 0xFFFF}"
        if level in ("error", "fatal"):
            yield f'{head} msg="request failed" err="dial tcp: i/o timeout" path={path} {tail}\n'
        elif draw % 5 == 0:
            yield f'{head} msg="cache miss, asked the origin" key={draw >> 20 & 0xFFFFFF:06x} {tail}\n'
        else:
            yield f'{head} msg="request handled" method=GET path={path} status=200 {tail}\n'


def ltsv_lines(random: Random) -> Iterator[str]:
    for number, draw in _draws(random):
        yield (
            f"time:[23/Nov/2026:{_clock(number)} +0000]\thost:203.0.113.{draw & 0xFF}\tuser:-\treq:GET "
            f"{_PATHS[draw >> 16 & 3]}/{draw >> 20 & 0xFFFF} HTTP/1.1\tstatus:{200 + 100 * (draw % 4)}"
            f"\tsize:{draw >> 40 & 0xFFFF}\treferer:https://shop.example.com/\tua:{_AGENTS[draw >> 60 & 1]}\n"
        )


def syslog_lines(random: Random) -> Iterator[str]:
    for number, draw in _draws(random):
        priority = 128 + (3, 4, 6, 7)[draw & 3]
        data = f'[req@32473 id="{draw >> 20 & 0xFFFFFF:06x}" shard="{draw >> 52 & 7}"]' if draw >> 60 & 3 == 0 else "-"
        yield (
            f"<{priority}>1 2026-11-23T{_clock(number)}.{draw >> 64 & 0x7FFFF:06d}Z shop-{draw >> 52 & 7} "
            f"{_SERVICES[draw >> 8 & 7]} {1000 + (draw >> 8 & 7)} - {data} {_TEXTS[draw % 3]} {draw >> 16 & 0xFFFFFF}\n"
        )


def csv_lines(random: Random) -> Iterator[str]:
    for number, draw in _draws(random):
        yield (
            f"2026-11-23T{_clock(number)}.{draw % 1000:03d}Z,{_LEVELS[draw % 100]},{_SERVICES[draw >> 8 & 7]},"
            f'"request handled, {draw & 0xFFFF} bytes",{_PATHS[draw >> 16 & 3]}/{draw >> 20 & 0xFFFF},200,'
            f"{(draw >> 40 & 0xFFF) / 8},shop-{draw >> 52 & 7}\n"
        )


def traceback_lines(random: Random) -> Iterator[str]:
    for number, draw in _draws(random):
        level = "INFO" if draw % 8 else "ERROR"
        yield f"2026-11-23 {_clock(number)} {level} shop.orders: {_TEXTS[draw % 3]} {draw >> 16 & 0xFFFFFF}\n"
        if level == "ERROR":
            yield "Traceback (most recent call last):\n"
            for depth in range(3):
                yield f'  File "/app/shop/orders.py", line {draw >> depth & 0xFF}, in step_{depth}\n'
                yield f"    return step_{depth + 1}(order)\n"
            yield f"shop.errors.OutOfStock: nothing is left of {draw & 0xFFFF}\n"


KINDS: dict[str, Callable[[Random], Iterator[str]]] = {
    "json": json_lines,
    "text": text_lines,
    "access": access_lines,
    "logfmt": logfmt_lines,
    "ltsv": ltsv_lines,
    "syslog": syslog_lines,
    "csv": csv_lines,
    "tracebacks": traceback_lines,
}


def input_file(kind: str, count: int, folder: Path | None = None) -> Path:
    """A file of `count` lines of a kind. Made where it is not there yet."""
    folder = folder or Path(tempfile.gettempdir()) / "logrouter-benchmarks"
    folder.mkdir(exist_ok=True)
    path = folder / f"{kind}-{count}-seed{SEED}-edition{EDITION}.log"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        _write(unfinished, islice(KINDS[kind](Random(SEED)), count))
        unfinished.rename(path)
    return path


def _write(path: Path, lines: Iterator[str]) -> None:
    with path.open("wb") as file:
        while block := "".join(islice(lines, LINES_PER_WRITE)):
            file.write(block.encode())


def _draws(random: Random) -> Iterator[tuple[int, int]]:
    number = 0
    while True:
        yield number, random.getrandbits(127)
        number += 1


def _clock(number: int) -> str:
    """The time of day of an event, at 1,000 events a second."""
    seconds = number // 1000
    return f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
