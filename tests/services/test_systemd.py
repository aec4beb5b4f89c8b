"""The units of configs/systemd and docs/systemd.md, pasted into a Debian whose systemd has really booted."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import REPOSITORY, wait_until
from tests.services.machine import Machine

PAGE = REPOSITORY / "docs" / "systemd.md"
ERRORS = "/var/log/logrouter/errors.ndjson"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def pasted(name: str) -> str:
    """A block of the page, with what it needs to be pasted by a machine."""
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```\n<!-- /{name} -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Booted, with logrouter installed as the page says."""
    made = Machine(tmp_path_factory.mktemp("machine"))
    clone = made.path("/root/logrouter")
    subprocess.run(["git", "clone", "--quiet", f"file://{REPOSITORY}", clone], check=True)
    for name in ("configs", "logrouter", "docs"):  # as it is here, committed or not
        shutil.copytree(REPOSITORY / name, clone / name, dirs_exist_ok=True)
    if Path(CERTIFICATES).exists():  # where packages come from may be known to this machine alone
        shutil.copy(CERTIFICATES, made.path(CERTIFICATES))
    index = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTPS_PROXY"))}
    made.change_root(f"cd /root/logrouter\n{pasted('install')}", index)
    with made:
        made.run(pasted("start"))
        yield made


@pytest.fixture(autouse=True)
def afresh(machine: Machine) -> None:
    """Running, by the config that `init` wrote, whatever the last test did."""
    machine.run(
        "rm -rf /etc/logrouter/more.yaml /etc/systemd/system/logrouter.service.d /var/log/app.log; "
        "systemctl daemon-reload; systemctl reset-failed; systemctl restart logrouter"
    )


def write_errors(machine: Machine, *numbers: int) -> None:
    """Lines of an app, in a file that the group adm may read."""
    path = machine.path("/var/log/app.log")
    with open(path, "a") as file:
        file.writelines(json.dumps({"level": "error", "n": number}) + "\n" for number in numbers)
    os.chown(path, 0, 4)
    path.chmod(0o640)


def numbers_in(machine: Machine, path: str = ERRORS) -> list[int]:
    """What has arrived of them."""
    return [event["n"] for event in events_in(machine, path)]


def events_in(machine: Machine, path: str) -> list[dict[str, Any]]:
    """All events of a file, but for one that is being written."""
    file = machine.path(path)
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


def property_of(machine: Machine, name: str, unit: str = "logrouter") -> str:
    return machine.run(f"systemctl show --property={name} --value {unit}").strip()


def drop_in(machine: Machine, text: str) -> None:
    """What `systemctl edit` would write, and a restart."""
    folder = machine.path("/etc/systemd/system/logrouter.service.d")
    folder.mkdir()
    (folder / "override.conf").write_text(f"[Service]\n{text}\n")
    machine.run("systemctl daemon-reload")


def more_config(machine: Machine, text: str) -> None:
    machine.path("/etc/logrouter/more.yaml").write_text(text)


def arrived(machine: Machine, *numbers: int, path: str = ERRORS) -> None:
    """Wait for these lines to be the last that have arrived."""
    wait_until(lambda: numbers_in(machine, path)[-len(numbers) :] == [*numbers], f"{numbers} in {path}")


# ── the unit, by systemd's own tools ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("unit", ["logrouter.service", "app@.service", "app@web.service"])
def test_systemd_finds_nothing_wrong(machine: Machine, unit: str) -> None:
    shutil.copy(REPOSITORY / "configs" / "systemd" / "app@.service", machine.path("/etc/systemd/system"))
    assert machine.run(f"systemd-analyze verify --man=no {unit}") == ""


def test_there_is_little_that_it_may_do(machine: Machine) -> None:
    told = machine.run("systemd-analyze security --offline=true --threshold=20 --no-pager logrouter.service")
    level = re.search(r"Overall exposure level for logrouter.service: ([0-9.]+)", told)
    assert level is not None
    assert f"rates its exposure {level[1]} " in PAGE.read_text()
    assert float(level[1]) <= 2.0


def test_an_older_systemd_takes_it_with_one_file_more() -> None:
    """A type that it does not know is left out, and what the file says stands."""
    unit = (REPOSITORY / "configs/systemd/logrouter.service").read_text()
    older = (REPOSITORY / "configs/systemd/logrouter.service.d/before-253.conf").read_text()
    assert re.findall("^Type=(.*)$", unit + older, re.MULTILINE) == ["notify-reload", "notify"]
    reload = re.findall("^ExecReload=(.*)$", unit + older, re.MULTILINE)
    assert [command.split()[-1] for command in reload] == ["check", '${MAINPID}"']


# ── what the page promises ────────────────────────────────────────────────────────────────────────────


def test_it_runs_as_pasted(machine: Machine) -> None:
    assert property_of(machine, "ActiveState") == "active"
    assert property_of(machine, "StatusText") == "reading files; delivering to errors"
    assert property_of(machine, "Type") == "notify-reload"
    write_errors(machine, 1, 2)
    arrived(machine, 1, 2)
    assert machine.run("stat --format=%a /var/lib/logrouter/ /run/logrouter/").split() == ["700", "700"]
    get = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9598/status').read().decode())"
    assert json.loads(machine.run(f'python3 -c "{get}"'))["sinks"].keys() == {"errors"}


def test_a_reload_takes_up_the_new_config_and_refuses_a_broken_one(machine: Machine) -> None:
    started = property_of(machine, "MainPID")
    more_config(machine, "sinks: {more: {type: file, path: /var/log/logrouter/more.ndjson, format: raw}}")
    machine.run("systemctl reload logrouter")
    write_errors(machine, 3)
    arrived(machine, 3)
    arrived(machine, 3, path="/var/log/logrouter/more.ndjson")
    assert "warning: " not in machine.run("journalctl --no-pager -u logrouter")  # of what it has in use itself

    more_config(machine, "sinks: {more: {type: fil}}")
    machine.run("systemctl reload logrouter", code=1)
    assert "unknown sink type 'fil' (did you mean 'file'?)" in machine.run("journalctl --no-pager -u logrouter")
    write_errors(machine, 4)
    arrived(machine, 4)
    arrived(machine, 3, 4, path="/var/log/logrouter/more.ndjson")
    assert property_of(machine, "MainPID") == started


def test_killed_it_goes_on_where_it_was(machine: Machine) -> None:
    write_errors(machine, 5)
    arrived(machine, 5)
    first = property_of(machine, "MainPID")
    machine.run(f"kill -9 {first}")
    write_errors(machine, 6)
    wait_until(lambda: property_of(machine, "MainPID") not in ("0", first), "a new start")
    arrived(machine, 5, 6)
    assert numbers_in(machine).count(5) == 1


def test_a_process_that_hangs_is_started_again(machine: Machine) -> None:
    drop_in(machine, "WatchdogSec=5s\nWatchdogSignal=SIGKILL")  # more than a busy machine takes
    machine.run("systemctl restart logrouter")
    first = property_of(machine, "MainPID")
    assert int(first) > 1
    machine.run(f"kill -STOP {first}")
    wait_until(lambda: property_of(machine, "MainPID") not in ("0", first), "the watchdog")
    assert "Watchdog timeout" in machine.run("journalctl --no-pager -u logrouter")


def test_a_broken_config_is_said_and_not_tried_again(machine: Machine) -> None:
    more_config(machine, "nonsense: 1")
    machine.run("systemctl restart logrouter", code=1)
    shown = [property_of(machine, name) for name in ("ActiveState", "ExecMainStatus", "NRestarts")]
    assert shown == ["failed", "78", "0"]
    assert "more.yaml:1:1: unknown key 'nonsense'" in machine.run("journalctl --no-pager -u logrouter")


def test_what_is_undelivered_but_kept_is_a_good_end(machine: Machine) -> None:
    more_config(machine, "sinks: {dead: 'elasticsearch+http://127.0.0.1:9/?index=a'}\nshutdown_timeout: 1s")
    machine.run("systemctl restart logrouter")
    write_errors(machine, 7)
    arrived(machine, 7)
    machine.run("systemctl stop logrouter")
    shown = [property_of(machine, name) for name in ("ActiveState", "ExecMainStatus", "Result")]
    assert shown == ["inactive", "75", "success"]


def test_credentials(machine: Machine) -> None:
    """Those of the unit, at the start and at a reload, from a file that only root can read."""
    secret = machine.path("/etc/logrouter/token")
    secret.write_text("hunter2\n")
    secret.chmod(0o600)
    drop_in(machine, "LoadCredential=token:/etc/logrouter/token")
    more_config(machine, 'resource: {token: "${credential:token}"}')
    machine.run("systemctl restart logrouter")
    machine.run("systemctl reload logrouter")
    write_errors(machine, 8)
    arrived(machine, 8)
    assert json.loads(machine.path(ERRORS).read_text().splitlines()[-1])["token"] == "hunter2"
    assert "hunter2" not in machine.run("journalctl --no-pager -u logrouter")


def test_the_journal_is_read_and_what_was_vacuumed_is_told(machine: Machine) -> None:
    """journald's own, by the rights that the unit has."""
    path = "/var/log/logrouter/journal.ndjson"
    sink = f"{{type: file, path: {path}, match: 'SYSLOG_IDENTIFIER == \"test\"'}}"
    more_config(machine, f"sources: {{journal: {{type: journald, start: beginning}}}}\nsinks: {{journal: {sink}}}\n")

    def say(word: str) -> None:
        machine.run(f"echo {word} | systemd-cat --identifier=test --priority=warning; journalctl --sync")

    def said() -> list[tuple[str, str]]:
        return [(event["message"], event["severity"]) for event in events_in(machine, path)]

    machine.run("systemctl restart logrouter")
    say("one")
    wait_until(lambda: said() == [("one", "warning")], "an entry")
    machine.run("systemctl stop logrouter")
    say("two")
    machine.run("journalctl --rotate --vacuum-size=1K")
    say("three")
    machine.run("systemctl start logrouter")
    wait_until(lambda: len(said()) > 1, "another")
    assert said()[1:] == [("three", "warning")]
    assert "does not go back to where it was read to" in machine.run("journalctl --no-pager -u logrouter")


# ── the template for apps ─────────────────────────────────────────────────────────────────────────────

APP = """#!/bin/sh
trap 'echo "{\\"level\\": \\"error\\", \\"n\\": 2}"; exit 3' TERM
env | grep -c LOGROUTER_ >> "$STATE_DIRECTORY/variables"
echo '{"level": "error", "n": 1}'
while :; do sleep 0.1; done
"""


def test_an_app_is_wrapped(machine: Machine) -> None:
    """It gets SIGTERM alone, what it says then arrives, and its exit code is the unit's."""
    app = machine.path("/srv/web/run")
    app.parent.mkdir(parents=True)
    app.write_text(APP)
    app.chmod(0o755)
    block = next(text for text in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) if "app@web" in text)
    machine.run(f"cd /root/logrouter\n{block}")
    errors = "/var/log/web/errors.ndjson"
    arrived(machine, 1, path=errors)
    assert machine.path("/var/lib/private/web/variables").read_text() == "0\n"
    assert property_of(machine, "ActiveState", "app@web") == "active"
    machine.run("systemctl stop app@web")
    arrived(machine, 1, 2, path=errors)
    assert property_of(machine, "ExecMainStatus", "app@web") == "3"
