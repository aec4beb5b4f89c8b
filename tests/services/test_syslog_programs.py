"""What programs log themselves becomes fields: `logger`, rsyslog by its own templates, klog.

Proven is that the parsers read what these releases write. Nothing is sent over a network: logrouter reads lines.
"""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from logrouter import times
from logrouter.parsers.klog import Klog, KlogConfig
from logrouter.parsers.syslog import Syslog, SyslogConfig
from tests.e2e.processes import Workplace, wait_until
from tests.services.programs import find, find_go, installed, run

TEMPLATES = (
    "RSYSLOG_TraditionalFileFormat",
    "RSYSLOG_FileFormat",
    "RSYSLOG_ForwardFormat",
    "RSYSLOG_TraditionalForwardFormat",
    "RSYSLOG_SyslogProtocol23Format",
)
"""https://www.rsyslog.com/doc/configuration/templates.html#reserved-template-names."""
LOGGED: list[tuple[list[str], dict[str, Any]]] = [
    (
        ["-p", "local0.err", "-t", "myapp", "--id=4711", 'say "hello" \\ ü'],
        {"level": "error", "facility": "local0", "appname": "myapp", "procid": 4711, "message": 'say "hello" \\ ü'},
    ),
    (
        ["-p", "daemon.info", "-t", "two-parts", "two  blanks: 50%"],
        {"level": "info", "facility": "daemon", "appname": "two-parts", "message": "two  blanks: 50%"},
    ),
]
HOUR_NS = 3600 * 10**9
KLOG = "v2.130.1"
PROGRAM = r"""
package main

import (
	"errors"
	"time"

	"k8s.io/klog/v2"
)

type point struct {
	X, Y int
	Name string
}

func main() {
	klog.Info("plain \"text\"")
	klog.Warningf("a=%d", 3)
	klog.InfoS("Pod updated", "pod", klog.KRef("kube-system", "dns"), "n", 3, "f", 1.5, "ok", true, "none", nil)
	klog.ErrorS(errors.New("time\"out"), "It failed", "took", 1500*time.Millisecond, "big", 1e21, "neg", -4)
	klog.InfoS("structs", "p", point{1, 2, "a b"}, "list", []string{"a", "b c"}, "ints", []int{1, 2}, "line", 7)
	klog.InfoS("lines", "text", "line 1\n\tline 2\n", "after", "é\x01")
	klog.Flush()
}
"""
PRINTED: list[dict[str, Any]] = [
    {"level": "info", "message": 'plain "text"'},
    {"level": "warning", "message": "a=3"},
    {
        "level": "info",
        "message": "Pod updated",
        "pod": "kube-system/dns",
        "n": 3,
        "f": 1.5,
        "ok": True,
        "none": None,
    },
    {"level": "error", "message": "It failed", "err": 'time"out', "took": "1.5s", "big": 1e21, "neg": -4},
    {
        "level": "info",
        "message": "structs",
        "p": {"X": 1, "Y": 2, "Name": "a b"},
        "list": ["a", "b c"],
        "ints": [1, 2],
        "line#2": 7,
    },
    {"level": "info", "message": "lines", "text": "line 1\n\tline 2", "after": "é\x01"},
]


def events_of(parser: Syslog | Klog, lines: Sequence[bytes]) -> list[dict[str, Any]]:
    made = parser.parse_all(list(lines), b"\n".join(lines), time.time_ns())
    return [json.loads(each) if each else {} for each in made]


def assert_is_recent(time_text: str) -> None:
    assert abs((times.parse(time_text) or 0) - time.time_ns()) < HOUR_NS


def send(socket_path: Path, *arguments: str) -> None:
    subprocess.run([find("logger"), "-u", socket_path, "-d", *arguments], check=True)


@pytest.mark.parametrize(("arguments", "fields"), LOGGED)
@pytest.mark.parametrize(
    ("protocol", "more"),
    [
        (["--rfc3164"], {}),
        (["--rfc5424=notq"], {}),
        (["--rfc5424=notq", "--msgid", "M1"], {"msgid": "M1"}),
        (
            ["--rfc5424=notq", "--sd-id", "zoo@123", "--sd-param", 'tiger="hungry"', "--sd-param", 'zebra="run"'],
            {"structured_data": {"zoo@123": {"tiger": "hungry", "zebra": "run"}}},
        ),
    ],
)
def test_logger(
    protocol: list[str], more: dict[str, Any], arguments: list[str], fields: dict[str, Any], tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "log"))
        listening.settimeout(10)
        send(tmp_path / "log", *protocol, *arguments)
        line = listening.recv(65536)
    (event,) = events_of(Syslog(SyslogConfig()), [line])
    assert_is_recent(event.pop("time"))
    assert event.pop("hostname")
    assert event == {**fields, **more}


def test_rsyslog(workplace: Workplace) -> None:
    log = workplace.folder / "log"
    actions = "".join(
        f'action(type="omfile" file="{workplace.folder / name}" template="{name}")\n' for name in TEMPLATES
    )
    config = workplace.write(
        "rsyslog.conf",
        f'module(load="imuxsock" SysSock.Use="off")\ninput(type="imuxsock" Socket="{log}" CreatePath="on")\n{actions}',
    )
    rsyslog = workplace.start([find("rsyslogd"), "-n", "-f", config, "-i", str(workplace.folder / "pid")])
    wait_until(log.exists, "the socket of rsyslog")
    for arguments, _ in LOGGED:
        send(log, *arguments)
    wait_until(lambda: all(len(lines_in(workplace, name)) == len(LOGGED) for name in TEMPLATES), "what rsyslog writes")
    rsyslog.send_signal(signal.SIGTERM)
    for name in TEMPLATES:
        events = events_of(Syslog(SyslogConfig()), lines_in(workplace, name))
        for event, (_, fields) in zip(events, LOGGED, strict=True):
            assert_is_recent(event.pop("time"))
            assert event.pop("hostname")
            has_priority = "File" not in name
            assert event == {
                key: value for key, value in fields.items() if has_priority or key not in ("level", "facility")
            }


def lines_in(workplace: Workplace, name: str) -> list[bytes]:
    """Those of a template; what is made to be sent has no newlines."""
    path = workplace.folder / name
    return [line for line in re.split(rb"\n|(?=<\d+>)", path.read_bytes()) if line] if path.exists() else []


def test_klog() -> None:
    def build(folder: Path) -> None:
        (folder / "main.go").write_text(PROGRAM)
        (folder / "go.mod").write_text("module printing\n\ngo 1.21\n")
        go = find_go()
        run([go, "get", f"k8s.io/klog/v2@{KLOG}"], folder)
        run([go, "build", "-o", "printing", "."], folder, {"CGO_ENABLED": "0"})

    folder = installed(f"klog-{KLOG}-{blake2b(PROGRAM.encode(), digest_size=4).hexdigest()}", build)
    said = subprocess.run([folder / "printing"], capture_output=True, check=True).stderr
    events = events_of(Klog(KlogConfig()), re.split(rb"\n(?=[IWEF]\d{4})", said.rstrip(b"\n")))
    for event, fields in zip(events, PRINTED, strict=True):
        assert_is_recent(event.pop("time"))
        assert event.pop("file") == "main.go"
        assert event.pop("line") > 0
        assert event.pop("threadid") > 0
        assert event == fields
