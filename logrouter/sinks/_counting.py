"""One metric of the sink `metrics`: what some events add to it, and what all have come to.

    columns   the condition, if any │ a text for each label │ the value, if any       one an event each
    counted   label values → what these events add
    series    label values → the total

Counting by labels alone is done in C, by `Counter` over the tuples of a slice. So is nearly all of the work on numbers:
a value that is a number stays one in its column, and what is added to a histogram's buckets is counted first.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import compress, repeat
from math import inf, isfinite
from typing import Annotated, Any, Final, Literal

import msgspec

from logrouter.errors import Complaints, refuse
from logrouter.references import Field, Reference
from logrouter.rules import Rule, parse_reference
from logrouter.sinks import Family
from logrouter.templates import Place, Template

OTHER: Final = "other"
"""The value of all labels of the series that has what there are too many series for."""
LONGEST_LABEL: Final = 256
"""Characters of a label's value that are kept."""
DEFAULT_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Of Prometheus' own clients, for seconds."""
_NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_TOTAL: Final = "_total"
_OF_HISTOGRAMS: Final = ("", "_bucket", "_sum", "_count")
_MOST: Final = sys.float_info.max
"""No total is more: JSON has no infinity, and could not tell of it after a restart."""

Labels = tuple[str, ...]
Number = int | float


class MetricConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One metric."""

    type: Literal["counter", "gauge", "histogram"]
    """What becomes of the numbers."""
    match: Rule | None = None
    """Which of the sink's events it is about, as a rule. Default: all."""
    value: str | None = None
    """The field that holds the number. A counter needs none: then each event counts 1."""
    scale: float = 1.0
    """What the number is multiplied by: `0.001` makes seconds of milliseconds, as Prometheus has them."""
    labels: Mapping[str, Template] = msgspec.field(default_factory=dict)
    """Name to value, which may be a template. Choose such as have few values each."""
    buckets: tuple[float, ...] = DEFAULT_BUCKETS
    """Of a histogram: up to which values is counted, in ascending order. What is beyond all is counted in any case."""
    help: str = "Counted from events"
    """What it is about, as `/metrics` tells it."""
    max_series: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """How many different sets of label values it may have."""

    def __post_init__(self) -> None:
        complaints = Complaints()
        with complaints:
            if self.value is not None:
                parse_reference(self.value)
        with complaints:
            refuse(self._problems())
        complaints.conclude()

    def _problems(self) -> Iterator[str]:
        if self.value is None and self.type != "counter":
            yield f"value: a {self.type} needs the field that holds its number"
        for name in self.labels:
            if not _LABEL.fullmatch(name) or (name == "le" and self.type == "histogram"):
                yield f"labels: {name!r} is no name that Prometheus takes for a label of a {self.type}"
        if list(self.buckets) != sorted(set(self.buckets)) or not all(map(isfinite, self.buckets)):
            yield "buckets: expected numbers in ascending order"
        if not self.buckets:
            yield "buckets: expected at least one"


class Counted(msgspec.Struct):
    """What some events add to a metric."""

    series: Mapping[Labels, Any]
    """Of a counter a number; of a gauge the last; of a histogram the numbers."""
    skipped: int = 0


class KeptMetric(msgspec.Struct):
    """A metric as it is written down."""

    type: str
    labels: list[str]
    buckets: list[float]
    series: list[tuple[Labels, Number | list[Number]]]
    folded: int = 0
    skipped: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all totals are such as its type has, with a value for each label."""
        numbers = len(self.buckets) + 2 if self.type == "histogram" else 0
        return all(
            len(labels) == len(self.labels) and (len(total) if isinstance(total, list) else 0) == numbers
            for labels, total in self.series
        )


class _Condition(Template):
    """A rule as a column: not empty for the events for which it holds."""

    __slots__ = ("_rule",)

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.text, ())
        self._rule = rule
        self.references = rule.references

    @property
    def holds_seconds(self) -> int | None:
        return None

    def source(self, name: Callable[[Reference], str], constants: dict[str, object], *, segment: bool = False) -> str:
        return f"('1' if {self._rule.source(name, constants)} else '')"


class _Value(Template):
    """A value as a column: what is a number in the event is one here, all else is its text."""

    __slots__ = ()

    def source(self, name: Callable[[Reference], str], constants: dict[str, object], *, segment: bool = False) -> str:
        text = super().source(name, constants, segment=segment)
        match self.parts:
            case (Place(Field() as field),):
                value = name(field)
                return f"({value} if {value}.__class__ is float or {value}.__class__ is int else {text})"
        return text


class Metric:
    """The totals of one metric."""

    def __init__(self, name: str, config: MetricConfig) -> None:
        """Raises ValueError where Prometheus would not take its name."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"metrics: {name!r} is no name that Prometheus takes: letters, digits, _ and :")
        if name.startswith("logrouter_"):
            raise ValueError(f"metrics: {name}: names that begin with logrouter_ are our own")
        is_counter = config.type == "counter"
        self.name = f"{name}{_TOTAL}" if is_counter and not name.endswith(_TOTAL) else name
        self.config = config
        self.folded = 0
        """How often something was counted under `other`."""
        self.skipped = 0
        """Events without a number."""
        condition = () if config.match is None else (_Condition(config.match),)
        labels = [label.where_missing("") for label in config.labels.values()]
        value = () if config.value is None else (_value_of(config.value),)
        self.templates: tuple[Template, ...] = (*condition, *labels, *value)
        """The columns that it needs."""
        self._series: dict[Labels, Any] = {}

    # ── what some events add ──

    def counted(self, columns: Sequence[Sequence[str] | str], events: int) -> Counted:
        """What so many events add, by their columns. Changes nothing."""
        lists = [[column] * events if isinstance(column, str) else column for column in columns]
        if self.config.match is not None:
            holds, *lists = lists
            lists = [list(compress(column, holds)) for column in lists]
            events = len(holds) - holds.count("")
        if self.config.value is None:
            return Counted(Counter(_rows(lists, events)))
        *labels, values = lists
        numbers = _numbers(values, self.config.scale, least=0 if self.config.type == "counter" else -inf)
        counts = [number is not None for number in numbers]
        counted = [number for number in numbers if number is not None]
        return Counted(self._series_of(compress(_rows(labels, events), counts), counted), counts.count(False))

    def _series_of(self, keys: Iterator[Labels], numbers: Sequence[float]) -> Mapping[Labels, Any]:
        """What numbers come to, by label values."""
        match self.config.type:
            case "counter":
                sums: defaultdict[Labels, float] = defaultdict(int)
                for key, number in zip(keys, numbers, strict=True):
                    sums[key] += number
                return sums
            case "gauge":
                return dict(zip(keys, numbers, strict=True))
            case "histogram":
                lists: defaultdict[Labels, list[float]] = defaultdict(list)
                for key, number in zip(keys, numbers, strict=True):
                    lists[key].append(number)
                return lists

    def told(self, counted: Counted) -> Iterator[str]:
        """The same for people."""
        for key, value in counted.series.items():
            labels = ",".join(f'{name}="{text}"' for name, text in zip(self.config.labels, key, strict=True) if text)
            numbers = value if isinstance(value, list) else [value]
            sign = "" if self.config.type == "gauge" else "+"
            yield f"{self.name}{f'{{{labels}}}' if labels else ''} {' '.join(f'{sign}{n:g}' for n in numbers)}"

    # ── what all have come to ──

    def add(self, counted: Counted) -> bool:
        """Add to the totals. Gives whether there are too many series for the first time."""
        folded = self.folded
        self.skipped += counted.skipped
        for key, value in counted.series.items():
            self._add(self._place(key, value), value)
        return folded == 0 < self.folded

    def _place(self, key: Labels, value: Any) -> Labels:
        """The series that it belongs to."""
        if key in self._series:
            return key
        key = tuple(text[:LONGEST_LABEL] for text in key)
        if key in self._series or len(self._series) < self.config.max_series:
            return key
        self.folded += 1
        return (OTHER,) * len(key)

    def _add(self, key: Labels, value: Any) -> None:
        match self.config.type:
            case "counter":
                self._series[key] = _clamped(self._series.get(key, 0) + value)
            case "gauge":
                self._series[key] = value
            case "histogram":
                total = self._series.setdefault(key, [0] * (len(self.config.buckets) + 1) + [0.0])
                for place, events in Counter(map(bisect_left, repeat(self.config.buckets), value)).items():
                    total[place] += events
                total[-1] = _clamped(total[-1] + sum(value))

    @property
    def names(self) -> tuple[str, ...]:
        """Those by which Prometheus knows it: no other metric may be called so."""
        return tuple(self.name + end for end in _OF_HISTOGRAMS) if self.config.type == "histogram" else (self.name,)

    def family(self) -> Family:
        """All of it, for `/metrics`."""
        return Family(
            *(self.name, self.config.type, self.config.help, tuple(self.config.labels), dict(self._series)),
            buckets=self.config.buckets,
        )

    def kept(self) -> KeptMetric:
        """All of it, to be written down."""
        config = self.config
        return KeptMetric(
            *(config.type, list(config.labels), list(config.buckets), list(self._series.items())),
            folded=self.folded,
            skipped=self.skipped,
        )

    def restore(self, kept: KeptMetric) -> None:
        """Go on from there, if it is still the same metric."""
        config = self.config
        if (kept.type, kept.labels, kept.buckets) == (config.type, list(config.labels), list(config.buckets)):
            self._series = dict(kept.series)
            self.folded, self.skipped = kept.folded, kept.skipped


def _rows(columns: Sequence[Sequence[str]], events: int) -> Iterator[Labels]:
    """The label values of each event."""
    return zip(*columns, strict=True) if columns else iter([()] * events)


def _value_of(reference: str) -> Template:
    template = Template.parse(f"{{{reference}}}")
    return _Value(template.text, template.parts, missing="")


def _numbers(values: Sequence[str | float], scale: float, least: float) -> Sequence[float | None]:
    """Numbers times the scale; None for what is none, not finite, or less than the least."""
    try:
        numbers = list(map(float, values))
        if scale != 1:
            numbers = [number * scale for number in numbers]
    except (ValueError, OverflowError):  # an integer that no float holds
        return [_number(value, scale, least) for value in values]
    if all(map(isfinite, numbers)) and min(numbers, default=least) >= least:
        return numbers
    return [number if isfinite(number) and number >= least else None for number in numbers]


def _number(value: str | float, scale: float, least: float) -> float | None:
    try:
        number = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and number >= least else None


def _clamped(total: Number) -> Number:
    return max(-_MOST, min(total, _MOST))
