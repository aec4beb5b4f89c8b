"""Runs in a thread what would hold others up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


async def in_thread(function: Callable[[], T], *, abandon_on_cancel: bool = False) -> T:
    """Call it in a thread. Raises what it raises. Once begun, it is not cancelled, but perhaps left alone.

    Where no thread can be started, as the machine or the container has too many, it is called here: others are held up
    for a moment, which is better than to end.
    """
    begun = False

    def call() -> T:
        nonlocal begun
        begun = True
        return function()

    try:
        return await trio.to_thread.run_sync(call, abandon_on_cancel=abandon_on_cancel)
    except RuntimeError:
        if begun:
            raise
    return function()
