"""What OpenSearch refuses: exactly that is kept, and replayed once its mapping is mended, each event once."""

from __future__ import annotations

import json
from typing import Any

from tests.e2e.processes import Workplace
from tests.services.opensearch import OpenSearch

EVENTS = 3_000
CONFIG = """\
sinks:
  es:
    url: elasticsearch+{url}/?index=refusing
spool: {{directory: spool}}
"""


def found(server: OpenSearch) -> list[Any]:
    return sorted((document["_source"]["n"] for document in server.documents("refusing")), key=str)


def test_one_in_a_hundred_conflicts_with_the_mapping(opensearch: OpenSearch, workplace: Workplace) -> None:
    opensearch.make_index("refusing", {"properties": {"n": {"type": "long"}}})
    workplace.write("logrouter.yaml", CONFIG.format(url=opensearch.url))
    numbers: list[Any] = [number if number % 100 else f"x{number}" for number in range(EVENTS)]
    good = [number for number in numbers if isinstance(number, int)]
    bad = [number for number in numbers if isinstance(number, str)]
    done = workplace.route("".join(json.dumps({"n": number}) + "\n" for number in numbers).encode())
    assert done.returncode == 0, done.stderr

    letters = [json.loads(line) for line in workplace.command("dlq", "show").stdout.splitlines()]
    assert [letter["event"]["n"] for letter in letters] == bad
    assert all("failed to parse field [n]" in letter["detail"] for letter in letters)
    assert found(opensearch) == sorted(good, key=str)

    assert workplace.command("dlq", "replay").returncode == 74  # nothing was mended
    opensearch.put_mapping("refusing", n={"type": "long", "ignore_malformed": True})
    done = workplace.command("dlq", "replay")
    assert (done.returncode, done.stderr) == (0, b"")
    assert workplace.command("dlq", "show").stdout == b""
    assert found(opensearch) == sorted(numbers, key=str)
