"""docs/operations.md and docs/alerts.yaml tell of the metrics that there are, and of no others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from logrouter import config
from logrouter.runtime.log import Log
from logrouter.runtime.telemetry import Telemetry
from logrouter.runtime.topology import Topology

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "operations.md"
ALERTS = DOCS / "alerts.yaml"
ABSENT = {"logrouter_spool_seconds_until_full"}
"""Told of only while it makes sense."""


@pytest.fixture
async def exported(tmp_path: Path) -> set[str]:
    """The names of all metrics, of a process that has a bit of everything."""
    flags = config.Flags(
        sinks=["a=blackhole:", "b=elasticsearch+http://127.0.0.1:1/"],
        sets=[
            f"spool.directory={tmp_path}/spool",
            "sinks.c.type=metrics",
            "sinks.c.metrics={events: {type: counter}}",
        ],
    )
    topology = Topology(config.load(flags=flags, system_folder=Path("/nonexistent")), Log("error"))
    telemetry = Telemetry(topology.parts)
    await telemetry.look()
    families = text_string_to_metric_families(telemetry.metrics().decode())
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    await topology.parts.opened.aclose()
    return {name for name in names if name.startswith("logrouter_")} | ABSENT


def names_on_the_page() -> set[str]:
    """`logrouter_sink_waiting`, `…_oldest_seconds`: the second is short for what begins as the first does."""
    found = set()
    for row in re.findall(r"^\| (`logrouter_.*?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", row)
        kind = re.match(r"logrouter_(?:source|step|spool|sink|dead_letters|metrics)", first)
        found |= {first, *(other.replace("…", kind[0] if kind else "") for other in others)}
    return found


async def test_every_metric_is_on_the_page_and_no_other(exported: set[str]) -> None:
    assert names_on_the_page() == exported


async def test_alerts_are_about_metrics_that_there_are(exported: set[str]) -> None:
    rules = yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"][0]["rules"]
    used = {name for rule in rules for name in re.findall(r"logrouter_\w+", rule["expr"])}
    assert used <= exported
    assert len(used) > 5
