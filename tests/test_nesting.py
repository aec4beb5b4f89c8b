"""Objects nested nearly too deep: where the limit lies depends on how deep in calls we are. None is ever lost."""

from __future__ import annotations

import pytest

from logrouter.event import Flag
from logrouter.projection import recognise_line
from tests.test_ingest import RECEIVED_NS, chain_of, events_of, frame_of, ingest_of


def test_an_object_nested_as_deep_as_can_be_is_never_lost() -> None:
    """How deep can be read depends on where in the program it is: what was recognised may be too deep for a step."""
    chain = chain_of("- set: {x: 1}")
    ingest = ingest_of(chain)
    some = [b'{"a":' + b"[" * depth + b"]" * depth + b"}" for depth in range(860, 1000, 3)]
    found = events_of(ingest.chunks(frame_of(some), RECEIVED_NS))
    assert len(found) == len(some)
    for line, (payload, flags) in zip(some, found, strict=True):
        if payload != line:  # unchanged where it could not be read, else changed as an object or as text
            assert flags == Flag.JSON
            assert payload in (line[:-1] + b',"x":1}', b'{"message":"' + line.replace(b'"', b'\\"') + b'","x":1}')
        else:
            assert flags == Flag.JSON | Flag.STEP_FAILED
    assert found[0][0] == some[0][:-1] + b',"x":1}'


@pytest.mark.parametrize("yaml", ["- redact: {patterns: ['4111']}", "- redact: {patterns: ['4111'], when: a == 1}"])
def test_no_depth_of_nesting_gets_past_a_redaction(yaml: str) -> None:
    chain = chain_of(yaml)
    some = [b'{"a":1,"card":"4111","x":' + b"[" * depth + b"]" * depth + b"}" for depth in range(860, 1000)]
    recognised = [line for line in some if recognise_line(line) & Flag.JSON]
    found = events_of(ingest_of(chain).chunks(frame_of(recognised), RECEIVED_NS))
    assert len(found) == len(recognised)
    for payload, flags in found:
        assert b"4111" not in payload or not flags & Flag.JSON
