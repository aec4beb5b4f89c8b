"""The Dockerfile, built, and what it makes: the main job, an app's image with logrouter in it, the sidecar of a Job."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml

from tests.e2e.processes import REPOSITORY, TOO_LONG_SECONDS, Workplace, wait_until
from tests.services.images import BASE, Container, Images

LOGROUTER = "localhost/logrouter"
USER = 10001
MOST_BYTES = 120 * 10**6
"""Above the base."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Images]:
    """With the image of logrouter in it."""
    folder = tmp_path_factory.mktemp("images")
    made = Images(folder)
    made.build(LOGROUTER, REPOSITORY, "--build-arg", f"BASE={BASE}", "--build-arg", "VERSION=1.2.3")
    yield made
    shutil.rmtree(folder)  # gigabytes


@pytest.fixture(scope="module")
def container(images: Images) -> Container:
    """One of that image, for all tests: each copies all of it."""
    return images.container(LOGROUTER)


# ── what it is ────────────────────────────────────────────────────────────────────────────────────────


def test_it_is_small(images: Images) -> None:
    assert 0 < images.size_bytes(LOGROUTER) - images.size_bytes(BASE) <= MOST_BYTES


def test_how_it_is_started(images: Images) -> None:
    configured = images.configuration(LOGROUTER)
    assert configured["Entrypoint"] == ["logrouter"]
    assert configured["User"] == f"{USER}:{USER}"
    assert list(configured["Volumes"]) == ["/var/lib/logrouter"]
    assert configured["Healthcheck"]["Test"] == ["CMD", "logrouter", "health"]
    assert configured["Labels"]["org.opencontainers.image.title"] == "logrouter"
    assert configured["Labels"]["org.opencontainers.image.version"] == "1.2.3"


def test_nobody_special_may_write_to_the_volume_alone(container: Container) -> None:
    """And pip, the locks and the sources stayed in the stage that builds."""
    script = (
        "id -u; ls -A /opt; ls /src /opt/logrouter/bin/pip 2>/dev/null; find / -xdev -writable ! -type l 2>/dev/null"
    )
    user, opt, *writable = container.run("sh", "-c", script, entry_point=False).stdout.decode().split()
    assert (user, opt) == (str(USER), "logrouter")
    own = ("/proc", "/dev", "/sys", "/tmp", "/var/tmp", "/run/lock", "/run/secrets", "/var/lib/logrouter")
    assert [path for path in writable if not path.startswith(own)] == []


# ── what it does ──────────────────────────────────────────────────────────────────────────────────────


def test_the_main_job(container: Container) -> None:
    """`app | docker run -i logrouter`: what the demo writes, routed."""
    lines = container.run("demo", "--count", "2000", "--rate", "0").stdout
    assert lines.count(b"\n") >= 2000
    rule = 'severity >= "error"'
    routed = container.run(
        "--sink", "all=stdout:?format=raw", "--sink", "errors=file:errors.ndjson", "--match", f"errors={rule}",
        "--set", "spool.directory=spool", data=lines,
    )  # fmt: skip
    assert (routed.returncode, routed.stderr) == (0, b"")
    assert routed.stdout == lines
    errors = container.run("cat", "errors.ndjson", entry_point=False).stdout
    assert 0 < errors.count(b"\n") < lines.count(b"\n")


def test_what_the_commands_say(container: Container) -> None:
    assert container.run("--version").stdout.startswith(b"logrouter ")
    assert container.run("check").returncode == 0
    assert container.run("health").returncode == 0
    assert container.run("check", "--set", "spool.memory=lots").returncode == 78


def test_zones_are_there_though_the_image_may_have_none(container: Container) -> None:
    parse = "{csv: {columns: [at, message], time_key: at, time_format: '%F %T', timezone: Europe/Stockholm}}"
    options = (
        "--set",
        "sources.app.type=stdin",
        "--set",
        f"sources.app.parse={parse}",
        "--sink",
        "stdout:?format=json",
    )
    routed = container.run(
        "env", "PYTHONTZPATH=", "logrouter", *options, data=b"2026-07-01 12:00:00,a\n", entry_point=False
    )
    assert (routed.returncode, routed.stderr) == (0, b"")
    assert routed.stdout == b'{"time":"2026-07-01T10:00:00Z","message":"a"}\n'


def test_no_start_compiles(container: Container) -> None:
    """All byte code is there, and none of it can be written."""
    script = "import sys, trio, httpx, msgspec, logrouter.runtime.topology as t; print(t.__cached__); t.__spec__"
    path = container.run("/opt/logrouter/bin/python", "-c", script, entry_point=False).stdout.decode().strip()
    count = "find /opt/logrouter -name '*.py' | wc -l; find /opt/logrouter -name '*.pyc' | wc -l"
    sources, compiled = map(int, container.run("sh", "-c", count, entry_point=False).stdout.split())
    assert path.endswith(".pyc")
    assert compiled >= 0.9 * sources  # some packages ship templates that are no Python


def test_two_lines_add_it_to_the_image_of_an_app(images: Images, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    found = re.search(r"<!-- two-lines -->\n```dockerfile\n(.*?)```", page, re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) == 2
    lines = re.sub(r"--from=\S+", f"--from={LOGROUTER}", found[1])
    app = 'echo "{\\"level\\": \\"error\\", \\"n\\": 1}"; echo oops >&2; exit 3'
    entry = 'ENTRYPOINT ["logrouter", "run", "--"]'
    (tmp_path / "Dockerfile").write_text(f"FROM {BASE}\n{lines}{entry}\nWORKDIR /tmp\n")
    images.build("localhost/app", tmp_path)
    container = images.container("localhost/app")
    done = container.run("sh", "-c", app)
    assert done.returncode == 3
    assert sorted(done.stdout.splitlines()) == [b'{"level": "error", "n": 1}', b'{"message":"oops"}']


def test_the_sidecar_of_the_job(container: Container, tmp_path: Path, workplace: Workplace, port: int) -> None:
    """configs/kubernetes/job.yaml, played: the app writes and ends, logrouter is sent SIGTERM, and all has arrived."""
    manifest = list(yaml.safe_load_all((REPOSITORY / "configs/kubernetes/job.yaml").read_text()))
    (router,) = manifest[1]["spec"]["template"]["spec"]["initContainers"]
    volumes = {mount["name"]: tmp_path / mount["name"] for mount in router["volumeMounts"]}
    for folder in volumes.values():
        folder.mkdir()
        os.chown(folder, 0, USER)
        folder.chmod(0o2770)  # as fsGroup has it
    for name, text in manifest[0]["data"].items():
        (volumes["config"] / name).write_text(text)
        (volumes["config"] / name).chmod(0o644)
    environ = {variable["name"]: "x" for variable in router["env"]} | {"LOGROUTER_ADMIN__LISTEN": f"127.0.0.1:{port}"}
    mounts = {volumes[mount["name"]]: mount["mountPath"] for mount in router["volumeMounts"]}
    process = workplace.start(
        container.command([], mounts=mounts, environ=environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_until(lambda: _status(port, router["startupProbe"]["httpGet"]["path"]) == 200, "the startup probe")
    assert _status(port, router["livenessProbe"]["httpGet"]["path"]) == 200

    log = volumes["logs"] / "report.log"
    log.write_text("".join(f'{{"n":{number}}}\n' for number in range(1000)) + "a line without an end")
    os.chown(log, 10002, USER)
    log.chmod(0o640)
    os.kill(_router_in(process.pid), signal.SIGTERM)
    output, complaints = process.communicate(timeout=TOO_LONG_SECONDS)
    events = [json.loads(line) for line in output.splitlines()]
    assert (process.returncode, complaints) == (0, b"")
    assert [event["n"] for event in events] == [*range(1000)]  # a line without an end is waited for
    assert {(event["service.name"], event["meta.file"]) for event in events} == {("report", "/var/log/app/report.log")}


def _status(port: int, path: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def _router_in(pid: int) -> int:
    """The process of logrouter below one of buildah."""
    below = [pid]
    while below:
        process = Path(f"/proc/{below.pop()}")
        if (process / "cmdline").read_bytes().startswith(b"/opt/logrouter/bin/python"):
            return int(process.name)
        below += [
            int(child) for task in (process / "task").iterdir() for child in (task / "children").read_text().split()
        ]
    pytest.fail("logrouter does not run")
