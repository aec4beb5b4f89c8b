# mypy: ignore-errors
# ruff: noqa: B904, B018, FURB157, SIM115 — mistakes are its business
"""Raises in many ways, caught by a log or by nobody: `python crash.py WAY CASE`. Without arguments: tells which."""

import asyncio
import collections
import concurrent.futures
import contextlib
import dataclasses
import decimal
import functools
import json
import logging
import operator
import os
import re
import socket
import struct
import sys
import threading
import weakref


class AppError(Exception):
    """Of an app's own."""

    class Inner(Exception):
        pass


@dataclasses.dataclass
class Coded(Exception):
    code: int
    reason: str


def chain(kind):
    try:
        {}["key"]
    except KeyError as error:
        if kind == "from":
            raise AppError("cannot read the settings") from error
        if kind == "none":
            raise AppError("cannot read the settings") from None
        raise AppError("cannot read the settings")


def three():
    try:
        chain("from")
    except AppError:
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise AppError.Inner("third") from error


def group(depth):
    errors = [ValueError("a"), TypeError("b")]
    if depth:
        errors.append(ExceptionGroup("deeper", [KeyError("c"), OSError(2, "No such file")]))
    raise ExceptionGroup("several", errors)


def noted():
    error = ValueError("with notes")
    error.add_note("first note")
    error.add_note("second note:\n  of two lines")
    raise error


def raising(error):
    raise error


def deep(n):
    return deep(n - 1) if n else 1 / 0


def finally_():
    try:
        1 / 0
    finally:
        [][1]


class Closing:
    def __exit__(self, *_):
        raise OSError("while closing")

    def __enter__(self):
        return self


def closing():
    with Closing():
        raise ValueError("inside")


def generator():
    yield 1
    raise LookupError("in a generator")


async def gather():
    async def one():
        raise ConnectionResetError(104, "Connection reset by peer")

    await asyncio.gather(one(), asyncio.sleep(0))


async def timeout():
    async with asyncio.timeout(0.001):
        await asyncio.sleep(1)


async def task_group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(gather())


def pool():
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        executor.submit(deep, 1).result()


@contextlib.contextmanager
def managed():
    try:
        yield
    except ValueError as error:
        raise RuntimeError("managed") from error


def in_managed():
    with managed():
        raise ValueError("x")


CASES = {
    "division": lambda: deep(0),
    "ten frames": lambda: deep(9),
    "a hundred frames": lambda: deep(100),
    "from": lambda: chain("from"),
    "implicitly": lambda: chain("context"),
    "from None": lambda: chain("none"),
    "three": three,
    "group": lambda: group(0),
    "nested group": lambda: group(1),
    "notes": noted,
    "finally": finally_,
    "closing": closing,
    "context manager": in_managed,
    "generator": lambda: list(generator()),
    "gather": lambda: asyncio.run(gather()),
    "timeout": lambda: asyncio.run(timeout()),
    "task group": lambda: asyncio.run(task_group()),
    "pool": pool,
    "no message": lambda: raising(AppError),
    "empty message": lambda: raising(ValueError("")),
    "two arguments": lambda: raising(AppError("a", 2)),
    "dataclass": lambda: raising(Coded(7, "no")),
    "nested class": lambda: raising(AppError.Inner("x")),
    "lines": lambda: raising(ValueError("first\n  second\n  third")),
    "braces": lambda: raising(ValueError('{"code": 5, "message": "no"}')),
    "colons": lambda: raising(ValueError("ERROR: a: b: c")),
    "not ASCII": lambda: raising(ValueError("größer als erlaubt: 日本語")),
    "json": lambda: json.loads("{"),
    "int": lambda: int("x"),
    "attribute": lambda: "".lenght,
    "name": lambda: undefined_name,  # noqa: F821
    "index": lambda: [][5],
    "key": lambda: {}["missing"],
    "type": lambda: "a" + 1,
    "call": lambda: functools.reduce(operator.add, [1, None]),
    "decimal": lambda: decimal.Decimal("1") / 0,
    "regex": lambda: re.compile("("),
    "struct": lambda: struct.unpack("I", b"a"),
    "decode": lambda: b"\xff".decode(),
    "encode": lambda: "é".encode("ascii"),
    "missing file": lambda: open("/nonexistent/a"),
    "directory": lambda: os.listdir("/nonexistent"),
    "refused": lambda: socket.create_connection(("127.0.0.1", 1)),
    "import": lambda: __import__("nosuchmodule.sub"),
    "unpack": lambda: (lambda a, b: 0)(*[1]),
    "iteration": lambda: next(iter([])),
    "deque": lambda: collections.deque(maxlen=-1),
    "weakref": lambda: weakref.ref(1),
    "assert": lambda: raising(AssertionError("must hold")),
    "compile": lambda: compile("a b", "templates/page.html", "exec"),
}


def uncaught(raise_):
    raise_()


def logged(form):
    def way(raise_):
        logging.basicConfig(format="\x1e" + form, level="INFO")
        try:
            raise_()
        except BaseException:
            logging.getLogger("app.jobs").exception("job %d failed", 7)
        logging.info("next")

    return way


def in_thread(raise_):
    thread = threading.Thread(target=raise_, name="worker-1")
    thread.start()
    thread.join()


WAYS = {
    "uncaught": uncaught,
    "logged": logged("%(levelname)s:%(name)s:%(message)s"),
    "logged with a time": logged("%(asctime)s [%(levelname)s] %(name)s: %(message)s"),
    "in a thread": in_thread,
}

if len(sys.argv) == 1:
    print(
        *(
            f"{way}\t{case}"
            for way in WAYS
            for n, case in enumerate(CASES)
            if way in ("uncaught", "logged") or n % 4 == 0
        ),
        sep="\n",
    )
else:
    WAYS[sys.argv[1]](CASES[sys.argv[2]])
