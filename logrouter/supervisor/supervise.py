"""The whole: the router is started, then the app; when the app has ended, what it wrote is delivered.

    starting   the router reads its config. Should it refuse to start, so do we, or the app runs as if we were not there
    running    signals go to the app; what it writes goes to the router, which is started again whenever it dies
    draining   the app has ended. What it left in its pipes is moved; others may still hold these
    ending     the router is told that this was all, and has what is left of `shutdown_timeout`

One loop around one `poll`, in which everybody has a turn and nobody waits.
"""

from __future__ import annotations

import math
import os
import select
import signal
import time
from collections.abc import Iterator, Set
from typing import Final

from logrouter.supervisor import STREAMS, children, log
from logrouter.supervisor.app import FATAL, App
from logrouter.supervisor.capture import Capture, Room
from logrouter.supervisor.outlet import Outlet
from logrouter.supervisor.router import Router, Terms, grown_pipe
from logrouter.supervisor.signals import Signal, Signals
from logrouter.supervisor.streams import QUIET_SECONDS, Stream

LENIENCE_SECONDS: Final = 1.0
"""How long after its time is up the router is killed: it ends by itself before."""


def supervise(command: list[str], router_flags: list[str]) -> int:
    """Run the app. Gives the exit code: its own, or why it was not started. Raises OSError."""
    supervisor = Supervisor(command, router_flags)
    while supervisor.exit_code is None:
        supervisor.turn()
    supervisor.tell_what_is_left()
    return supervisor.exit_code


class Supervisor:
    """The app, the router, and what goes on between them."""

    def __init__(self, command: list[str], router_flags: list[str]) -> None:
        self.exit_code: int | None = None
        """Known once all has ended."""
        self._signals = signals = Signals()
        self._app = App(command, signals.mask_before)
        name = os.path.basename(command[0])
        self._router: Router | None = Router(router_flags, signals.mask_before, name)
        """None: the app runs without it."""
        self._streams: list[Stream] = []
        """What is moved here; none where the router reads the app's pipes itself."""
        self._room: Room | None = None
        """Where it is captured, if it is."""
        self._terms = Terms()
        self._began = False
        self._clock = Clock()
        self._router.start()

    def turn(self) -> None:
        """Wait until there is something to do, and do it."""
        ready = self._wait(time.monotonic())
        now = time.monotonic()
        for received in self._signals.take():
            self._obey(received, now)
        self._app.act(now)
        if self._router is None:
            self.exit_code = self._app.code if self.exit_code is None else self.exit_code
            return
        self._router.listen(now)
        self._terms = self._router.terms or self._terms
        if not self._began and self._router.terms is not None:
            self._begin(self._router, self._router.terms, now)
        for stream in self._streams:
            if stream.act(now, ready):
                self._router.wake(now)
        if self._app.code is not None:
            self._end(self._router, self._app.code, now)
        self._router.act(now)

    def tell_what_is_left(self) -> None:
        """What the app wrote and the router has not come to: the next run goes on with it."""
        if self._room is None:
            return
        self._room.discarded.tell_rest()
        if left := self._room.size():
            log.complain("output of the app is left for the next run", folder=self._room.folder, bytes=left)

    def _wait(self, now: float) -> Set[int]:
        """Until something can be read or written, or is due. Gives which descriptors."""
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if self._router and self._router.status is not None:
            poll.register(self._router.status, select.POLLIN)
        for stream in self._streams:
            for fd, event in stream.waits_for(now).items():
                poll.register(fd, event)
        due = min(self._dues(now))
        return {fd for fd, _ in poll.poll(None if due == math.inf else max(0, math.ceil((due - now) * 1000)))}

    def _dues(self, now: float) -> Iterator[float]:
        yield self._app.kill_at
        if self._router:
            yield self._router.due
            yield from (stream.due for stream in self._streams if stream.due > now)
            yield self._clock.due(self._streams)

    # ── signals ───────────────────────────────────────────────────────────────────────────────────────────

    def _obey(self, received: Signal, now: float) -> None:
        if received.number == signal.SIGCHLD:
            for pid, code in children.reap():
                self._bury(pid, code, now)
            self._app.stop_beside_it(now)
        elif self._app.code is None:
            self._app.obey(received, now, self._terms.app_grace)
            if received.number == signal.SIGTERM:
                self._clock.limit(now + self._terms.shutdown_timeout)
            if self._app.code is not None:
                self._app_has_ended(now)
        elif received.number in FATAL and self._router and self._router.pid:  # whoever waits for us is losing patience
            os.kill(self._router.pid, signal.SIGTERM)

    def _bury(self, pid: int, code: int, now: float) -> None:
        if pid == self._app.pid:
            self._app.has_ended(code)
            self._app_has_ended(now)
        elif self._router and pid == self._router.pid:
            self._router.listen(now)  # to its last words
            self._router_has_ended(self._router, code, now)

    def _app_has_ended(self, now: float) -> None:
        self._clock.limit(now + self._terms.shutdown_timeout)
        self._clock.start_draining(now)
        for stream in self._streams:
            stream.hurry()

    def _router_has_ended(self, router: Router, code: int, now: float) -> None:
        if router.terms is None:  # it was never ready
            self._router = None
            if router.may_be_missing and self._app.code is None:
                log.complain("the router cannot be started: the app runs without it", exit_code=code)
                self._app.start(None, pass_env=False)
            else:
                self._give_up_starting(code)
        elif router.closed and not self._began:  # nobody wants what the app would write
            self.exit_code = code if self._app.code is None else self._app.code
        elif router.closed:  # so has whoever read us: the app is told as it would be without us
            self._hang_up(router)
            self._router = None
        elif router.has_delivered(code):
            self.exit_code = self._app.code
        else:
            router.start_again(code, now)

    def _give_up_starting(self, code: int) -> None:
        """The app does not run without a router. That has told why, unless a signal has ended it."""
        if self._app.code is None and code > children.SIGNALLED:
            log.complain("the router has died before it was ready: the app is not started", exit_code=code)
        self.exit_code = code if self._app.code is None else self._app.code

    # ── the beginning and the end ─────────────────────────────────────────────────────────────────────────

    def _begin(self, router: Router, terms: Terms, now: float) -> None:
        """The router is ready: start the app."""
        self._began = True
        outputs = self._outputs(router, terms)
        if self._app.code is None:  # no signal came first
            self._app.start(outputs, pass_env=terms.pass_env)
        for fd in outputs:
            os.close(fd)
        if self._app.code is not None:
            self._app_has_ended(now)

    def _outputs(self, router: Router, terms: Terms) -> list[int]:
        """Where the app writes to, with whatever moves that on."""
        if terms.capture is None and not terms.tee:
            return list(router.writers.values())
        if terms.capture:
            self._room = Room(*terms.capture[:3])
        outputs = []
        for number, name in enumerate(STREAMS, start=1):
            reader, writer = grown_pipe()
            target: Capture | Outlet
            if self._room and terms.capture:
                os.close(router.writers[name])
                target = Capture(self._room, name, terms.capture.offsets[name])
            else:
                target = Outlet(router.writers[name], shared=False)
            self._streams.append(Stream(name, reader, target, Outlet(number) if terms.tee else None))
            outputs.append(writer)
        return outputs

    def _end(self, router: Router, code: int, now: float) -> None:
        """The app has ended: move what is left, tell the router, and wait for it until time is up."""
        if not router.told_all and self._clock.is_drained(self._streams, now):
            for stream in self._streams:
                stream.give_up()
            router.tell_all(self._clock.until, now)
        if now >= self._clock.until + (LENIENCE_SECONDS if router.pid else 0):
            log.complain("the router has not ended in time, and is waited for no longer")
            if router.pid:
                os.kill(router.pid, signal.SIGKILL)
            self.exit_code = code

    def _hang_up(self, router: Router) -> None:
        """Nobody reads what the app writes."""
        for stream in self._streams:
            stream.close()
        router.hang_up()


class Clock:
    """The time that is left, once an end is in sight."""

    def __init__(self) -> None:
        self.until = math.inf
        """When all must be over."""
        self._drain_since = self._drain_until = math.inf

    def limit(self, until: float) -> None:
        """No later than this."""
        self.until = min(self.until, until)

    def start_draining(self, now: float) -> None:
        """The app has ended: what it left is moved, in half of the time that is left."""
        self._drain_since, self._drain_until = now, (now + self.until) / 2

    def drained_at(self, stream: Stream) -> float:
        """When a stream will have been quiet for long enough, if nothing comes."""
        if stream.ended:
            return -math.inf
        quiet_at = math.inf if stream.is_stuck else max(self._drain_since, stream.moved_at) + QUIET_SECONDS
        return min(self._drain_until, quiet_at)

    def is_drained(self, streams: list[Stream], now: float) -> bool:
        """Whether nothing more is to be expected."""
        return all(now >= self.drained_at(stream) for stream in streams)

    def due(self, streams: list[Stream]) -> float:
        """When the end goes on, if nothing happens before."""
        if self._drain_since == math.inf:
            return math.inf
        left = [at for stream in streams if (at := self.drained_at(stream)) > -math.inf]
        return max(left) if left else self.until + LENIENCE_SECONDS
