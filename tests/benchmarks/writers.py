"""What writes lines at a steady pace, and the least that makes a stream durable. Small processes: run with `-I -S`.

writers.py paced RATE SECONDS     lines in small bursts, each of which says when it was written
writers.py synced PATH < INPUT    reads of 512 KiB, each written and synced before the next
"""

from __future__ import annotations

import os
import sys
import time

BURST_SECONDS = 0.02
READ_BYTES = 512 * 1024
LINE = '{{"level":"info","message":"request handled","trace_id":"{number:032x}","sent_ns":{sent_ns}}}\n'


def paced(rate: int, seconds: int) -> None:
    """To stdout."""
    started = time.monotonic_ns()
    burst = int(rate * BURST_SECONDS)
    for number in range(int(seconds / BURST_SECONDS)):
        due_ns = started + int(number * BURST_SECONDS * 1e9)
        if (ahead_ns := due_ns - time.monotonic_ns()) > 0:
            time.sleep(ahead_ns / 1e9)
        sent_ns = time.monotonic_ns()
        data = "".join(LINE.format(number=n, sent_ns=sent_ns) for n in range(burst)).encode()
        try:
            while data:
                data = data[os.write(1, data) :]
        except BrokenPipeError:  # the reader was ended
            return


def synced(path: str) -> None:
    """Write the same chunks as logrouter reads, and wait for the disk after each."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while data := os.read(0, READ_BYTES):
        os.write(fd, data)
        os.fdatasync(fd)


if __name__ == "__main__":
    if sys.argv[1] == "paced":
        paced(int(sys.argv[2]), int(sys.argv[3]))
    else:
        synced(sys.argv[2])
