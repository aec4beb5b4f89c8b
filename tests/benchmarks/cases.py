"""The cases: for each its input, its config, and which lines must come out where, found without logrouter."""

from __future__ import annotations

import csv
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

READ_BYTES = 1 << 20
EVERY_NTH = 997
"""How many changed lines share one that is compared in full. A prime, so that no rhythm of the input hides in it."""


ALL: Final = {"all": ""}
EVERY_ONE: Final[Mapping[str, Callable[[Any], bool]]] = {"all": lambda event: True}
"""The one sink of cases that leave nothing out, and what it wants."""


TOTALS: Final = "totals"
"""The sink of cases that count instead of passing lines on."""


@dataclass(frozen=True)
class Case:
    """One row of the table of results."""

    name: str
    title: str
    input_kind: str
    sinks: Mapping[str, str]
    """For each sink, its rule."""
    wanted: Mapping[str, Callable[[Any], bool]]
    """The same rules again, in plain Python, over the parsed event (over the line, for text)."""
    options: str = ""
    """What every sink has beside its rule, as lines of YAML."""
    parse: str = ""
    """The parser of the source, where it is not `auto`."""
    multiline: str = ""
    """Which lines of the source are one event, where not each is."""
    steps: tuple[str, ...] = ()
    goal: int | None = None
    """Events a CPU second, start excluded."""
    changed: Callable[[Any], dict[str, Any]] | None = None
    """What the parser makes of a line, or the steps of an event; None where every line leaves as the bytes it was."""
    metrics: tuple[str, ...] = ()
    """What a sink `metrics` counts instead, as lines of YAML."""
    totals: Callable[[Iterable[Any]], dict[str, dict[str, Any]]] | None = None
    """The same in plain Python, over all parsed events: metric → label values, with blanks between them → total."""

    def __post_init__(self) -> None:
        assert set(self.sinks) == set(self.wanted)
        assert bool(self.metrics) == bool(self.totals)

    def config(self, folder: Path) -> str:
        """The config as YAML, with all sinks writing into a folder."""
        source = [f", {key}: {said}" for key, said in (("parse", self.parse), ("multiline", self.multiline)) if said]
        lines = ["sources:", f"  app: {{type: stdin{''.join(source)}}}"] if source else []
        lines += ["steps:", *(f"  - {step}" for step in self.steps)] if self.steps else []
        lines += [f"spool: {{durability: memory, directory: {folder}}}"] if self.metrics else []
        lines.append("sinks:")
        lines += [f"  {TOTALS}:", "    type: metrics", "    metrics:"] if self.metrics else []
        lines += [f"      {metric}" for metric in self.metrics]
        for name, rule in self.sinks.items():
            lines += [f"  {name}:", "    type: file", f"    path: {folder}/{name}"]
            lines += [f"    match: >-\n      {rule}"] if rule else []
            lines += [f"    {self.options}"] if self.options else []
        return "\n".join(lines) + "\n"


class Contents(NamedTuple):
    """What an output holds, or must hold."""

    lines: int
    digest: str


def _is_text(case: Case) -> bool:
    return case.input_kind != "json"


def expected(case: Case, input_path: Path) -> dict[str, Contents]:
    """What each output must hold. Digests are of the lines as they came, so not to be had where lines are changed."""
    if case.totals is not None:
        with input_path.open("rb") as lines:
            return {TOTALS: _as_contents(case.totals(map(orjson.loads, lines)))}
    wanted = deepcopy(dict(case.wanted))  # as some remember events
    counts = dict.fromkeys(case.wanted, 0)
    digests = {name: blake2b() for name in case.wanted}
    with input_path.open("rb") as lines:
        for line in lines:
            event = line if _is_text(case) else orjson.loads(line)
            for name, wants in wanted.items():
                if wants(event):
                    counts[name] += 1
                    digests[name].update(line)
    return {name: Contents(counts[name], digests[name].hexdigest()) for name in case.wanted}


def check(case: Case, folder: Path, input_path: Path, wanted: Mapping[str, Contents]) -> None:
    """Every line is where it belongs, once, unharmed and in order. Raises AssertionError where one is not."""
    if case.totals is not None:
        assert _as_contents(_totals(folder)) == wanted[TOTALS], f"{case.name}: other totals: {_totals(folder)}"
        return
    for name, contents in wanted.items():
        found = _contents(folder / name)
        assert found.lines == contents.lines, f"{case.name}: {name} holds {found.lines} lines, not {contents.lines}"
        if case.changed is None:
            assert found.digest == contents.digest, f"{case.name}: {name} holds other lines, or in another order"
        else:
            _check_changes(case, case.wanted[name], case.changed, input_path, folder / name)


def _totals(folder: Path) -> dict[str, dict[str, Any]]:
    """What was counted: as the sink keeps it, or as the yardstick has written it."""
    kept = folder / "metrics" / f"{TOTALS}.json"
    if not kept.exists():
        found: dict[str, dict[str, Any]] = orjson.loads((folder / TOTALS).read_bytes())
        return found
    metrics = orjson.loads(kept.read_bytes())["metrics"]
    return {name: {" ".join(labels): total for labels, total in metric["series"]} for name, metric in metrics.items()}


def _as_contents(totals: dict[str, dict[str, Any]]) -> Contents:
    digest = blake2b(orjson.dumps(totals, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return Contents(sum(map(len, totals.values())), digest)


def _check_changes(
    case: Case,
    wants: Callable[[Any], bool],
    changed: Callable[[Any], dict[str, Any]],
    input_path: Path,
    output_path: Path,
) -> None:
    read = bytes.decode if _is_text(case) else orjson.loads
    with input_path.open("rb") as lines, output_path.open("rb") as after:
        before = lines if case.wanted is EVERY_ONE else (line for line in lines if wants(read(line)))
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            if number % EVERY_NTH == 0:
                assert orjson.loads(new) == changed(read(old)), f"line {number + 1} was changed into {new!r}"


def _contents(path: Path) -> Contents:
    lines, digest = 0, blake2b()
    for block in _blocks(path):
        lines += block.count(b"\n")
        digest.update(block)
    return Contents(lines, digest.hexdigest())


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            yield block


def _change(event: dict[str, Any]) -> dict[str, Any]:
    event["text"] = event.pop("message")
    del event["trace_id"]
    return event | {"env": "prod", "email": "[redacted]"}


_ACCESS = re.compile(
    r'(?P<client>\S+) - - \[(?P<time>[^]]+)\] "(?P<method>\S+) (?P<path>\S+) (?P<protocol>\S+)" (?P<status>\d+) '
    r'(?P<size>\d+) "(?P<referrer>[^"]*)" "(?P<user_agent>[^"]*)"\n'
)


def _fields_of_access(line: str) -> dict[str, Any]:
    match = _ACCESS.fullmatch(line)
    assert match is not None
    time = datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z")
    numbers = {"status": int(match["status"]), "size": int(match["size"])}
    return match.groupdict() | numbers | {"time": f"{time:%Y-%m-%dT%H:%M:%SZ}"}


def _fields_of_logfmt(line: str) -> dict[str, Any]:
    return {key: text.strip('"') for key, text in re.findall(r'(\w+)=("[^"]*"|\S*)', line)}


def _fields_of_ltsv(line: str) -> dict[str, Any]:
    event: dict[str, Any] = dict(each.split(":", 1) for each in line.rstrip("\n").split("\t"))
    time = datetime.strptime(event["time"], "[%d/%b/%Y:%H:%M:%S %z]")
    return event | {key: int(event[key]) for key in ("status", "size")} | {"time": f"{time:%Y-%m-%dT%H:%M:%SZ}"}


_SYSLOG = re.compile(
    r"<(\d+)>1 (\S+) (?P<hostname>\S+) (?P<appname>\S+) (?P<procid>\d+) - "
    r"(?:-|\[(?P<element>\S+)(?P<data>(?: \w+=\"[^\"]*\")+)\]) (?P<message>.*)\n"
)
_SYSLOG_LEVELS = ("fatal", "alert", "critical", "error", "warning", "notice", "info", "debug")


def _fields_of_syslog(line: str) -> dict[str, Any]:
    match = _SYSLOG.fullmatch(line)
    assert match is not None
    assert int(match[1]) // 8 == 16
    event: dict[str, Any] = {"time": match[2], "level": _SYSLOG_LEVELS[int(match[1]) % 8], "facility": "local0"}
    event |= {name: match[name] for name in ("hostname", "appname", "message")} | {"procid": int(match["procid"])}
    if match["data"]:
        event["structured_data"] = {match["element"]: dict(re.findall(r'(\w+)="([^"]*)"', match["data"]))}
    return event


_CSV_COLUMNS = ("time", "level", "service", "message", "path", "status", "duration_ms", "host")


def _fields_of_csv(line: str) -> dict[str, Any]:
    (row,) = csv.reader([line])
    return dict(zip(_CSV_COLUMNS, row, strict=True))


class _First:
    """Wants the first so many events of each key."""

    def __init__(self, events: int, *fields: str) -> None:
        self._events = events
        self._fields = fields
        self._seen: Counter[tuple[str, ...]] = Counter()

    def __call__(self, event: dict[str, Any]) -> bool:
        key = tuple(event[field] for field in self._fields)
        self._seen[key] += 1
        return self._seen[key] <= self._events


def _is_sampled(event: dict[str, Any]) -> bool:
    digest = blake2b(event["trace_id"].encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < 0.1 * 2**64


_BUCKETS = (5, 25, 100, 500)


def _count(events: Iterable[Any]) -> dict[str, dict[str, Any]]:
    requests: Counter[str] = Counter()
    durations: dict[str, list[float]] = {}
    for event in events:
        requests[f"{event['service']} {event['level']}"] += 1
        total = durations.setdefault(event["service"], [0] * (len(_BUCKETS) + 1) + [0.0])
        total[bisect_left(_BUCKETS, event["duration_ms"])] += 1
        total[-1] += event["duration_ms"]
    return {"requests_total": dict(requests), "duration": durations}


CASES = (
    Case(
        "route",
        "route: `in`, `==`, `!=` to 3 files",
        "json",
        {"errors": 'level in ("error", "fatal")', "checkout": 'service == "checkout"', "visible": 'level != "debug"'},
        {
            "errors": lambda event: event["level"] in ("error", "fatal"),
            "checkout": lambda event: event["service"] == "checkout",
            "visible": lambda event: event["level"] != "debug",
        },
        goal=800_000,
    ),
    Case(
        "deep",
        "the same with a nested field, a regular expression, a number",
        "json",
        {
            "errors": 'level in ("error", "fatal") and http.status in (500, 502, 503)',
            "orders": r'service == "checkout" and matches(http.path, r"^/orders/\d+")',
            "slow": 'level != "debug" and duration_ms > 250',
        },
        {
            "errors": lambda event: event["level"] in ("error", "fatal") and event["http"]["status"] in (500, 502, 503),
            "orders": lambda event: event["service"] == "checkout" and event["http"]["path"].startswith("/orders/"),
            "slow": lambda event: event["level"] != "debug" and event["duration_ms"] > 250,
        },
        goal=400_000,
    ),
    Case("text", "text to one file, raw", "text", ALL, EVERY_ONE, "format: raw", goal=1_500_000),
    Case(
        "multiline",
        "tracebacks of Python and single lines, joined, to one file, raw: in lines",
        "tracebacks",
        ALL,
        EVERY_ONE,
        "format: raw",
        multiline="auto",
        goal=3_000_000,
    ),
    Case(
        "access",
        "access log, a regular expression, raw",
        "access",
        {"failed": r"""matches(message, r'" 5\d\d ')"""},
        {"failed": lambda line: re.search(rb'" 5\d\d ', line) is not None},
        "format: raw",
    ),
    Case(
        "clf",
        "access log to fields",
        "access",
        ALL,
        EVERY_ONE,
        parse="clf",
        goal=450_000,
        changed=_fields_of_access,
    ),
    Case(
        "auto_access",
        "the same, recognised by the line",
        "access",
        ALL,
        EVERY_ONE,
        parse="auto",
        changed=_fields_of_access,
    ),
    Case(
        "logfmt",
        "logfmt to fields",
        "logfmt",
        ALL,
        EVERY_ONE,
        parse="logfmt",
        goal=480_000,
        changed=_fields_of_logfmt,
    ),
    Case(
        "auto_logfmt",
        "the same, recognised by the line",
        "logfmt",
        ALL,
        EVERY_ONE,
        parse="auto",
        changed=_fields_of_logfmt,
    ),
    Case(
        "key_value",
        "the same by `key_value`",
        "logfmt",
        ALL,
        EVERY_ONE,
        parse="key_value",
        changed=_fields_of_logfmt,
    ),
    Case(
        "syslog",
        "syslog, RFC 5424, to fields",
        "syslog",
        ALL,
        EVERY_ONE,
        parse="syslog",
        goal=450_000,
        changed=_fields_of_syslog,
    ),
    Case(
        "ltsv",
        "LTSV to fields",
        "ltsv",
        ALL,
        EVERY_ONE,
        parse="ltsv",
        changed=_fields_of_ltsv,
    ),
    Case(
        "csv",
        "CSV to fields",
        "csv",
        ALL,
        EVERY_ONE,
        parse=f"{{csv: {{columns: [{', '.join(_CSV_COLUMNS)}]}}}}",
        changed=_fields_of_csv,
    ),
    Case(
        "change",
        "change: set, rename, remove, redact a field",
        "json",
        ALL,
        EVERY_ONE,
        steps=(
            "set: {env: prod}",
            "rename: {message: text}",
            "remove: [trace_id]",
            "redact: {fields: [email], with: mask}",
        ),
        goal=350_000,
        changed=_change,
    ),
    Case(
        "throttle",
        "throttle by a field: 100,000 of each pass",
        "json",
        {"all": "not exists(throttled)"},  # without what is told in the end
        {"all": _First(100_000, "service")},
        steps=("throttle: {rate: 1/d, burst: 100000, by: service}",),
    ),
    Case(
        "dedupe",
        "dedupe by two fields: nearly all are repeats",
        "json",
        {"all": "not exists(repeated)"},
        {"all": _First(1, "service", "message")},
        steps=("dedupe: {by: [service, message], window: 1d}",),
    ),
    Case(
        "sample",
        "sample a tenth by a field",
        "json",
        ALL,
        {"all": _is_sampled},
        steps=("sample: {keep: 0.1, by: trace_id}",),
        changed=lambda event: event | {"sample_rate": 0.1},
    ),
    Case(
        "metrics",
        "metrics: a counter by two labels, a histogram by one",
        "json",
        {},
        {},
        metrics=(
            'requests: {type: counter, labels: {service: "{service}", level: "{level}"}}',
            'duration: {type: histogram, value: duration_ms, buckets: [5, 25, 100, 500], labels: {of: "{service}"}}',
        ),
        totals=_count,
    ),
    Case(
        "redact",
        "redact, all presets",
        "json",
        ALL,
        EVERY_ONE,
        steps=("redact: {patterns: [all]}",),
        goal=150_000,
        changed=lambda event: event | {"email": "[redacted:email]"},
    ),
)
