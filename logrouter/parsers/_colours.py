r"""Colours of a terminal (`\x1b[32m`): `SGR`, ECMA-48 §8.3.117. Apps write them also where nobody sees them."""

from __future__ import annotations

import re
from typing import Final

ESCAPE: Final = b"\x1b"
_COLOURS: Final = re.compile(rb"\x1b\[[0-9;:]*+m")


def without_colours(line: bytes) -> bytes:
    """The line as a terminal would show it to somebody who sees none; itself where nothing would be left."""
    return _COLOURS.sub(b"", line) or line if ESCAPE in line else line
