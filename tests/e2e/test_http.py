"""The real command, and a server of HTTP that makes trouble: every event arrives, or is told of."""

from __future__ import annotations

import json
from random import Random

import pytest

from logrouter.testing import HttpServer, Received, Reply
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, in_thread, pipe

pytestmark = pytest.mark.slow

EVENTS = 20_000
LARGEST = 60_000


class Troublesome:
    """Takes what it takes whole, and remembers it; refuses by every means in between."""

    def __init__(self, seed: int) -> None:
        self.taken: list[int] = []
        self._random = Random(seed)

    def __call__(self, request: Received) -> Reply:
        if len(request.body) > LARGEST:
            return Reply(413)
        match self._random.randrange(8):
            case 0:
                return Reply(503, {"Retry-After": "0"})
            case 1:
                return Reply(429)
            case 2:
                return Reply(reset=True)
        self.taken += [json.loads(line)["n"] for line in request.body.splitlines()]
        return Reply(200, close=self._random.random() < 0.2)


@pytest.mark.parametrize("seed", range(3))
async def test_every_event_arrives_once_whatever_the_server_does(seed: int, workplace: Workplace) -> None:
    server = HttpServer(destination := Troublesome(seed))
    data = b"".join(b'{"n":%d,"level":"info"}\n' % number for number in range(EVENTS))
    async with server.serving():
        url = f"http+{server.url}/in"
        options = ("compression=gzip", "batch={events: 3000, age: 100ms}", "retry={cap: 50ms, initial: 10ms}")
        sets = [text for option in options for text in ("--set", f"sinks.out.{option}")]
        done = await in_thread(workplace.route, data, "--sink", f"out={url}", *sets)
    assert (done.returncode, done.stdout) == (0, b"")
    assert sorted(destination.taken) == list(range(EVENTS))
    assert {request.headers["content-encoding"] for request in server.requests} == {"gzip"}


async def test_a_chat_gets_a_message_for_each_event_in_order(workplace: Workplace) -> None:
    server = HttpServer([Reply(204), Reply(500), Reply(204)])
    config = "sinks: {chat: {type: http, url: URL, body: {text: '{app}: {message}'}, retry: {initial: 10ms}}}"
    lines = [b'{"app":"shop","message":"one"}\n', b'two "quoted"\n', b'{"message":"three"}\n']
    async with server.serving():
        workplace.write("logrouter.yaml", config.replace("URL", f"{server.url}/hook"))
        done = await in_thread(workplace.route, b"".join(lines))
    assert done.returncode == 0
    texts = [json.loads(request.body)["text"] for request in server.requests]
    assert texts == ["shop: one", *['unknown: two "quoted"'] * 2, "unknown: three"]


async def test_what_is_wrong_is_said_and_nothing_secret(workplace: Workplace) -> None:
    server = HttpServer(lambda request: Reply(401, body=f"no: {request.headers['authorization']}".encode()))
    async with server.serving():
        sink = f"out=http+{server.url}/in?key=hidden"
        more = ["--set", "sinks.out.token=hidden", "--set", "shutdown_timeout=1s"]
        router = workplace.start_router("--sink", sink, *more)
        pipe(router.stdin).write(b'{"n":1}\n')
        told = await in_thread(pipe(router.stderr).readline)  # before its time begins to run
        _, rest = await in_thread(router.communicate, timeout=TOO_LONG_SECONDS)
    assert router.returncode == 75
    assert b"HTTP 401: no: ********" in told
    assert b"hidden" not in told + rest
