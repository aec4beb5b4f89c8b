"""The least that trio does with a trickle: reads at most every 20 ms, and three tasks that write what was read.

    trickle_yardstick.py FOLDER

It knows no lines, no rules and no errors. What the router costs beyond it is the router's.
"""

from __future__ import annotations

import os
import sys

import trio

READ_INTERVAL_SECONDS = 0.02


async def copy_to_three(folder: str) -> None:
    read = b""
    waiting = trio.lowlevel.ParkingLot()

    async def write(name: str) -> None:
        descriptor = os.open(os.path.join(folder, name), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        while True:
            await waiting.park()
            os.write(descriptor, read)

    async with trio.open_nursery() as nursery:
        for name in ("errors", "checkout", "visible"):
            nursery.start_soon(write, name)
        while True:
            await trio.lowlevel.wait_readable(0)
            read = os.read(0, 1 << 18)
            if not read:
                break
            waiting.unpark_all()
            await trio.sleep(READ_INTERVAL_SECONDS)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(copy_to_three, sys.argv[1])
