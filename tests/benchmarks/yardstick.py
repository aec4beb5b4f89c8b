"""What logrouter is compared with: the router that a good engineer writes in twenty lines, one for each case.

    cat app.log | python yardstick.py CASE FOLDER

It promises nothing: no bad line is survived, no full disk, no rotation, no order to stop. It is only quick.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import orjson

LINES = sys.stdin.buffer


def route(folder: Path) -> None:
    with (
        open(folder / "errors", "wb") as errors,
        open(folder / "checkout", "wb") as checkout,
        open(folder / "visible", "wb") as visible,
    ):
        for line in LINES:
            event = orjson.loads(line)
            level = event.get("level")
            if level in ("error", "fatal"):
                errors.write(line)
            if event.get("service") == "checkout":
                checkout.write(line)
            if level != "debug":
                visible.write(line)


def deep(folder: Path) -> None:
    order = re.compile(r"^/orders/\d+")
    with (
        open(folder / "errors", "wb") as errors,
        open(folder / "orders", "wb") as orders,
        open(folder / "slow", "wb") as slow,
    ):
        for line in LINES:
            event = orjson.loads(line)
            level, http = event.get("level"), event.get("http", {})
            if level in ("error", "fatal") and http.get("status") in (500, 502, 503):
                errors.write(line)
            if event.get("service") == "checkout" and order.search(http.get("path", "")):
                orders.write(line)
            if level != "debug" and event.get("duration_ms", 0) > 250:
                slow.write(line)


def text(folder: Path) -> None:
    with open(folder / "all", "wb") as all_lines:
        all_lines.writelines(LINES)


def access(folder: Path) -> None:
    failed = re.compile(rb'" 5\d\d ')
    with open(folder / "failed", "wb") as failures:
        for line in LINES:
            if failed.search(line):
                failures.write(line)


def change(folder: Path) -> None:
    with open(folder / "all", "wb") as changed:
        for line in LINES:
            event = orjson.loads(line)
            event["env"] = "prod"
            if "message" in event:
                event["text"] = event.pop("message")
            event.pop("trace_id", None)
            if "email" in event:
                event["email"] = "[redacted]"
            changed.write(orjson.dumps(event) + b"\n")


if __name__ == "__main__":
    {"route": route, "deep": deep, "text": text, "access": access, "change": change}[sys.argv[1]](Path(sys.argv[2]))
