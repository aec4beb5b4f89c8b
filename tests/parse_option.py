"""What a config makes of the option `parse` of a source."""

from __future__ import annotations

from pathlib import Path

from logrouter.config import load
from logrouter.parsing import Parse

NOWHERE = Path("/nonexistent")


def parse_of(said: str, **environ: str) -> Parse:
    """The option as YAML has it; empty: it is not said. `environ`: variables."""
    text = f"sources: {{app: {{type: stdin, parse: {said}}}}}" if said else ""
    environ |= {"LOGROUTER_CONFIG_YAML": text}
    (source,) = load(environ=environ, folder=NOWHERE, system_folder=NOWHERE).sources.values()
    parse: Parse = source.config.parse
    return parse
