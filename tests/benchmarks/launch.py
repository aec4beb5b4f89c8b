"""Runs a command, waits, and writes what it used to a file: `launch.py RESULT COMMAND…`.

SIGTERM is passed on. A process of its own, and a small one, since Linux counts the memory of the process that forked
as the peak of the one forked: the peak of anything below this (about 10 MiB) could not be seen. Run with `-I -S`.
"""

from __future__ import annotations

import os
import signal
import sys
import time


def main(result: str, *command: str) -> int:
    started = time.monotonic()
    child = os.posix_spawn(command[0], command, os.environ)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    _, status, usage = os.wait4(child, 0)
    wall_seconds = time.monotonic() - started
    with open(result, "w") as file:
        print(usage.ru_utime + usage.ru_stime, wall_seconds, usage.ru_maxrss / 1024, file=file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
