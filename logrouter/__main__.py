"""The entry point: `logrouter`, `python -m logrouter`."""

from __future__ import annotations

import gc
import os
import sys

gc.disable()  # imports make many objects and no garbage: this is a tenth of the start


def main() -> int:
    """Run logrouter; gives the exit code."""
    _open_standard_streams()
    from logrouter.cli import main as run

    return run()


def _open_standard_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr are closed: else a file we open takes their number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


if __name__ == "__main__":
    sys.exit(main())
