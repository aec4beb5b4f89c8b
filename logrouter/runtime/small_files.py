"""What a sink asks to be read: tokens and profiles (`ReadFile`), and what it has kept itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from logrouter.errors import DestinationError
from logrouter.runtime.threads import in_thread


async def read_file(path: str) -> bytes | None:
    """Its bytes; None where there is no such file. Raises DestinationError where it cannot be read."""
    return await in_thread(partial(_read, path))


def _read(path: str) -> bytes | None:
    try:
        return Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DestinationError(f"cannot read {path}: {error.strerror}") from error
