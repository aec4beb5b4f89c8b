"""Which transport performs the instructions of which sink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from logrouter.cursors import Place

if TYPE_CHECKING:
    from logrouter.endpoint import Endpoint
    from logrouter.runtime.transports.syncing import GroupSync

Resumed = Literal["whole", "part", "new"]
"""All of it has arrived; the rest is to be performed; it is to be sealed and performed anew."""


class Transport(Protocol):
    """Performs instructions. Raises DestinationError for what may succeed later, ClosedByPeer for what never will."""

    needs_sync: bool
    """Whether what has been performed becomes durable only by `sync`."""
    doubts: int
    """How many instructions were performed again although some of it may have arrived before."""

    async def seal(self, instruction: Any, checksum: bool) -> Place | None:
        """Where the instruction is about to write, for the note; None where nobody could tell later."""

    async def has_arrived(self, place: Place) -> bool:
        """Whether all of an instruction that was sealed stands at its place. Then it needs a sync, and nothing else."""

    async def resume(self, instruction: Any, place: Place, distrust: bool) -> Resumed:
        """Find out how much of an instruction that was sealed has arrived, and go on from there.

        `distrust`: a sync has failed since, and what has arrived must be written again where it stands.
        """

    async def perform(self, instruction: Any) -> Any:
        """Do it. Called again with the same instruction, it goes on where it stopped.

        Raises Moved where it would stand elsewhere than `seal` or `resume` has said: then seal it, and note it, anew.
        """

    async def sync(self) -> None:
        """Make all that has been performed durable."""

    def on_sync(self, join: Callable[[], None]) -> None:
        """Have `join` called whenever others are about to be synced: what is to be synced then as well costs less."""

    async def aclose(self) -> None:
        """Let go of everything."""

    def reopen(self) -> None:
        """Open destinations anew at the next instruction: they may have been moved."""


class PlainTransport(Transport):
    """Base of those that nobody can ask later what has arrived, and that make nothing durable: so of all but files."""

    needs_sync = False
    doubts = 0

    async def seal(self, instruction: Any, checksum: bool) -> Place | None:
        """None: nobody could tell later."""
        return None

    async def has_arrived(self, place: Place) -> bool:
        """Nobody knows."""
        return False

    async def resume(self, instruction: Any, place: Place, distrust: bool) -> Resumed:
        """All of it is to be performed."""
        return "new"

    async def perform(self, instruction: Any) -> Any:
        """Do it."""
        raise AssertionError(f"{type(self).__name__} does not perform {instruction!r}")

    async def sync(self) -> None:
        """Nothing to do."""
        return

    def on_sync(self, join: Callable[[], None]) -> None:
        """Nothing to do: nothing is ever synced."""

    async def aclose(self) -> None:
        """Nothing to do."""
        return

    def reopen(self) -> None:
        """Nothing to do: nobody moves it."""


def transport_for(sink: Any, syncs: GroupSync) -> Transport:
    """A new transport for a sink, of the kind that its class names. Imports only what this one needs.

    `syncs`: shared by all sinks.
    """
    match sink.transport:
        case "files":
            from logrouter.runtime.transports.files import Files

            return Files(sink.handling, syncs)
        case "stream":
            from logrouter.runtime.transports.streams import Stream

            return Stream(sink.descriptor)
        case "http":
            from logrouter.runtime.transports.late import LateTransport

            return LateTransport(partial(_http, sink.endpoint))
        case "state":
            from logrouter.runtime.transports.state import State

            return State(sink.state_path)
        case "none":
            return PlainTransport()
    raise AssertionError(f"no transport is called {sink.transport!r}")


def _http(endpoint: Endpoint) -> Transport:
    from logrouter.runtime.transports.http import HttpTransport

    return HttpTransport(endpoint)
