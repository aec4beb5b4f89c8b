"""The sink elasticsearch against OpenSearch: what is sent is there once, and answers mean what the sink believes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from logrouter.sinks import Batch, Delivered, Outcome, Rejected, Retry, SinkContext
from logrouter.sinks.elasticsearch import ElasticsearchConfig, ElasticsearchSink
from logrouter.templates import Template
from tests.services.conftest import Starter
from tests.services.opensearch import OpenSearch
from tests.services.sending import batch_for, probe, send

RECEIVED_NS = 1_795_946_400_120_000_000
CREATED = Delivered()


def sink_to(server: OpenSearch, index: str, **options: Any) -> ElasticsearchSink:
    if isinstance(options.get("id"), str) and "{" in options["id"]:
        options["id"] = Template.parse(options["id"])
    config = ElasticsearchConfig(url=server.url, index=Template.parse(index), **options)
    return ElasticsearchSink(config, SinkContext("es", {"service.name": "checkout"}))


def batch_of(sink: ElasticsearchSink, lines: list[bytes], first: int = 0) -> Batch:
    return batch_for(sink, lines, first, RECEIVED_NS)


def numbers(count: int) -> list[bytes]:
    return [b'{"time":"2026-11-29T10:00:00.%03dZ","n":%d}' % (number % 1000, number) for number in range(count)]


def reason(outcome: Outcome) -> str:
    """Why all of it is to be tried again."""
    outcomes = [outcome] if isinstance(outcome, Retry) else outcome
    assert isinstance(outcomes, list)
    reasons = {one.reason for one in outcomes if isinstance(one, Retry)}
    assert all(isinstance(one, Retry) for one in outcomes)
    assert len(reasons) == 1
    return reasons.pop()


def test_each_event_is_there_once_however_often_it_is_sent(opensearch: OpenSearch) -> None:
    sink = sink_to(opensearch, "once")
    batch = batch_of(sink, [*numbers(500), *[b"line %d" % number for number in range(500)]])

    assert send(sink, batch) == CREATED
    assert send(sink, batch) == [Delivered(duplicates=1)] * 1000
    assert send(sink, batch_of(sink, [b"another"], first=1000)) == CREATED
    documents = opensearch.documents("once")
    assert len({document["_id"] for document in documents}) == len(documents) == 1001
    found = Counter(json.dumps(document["_source"], sort_keys=True) for document in documents)
    expected = [
        {"@timestamp": f"2026-11-29T10:00:00{f'.{n:03d}' if n else ''}Z", **json.loads(line)}
        for n, line in enumerate(numbers(500))
    ]
    texts = [*[f"line {number}" for number in range(500)], "another"]
    expected += [{"@timestamp": "2026-11-29T10:00:00.120Z", "message": text} for text in texts]
    assert found == Counter(json.dumps(document, sort_keys=True) for document in expected)


def test_only_what_conflicts_with_the_mapping_is_refused(opensearch: OpenSearch) -> None:
    opensearch.make_index("conflict", {"properties": {"n": {"type": "long"}}})
    sink = sink_to(opensearch, "conflict")
    lines = numbers(100)
    lines[42] = b'{"n":"forty-two"}'
    outcome = send(sink, batch_of(sink, lines))

    assert isinstance(outcome, list)
    assert [place for place, one in enumerate(outcome) if one != CREATED] == [42]
    assert isinstance(outcome[42], Rejected)
    assert outcome[42].reason == "mapper_parsing_exception"
    assert 'For input string: "forty-two"' in outcome[42].detail
    assert len(opensearch.ids("conflict")) == 99


def test_events_that_no_index_takes(opensearch: OpenSearch) -> None:
    opensearch.make_index("picky", {"properties": {"k": {"type": "keyword"}}}, {"index.mapping.total_fields.limit": 20})
    refused = {
        b'{"a":1,"a":2}': "mapper_parsing_exception",
        b'{"k":"%b"}' % (b"x" * 40_000): "illegal_argument_exception",
        b"{%b}" % b",".join(b'"f%d":1' % number for number in range(30)): "illegal_argument_exception",
        b'{"_id":"mine"}': "mapper_parsing_exception",
        b'{"@timestamp":"soon"}': "mapper_parsing_exception",
    }
    taken = [b'{"b":1}\r', b" {}", b"\xff\r", b'{"@timestamp":"2020-01-01T00:00:00Z"}', b'{"@timestamp":null}']
    sink = sink_to(opensearch, "picky")
    outcome = send(sink, batch_of(sink, [*taken, *refused]))

    assert isinstance(outcome, list)
    assert outcome[: len(taken)] == [CREATED] * len(taken)
    reasons = [one.reason for one in outcome[len(taken) :] if isinstance(one, Rejected)]
    assert reasons == list(refused.values())
    own = [document["_source"]["@timestamp"] for document in opensearch.documents("picky")]
    assert sorted(own) == ["2020-01-01T00:00:00Z", *["2026-11-29T10:00:00.120Z"] * 4]


def test_a_server_under_pressure_takes_halves(start_server: Starter) -> None:
    server = start_server(OpenSearch, {"indexing_pressure.memory.limit": "20kb"})
    sink = sink_to(server, "pressed")
    batch = batch_of(sink, [b'{"n":%d,"pad":"%b"}' % (number, b"x" * 280) for number in range(100)])
    outcome = send(sink, batch)

    assert isinstance(outcome, Retry)
    assert outcome.congested
    assert "rejected_execution_exception" in outcome.reason
    for half in (piece for halved in batch.halves() for piece in halved.halves()):
        assert send(sink, half) == CREATED
    assert len(server.ids("pressed")) == 100


def test_a_write_block_refuses_the_sink_and_no_event(opensearch: OpenSearch) -> None:
    opensearch.make_index("blocked", {})
    opensearch.put_settings("blocked", **{"index.blocks.write": True})
    sink = sink_to(opensearch, "blocked")
    batch = batch_of(sink, numbers(5))
    assert "HTTP 403: cluster_block_exception" in reason(send(sink, batch))
    opensearch.put_settings("blocked", **{"index.blocks.write": False})
    assert send(sink, batch) == CREATED


def test_what_only_an_operator_can_mend_is_tried_again(opensearch: OpenSearch) -> None:
    opensearch.make_index("closed", {})
    opensearch.request("POST", "/closed/_close")
    opensearch.put_template("mended", "mended-*", data_stream=True)
    opensearch.request("PUT", "/_data_stream/mended-a")
    for index in ("alias-1", "alias-2"):
        opensearch.make_index(index, {})
        opensearch.request("PUT", f"/{index}/_alias/several")
    sinks = {
        sink_to(opensearch, "closed"): "index_closed_exception",
        sink_to(opensearch, "piped", pipeline="missing"): "pipeline with id [missing] does not exist",
        sink_to(opensearch, "mended-a", id="none"): "only write ops with an op_type of create are allowed",
        sink_to(opensearch, "several"): "no write index is defined for alias [several]",
    }
    for sink, expected in sinks.items():
        assert expected in reason(send(sink, batch_of(sink, numbers(3))))


def test_an_index_that_cannot_be_made_refuses_the_sink(start_server: Starter) -> None:
    server = start_server(OpenSearch)
    server.request("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": 1}})
    server.make_index("first", {}, {"number_of_replicas": 0})
    sink = sink_to(server, "second")
    batch = batch_of(sink, numbers(3))
    assert "validation_exception" in reason(send(sink, batch))
    server.request("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": "false"}})
    assert "HTTP 404: index_not_found_exception" in reason(send(sink, batch))
    server.request("DELETE", "/first")
    server.request("PUT", "/_cluster/settings", {"persistent": {"action.auto_create_index": None}})
    server.request("PUT", "/_cluster/settings", {"persistent": {"cluster.max_shards_per_node": None}})
    assert send(sink, batch) == CREATED


def test_a_data_stream_takes_events_and_forgets_ids_at_a_rollover(opensearch: OpenSearch) -> None:
    opensearch.put_template("flows", "flow-*", data_stream=True)
    plain, numbered = (
        sink_to(opensearch, name, data_stream=True, id=ids) for name, ids in (("flow-a", None), ("flow-b", "auto"))
    )
    assert send(plain, batch_of(plain, numbers(3))) == CREATED
    assert send(plain, batch_of(plain, numbers(3))) == CREATED
    assert len(opensearch.ids("flow-a")) == 6

    batch = batch_of(numbered, numbers(3))
    assert send(numbered, batch) == CREATED
    assert send(numbered, batch) == [Delivered(duplicates=1)] * 3
    opensearch.request("POST", "/flow-b/_rollover")
    assert send(numbered, batch) == CREATED
    assert len(set(opensearch.ids("flow-b"))) == 3


def test_events_go_by_their_own_date_and_their_own_id(opensearch: OpenSearch) -> None:
    lines = [b'{"ts":"2026-11-28T23:59:59.999Z","o":1}', b'{"ts":"2026-11-29T00:00:00Z","o":2}', b'{"o":2}', b"text"]
    sink = sink_to(opensearch, "ordered-{date}", id="order-{o}")
    outcome = send(sink, batch_of(sink, lines))
    assert outcome == [CREATED, CREATED, Delivered(duplicates=1), CREATED]
    assert opensearch.ids("ordered-2026-11-28") == ["order-1"]
    assert len(opensearch.ids("ordered-2026-11-29")) == 2


def test_names_that_events_have_made_are_legal(opensearch: OpenSearch) -> None:
    names = ["../x", "A B", "_all", ".kibana", "ä" * 200, '"\\', "-", "a,b", "*", "<x-{now/d}>", "a#b:c", "%"]
    sink = sink_to(opensearch, "{app}", include=("meta.host",))
    lines = [json.dumps({"app": name}).encode() for name in names]
    assert send(sink, batch_of(sink, lines)) == CREATED
    sink = sink_to(opensearch, "named-{app}")
    assert send(sink, batch_of(sink, lines, first=100)) == CREATED


def test_events_of_the_schema(opensearch: OpenSearch) -> None:
    properties = {"host": {"properties": {"name": {"type": "keyword"}}}, "error": {"properties": {}}}
    opensearch.make_index("schema", {"properties": properties})
    sink = sink_to(opensearch, "schema", profile="ecs")
    lines = [b'{"msg":"m","level":"W","host":"h","error":"e","time":"2026-11-29T10:00:00Z"}', b"text"]
    assert send(sink, batch_of(sink, lines)) == CREATED
    found = sorted((document["_source"] for document in opensearch.documents("schema")), key=lambda one: one["message"])
    assert found[0] == {
        "@timestamp": "2026-11-29T10:00:00Z",
        "message": "m",
        "log.level": "warning",
        "host.name": "h",
        "error.message": "e",
        "service.name": "checkout",
        "ecs.version": "8.11.0",
    }


def test_what_a_probe_finds(opensearch: OpenSearch) -> None:
    opensearch.put_template("probed", "probed-*", data_stream=True)
    opensearch.request("PUT", "/_data_stream/probed-a")
    wrong = {
        sink_to(opensearch, "app-{date}"): [],
        sink_to(opensearch, "probed-a", data_stream=True): [],
        sink_to(opensearch, "probed-b", data_stream=True): [],
        sink_to(opensearch, "probed-a"): ["probed-a is a data stream: set data_stream: true"],
        sink_to(opensearch, "nowhere", data_stream=True): [
            "there is no data stream nowhere, and no index template with data_stream that would make it"
        ],
    }
    for sink, expected in wrong.items():
        assert probe(sink) == expected


def test_what_a_probe_finds_of_a_plain_index(opensearch: OpenSearch) -> None:
    opensearch.make_index("plain-there", {})
    opensearch.make_index("plain-blocked", {}, {"index.blocks.write": True})
    setting = "-plain-not*,+*"
    opensearch.request("PUT", "/_cluster/settings", {"transient": {"action.auto_create_index": setting}})
    not_made = f"made by itself (action.auto_create_index: {setting})"
    wrong = {
        sink_to(opensearch, "plain-there"): [],
        sink_to(opensearch, "plain-blocked"): ["plain-blocked is blocked: index.blocks.write"],
        sink_to(opensearch, "plain-new"): [],
        sink_to(opensearch, "plain-not"): [f"there is no index plain-not, and it is not {not_made}"],
        sink_to(opensearch, "plain-not-{date}"): [
            f"indices plain-not-* are not made by themselves (action.auto_create_index: {setting})"
        ],
        sink_to(opensearch, "plain-there", pipeline="none"): ["there is no ingest pipeline none"],
    }
    try:
        for sink, expected in wrong.items():
            assert probe(sink) == expected
        names = {hit["_index"] for hit in opensearch.documents("plain-*")}
    finally:
        opensearch.request("PUT", "/_cluster/settings", {"transient": {"action.auto_create_index": None}})
    assert names == set()
