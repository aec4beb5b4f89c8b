"""What systemd is told of us, as sd_notify(3) has it: when we are ready, what we do, that we still turn.

    a message   one datagram of lines NAME=value, to the socket that $NOTIFY_SOCKET names: a path, or @name for an
                abstract one
    READY=1     the sources read; after RELOADING=1: what was asked for is done (Type=notify-reload, systemd.service(5))
    STATUS=…    one line for `systemctl status`: what is read and delivered, and which sink is in trouble or lags
    WATCHDOG=1  the loop turns, at least twice in $WATCHDOG_USEC. Waiting for a destination is healthy
    STOPPING=1  the end has begun, and may take as long as EXTEND_TIMEOUT_USEC says: TimeoutStopSec need not be raised
                together with `shutdown_timeout`

Without $NOTIFY_SOCKET nothing at all is done. The variables are taken out of the environment: what we start is none of
systemd's business. Nobody waits for systemd: what its socket cannot take yet is tried again at the next turn.
"""

from __future__ import annotations

import os
import socket
import time
from collections import deque
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Final, Self

import trio

from logrouter.formats.values import escape_controls
from logrouter.runtime.log import Log

if TYPE_CHECKING:
    from logrouter.runtime.delivery import Delivery
    from logrouter.runtime.parts import Parts

STATUS_SECONDS: Final = 5.0
"""How old the status line may be."""
STATUS_CHARACTERS: Final = 500
"""`systemctl status` shows it in one line; a server's error page in it helps nobody."""
STOP_MARGIN_SECONDS: Final = 5.0
"""What the end may take beyond `shutdown_timeout`: writing down what is left, ending the interpreter."""


class Notifier:
    """Tells systemd; nothing and nobody where there is no address."""

    def __init__(self, log: Log, address: str = "", *, watchdog_seconds: float = 0.0) -> None:
        """`address` as in $NOTIFY_SOCKET. After `watchdog_seconds` without a word systemd kills us; 0: never."""
        self._log = log
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_seconds = watchdog_seconds
        self._waiting: deque[bytes] = deque()
        """Messages that the socket had no room for."""
        self._status = ""
        self._is_ending = False

    @classmethod
    def taken_from(cls, environ: MutableMapping[str, str], log: Log) -> Self:
        """What the environment asks for; its variables are taken out of it."""
        address, usec, pid = (environ.pop(name, "") for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"))
        is_ours = pid in ("", str(os.getpid()))  # sd_watchdog_enabled(3)
        watchdog_seconds = int(usec) / 1e6 if usec.isdecimal() and is_ours else 0.0
        if address and not address.startswith(("/", "@")):  # vsock:…, to the host of a virtual machine
            log.warning("systemd cannot be told", address=address, reason="expected a path or @name in NOTIFY_SOCKET")
            address = ""
        return cls(log, address, watchdog_seconds=watchdog_seconds)

    def ready(self, parts: Parts) -> None:
        """The sources read; or what SIGHUP asked for is done."""
        self._status = describe(parts)
        self._tell("READY=1", f"STATUS={self._status}")

    def reloading(self) -> None:
        """SIGHUP was received, and is being obeyed. By the time systemd tells it from what an earlier one did."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, seconds: float) -> None:
        """The end begins, and takes so long at most. Said once."""
        if not self._is_ending:
            self._is_ending = True
            self._tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int((seconds + STOP_MARGIN_SECONDS) * 1e6)}")

    async def run(self, parts: Parts) -> None:
        """Say again and again how it goes, and that we are there. Ends at once where nobody listens."""
        if not self._address:
            return
        interval = min(STATUS_SECONDS, self._watchdog_seconds / 2 or STATUS_SECONDS)
        while True:
            self._send()
            if not self._waiting:  # systemd hangs: no more than it has not read yet
                self._tell_how_it_goes(describe(parts))
            await trio.sleep(interval)

    def _tell_how_it_goes(self, status: str) -> None:
        if self._watchdog_seconds:
            self._tell("WATCHDOG=1")
        if status != self._status:
            self._status = status
            self._tell(f"STATUS={status}")

    def _tell(self, *lines: str) -> None:
        if self._address:
            self._waiting.append("\n".join(lines).encode())
            self._send()

    def _send(self) -> None:
        """Send what waits, in order, as far as it can be sent without waiting."""
        while self._waiting:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                    sender.sendto(self._waiting[0], self._address)
            except BlockingIOError:
                return
            except OSError as error:  # nobody is there any more, or the path is none
                self._log.warning("systemd cannot be told", reason=error.strerror or str(error))
            self._waiting.popleft()


def _trouble_of(delivery: Delivery) -> str:
    """What is wrong with delivering to a sink; nothing where all is well."""
    if delivery.trouble:
        return delivery.trouble.reason
    if (lag := delivery.lag) is None:
        return ""
    limit = f" ({lag.limit})" if lag.limit else ""
    return f"cannot keep up, {lag.behind_seconds:.0f} s behind{limit}"


def describe(parts: Parts) -> str:
    """What is read and delivered, and what is wrong with that, in one line."""
    troubles = {running.name: trouble for running in parts.deliveries if (trouble := _trouble_of(running))}
    sources = ", ".join(running.name for running in parts.sources)
    doing = f"reading {sources}" if parts.reading else "not reading"
    well = ", ".join(running.name for running in parts.deliveries if running.name not in troubles)
    told = [doing, f"delivering to {well}" if well else "delivering nothing"]
    told += [f"{name}: {reason}" for name, reason in troubles.items()]
    text = escape_controls("; ".join(told))  # a destination's words must not become lines of their own
    return text if len(text) <= STATUS_CHARACTERS else f"{text[:STATUS_CHARACTERS]}…"
