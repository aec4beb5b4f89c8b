"""Servers stopped, killed and started again under load: nothing is lost, nobody else waits, and `/status` tells."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.crash.feeding import numbers_of
from tests.e2e.processes import Workplace, wait_until
from tests.services.conftest import Starter
from tests.services.destinations import (
    Destination,
    by_bulk_in_victorialogs,
    by_loki_in_victorialogs,
    configure,
    in_loki,
    in_opensearch,
    in_s3,
)
from tests.services.load import PATIENCE_SECONDS, Loaded
from tests.services.loki import Loki, Ring
from tests.services.opensearch import OpenSearch
from tests.services.s3 import S3Server
from tests.services.victorialogs import VictoriaLogs


def test_servers_that_stop_and_start_again_get_all(
    workplace: Workplace, port: int, opensearch: OpenSearch, s3_server: S3Server, victorialogs: VictoriaLogs
) -> None:
    """One after the other, while the others get what comes. OpenSearch and S3 are killed as well."""
    search, archive = in_opensearch(opensearch), in_s3(s3_server, object_age="200ms")
    victoria = [by_bulk_in_victorialogs(victorialogs), by_loki_in_victorialogs(victorialogs)]
    destinations = [search, archive, *victoria]
    configure(workplace, *destinations, spool={"directory": "spool"}, shutdown_timeout="4m")
    with Loaded(workplace, port, lines_at_once=10) as load:  # what OpenSearch takes on a busy machine as well
        load.wait_for_delivery(*(destination.name for destination in destinations))
        for destination in (search, archive):
            others = [other for other in destinations if other is not destination]
            _interrupt(load, destination, others, kill=True)
        _interrupt(load, victoria[0], [search, archive], kill=False)  # killed, it loses what it has taken
        load.wait_for_delivery(*(destination.name for destination in destinations))
        assert load.finish() == 0, load.complaints

    for destination in destinations:
        destination.check(range(load.lines))


def test_loki_that_is_stopped_and_killed_gets_all_and_shows_it_once(
    workplace: Workplace, port: int, loki: Loki, s3_server: S3Server
) -> None:
    destination, other = in_loki(loki), in_s3(s3_server, object_age="200ms")
    configure(workplace, destination, other, spool={"directory": "spool"})
    with Loaded(workplace, port) as load:
        load.wait_for_delivery(destination.name, other.name)
        _interrupt(load, destination, [other], kill=True)
        assert load.finish() == 0, load.complaints

    destination.check(range(load.lines))


def test_a_ring_of_lokis_of_which_one_and_then_two_are_killed_gets_all_and_shows_it_once(
    workplace: Workplace, port: int, start_server: Starter, tmp_path: Path
) -> None:
    """Two of three must take an event. What the killed ones had in memory only, they read from their logs.

    The stream is not sharded: what is sent again could be there once in each of two shards.
    """
    ring, limits = Ring(tmp_path / "chunks"), {"shard_streams": "{enabled: false}"}
    members = [start_server(Loki, limits, ring=ring, member=number) for number in range(ring.copies)]
    asked, second, third = members
    destination = in_loki(asked)
    configure(workplace, destination, spool={"directory": "spool"})
    with Loaded(workplace, port) as load:
        load.wait_for_delivery(destination.name)
        second.kill()
        load.wait_for_delivery(destination.name)
        second.start()
        load.wait_for_delivery(destination.name)
        second.kill()
        third.kill()
        wait_until(lambda: "HTTP 500" in (load.trouble(destination.name) or ""), "two to be missed", PATIENCE_SECONDS)
        second.start()
        third.start()
        load.wait_for_delivery(destination.name)
        load.wait_until_well(destination.name)
        assert load.finish() == 0, load.complaints

    labels = destination.options["labels"]
    for member in members:
        found = member.lines(f'{{test="{labels["test"]}"}}')
        assert sorted(numbers_of(line.encode() + b"\n" for line in found)) == list(range(load.lines))


def _interrupt(load: Loaded, destination: Destination, others: list[Destination], *, kill: bool) -> None:
    """Stop its server, then perhaps kill it; it must be told, and the others must not be troubled."""
    server = destination.server
    address = f"127.0.0.1:{server.port}"  # which only logrouter names: Loki tells of trouble while it stops as well
    for end in (server.stop, server.kill)[: 1 + kill]:
        end()
        wait_until(lambda: address in (load.trouble(destination.name) or ""), "nobody to be there", PATIENCE_SECONDS)
        load.wait_for_delivery(*(other.name for other in others))
        assert all(load.trouble(other.name) is None for other in others)
        server.start()
        load.wait_for_delivery(destination.name)
        load.wait_until_well(destination.name)  # one that is just up may take some, and refuse the next


def test_a_server_that_stops_between_parts_gets_whole_objects(
    workplace: Workplace, port: int, s3_server: S3Server
) -> None:
    options = {"object_size": "12MiB", "object_age": "1h", "compression": "none", "key": "lines/"}
    destination = in_s3(s3_server, **options)
    bucket = destination.options["bucket"]
    configure(workplace, destination, spool={"directory": "spool"})
    with Loaded(workplace, port, lines_at_once=1000) as load:
        wait_until(lambda: s3_server.uploads(bucket), "an upload to be begun")
        s3_server.stop()
        load.wait_for_trouble(destination.name)
        s3_server.start()
        load.wait_until_well(destination.name)
        assert load.finish() == 0, load.complaints

    destination.check(range(load.lines))
    assert s3_server.uploads(bucket) == []


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_objects_are_as_large_as_asked_for(workplace: Workplace, s3_server: S3Server, compression: str) -> None:
    """All but the last. (They may miss the size by what is read at once, and by what is not compressed yet.)"""
    size_bytes, chance = 8 * 2**20, random.Random(7)
    destination = in_s3(s3_server, object_size="8MiB", object_age="1h", compression=compression)
    configure(workplace, destination)
    lines = [b'{"id":"%s"}\n' % chance.randbytes(500).hex().encode() for _ in range(40_000)]
    done = workplace.route(b"".join(lines))
    assert (done.returncode, done.stderr) == (0, b"")

    bucket = destination.options["bucket"]
    found = {_first_in(key): s3_server.head(bucket, key)["ContentLength"] for key in s3_server.keys(bucket)}
    *full, rest = (found[first] for first in sorted(found))
    assert len(full) >= 2
    assert all(abs(object_bytes - size_bytes) < 0.07 * size_bytes for object_bytes in full), full
    assert rest < 1.07 * size_bytes


def _first_in(key: str) -> int:
    """The sequence of an object's first event, as its name tells."""
    return int(key.rpartition("-")[2].partition(".")[0])
