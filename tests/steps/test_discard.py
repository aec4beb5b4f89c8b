from __future__ import annotations

from logrouter.event import Flag


def test_discarded_events_are_counted_by_step(chain, facts):
    steps = chain('- discard: {when: path == "/healthz"}')
    payloads = [b'{"path":"/healthz"}', b'{"path":"/"}', b'{"path":"/healthz"}']
    assert [steps.apply(payload, Flag.JSON, facts) == [] for payload in payloads] == [True, False, True]
    assert sum(steps.discarded.values()) == 2


def test_it_needs_a_condition(mistake):
    assert "'when'" in mistake("discard: {}")
    assert "'when'" in mistake("discard:")
