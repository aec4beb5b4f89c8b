"""The entry point: `logrouter`, `python -m logrouter`."""

from __future__ import annotations

import gc
import os
import sys

gc.disable()  # imports make many objects and no garbage: this is a tenth of the start


def main() -> int:
    """Run logrouter; gives the exit code."""
    _speak_utf8()
    _open_standard_streams()
    from logrouter.cli import main as run

    return run()


def _speak_utf8() -> None:
    """Begin anew in Python's UTF-8 mode where the locale has another encoding and Python was told to follow it: a path
    in the config is UTF-8, as all of it, and so is one that an event's fields become."""
    if sys.getfilesystemencoding() != "utf-8" and "utf8" not in sys._xoptions and sys.executable:
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])


def _open_standard_streams() -> None:
    """Put /dev/null where stdin, stdout or stderr are closed: else a file we open takes their number. What is written
    there fails, as it would have: it must not pass for delivered."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest number that is free: this one


if __name__ == "__main__":
    sys.exit(main())
