"""What can be said of files that are followed."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Options(NamedTuple):
    """See the options of the source `file`."""

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    start: Literal["beginning", "end"] = "end"
    watch: Literal["auto", "poll"] = "auto"
    poll_interval_seconds: float = 1.0
    follow: bool = True
