"""The real command on a machine that has no `~/.aws`: a container tells the credentials."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio

from logrouter.testing import HttpServer, Received, Reply
from tests.e2e.processes import LOGROUTER, TOO_LONG_SECONDS

pytestmark = pytest.mark.slow

GIVEN = b'{"AccessKeyId":"AK","SecretAccessKey":"SK","Token":"T","Expiration":"2099-01-31T23:59:59Z"}'


BEGUN = b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"


def container_and_bucket(request: Received) -> Reply:
    if request.target == "/credentials":
        return Reply(200, body=GIVEN)
    return Reply(200, {"etag": '"e"'}, body=BEGUN if request.method == "POST" else b"")


@pytest.mark.parametrize("command", [[], ["check", "--connect"]])
async def test_credentials_are_the_container_s_where_there_are_no_files(command: list[str], tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOGROUTER_"))}
    async with HttpServer(container_and_bucket).serving() as server:
        environ |= {"HOME": str(tmp_path), "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/credentials"}
        sink = f"{{type: s3, bucket: logs, region: eu-north-1, endpoint: {server.url!r}, compression: none}}"
        (tmp_path / "logrouter.yaml").write_text(f"sinks: {{archive: {sink}}}")
        with trio.fail_after(TOO_LONG_SECONDS):
            done = await trio.run_process(
                [*LOGROUTER, *command],
                stdin=b"hello\n",
                cwd=tmp_path,
                env=environ,
                check=False,
                capture_stdout=True,
                capture_stderr=True,
            )
    assert (done.returncode, done.stderr) == (0, b"")
    asked, *others = server.requests
    assert asked.target == "/credentials"
    assert others
    assert all("Credential=AK/" in request.headers["authorization"] for request in others)
    if not command:
        assert [request.body for request in others] == [b'{"message":"hello"}\n']
