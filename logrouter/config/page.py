"""Keeps the tables of options in docs/configuration.md and docs/testing.md fresh: they are made from the structs.

python -m logrouter.config.page docs/configuration.md docs/testing.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from logrouter import reference
from logrouter.config.settings import (
    AdminSettings,
    DeadLetterSettings,
    RouteSettings,
    RunSettings,
    Settings,
    SpoolSettings,
)
from logrouter.fixtures import AtSink, Expected, Fixture
from logrouter.sinks import SinkConfig
from logrouter.sources import SourceConfig
from logrouter.steps import StepConfig

_STRUCTS: dict[str, type[msgspec.Struct]] = {
    "settings": Settings,
    "source": SourceConfig,
    "step": StepConfig,
    "route": RouteSettings,
    "sink": SinkConfig,
    "spool": SpoolSettings,
    "dead_letters": DeadLetterSettings,
    "admin": AdminSettings,
    "run": RunSettings,
    "test": Fixture,
    "expected": Expected,
    "at_sink": AtSink,
}
_NOT_OPTIONS = ("provenance",)
_TABLE = re.compile(
    r"(<!-- options of (\w+), made by `python -m logrouter\.config\.page` -->\n).*?(<!-- end -->)", re.DOTALL
)


def refresh(text: str) -> str:
    """The page with each of its tables made anew."""
    return _TABLE.sub(lambda match: f"{match[1]}\n{_table(match[2])}\n\n{match[3]}", text)


def _table(name: str) -> str:
    # Parts of options have tables of their own.
    listed = [option for option in reference.options(_STRUCTS[name]) if "." not in option.name]
    options = [option for option in listed if option.name not in _NOT_OPTIONS]
    # Where the text tells the default, it is made while loading, and the class need not have one.
    return reference.table([option._replace(default="") if "Default:" in option.text else option for option in options])


def main(arguments: Sequence[str]) -> int:
    """Refresh the pages named."""
    for name in arguments:
        path = Path(name)
        path.write_text(refresh(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
