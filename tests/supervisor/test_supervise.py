"""The whole, without processes: what is made of what the router says and how it ends."""

from __future__ import annotations

import json
import os

import pytest

from logrouter.supervisor import children, supervise
from logrouter.supervisor.supervise import Supervisor
from tests.supervisor.conftest import MakePipe

READY = {"state": "ready", "pass_env": False, "tee": False, "app_grace": 5.0, "shutdown_timeout": 9.0, "capture": None}


class NoSignals:
    """Blocks none, so that the tests' own get through."""

    mask_before: frozenset[int] = frozenset()

    def __init__(self, bell: int) -> None:
        self.fileno = lambda: bell


def test_a_router_that_is_ready_closed_and_gone_at_once_ends_us_without_an_app(
    make_pipe: MakePipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its only sink is a pipe that nobody reads: all three may be seen in one turn."""

    def start(flags: list[str], handshake: str, mask: set[int], descriptors: list[int]) -> int:
        os.write(descriptors[-1], b"".join(json.dumps(said).encode() + b"\n" for said in (READY, {"state": "closed"})))
        return 1000

    monkeypatch.setattr(children, "start_router", start)
    monkeypatch.setattr(supervise, "Signals", lambda: NoSignals(make_pipe()[0]))
    supervisor = Supervisor(["app"], [])
    supervisor._bury(1000, 0, 0.0)
    assert supervisor.exit_code == 0
