"""Run as a program: writes numbered lines to a file, as an app does, until SIGTERM; SIGHUP has it open the file anew.

python rotating_writer.py PATH LINES_PER_SECOND
"""

from __future__ import annotations

import os
import signal
import sys
import time

BATCHES_PER_SECOND = 200
LINE = b'{"n":%d,"text":"a line of a usual length, more or less"}\n'


def main(path: str, rate: int) -> None:
    """Whole batches of whole lines, each with one write: what log libraries do."""
    asked = {"reopen": False, "stop": False}
    signal.signal(signal.SIGHUP, lambda *_: asked.update(reopen=True))
    signal.signal(signal.SIGTERM, lambda *_: asked.update(stop=True))
    number, fd = 0, _opened(path)
    started = time.monotonic()
    while not asked["stop"]:
        if asked["reopen"]:
            asked["reopen"] = False
            os.close(fd)
            fd = _opened(path)
        until = min(number + rate // BATCHES_PER_SECOND, int((time.monotonic() - started) * rate))
        os.write(fd, b"".join(LINE % n for n in range(number, until)))
        number = until
        time.sleep(1 / BATCHES_PER_SECOND)
    print(number)


def _opened(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
