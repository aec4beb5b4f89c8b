"""The log files of a Kubernetes node: whose they are, and what comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from logrouter.framing import Frame
from logrouter.sources import Stream
from logrouter.sources.cri import CriConfig, CriSource

UID = "0b7ee0c4-0e0d-4b6c-8a3c-8a5a4d9c1c11"


def owner_of(path: str) -> dict[str, Any]:
    return dict(CriSource(CriConfig()).owner_of(path))


@pytest.mark.parametrize(
    "path",
    [
        f"/var/log/pods/shop_checkout-6b9f-x2b4z_{UID}/app.main/0.log",
        f"/host/var/log/pods/shop_checkout-6b9f-x2b4z_{UID}/app.main/12.log",
        "/var/log/pods/shop_checkout-6b9f-x2b4z_4a2f0d3c9e/app.main/0.log.20260131-235959",
        f"/var/log/containers/checkout-6b9f-x2b4z_shop_app.main-{'0f' * 32}.log",
    ],
)
def test_the_path_tells_whose_it_is(path: str) -> None:
    assert owner_of(path) == {"namespace": "shop", "pod": "checkout-6b9f-x2b4z", "container": "app.main"}


@pytest.mark.parametrize("path", ["/var/log/syslog", "/var/log/pods/a/b/0.log", "/x_y_z.log", ""])
def test_another_path_tells_nothing(path: str) -> None:
    assert owner_of(path) == {}


def test_events_know_their_stream_and_their_pod(tmp_path: Path) -> None:
    folder = tmp_path / f"shop_checkout-0_{UID}" / "app"
    folder.mkdir(parents=True)
    (folder / "0.log").write_bytes(
        b"2026-01-31T23:59:00.1Z stdout F one\n"
        b"2026-01-31T23:59:00.2Z stderr P half a \n"
        b"2026-01-31T23:59:00.3Z stdout F \n"
        b"2026-01-31T23:59:00.4Z stderr F line\n"
    )
    found: list[tuple[list[bytes], int | None, dict[str, Any]]] = []
    empty = 0

    async def emit(frame: Frame, received_ns: int, stream: Stream | None = None, position: bytes | None = None) -> None:
        nonlocal empty
        await trio.lowlevel.checkpoint()
        assert stream is not None
        empty += frame.empty
        if frame.lines:
            found.append((frame.lines, frame.written_ns, dict(stream.attributes)))

    trio.run(CriSource(CriConfig(include=[f"{tmp_path}/*/*/*.log"], start="beginning", follow=False)).run, emit)
    owner = {"file": f"{folder}/0.log", "namespace": "shop", "pod": "checkout-0", "container": "app"}
    minute_ns = 1_769_903_940_000_000_000
    assert found == [
        ([b"one"], minute_ns + 100_000_000, {"stream": "stdout", **owner}),
        ([b"half a line"], minute_ns + 400_000_000, {"stream": "stderr", **owner}),
    ]
    assert empty == 1
