"""The apps that are run by `logrouter run` to measure it. Each writes what it found about itself to a file.

wrapped_app.py paced RATE SECONDS RESULT     so many lines a second, each by a write of its own: how long these took
wrapped_app.py copy INPUT RESULT             a file, as fast as it goes: wall and CPU seconds that took
"""

from __future__ import annotations

import os
import sys
import time

BLOCK_BYTES = 64 * 1024


def paced(rate: int, seconds: float) -> list[float]:
    """How long each write took, in seconds."""
    line = b'{"level":"info","service":"checkout","message":"a line of some length, as apps write them"}\n'
    took = []
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        for _ in range(int(elapsed * rate) - len(took)):
            before = time.perf_counter()
            os.write(1, line)
            took.append(time.perf_counter() - before)
        time.sleep(0.001)
    return took


def copy(path: str) -> tuple[float, float]:
    """Wall and CPU seconds."""
    began, cpu_began = time.monotonic(), time.process_time()
    with open(path, "rb", buffering=0) as file:
        while block := memoryview(file.read(BLOCK_BYTES)):
            while block:
                block = block[os.write(1, block) :]
    return time.monotonic() - began, time.process_time() - cpu_began


def main() -> None:
    kind, *arguments, result = sys.argv[1:]
    if kind == "paced":
        took = sorted(paced(int(arguments[0]), float(arguments[1])))
        figures = (len(took), took[len(took) * 99 // 100], took[-1])
    else:
        figures = copy(arguments[0])
    with open(result, "w") as file:
        print(*figures, file=file)


if __name__ == "__main__":
    main()
