"""What OpenSearch refuses for a while, too much at once and blocked indices; and where events go by their date."""

from __future__ import annotations

import json
from collections import Counter

from tests.crash.feeding import numbered
from tests.e2e.processes import Workplace
from tests.services.conftest import Starter
from tests.services.destinations import configure, in_opensearch
from tests.services.load import Loaded
from tests.services.opensearch import OpenSearch


def test_a_server_that_takes_little_at_once_gets_all(workplace: Workplace, start_server: Starter) -> None:
    """It answers 429 to a whole request of more than 64 kB, and to several at once."""
    server = start_server(OpenSearch, {"indexing_pressure.memory.limit": "64kb"})
    destination = in_opensearch(server)
    configure(workplace, destination, spool={"directory": "spool"})
    done = workplace.route(b"".join(numbered(0, 1500)))
    assert done.returncode == 0, done.stderr
    assert b"HTTP 429: rejected_execution_exception" in done.stderr
    assert not any((workplace.folder / "spool" / "dead-letters").rglob("*.letters"))
    destination.check(range(1500))


def test_a_write_block_holds_events_until_it_is_lifted(workplace: Workplace, port: int, opensearch: OpenSearch) -> None:
    destination = in_opensearch(opensearch)
    index = destination.options["index"]
    configure(workplace, destination, spool={"directory": "spool"})
    with Loaded(workplace, port) as load:
        load.wait_for_delivery(destination.name)
        opensearch.put_settings(index, **{"index.blocks.write": True})
        assert "HTTP 403: cluster_block_exception" in load.wait_for_trouble(destination.name)
        opensearch.put_settings(index, **{"index.blocks.write": False})
        load.wait_until_well(destination.name)
        assert load.sink(destination.name)["dead_lettered"] == {}
        assert load.finish() == 0, load.complaints

    destination.check(range(load.lines))


def test_events_go_to_the_index_of_their_own_date_and_to_data_streams(
    workplace: Workplace, opensearch: OpenSearch
) -> None:
    opensearch.put_template("dated-streams", "dated-stream-*", data_stream=True)
    common = {"type": "elasticsearch", "url": opensearch.url}
    sinks = {
        "dated": {**common, "index": "dated-{date}"},
        "stream": {**common, "index": "dated-stream-all", "data_stream": True},
    }
    workplace.write("logrouter.yaml", json.dumps({"sinks": sinks}))
    days = [f"2026-01-{day:02d}" for day in range(1, 31)]
    lines = [f'{{"time":"{days[n % 30]}T12:00:00Z","n":{n}}}\n' for n in range(900)]
    done = workplace.route("".join(lines).encode())
    assert (done.returncode, done.stderr) == (0, b"")

    dated = opensearch.documents("dated-2026-*")
    assert Counter(document["_index"] for document in dated) == {f"dated-{day}": 30 for day in days}
    assert all(document["_source"]["time"].startswith(document["_index"][6:]) for document in dated)
    assert sorted(document["_source"]["n"] for document in dated) == list(range(900))
    streamed = opensearch.documents("dated-stream-all")
    assert sorted(document["_source"]["n"] for document in streamed) == list(range(900))
