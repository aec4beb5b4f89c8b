"""A sidecar is ended after its app: what the app wrote last must not stay in files that go with the pod."""

from __future__ import annotations

import signal

import pytest

from tests.e2e.processes import TOO_LONG_SECONDS, Workplace, wait_for_port

pytestmark = pytest.mark.slow

CONFIG = """
sources: {{app: {{type: file, include: ["{folder}/*.log"], start: beginning, read_on: true}}}}
sinks: {{all: stdout}}
admin: {{listen: "127.0.0.1:{port}"}}
shutdown_timeout: 6s
"""


def test_files_are_read_on_after_sigterm(workplace: Workplace, port: int) -> None:
    """Also one that has come since, for half of `shutdown_timeout`."""
    workplace.write("logrouter.yaml", CONFIG.format(folder=workplace.folder, port=port))
    router = workplace.start_router()
    wait_for_port(port)
    router.send_signal(signal.SIGTERM)
    workplace.write("last.log", '{"n":1}\n')
    output, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    assert (router.returncode, output, complaints) == (0, b'{"n":1}\n', b"")
