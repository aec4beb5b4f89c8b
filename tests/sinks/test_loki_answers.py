"""What Loki says, word for word as its source has it, and what it means for each event."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.sinks import Delivered, Halve, Outcome, Rejected, Response, Retry
from logrouter.sinks._loki_answers import settled
from logrouter.sinks._loki_limits import Sent
from logrouter.sinks._loki_streams import Stream
from tests.sinks.test_loki import NOW, SECOND

SHOP = Stream('{app="shop",level="info"}', ())
CART = Stream('{app="cart"}', ())
OLD = (
    """entry for stream '{app="shop", level="info", service_name="shop"}' has timestamp too old: """
    "2026-11-29T09:59:57Z, oldest acceptable timestamp is: 2026-11-29T09:59:58Z"
)
NEW = """entry for stream '{app="cart", service_name="cart"}' has timestamp too new: 2026-11-29T10:00:02Z"""
LONG = """max entry size '10' bytes exceeded for stream '{app="cart"}' while adding an entry with length '11' bytes"""
AGAIN = Retry("its time is at the limit of what Loki takes")
HOUR_BEHIND = (
    "entry with timestamp 2026-11-29 09:59:57 +0000 UTC ignored, reason: 'entry too far behind, entry timestamp is: "
    "2026-11-29T09:59:57Z, oldest acceptable timestamp is: 2026-11-29T09:59:58Z',\n"
    'user \'fake\', total ignored: {0} out of {1} for stream: {{level="info", app="shop", service_name="shop"}}'
)
TOO_MUCH = (
    "entry with timestamp 2026-11-29 10:00:01.5 +0000 UTC ignored, reason: 'Per stream rate limit exceeded (limit: "
    "3MB/sec) while attempting to ingest for stream '{{app=\"shop\"}}' totaling 1kB, consider splitting a stream via "
    "additional labels or contact your Loki administrator to see if the limit can be increased',\n"
    'user \'fake\', total ignored: {0} out of {1} for stream: {{app="shop", level="info"}}'
)


def outcome(status: int, text: str, *events: Sent) -> Outcome:
    return settled(Response(status, body=f"{text}\n".encode()), lambda: events)


def at(seconds: float, stream: Stream = SHOP, length: int = 5) -> Sent:
    return Sent(stream, NOW + round(seconds * SECOND), length)


def words(found: Outcome) -> list[str]:
    assert isinstance(found, list)
    return [each.reason if isinstance(each, Rejected) else type(each).__name__ for each in found]


@pytest.mark.parametrize("status", [200, 204])
def test_all_are_stored(status: int) -> None:
    assert outcome(status, "", at(0)) == Delivered()


def test_a_page_is_no_answer_of_loki() -> None:
    """A gateway that wants somebody to sign in says 200, and keeps nothing."""
    page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Password:</body></html>"
    assert outcome(200, page, at(0)) == Retry("what answers is not Loki: Sign in: Password:")


# ── of the whole request ──


@pytest.mark.parametrize(
    ("status", "text", "congested"),
    [
        (260, "ingestion blocked for user 'shop' until '2027' with status code '260'", False),
        (302, "", False),
        (400, "snappy: corrupt input", False),
        (400, "The plain HTTP request was sent to HTTPS port", False),
        (401, "no org id", False),
        (403, "forbidden", False),
        (404, "404 page not found", False),
        (422, "error at least one valid stream is required for ingestion", False),
        (
            429,
            "ingestion rate limit exceeded for user fake (limit: 4194304 bytes/sec) while attempting to ingest '2'",
            True,
        ),
        (429, """maximum active stream limit exceeded when trying to create stream {app="shop"}, user: 'fake'""", True),
        (500, "at least 1 live replicas required, could only find 0", False),
        (503, "circuit breaker open, request denied", True),
        (400, """missing required labels 'env' for user 'fake' for stream '{app="shop"}' (policy: '')""", False),
        (
            400,
            """stream '{app="shop"}' includes structured metadata, but this feature is disallowed. Please see""",
            False,
        ),
    ],
)
def test_what_is_not_the_events_fault_is_tried_again(status: int, text: str, congested: bool) -> None:
    found = outcome(status, text, at(0), at(1))
    assert isinstance(found, Retry)
    assert found.reason == f"HTTP {status}" + (f": {text}" if text else "")
    assert found.congested is congested


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (413, "request body too large", "request too large"),
        (
            500,
            "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4194304)",
            "request too large",
        ),
        (500, "failed to create stream: no schema config found for time 1577836800", "refused"),
        (400, """stream '{app="shop"}' has label value too long: 'x'""", "refused"),
        (400, """entry for stream '{app="shop"}' has 16 label names; limit 15""", "refused"),
        (400, """stream '{app="x"}' has structured metadata too large: '9' bytes, limit: '8' bytes.""", "refused"),
        (400, f"""{OLD}; stream '{{app="cart"}}' has duplicate label name: 'a'""", "refused"),
        (400, HOUR_BEHIND.format(1, 1).replace("shop", "unheard of"), "refused"),
    ],
)
def test_what_does_not_say_which_events_it_means_is_found_by_halving(status: int, text: str, reason: str) -> None:
    assert outcome(status, text, at(0), at(1)) == Halve(reason, text.replace("\n", " ")[:300])


# ── the distributor: single entries, all others are stored ──


def test_too_old_is_what_lies_before_the_limit_that_is_told() -> None:
    found = outcome(400, OLD, at(-3), at(-2.000000001), at(-2), at(-1.000000001), at(-1), at(0, CART))
    assert words(found) == ["too_old", "too_old", "Retry", "Retry", "Delivered", "Delivered"]
    assert isinstance(found, list)
    assert found[0] == Rejected("too_old", OLD[:300])
    assert found[2] == AGAIN


def test_of_several_limits_the_strictest_counts_so_that_nothing_refused_is_taken_for_stored() -> None:
    older, shorter = OLD.replace("09:59:58Z", "09:59:56Z"), LONG.replace("'10'", "'8'")
    events = at(-4.5), at(-3), at(-1.5), at(0, CART, 8), at(0, CART, 9)
    for complaints in ((OLD, older, LONG, shorter), (older, OLD, shorter, LONG)):
        found = outcome(400, "; ".join(complaints), *events)
        assert words(found) == ["too_old", "too_old", "Retry", "Delivered", "line_too_long"]


def test_too_far_ahead_are_as_many_of_the_newest_of_a_second_as_are_named_and_all_behind_it() -> None:
    text = f"2 errors like: {NEW.replace('10:00:02', '10:00:05')}; 1 errors like: {NEW}"
    assert words(outcome(400, text, at(1.9), at(2), at(2.9), at(3), at(5, CART))) == [
        "Delivered",
        "Delivered",
        "too_far_ahead",
        "too_far_ahead",
        "too_far_ahead",
    ]


def test_one_that_is_too_far_ahead_is_so_though_loki_names_only_its_second() -> None:
    assert words(outcome(400, NEW, at(2.5))) == ["too_far_ahead"]
    assert words(outcome(400, f"2 errors like: {NEW}", at(2.5), at(2.1), at(1))) == ["too_far_ahead"] * 2 + [
        "Delivered"
    ]


def test_too_long_is_what_is_longer_than_the_limit_that_is_told() -> None:
    for text in (LONG, LONG.replace("max", "Max")):
        assert words(outcome(400, text, at(0, CART, 10), at(0, SHOP, 11))) == ["Delivered", "line_too_long"]


def test_several_complaints_are_all_heard() -> None:
    text = f"12 errors like: {OLD}; 1 errors like: {LONG}; 2 errors like: {NEW}"
    found = outcome(400, text, at(-9), at(9), at(0, length=11), at(0))
    assert words(found) == ["too_old", "too_far_ahead", "line_too_long", "Delivered"]


def test_a_label_may_hold_what_looks_like_the_end_of_a_complaint() -> None:
    tricky = OLD.replace('"shop"', r'"}\" ; entry for stream ' + "'{" + '"')
    assert words(outcome(400, tricky, at(-9), at(0))) == ["too_old", "Delivered"]


# ── the ingester: entries of one stream; nothing is said of others ──


def test_too_far_behind_are_the_oldest_as_many_as_are_told() -> None:
    events = (at(-1.5), at(-3), at(0), at(-3, CART), at(-1.2))
    assert words(outcome(400, HOUR_BEHIND.format(2, 4), *events)) == [
        "too_far_behind",
        "too_far_behind",
        "Delivered",
        "Retry",
        "Delivered",
    ]


def test_of_a_stream_that_loki_has_split_the_limit_tells() -> None:
    assert words(outcome(400, HOUR_BEHIND.format(1, 2), at(-3), at(-1.5), at(-1), at(0))) == [
        "too_far_behind",
        "too_far_behind",
        "Retry",
        "Retry",
    ]


def test_more_than_the_limit_explains_were_ignored_for_something_else() -> None:
    assert words(outcome(400, HOUR_BEHIND.format(2, 3), at(-3), at(0), at(1))) == ["too_far_behind", "Retry", "Retry"]


def test_those_that_are_named_need_not_be_the_oldest() -> None:
    """Where Loki's window is narrower than the sink was told, its own push makes some of them late."""
    assert words(outcome(400, HOUR_BEHIND.format(1, 3), at(-4), at(1), at(-3))) == [
        "Delivered",
        "Delivered",
        "too_far_behind",
    ]


def test_where_more_were_ignored_than_are_named_and_not_the_oldest_halving_finds_them() -> None:
    assert isinstance(outcome(400, HOUR_BEHIND.format(2, 4), at(-5), at(-4), at(1), at(-3)), Halve)
    assert words(outcome(400, HOUR_BEHIND.format(2, 4), at(-3), at(-2.5), at(1), at(0))) == [
        "too_far_behind",
        "too_far_behind",
        "Delivered",
        "Delivered",
    ]


def test_an_old_loki_takes_nothing_before_its_newest() -> None:
    line = "entry with timestamp 2026-11-29 10:00:00 +0000 UTC ignored, reason: 'entry out of order' for stream: "
    text = f'{line}{{app="shop", level="info"}},\n' * 2 + "total ignored: 2 out of 3"
    assert words(outcome(400, text, at(0), at(2), at(1))) == ["too_far_behind", "Delivered", "too_far_behind"]
    assert outcome(400, text, at(0), at(1)) == Halve("refused", text.replace("\n", " ")[:300])


@pytest.mark.parametrize(("ignored", "of"), [(2, 2), (1, 2), (2, 9)])
def test_of_too_much_of_one_stream_nobody_knows_what_is_stored(ignored: int, of: int) -> None:
    """All of the stream is ignored where Loki shards streams; else what came behind the burst. All is sent again."""
    found = outcome(429, TOO_MUCH.format(ignored, of), at(0), at(1.5))
    assert isinstance(found, Retry)
    assert found.congested


# ── whatever is said ──

pieces = st.sampled_from(
    [OLD, NEW, LONG, HOUR_BEHIND.format(1, 2), TOO_MUCH.format(1, 2), "; ", "\n", "'", "stream '", "{"]
)


@pytest.mark.slow
@settings(deadline=None, max_examples=300)
@given(st.integers(100, 599), st.lists(pieces | st.text(max_size=10), max_size=5), st.integers(1, 5))
def test_any_answer_has_an_outcome(status: int, said: list[str], count: int) -> None:
    found = outcome(status, "".join(said), *(at(place - 2) for place in range(count)))
    assert isinstance(found, Delivered | Retry | Halve) or len(found) == count
    if status not in (200, 204):
        assert found != Delivered()


# ── how Loki names streams ──


@pytest.mark.parametrize(
    ("labels", "is_meant"),
    [
        ('{app="shop", level="info"}', True),
        ('{level="info", app="shop", service_name="x", __stream_shard__="2"}', True),
        ('{app="shop"}', False),
        ('{app="shop", level="info", zone="a"}', False),
        ('{app="shop", level="warn"}', False),
    ],
)
def test_a_stream_is_known_by_what_loki_calls_it(labels: str, is_meant: bool) -> None:
    assert SHOP.is_named(labels) is is_meant
