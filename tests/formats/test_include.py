from __future__ import annotations

import pytest

from logrouter.event import Flag
from logrouter.formats.include import Include
from logrouter.testing import slice_of

RESOURCE = {"service.name": "checkout", "env": "prod"}
PART = slice_of([b"x"], attributes={"source": "app", "host": "h1"}, received_ns=1_000_000_000)


def test_when_an_event_was_written_is_added_as_a_time() -> None:
    part = slice_of([b"x"], attributes={"written": 500_000_000}, received_ns=1_000_000_000)
    include = Include(("meta.written",))
    assert include.additions(part) == {"meta.written": "1970-01-01T00:00:00.500Z"}
    assert include.tail(part) == b',"meta.written":"1970-01-01T00:00:00.500Z"}'
    assert include.tail(PART) == b"}"


def test_nothing_is_included_by_default() -> None:
    include = Include()
    assert not include
    assert include.keys == ()
    assert include.additions(PART, Flag.PARTIAL_START) == {}
    assert include.tail(PART) == b"}"


def test_meta_is_every_attribute_and_mark() -> None:
    assert Include(("meta",)).additions(PART, Flag.PARTIAL_START | Flag.INVALID_UTF8) == {
        "meta.source": "app",
        "meta.host": "h1",
        "meta.received": "1970-01-01T00:00:01Z",
        "meta.invalid_utf8": True,
        "meta.partial": "start",
    }


def test_resource_is_every_static_attribute() -> None:
    include = Include(("resource",), RESOURCE)
    assert include.additions(PART) == RESOURCE
    assert include.keys == ("service.name", "env")


def test_single_names() -> None:
    include = Include(("meta.host", "service.name", "meta.partial"), RESOURCE)
    assert include.additions(PART) == {"meta.host": "h1", "service.name": "checkout"}
    assert include.keys == ("meta.host", "meta.partial", "service.name")
    assert include.additions(PART, Flag.PARTIAL_END | Flag.INVALID_UTF8)["meta.partial"] == "end"
    assert "meta.invalid_utf8" not in include.additions(PART, Flag.INVALID_UTF8)


def test_what_is_added_to_an_event_that_has_such_keys() -> None:
    include = Include(("meta.host", "meta.partial", "service.name"), RESOURCE)
    document = {"meta.partial": "start", "service.name": "own", "meta.host": "own", "meta.other": 1}
    assert include.add_to(document, include.additions(PART)) == {
        "service.name": "own",
        "meta.other": 1,
        "meta.host": "h1",
    }


def test_an_attribute_that_the_chunk_has_not_is_left_out() -> None:
    assert Include(("meta.stream",)).tail(PART) == b"}"


def test_the_tail_follows_the_attributes_and_the_time() -> None:
    include = Include(("meta.host", "meta.received"))
    assert include.tail(PART) == b',"meta.host":"h1","meta.received":"1970-01-01T00:00:01Z"}'
    later = slice_of([b"x"], attributes=PART.attributes, received_ns=2_000_000_000)
    assert include.tail(later) == b',"meta.host":"h1","meta.received":"1970-01-01T00:00:02Z"}'
    other = slice_of([b"x"], attributes={"host": 'h"2'}, received_ns=2_000_000_000)
    assert include.tail(other) == b',"meta.host":"h\\"2","meta.received":"1970-01-01T00:00:02Z"}'


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("service.nam", r"'service.nam' is not in `resource` \(did you mean 'service.name'\?\)"),
        ("zzz", r"'zzz' is not in `resource` \(attributes begin with meta.\)"),
        ("meta.kubernetes_pod", r"there is no attribute 'meta.kubernetes_pod' \(there are meta.source, meta.host, "),
        ("meta.hots", r"there is no attribute 'meta.hots' \(did you mean 'meta.host'\?\)"),
    ],
)
def test_a_name_that_means_nothing_is_refused(name: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Include((name,), RESOURCE)
