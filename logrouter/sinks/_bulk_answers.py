"""Answers of Elasticsearch's bulk API: what has become of each event.

    {"errors":true,"items":[{"create":{"status":201}},{"create":{"status":400,"error":{"type":"…","reason":"…"}}}]}

There is one item for each event, in their order, whatever became of it: so we ask for no more of them than status and
error (`FILTER`). The answer to a request in which all went well is not parsed: it is told by its bytes.

What an event is refused for and what the sink is refused for must not be confused: the first is a dead letter, the
second is tried again until somebody has seen to it. Elasticsearch answers 400 to both, so that for some errors
their type or text must tell.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from logrouter.documents import NOT_JSON
from logrouter.http_sink import CONGESTED, SUCCESS, refusal, shown
from logrouter.instructions import Delivered, EventOutcome, Halve, Outcome, Rejected, Response, Retry

FILTER: Final = "errors,items.*.status,items.*.error"
"""The `filter_path` of requests. `items.*.error` alone would leave out the good items, and so the positions."""

_ALL_WELL = b'{"errors":false,"items":[%b]}'
_CREATED = (b'{"create":{"status":201}},', b'{"index":{"status":201}},')
_SEPARATORS = (b'},{"create":', b'},{"index":')
"""What stands between two items, and in no string."""
_THERE_ALREADY = 409
_REFUSED = (400, 413)
_NOT_THE_EVENTS: Final = frozenset(
    {
        "validation_exception",  # the cluster has as many shards as it may have: no index can be added
        "index_closed_exception",
        "invalid_index_name_exception",  # what events have named is legal: it is the config's own part
        "resource_already_exists_exception",  # two requests were about to make the same index
    }
)
"""Types of errors that come with 400, and are no event's fault."""
_ABOUT_THE_SINK: Final = (
    r"pipeline with id \[|pipeline \[.*\] does not exist"
    r"|op_type of create|only create is allowed"  # it is a data stream, and the sink does not know
    r"|explicit index in bulk is not allowed"  # rest.action.multi.allow_explicit_index
    r"|no write index is defined"  # an alias of several indices
    r"|unrecognized parameter|Content-Type header"  # it is no such server as we take it for
)
"""The same, where only the text tells: their type is `illegal_argument_exception`, as that of many errors of events."""

_DELIVERED = Delivered()
_DUPLICATE = Delivered(duplicates=1)
_DOUBTFUL = Delivered(doubts=1)
_UNTOLD = Retry("the answer tells of so many errors that its end was not read")


class _Item(msgspec.Struct):
    status: int = 0
    error: Any = None


class _Answer(msgspec.Struct):
    items: list[dict[str, _Item]]


class Failure(msgspec.Struct, frozen=True):
    """What Elasticsearch says of an error."""

    type: str
    """`mapper_parsing_exception`"""
    reason: str


_decode_answer = msgspec.json.Decoder(_Answer).decode
_decode_any = msgspec.json.Decoder().decode


def settled(response: Response, events: int, in_doubt: bool = False) -> Outcome:
    """What has become of the events of a bulk request, `events` of them.

    `in_doubt`: they have no ids and were sent before, so that each that is taken may be there twice.
    """
    if response.status not in SUCCESS:
        return _refused(response)
    body = response.body
    if any(body == _ALL_WELL % (item * events)[:-1] for item in _CREATED):
        return Delivered(doubts=events) if in_doubt else _DELIVERED
    items, is_cut = _items_of(body)
    if not items:
        return Retry(f"the answer cannot be read: {shown(body) or 'it is empty'}")
    fits = len(items) < events if is_cut else len(items) == events
    if not fits:
        return Retry(f"the answer tells of {len(items)} events, not of {events}")
    taken = _DOUBTFUL if in_doubt else _DELIVERED
    settled = [_settled_one(_the_one(item), taken, response.retry_after_seconds) for item in items]
    return settled + [_UNTOLD] * (events - len(items))


def _items_of(body: bytes) -> tuple[list[dict[str, _Item]], bool]:
    """The items of an answer; and whether these are only the first, as the rest is cut off. None, if it is no answer.

    An answer is cut where it is longer than what is read of one: when very many events are refused. What it says of the
    first is true nevertheless, and if it were not believed they would be sent again, and refused again, for ever.
    """
    try:
        return _decode_answer(body).items, False
    except NOT_JSON:
        pass
    last = max(body.rfind(separator) for separator in _SEPARATORS)
    try:
        return _decode_answer(body[: last + 1] + b"]}").items, True
    except NOT_JSON:
        return [], False


def failure_of(body: bytes) -> Failure | None:
    """The error in the body of a refusal; None where it is not one of Elasticsearch: a proxy has answered."""
    return _failure(document_in(body).get("error"))


def document_in(body: bytes) -> dict[str, Any]:
    """The body as an object; empty where it is none."""
    try:
        answer = _decode_any(body)
    except NOT_JSON:
        return {}
    return answer if isinstance(answer, dict) else {}


def _the_one(item: dict[str, _Item]) -> _Item:
    """`{"create": …}` has one key. What has not says nothing of its event."""
    return next(iter(item.values())) if len(item) == 1 else _Item()


def _settled_one(item: _Item, taken: Delivered, after_seconds: float | None) -> EventOutcome:
    status = item.status
    if status in SUCCESS:
        return taken
    if status == _THERE_ALREADY:
        return _DUPLICATE
    failure = _failure(item.error) or Failure("unknown", "")
    if status in _REFUSED and not _is_about_the_sink(failure):
        return Rejected(failure.type, failure.reason)
    return Retry(_told(status, failure), after_seconds, status in CONGESTED)


def _refused(response: Response) -> Outcome:
    """What has become of a request that was refused as a whole."""
    failure = failure_of(response.body)
    if response.status == 413:
        return Halve("too_large", failure.reason if failure else shown(response.body))
    if failure is None:
        return refusal(response)
    if response.status == 400 and not _is_about_the_sink(failure):
        return Halve(failure.type, failure.reason)
    return Retry(_told(response.status, failure), response.retry_after_seconds, response.status in CONGESTED)


def _is_about_the_sink(failure: Failure) -> bool:
    return failure.type in _NOT_THE_EVENTS or re.search(_ABOUT_THE_SINK, failure.reason) is not None


def _failure(error: Any) -> Failure | None:
    if isinstance(error, str):  # of some servers that speak the same protocol
        return Failure("error", shown(error.encode()))
    if not isinstance(error, dict) or not isinstance(error.get("type"), str):
        return None
    reasons = [error.get("reason"), *_causes(error)]
    return Failure(error["type"], ": ".join(shown(text.encode()) for text in reasons if isinstance(text, str)))


def _causes(error: dict[str, Any]) -> list[Any]:
    """The first cause tells which value it was."""
    cause = error.get("caused_by")
    return [cause.get("reason")] if isinstance(cause, dict) else []


def _told(status: int, failure: Failure) -> str:
    return f"HTTP {status}: {failure.type}: {failure.reason}"
