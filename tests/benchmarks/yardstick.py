"""What logrouter is compared with: the router that a good engineer writes in twenty lines, one for each case.

    cat app.log | python yardstick.py CASE FOLDER

It promises nothing: no bad line is survived, no full disk, no rotation, no order to stop. It is only quick.
"""

from __future__ import annotations

import csv
import re
import sys
from bisect import bisect_left
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

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


def multiline(folder: Path) -> None:
    """An event begins with a time."""
    begins = re.compile(rb"\d{4}-\d\d-\d\d ")
    event: list[bytes] = []
    with open(folder / "all", "wb") as events:
        for line in LINES:
            if begins.match(line):
                events.write(b"".join(event))
                event = []
            event.append(line)
        events.write(b"".join(event))


def access(folder: Path) -> None:
    failed = re.compile(rb'" 5\d\d ')
    with open(folder / "failed", "wb") as failures:
        for line in LINES:
            if failed.search(line):
                failures.write(line)


def clf(folder: Path) -> None:
    combined = re.compile(
        rb'(?P<client>\S+) (?P<identity>\S+) (?P<user>\S+) \[(?P<time>[^]]+)\] "(?P<method>\S+) (?P<path>\S+) '
        rb'(?P<protocol>\S+)" (?P<status>\d+) (?P<size>\d+|-) "(?P<referrer>[^"]*)" "(?P<user_agent>[^"]*)"'
    )
    times: dict[str, str] = {}
    with open(folder / "all", "wb") as all_events:
        for line in LINES:
            if match := combined.match(line):
                event: dict[str, Any] = {
                    name: text.decode() for name, text in match.groupdict().items() if text != b"-"
                }
                written = event["time"]
                if written not in times:
                    times[written] = f"{datetime.strptime(written, '%d/%b/%Y:%H:%M:%S %z'):%Y-%m-%dT%H:%M:%SZ}"
                event["time"] = times[written]
                event["status"], event["size"] = int(event["status"]), int(event["size"])
                all_events.write(orjson.dumps(event) + b"\n")


def logfmt(folder: Path) -> None:
    pair = re.compile(rb'([^ =]+)=(?:"([^"]*)"|([^ \n]*))')
    with open(folder / "all", "wb") as all_events:
        for line in LINES:
            event = {key.decode(): (quoted or plain).decode() for key, quoted, plain in pair.findall(line)}
            all_events.write(orjson.dumps(event) + b"\n")


def syslog(folder: Path) -> None:
    header = re.compile(rb"<(\d+)>1 (\S+) (\S+) (\S+) (\S+) (\S+) (?:-|\[(\S+)((?: \w+=\"[^\"]*\")+)\]) (.*)")
    pair = re.compile(r'(\w+)="([^"]*)"')
    levels = ("fatal", "alert", "critical", "error", "warning", "notice", "info", "debug")
    with open(folder / "all", "wb") as all_events:
        for line in LINES:
            if match := header.match(line):
                priority, time, host, app, procid, _, element, data, message = match.groups()
                event: dict[str, Any] = {
                    "time": time.decode(),
                    "level": levels[int(priority) % 8],
                    "message": message.decode(),
                    "facility": "local0",
                    "hostname": host.decode(),
                    "appname": app.decode(),
                    "procid": int(procid),
                }
                if data:
                    event["structured_data"] = {element.decode(): dict(pair.findall(data.decode()))}
                all_events.write(orjson.dumps(event) + b"\n")


def ltsv(folder: Path) -> None:
    times: dict[str, str] = {}
    with open(folder / "all", "wb") as all_events:
        for line in LINES:
            pairs = [pair.partition(b":") for pair in line.rstrip(b"\n").split(b"\t")]
            event: dict[str, Any] = {key.decode(): text.decode() for key, _, text in pairs}
            written = event["time"]
            if written not in times:
                times[written] = f"{datetime.strptime(written, '[%d/%b/%Y:%H:%M:%S %z]'):%Y-%m-%dT%H:%M:%SZ}"
            event["time"] = times[written]
            event["status"], event["size"] = int(event["status"]), int(event["size"])
            all_events.write(orjson.dumps(event) + b"\n")


def rows(folder: Path) -> None:
    names = ("time", "level", "service", "message", "path", "status", "duration_ms", "host")
    with open(folder / "all", "wb") as all_events:
        events = (dict(zip(names, row, strict=True)) for row in csv.reader(map(bytes.decode, LINES)))
        all_events.writelines(orjson.dumps(event) + b"\n" for event in events)


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


def throttle(folder: Path) -> None:
    passed: dict[str, int] = {}
    with open(folder / "all", "wb") as some:
        for line in LINES:
            service = orjson.loads(line)["service"]
            count = passed.get(service, 0)
            if count < 100_000:
                passed[service] = count + 1
                some.write(line)


def dedupe(folder: Path) -> None:
    seen: dict[tuple[str, str], int] = {}
    with open(folder / "all", "wb") as some:
        for line in LINES:
            event = orjson.loads(line)
            key = event["service"], event["message"]
            if key in seen:
                seen[key] += 1
            else:
                seen[key] = 0
                some.write(line)


def sample(folder: Path) -> None:
    limit = int(0.1 * 2**64).to_bytes(8, "big")
    with open(folder / "all", "wb") as some:
        for line in LINES:
            event = orjson.loads(line)
            if blake2b(event["trace_id"].encode(), digest_size=8).digest() < limit:
                event["sample_rate"] = 0.1
                some.write(orjson.dumps(event) + b"\n")


def metrics(folder: Path) -> None:
    buckets = (5, 25, 100, 500)
    requests: dict[str, int] = {}
    durations: dict[str, list[float]] = {}
    for line in LINES:
        event = orjson.loads(line)
        service, duration = event["service"], event["duration_ms"]
        labels = f"{service} {event['level']}"
        requests[labels] = requests.get(labels, 0) + 1
        total = durations.setdefault(service, [0] * 5 + [0.0])
        total[bisect_left(buckets, duration)] += 1
        total[-1] += duration
    (folder / "totals").write_bytes(orjson.dumps({"requests_total": requests, "duration": durations}))


def redact(folder: Path) -> None:
    """Four of the thirteen presets, and cards without their check."""
    patterns = [
        (re.compile(rb"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), b"[redacted:email]"),
        (re.compile(rb"\b(?:\d{1,3}\.){3}\d{1,3}\b"), b"[redacted:ipv4]"),
        (re.compile(rb"eyJ[\w-]+\.[\w-]+\.[\w-]*"), b"[redacted:jwt]"),
        (re.compile(rb"\b(?:\d[ -]?){13,16}\b"), b"[redacted:card]"),
    ]
    with open(folder / "all", "wb") as redacted:
        for line in LINES:
            for pattern, mask in patterns:
                line = pattern.sub(mask, line)
            redacted.write(line)


if __name__ == "__main__":
    cases = (route, deep, text, multiline, access, clf, logfmt, syslog, ltsv, change)
    (
        {case.__name__: case for case in (*cases, throttle, dedupe, sample, metrics, redact)}
        | {"auto_access": clf, "auto_logfmt": logfmt, "key_value": logfmt, "csv": rows}
    )[sys.argv[1]](Path(sys.argv[2]))
