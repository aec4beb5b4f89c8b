"""What a running logrouter says of itself at its admin port."""

from __future__ import annotations

import json
import urllib.request
from typing import Any


def status(port: int) -> dict[str, Any]:
    """All of `/status`."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=10) as answer:
        told: dict[str, Any] = json.load(answer)
        return told


def waiting(port: int) -> int:
    """How many events wait, for all sinks together."""
    return sum(sink["waiting"] for sink in status(port)["sinks"].values())


def settled(sink: dict[str, Any]) -> int:
    """All terms of a sink's ledger but `read`."""
    lost, discarded = sum(sink["lost"].values()), sum(sink["discarded"].values())
    return int(sink["delivered"] + sink["unmatched"] + lost + discarded + sink["waiting"])
