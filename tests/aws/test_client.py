"""When credentials are looked for anew."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from logrouter.aws.client import Client
from logrouter.aws.sigv4 import Credentials, Scope
from logrouter.errors import DestinationError
from logrouter.instructions import Instruction, Now, Pause, Request, Response

MINUTE = 60 * 10**9
STALE = Response(400, {}, b"<Error><Code>ExpiredToken</Code></Error>")
STALE_AT_MINIO = Response(403, {}, b"<Error><Code>InvalidTokenId</Code></Error>")


class Finder:
    """Gives new credentials, which last an hour, whenever it is asked."""

    def __init__(self, lasting: int | None = 60 * MINUTE, token: str | None = "token") -> None:
        self.asked = 0
        self.fails = False
        self.now_ns = 0
        self.lasting = lasting
        self.token = token

    def __call__(self) -> Generator[Instruction, Any, Credentials]:
        self.asked += 1
        yield Pause()
        if self.fails:
            raise DestinationError("nobody gives credentials")
        expires_ns = None if self.lasting is None else self.now_ns + self.lasting
        return Credentials(f"key{self.asked}", "secret", self.token, expires_ns)


def call(
    client: Client, finder: Finder, answer: Callable[[Request], Response], method: str = "PUT"
) -> tuple[Response, list[str]]:
    """One request, and whose key has signed it, each time."""
    conversation = client.call(method, "/x")
    reply: Any = None
    signed = []
    while True:
        try:
            instruction = conversation.send(reply)
        except StopIteration as done:
            return done.value, signed
        reply = None
        if isinstance(instruction, Now):
            reply = finder.now_ns
        elif isinstance(instruction, Request):
            signed.append(dict(instruction.headers)["authorization"].partition("Credential=")[2].partition("/")[0])
            reply = answer(instruction)


def client_of(finder: Finder) -> Client:
    return Client("https://h", Scope("r", "s3"), finder)


def ok(request: Request) -> Response:
    return Response(200)


def test_credentials_are_kept_until_shortly_before_they_expire() -> None:
    finder = Finder()
    client = client_of(finder)
    for minutes, key in ((0, "key1"), (49, "key1"), (51, "key2"), (100, "key2")):
        finder.now_ns = minutes * MINUTE
        assert call(client, finder, ok) == (Response(200), [key])


def test_those_that_never_expire_are_looked_for_once() -> None:
    finder = Finder(None)
    client = client_of(finder)
    for minutes in (0, 10_000):
        finder.now_ns = minutes * MINUTE
        assert call(client, finder, ok)[1] == ["key1"]


def test_while_no_new_ones_can_be_had_the_old_ones_are_used_to_the_end() -> None:
    finder = Finder()
    client = client_of(finder)
    call(client, finder, ok)
    finder.fails = True
    finder.now_ns = 55 * MINUTE
    assert call(client, finder, ok)[1] == ["key1"]
    assert call(client, finder, ok)[1] == ["key1"]
    assert finder.asked == 2
    finder.now_ns = 60 * MINUTE
    with pytest.raises(DestinationError, match="nobody gives"):
        call(client, finder, ok)


def test_those_that_last_for_minutes_only_are_not_looked_for_with_each_request() -> None:
    finder = Finder(5 * MINUTE)
    client = client_of(finder)
    assert [call(client, finder, ok)[1] for _ in range(3)] == [["key1"]] * 3
    finder.now_ns = 2 * MINUTE
    assert call(client, finder, ok)[1] == ["key2"]


@pytest.mark.parametrize(("method", "answer"), [("PUT", STALE), ("PUT", STALE_AT_MINIO), ("HEAD", Response(400))])
def test_those_that_are_refused_as_expired_are_exchanged_at_once(method: str, answer: Response) -> None:
    finder = Finder()
    client = client_of(finder)
    answers = iter([answer, Response(200)])
    assert call(client, finder, lambda request: next(answers), method) == (Response(200), ["key1", "key2"])


@pytest.mark.parametrize(
    "answer", [STALE, Response(403, {}, b"<Error><Code>AccessDenied</Code></Error>"), Response(500)]
)
def test_what_is_refused_for_good_is_not_tried_for_ever(answer: Response) -> None:
    finder = Finder()
    response, signed = call(client_of(finder), finder, lambda request: answer)
    assert response == answer
    assert len(signed) == (2 if answer is STALE else 1)


def test_while_we_are_refused_it_looks_once_a_minute_whether_they_were_corrected() -> None:
    """But not after each HEAD, which is refused to whoever may only write."""
    finder = Finder(None, token=None)
    client = client_of(finder)
    denied = Response(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
    signed = {0: ["key1"], 59: ["key1"], 60: ["key1", "key2"], 61: ["key2"], 120: ["key2", "key3"]}
    for seconds, keys in signed.items():
        finder.now_ns = seconds * MINUTE // 60
        assert call(client, finder, lambda request: denied) == (denied, keys)
    finder.now_ns += 2 * MINUTE
    assert call(client, finder, lambda request: Response(403), "HEAD")[1] == ["key3"]
