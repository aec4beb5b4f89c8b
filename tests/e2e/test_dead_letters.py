"""Events that a real HTTP server refuses: kept, shown, deleted; each found again, whatever was killed meanwhile."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from logrouter.testing import HttpServer, Received, Reply
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, in_thread

CONFIG = """\
steps:
  - redact: {{patterns: [email]}}
sinks:
  es:
    url: elasticsearch+{url}/?index=app
    batch: {{age: 10ms}}
    retry: {{initial: 10ms, cap: 50ms}}
spool: {{directory: spool}}
shutdown_timeout: 25s
"""


class Index:
    """What a server with a strict mapping holds: `n` must be a number, unless it was mended."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        """By id."""
        self.is_mended = False
        self.is_down = False

    def answer(self, request: Received) -> Reply:
        if self.is_down:
            return Reply(503)
        lines = request.body.split(b"\n")[:-1]
        pairs = zip(lines[::2], lines[1::2], strict=True)
        items = [self._create(json.loads(action)["create"]["_id"], json.loads(event)) for action, event in pairs]
        has_errors = any("error" in item["create"] for item in items)
        return Reply(200, {}, json.dumps({"errors": has_errors, "items": items}, separators=(",", ":")).encode())

    def _create(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        if name in self.documents:
            return {
                "create": {"status": 409, "error": {"type": "version_conflict_engine_exception", "reason": "twice"}}
            }
        if not self.is_mended and not isinstance(event["n"], int):
            failure = {"type": "document_parsing_exception", "reason": "failed to parse field [n] of type [long]"}
            return {"create": {"status": 400, "error": failure}}
        self.documents[name] = event
        return {"create": {"status": 201}}

    @property
    def numbers(self) -> list[Any]:
        return sorted((event["n"] for event in self.documents.values()), key=str)


def events(count: int) -> tuple[bytes, list[int], list[str]]:
    """Lines of which each tenth is refused; what the others and what these have as `n`."""
    bad = [f"x{number}" for number in range(0, count, 10)]
    good = [number for number in range(count) if number % 10]
    lines = [
        json.dumps({"n": number if number % 10 else f"x{number}", "who": "a@b.example"}) for number in range(count)
    ]
    return "".join(line + "\n" for line in lines).encode(), good, bad


def files(workplace: Workplace) -> list[Path]:
    return [path for path in (workplace.folder / "spool").rglob("*") if path.is_file()]


def dlq(workplace: Workplace, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return workplace.command("dlq", *arguments)


def shown(workplace: Workplace, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in dlq(workplace, "show", *arguments).stdout.splitlines()]


@pytest.mark.slow
async def test_what_is_refused_is_kept_with_the_reason_and_without_secrets(workplace: Workplace) -> None:
    index = Index()
    async with HttpServer(index.answer).serving() as server:
        workplace.write("logrouter.yaml", CONFIG.format(url=server.url))
        data, good, bad = events(200)
        done = await in_thread(workplace.route, data)

    assert done.returncode == 0, done.stderr
    assert index.numbers == sorted(good, key=str)
    letters = await in_thread(shown, workplace)
    assert [letter["event"]["n"] for letter in letters] == bad
    assert {(letter["sink"], letter["reason"]) for letter in letters} == {("es", "document_parsing_exception")}
    assert {letter["detail"] for letter in letters} == {"failed to parse field [n] of type [long]"}
    assert [path for path in await in_thread(files, workplace) if b"a@b.example" in path.read_bytes()] == []


@pytest.mark.slow
async def test_a_full_store_stops_the_sink_and_deleting_lets_it_go_on(workplace: Workplace) -> None:
    index = Index()
    pad = "x" * 1_000_000
    data = b"".join(b'{"n":"%d","pad":"%b"}\n' % (number, pad.encode()) for number in range(20))
    async with HttpServer(index.answer).serving() as server:
        config = CONFIG.format(url=server.url)
        workplace.write("logrouter.yaml", config + "dead_letters: {max_size: 16MiB}\n")
        process = await in_thread(workplace.start_router)
        feed = partial(in_thread, process.communicate, data + b'{"n":1}\n', timeout=TOO_LONG_SECONDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed)
            letters: list[dict[str, Any]] = []
            while len(letters) < 16:  # as many as fit; or feeding fails in the end
                letters = await in_thread(shown, workplace)
            assert process.poll() is None
            assert (await in_thread(dlq, workplace, "delete", *(letter["id"] for letter in letters))).returncode == 0
    left = await in_thread(shown, workplace)
    assert process.returncode == 0
    assert sorted(int(letter["event"]["n"]) for letter in letters + left) == list(range(20))
    assert index.numbers == [1]


@pytest.mark.slow
async def test_once_the_mapping_is_mended_a_replay_delivers_each_once(workplace: Workplace) -> None:
    index = Index()
    async with HttpServer(index.answer).serving() as server:
        workplace.write("logrouter.yaml", CONFIG.format(url=server.url))
        data, good, bad = events(200)
        await in_thread(workplace.route, data)

        refused = await in_thread(dlq, workplace, "replay")
        assert (refused.returncode, refused.stderr) == (74, b"")
        assert b"es: refused again: 20 document_parsing_exception\n" in refused.stdout
        assert len(await in_thread(shown, workplace)) == 20

        index.is_down = True
        for timeout in ("300ms", "3s", "30s"):  # enough for an answer, however slow the machine is
            left = await in_thread(dlq, workplace, "replay", "--timeout", timeout)
            assert left.returncode == 75
            if b"it took too long" not in left.stdout:
                break
        assert left.stdout.splitlines()[-1][:12] == b"es: HTTP 503"
        assert len(await in_thread(shown, workplace)) == 20

        index.is_down, index.is_mended = False, True
        router = await in_thread(workplace.start_router)  # it may run meanwhile
        done = await in_thread(dlq, workplace, "replay", "--sink", "es")
        await in_thread(router.communicate, b"", timeout=TOO_LONG_SECONDS)

    assert (done.returncode, router.returncode) == (0, 0)
    assert done.stdout == b"SINK  DELIVERED  REFUSED  LEFT\nes           20        0     0\n"
    assert index.numbers == sorted([*good, *bad], key=str)
    assert await in_thread(shown, workplace) == []


@pytest.mark.slow
async def test_a_replay_that_is_killed_is_done_again_and_doubles_nothing(workplace: Workplace) -> None:
    """What it had sent goes out again under the same ids."""
    index = Index()
    data, good, bad = events(200)
    async with HttpServer(index.answer).serving() as server:
        workplace.write("logrouter.yaml", CONFIG.format(url=server.url))
        await in_thread(workplace.route, data)

    index.is_mended = True
    taken = trio.Event()

    def answer_never(request: Received) -> Reply:
        index.answer(request)
        taken.set()
        return Reply(hang=True)

    async with HttpServer(answer_never).serving() as server:
        workplace.write("logrouter.yaml", CONFIG.format(url=server.url))
        process = await in_thread(workplace.start_router, "dlq", "replay")
        with trio.fail_after(TOO_LONG_SECONDS):
            await taken.wait()
        process.kill()
        await in_thread(process.communicate, timeout=TOO_LONG_SECONDS)
    assert len(await in_thread(shown, workplace)) == 20

    async with HttpServer(index.answer).serving() as server:
        workplace.write("logrouter.yaml", CONFIG.format(url=server.url))
        assert (await in_thread(dlq, workplace, "replay")).returncode == 0
    assert index.numbers == sorted([*good, *bad], key=str)
    assert await in_thread(shown, workplace) == []


@pytest.mark.slow
async def test_killed_at_any_request_each_event_is_delivered_or_kept_once(workplace: Workplace) -> None:
    """Between what is refused, kept and committed: a batch that comes again is refused again, and kept once."""
    index = Index()
    data, good, bad = events(1000)
    parts = [b"".join(line + b"\n" for line in data.split(b"\n")[start : start + 100]) for start in range(0, 1000, 100)]
    kill = Killing(index)
    async with HttpServer(kill.answer).serving() as server:
        config = CONFIG.format(url=server.url).replace("age: 10ms", "age: 10ms, events: 20")
        workplace.write("logrouter.yaml", config)
        for number, part in enumerate(parts):
            process = await in_thread(workplace.start_router)
            kill.arm(process, 1 + number % 6, after=bool(number % 2))
            assert process.stdin is not None
            await in_thread(process.stdin.write, part)
            await in_thread(process.wait, TOO_LONG_SECONDS)
        done = await in_thread(workplace.route, b"")

    assert done.returncode == 0, done.stderr
    assert kill.kills == len(parts)
    assert index.numbers == sorted(good, key=str)
    letters = await in_thread(shown, workplace)
    assert sorted(letter["event"]["n"] for letter in letters) == sorted(bad)


class Killing:
    """Answers for an index, and kills a process as one of its requests comes."""

    def __init__(self, index: Index) -> None:
        self.kills = 0
        self._index = index
        self._process: subprocess.Popen[bytes] | None = None
        self._left = 0
        self._after = False

    def arm(self, process: subprocess.Popen[bytes], requests: int, *, after: bool) -> None:
        """At so many requests from now. `after`: it is answered before, as far as the server knows."""
        self._process, self._left, self._after = process, requests, after

    def answer(self, request: Received) -> Reply:
        self._left -= 1
        if self._process is None or self._left > 0:
            return self._index.answer(request)
        reply = self._index.answer(request) if self._after else Reply(reset=True)
        self._process.kill()
        self._process, self.kills = None, self.kills + 1
        return reply
