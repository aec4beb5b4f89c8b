"""What `severity` and `time` are compared with: words that stand for numbers, turned into them at parse time."""

from __future__ import annotations

from typing import Any

from logrouter import severity, times
from logrouter.errors import did_you_mean
from logrouter.references import MISSING, MOMENTS, Reference, Severity, Time


class ScaleError(ValueError):
    """A literal stands for nothing on the scale."""

    def __init__(self, problem: str, hint: str | None = None) -> None:
        super().__init__(problem)
        self.hint = hint


def has_scale(reference: Reference) -> bool:
    """Whether a reference has a scale of its own, on which names and times are numbers."""
    return isinstance(reference, Severity | Time) or reference in MOMENTS


def number(reference: Reference, value: Any) -> int:
    """Where a literal stands on the reference's scale. Raises ScaleError."""
    return _severity(value) if isinstance(reference, Severity) else _time(reference, value)


def _severity(value: Any) -> int:
    if not isinstance(value, str):
        raise ScaleError(
            "severity is compared with a name", 'such as "warning"; exists(severity) asks whether there is one'
        )
    found = severity.parse(value)
    if found is MISSING:
        known = ", ".join(severity.NAMES)
        raise ScaleError(f"{value[:40]!r} is no severity", did_you_mean(value, severity.NAMES) or f"there are {known}")
    return int(found)


def _time(reference: Reference, value: Any) -> int:
    if reference != Time() and isinstance(value, int) and not isinstance(value, bool):
        return value  # meta.received and meta.written are in nanoseconds, and may be compared with them
    found = times.parse(value) if isinstance(value, str) else None
    if found is None:
        raise ScaleError(f"{reference} is compared with a time in quotes", 'such as "2026-01-31T12:00:00Z"')
    return found
