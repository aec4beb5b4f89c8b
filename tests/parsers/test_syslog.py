"""The examples of the RFCs, what daemons and devices write; and the quick way gives what the careful one does."""

from __future__ import annotations

import gc
import json
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from time import process_time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter.parsers._priorities import FACILITIES, LEVELS
from logrouter.parsers.syslog import Syslog, SyslogConfig

RECEIVED_NS = int(datetime(2026, 11, 29, 23, 50, tzinfo=UTC).timestamp()) * 10**9
SYSLOG = Syslog(SyslogConfig())
assert Syslog.looks is not None
LOOKS = Syslog.looks.begin


def parsed(line: str | bytes, parser: Syslog = SYSLOG, received_ns: int = RECEIVED_NS) -> Any:
    """The fields of a line, or None. The same whether it comes alone or in a block."""
    raw = line.encode() if isinstance(line, str) else line
    made = parser.parse(raw, received_ns)
    lines = [raw] * 6
    assert list(parser.parse_all(lines, b"\n".join(lines), received_ns)) == [made] * 6
    return made and json.loads(made)


@cache
def of_zone(timezone: str) -> Syslog:
    return Syslog(SyslogConfig(timezone=timezone))


def is_quick(line: str) -> bool:
    """Whether a line has a shape."""
    shape = SYSLOG.shape_of(line.encode())
    return shape is not None and shape.takes(line.encode())


SAMPLE_DATA = '[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]'
SAMPLE_FIELDS = {"iut": "3", "eventSource": "Application", "eventID": "1011"}
DO_NUTS = (
    "%% It's time to make the do-nuts.  %%  Ingredients: Mix=OK, Jelly=OK # Devices: Mixer=OK, Jelly_Injector=OK, "
    "Frier=OK # Transport: Conveyer1=OK, Conveyer2=OK # %%"
)
RFC5424 = [
    # section 6.5, where "BOM" stands for the bytes of it
    (
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - "
            "\ufeff'su root' failed for lonvick on /dev/pts/8"
        ),
        {
            "time": "2003-10-11T22:14:15.003Z",
            "level": "critical",
            "message": "'su root' failed for lonvick on /dev/pts/8",
            "facility": "auth",
            "hostname": "mymachine.example.com",
            "appname": "su",
            "msgid": "ID47",
        },
    ),
    (
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
        {
            "time": "2003-08-24T12:14:15.000003Z",
            "level": "notice",
            "message": "%% It's time to make the do-nuts.",
            "facility": "local4",
            "hostname": "192.0.2.1",
            "appname": "myproc",
            "procid": 8710,
        },
    ),
    (
        (
            f"<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 {SAMPLE_DATA} "
            "\ufeffAn application event log entry..."
        ),
        {
            "time": "2003-10-11T22:14:15.003Z",
            "level": "notice",
            "message": "An application event log entry...",
            "facility": "local4",
            "hostname": "mymachine.example.com",
            "appname": "evntslog",
            "msgid": "ID47",
            "structured_data": {"exampleSDID@32473": SAMPLE_FIELDS},
        },
    ),
    (
        (
            "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
            f'{SAMPLE_DATA}[examplePriority@32473 class="high"]'
        ),
        {
            "time": "2003-10-11T22:14:15.003Z",
            "level": "notice",
            "facility": "local4",
            "hostname": "mymachine.example.com",
            "appname": "evntslog",
            "msgid": "ID47",
            "structured_data": {"exampleSDID@32473": SAMPLE_FIELDS, "examplePriority@32473": {"class": "high"}},
        },
    ),
    # all that may be nil
    ("<0>1 - - - - - -", {"level": "fatal", "facility": "kern"}),
    ("<191>1 - - - - - - -", {"level": "debug", "message": "-", "facility": "local7"}),
    # section 6.2.3.1: times
    (
        "<13>1 1985-04-12T23:20:50.52Z - - - - -",
        {"time": "1985-04-12T23:20:50.52Z", "level": "notice", "facility": "user"},
    ),
    (
        "<13>1 1985-04-12T19:20:50.52-04:00 - - - - -",
        {"time": "1985-04-12T23:20:50.52Z", "level": "notice", "facility": "user"},
    ),
]


@pytest.mark.parametrize(("line", "fields"), RFC5424)
def test_examples_of_rfc5424(line: str, fields: dict[str, Any]) -> None:
    assert parsed(line) == fields
    assert list(parsed(line)) == list(fields)
    assert is_quick(line)


REAL = [
    # what `logger` of util-linux 2.38.1 sent, and rsyslog 8.2302.0 made of it by its own templates
    (
        (
            "<131>1 2026-11-29T23:44:26.641825+00:00 web7 myapp 3854 M1 "
            '[timeQuality tzKnown="1" isSynced="0"][zoo@123 tiger="hungry" zebra="run"] hello "world"'
        ),
        {
            "time": "2026-11-29T23:44:26.641825Z",
            "level": "error",
            "message": 'hello "world"',
            "facility": "local0",
            "hostname": "web7",
            "appname": "myapp",
            "procid": 3854,
            "msgid": "M1",
            "structured_data": {
                "timeQuality": {"tzKnown": "1", "isSynced": "0"},
                "zoo@123": {"tiger": "hungry", "zebra": "run"},
            },
        },
    ),
    ("<14>1 - - root - - - hi", {"level": "info", "message": "hi", "facility": "user", "appname": "root"}),
    (
        "<12>1 2026-11-29T23:44:26.965906+00:00 web7 kernel - - -  [   12.3] usb",
        {
            "time": "2026-11-29T23:44:26.965906Z",
            "level": "warning",
            "message": "[   12.3] usb",
            "facility": "user",
            "hostname": "web7",
            "appname": "kernel",
        },
    ),
    (
        "<28>Nov 29 23:44:26 root[4131]: x",
        {
            "time": "2026-11-29T23:44:26Z",
            "level": "warning",
            "message": "x",
            "facility": "daemon",
            "appname": "root",
            "procid": 4131,
        },
    ),
    (
        "<131>2026-11-29T23:44:26.936993+00:00 web7 myapp[4553]: hello",
        {
            "time": "2026-11-29T23:44:26.936993Z",
            "level": "error",
            "message": "hello",
            "facility": "local0",
            "hostname": "web7",
            "appname": "myapp",
            "procid": 4553,
        },
    ),
]


HEROKU = "<40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed from starting to up"


def test_heroku_leaves_out_the_structured_data() -> None:
    """https://devcenter.heroku.com/articles/log-drains#https-drains."""
    assert is_quick(HEROKU)
    assert parsed(HEROKU) == {
        "time": "2012-11-30T06:45:29Z",
        "level": "fatal",
        "message": "State changed from starting to up",
        "facility": "syslog",
        "hostname": "host",
        "appname": "app",
        "procid": "web.3",
    }


@pytest.mark.parametrize(("line", "fields"), REAL)
def test_what_programs_wrote(line: str, fields: dict[str, Any]) -> None:
    assert parsed(line) == fields


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("\ufefftext", "text"),
        (" text", "text"),
        ("  text", " text"),
        ("\ufeff text", " text"),
        (" \ufefftext", "\ufefftext"),
        ("\ufeff\ufefftext", "\ufefftext"),
        (" ", None),
        ("", None),
    ],
)
def test_what_stands_before_a_message_is_left_out_once(written: str, message: str | None) -> None:
    assert parsed(f"<13>1 - - - - - - {written}").get("message") == message


@pytest.mark.parametrize(
    ("data", "found"),
    [
        # section 6.3.5: "ip" may come several times, by section 7.2.1
        ('[origin ip="192.0.2.1" ip="192.0.2.129" ip="::1"]', {"origin": {"ip": ["192.0.2.1", "192.0.2.129", "::1"]}}),
        ('[timeQuality tzKnown="0" isSynced="0"]', {"timeQuality": {"tzKnown": "0", "isSynced": "0"}}),
        ("[sigSig]", {"sigSig": {}}),
        ('[a][b c=""]', {"a": {}, "b": {"c": ""}}),
        # section 6.3.3: three escapes, and what is none
        (r'[x@1 a="\"\]\\" b="C:\dir"]', {"x@1": {"a": '"]\\', "b": r"C:\dir"}}),
        (
            '[x@1 a="an ] of somebody who does not escape it"]',
            {"x@1": {"a": "an ] of somebody who does not escape it"}},
        ),
        # names that are odd, elements that come twice
        ('[x%b@1 a%b="1%d"][x@1 é="ü"]', {"x%b@1": {"a%b": "1%d"}, "x@1": {"é": "ü"}}),
        ('[x a="1"][x b="2"]', {"x": {"a": "1", "b": "2"}}),
    ],
)
def test_structured_data(data: str, found: dict[str, Any]) -> None:
    assert parsed(f"<13>1 - - - - - {data} text") == {
        "level": "notice",
        "message": "text",
        "facility": "user",
        "structured_data": found,
    }


@pytest.mark.parametrize(
    "line",
    [
        # section 6.3.5, examples 3 and 4: what is invalid there. A blank behind an element begins the message.
        f"<13>1 - - - - - [ {SAMPLE_DATA[1:]} text",
        "<192>1 - - - - - - text",
        "<13>1 2003-10-11T22:14:15.003 - - - - - no offset",
        "<13>1 2003-13-11T22:14:15Z - - - - - no month",
        "<13>1 0001-01-01T00:00:00+23:00 - - - - - before the year 0",
        "<13>1 9999-12-31T23:59:60Z - - - - - the year 10,000",
        "<13>1 - - - -",
        "<13>1 - - - - - ",
        '<13>1 - - - - - [x a="1" text',
        "<13>1 -",
    ],
)
def test_what_is_nearly_rfc5424_is_not_taken(line: str) -> None:
    assert parsed(line) is None


RFC3164 = [
    # section 5.4
    (
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        {
            "time": "2026-10-11T22:14:15Z",
            "level": "critical",
            "message": "'su root' failed for lonvick on /dev/pts/8",
            "facility": "auth",
            "hostname": "mymachine",
            "appname": "su",
        },
    ),
    ("Use the BFG!", None),
    (
        "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
        {
            "time": "2026-02-05T17:32:18Z",
            "level": "notice",
            "message": "Use the BFG!",
            "facility": "user",
            "hostname": "10.0.0.99",
        },
    ),
    (
        f"<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: {DO_NUTS}",
        {
            "time": "1987-08-24T11:34:00Z",
            "level": "notice",
            "message": DO_NUTS,
            "facility": "local4",
            "hostname": "mymachine",
            "appname": "myproc",
            "procid": 10,
        },
    ),
    (
        "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
        {
            "time": "1990-10-22T16:52:01Z",
            "level": "fatal",
            "message": "10.1.2.3 sched[0]: That's All Folks!",
            "facility": "kern",
            "hostname": "scapegoat.dmz.example.org",
        },
    ),
]


@pytest.mark.parametrize(("line", "fields"), RFC3164)
def test_examples_of_rfc3164(line: str, fields: dict[str, Any] | None) -> None:
    assert parsed(line) == fields


NOV_29 = "2026-11-29T23:44:26"
DIALECTS = {
    # https://www.rsyslog.com/doc/configuration/templates.html: RSYSLOG_TraditionalFileFormat, RSYSLOG_FileFormat,
    # RSYSLOG_ForwardFormat; journalctl writes the first as its format `short`
    "rsyslog, traditional": (
        "Nov 29 23:44:26 web7 sshd[812]: Accepted publickey",
        {"time": f"{NOV_29}Z", "message": "Accepted publickey", "hostname": "web7", "appname": "sshd", "procid": 812},
    ),
    "rsyslog, high precision": (
        "2026-11-29T23:44:26.123456+01:00 web7 CRON[7]: (root) CMD (true)",
        {
            "time": "2026-11-29T22:44:26.123456Z",
            "message": "(root) CMD (true)",
            "hostname": "web7",
            "appname": "CRON",
            "procid": 7,
        },
    ),
    "rsyslog, forwarded": (
        '<30>2026-11-29T23:44:26.123456+01:00 web7 postfix/smtpd[12]: say "hello"',
        {
            "time": "2026-11-29T22:44:26.123456Z",
            "level": "info",
            "message": 'say "hello"',
            "facility": "daemon",
            "hostname": "web7",
            "appname": "postfix/smtpd",
            "procid": 12,
        },
    ),
    "journalctl -o short-precise": (
        "Nov 29 23:44:26.123456 web7 kernel: [   12.345678] usb 1-1: new",
        {
            "time": f"{NOV_29}.123456Z",
            "message": "[   12.345678] usb 1-1: new",
            "hostname": "web7",
            "appname": "kernel",
        },
    ),
    "journalctl -o short-iso": (
        "2026-11-29T23:44:26+0100 web7 systemd[1]: Started.",
        {"time": "2026-11-29T22:44:26Z", "message": "Started.", "hostname": "web7", "appname": "systemd", "procid": 1},
    ),
    "journalctl -o short-full": (
        "Sun 2026-11-29 23:44:26 CET web7 systemd[1]: Started.",
        {"time": "2026-11-29T22:44:26Z", "message": "Started.", "hostname": "web7", "appname": "systemd", "procid": 1},
    ),
    # syslog(3) of glibc to /dev/log
    "no hostname": (
        "<13>Nov 29 23:44:26 app[12]: text",
        {
            "time": f"{NOV_29}Z",
            "level": "notice",
            "message": "text",
            "facility": "user",
            "appname": "app",
            "procid": 12,
        },
    ),
    # sd-daemon(3), and /dev/kmsg
    "a level and a text": ("<3>disk: it failed", {"level": "error", "message": "disk: it failed"}),
    "no time": (
        "<14>app[12]: text",
        {"level": "info", "message": "text", "facility": "user", "appname": "app", "procid": 12},
    ),
    # usr.sbin/syslogd/syslogd.c of FreeBSD, with -vv
    "FreeBSD": (
        "Nov 29 23:44:26 <kern.crit> web7 kernel: text",
        {
            "time": f"{NOV_29}Z",
            "level": "critical",
            "message": "text",
            "facility": "kern",
            "hostname": "web7",
            "appname": "kernel",
        },
    ),
    # sysklogd/syslogd.c of BusyBox; logread of OpenWrt's ubox
    "BusyBox": (
        "Nov 29 23:44:26 web7 user.notice root: text",
        {
            "time": f"{NOV_29}Z",
            "level": "notice",
            "message": "text",
            "facility": "user",
            "hostname": "web7",
            "appname": "root",
        },
    ),
    "OpenWrt": (
        "Sun Nov 29 23:44:26 2026 daemon.err dnsmasq[12]: text",
        {
            "time": f"{NOV_29}Z",
            "level": "error",
            "message": "text",
            "facility": "daemon",
            "appname": "dnsmasq",
            "procid": 12,
        },
    ),
    # /var/log/system.log of macOS, older and newer; `log show --style syslog`
    "macOS, with a level": (
        "Jan 20 01:12:44 mac iaptransportd[69] <Warning>: Auth timer",
        {
            "time": "2026-01-20T01:12:44Z",
            "level": "warning",
            "message": "Auth timer",
            "hostname": "mac",
            "appname": "iaptransportd",
            "procid": 69,
        },
    ),
    "macOS, with a service": (
        "Nov 29 23:44:26 mac com.apple.xpc.launchd[1] (com.openssh.sshd[21887]): Service exited",
        {
            "time": f"{NOV_29}Z",
            "message": "(com.openssh.sshd[21887]): Service exited",
            "hostname": "mac",
            "appname": "com.apple.xpc.launchd",
            "procid": 1,
        },
    ),
    "macOS, of the daemon itself": (
        "Nov 29 23:44:26 --- last message repeated 2 times ---",
        {"time": f"{NOV_29}Z", "message": "--- last message repeated 2 times ---"},
    ),
    "macOS, log show": (
        "2026-11-29 23:44:26.123456+0100  localhost kernel[0]: (AppleACPIPlatform) text",
        {
            "time": "2026-11-29T22:44:26.123456Z",
            "message": "(AppleACPIPlatform) text",
            "hostname": "localhost",
            "appname": "kernel",
            "procid": 0,
        },
    ),
    "a message without a tag": (
        "Nov 29 23:44:26 web7 -- MARK --",
        {"time": f"{NOV_29}Z", "message": "-- MARK --", "hostname": "web7"},
    ),
    "a tag of parts, a process with a name": (
        "Nov 29 23:44:26 (none) app::worker[a-1]:text",
        {"time": f"{NOV_29}Z", "message": "text", "hostname": "(none)", "appname": "app::worker", "procid": "a-1"},
    ),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(name: str) -> None:
    line, fields = DIALECTS[name]
    assert parsed(line) == fields


@pytest.mark.parametrize("name", [name for name in DIALECTS if name.startswith("rsyslog") or "short-" in name])
def test_what_rsyslog_writes_goes_the_quick_way(name: str) -> None:
    assert is_quick(DIALECTS[name][0]) == (name != "journalctl -o short-full")


CONFIGURED = "Configured from console by vty2 (10.34.195.36)"
SYS = {"level": "notice", "message": CONFIGURED, "appname": "SYS", "msgid": "CONFIG_I"}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # https://www.cisco.com/c/en/us/td/docs/switches/lan/catalyst2960x/software/15-2_5_e, System Message Logging
        (
            "00:00:46: %LINK-3-UPDOWN: Interface Port-channel1, changed state to up",
            {
                "level": "error",
                "message": "Interface Port-channel1, changed state to up",
                "appname": "LINK",
                "msgid": "UPDOWN",
                "uptime": "00:00:46",
            },
        ),
        (f"*Mar  1 18:46:11: %SYS-5-CONFIG_I: {CONFIGURED}", {"time": "2026-03-01T18:46:11Z", **SYS}),
        (f"*Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: {CONFIGURED}", {"time": "2026-03-01T18:48:50.483Z", **SYS}),
        (f"000019: %SYS-5-CONFIG_I: {CONFIGURED}", {**SYS, "sequence": 19}),
        # over the network, its name told (`logging origin-id hostname`), and as rsyslog writes it into a file
        (
            f"<189>237: R1: .Mar  1 18:46:11.123 CET: %SYS-5-CONFIG_I: {CONFIGURED}",
            {"time": "2026-03-01T17:46:11.123Z", "facility": "local7", "hostname": "R1", "sequence": 237, **SYS},
        ),
        (
            f"Nov 29 23:44:26 10.0.0.1 237: *Mar  1 18:46:11.123: %SYS-5-CONFIG_I: {CONFIGURED}",
            {
                "time": f"{NOV_29}Z",
                "hostname": "10.0.0.1",
                "sequence": 237,
                "device_time": "Mar  1 18:46:11.123",
                **SYS,
            },
        ),
        (
            f"<189>: 2026 Nov 29 23:44:26 UTC: %SYS-5-CONFIG_I: {CONFIGURED}",
            {"time": f"{NOV_29}Z", "facility": "local7", **SYS},
        ),
        # ASA: https://www.cisco.com/c/en/us/td/docs/security/asa/syslog/b_syslog.html
        (
            "<166>Nov 29 2026 23:44:26 fw1 : %ASA-6-305011: Built dynamic TCP translation",
            {
                "time": f"{NOV_29}Z",
                "level": "info",
                "message": "Built dynamic TCP translation",
                "facility": "local4",
                "hostname": "fw1",
                "appname": "ASA",
                "msgid": "305011",
            },
        ),
        (
            "<166>%ASA-session-6-305011: Built",
            {"level": "info", "message": "Built", "facility": "local4", "appname": "ASA-session", "msgid": "305011"},
        ),
    ],
)
def test_devices_of_cisco(line: str, fields: dict[str, Any]) -> None:
    assert parsed(line) == fields


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "<192>hello",
        "<abc>hello",
        "Nov 31 23:44:26 web7 app: no such day",
        "Nov 29 24:44:26 web7 app: no such hour",
        # of others: Rust's env_logger and tracing, kubelet's, an app's own
        "2026-11-29T23:44:26.123Z INFO app: text",
        "2026-11-29T23:44:26.123Z  WARN app::module: text",
        "2026-11-29T23:44:26.123Z ERROR: text",
        "2026-11-29T23:44:26.123Z stdout F app: text",
        "2026-11-29 23:44:26 [info] app: text",
        "2026-11-29 23:44:26,123 root: text",
    ],
)
def test_what_is_not_syslog(line: str) -> None:
    assert parsed(line) is None


@pytest.mark.parametrize(
    "line",
    [
        *(line for line, _ in (*RFC5424, *RFC3164) if line.startswith("<")),
        *(line for line, _ in DIALECTS.values() if line.startswith(("Nov", "Jan"))),
        DIALECTS["rsyslog, high precision"][0],
        "Nov 29 23:44:26 app[12]:",
        DIALECTS["OpenWrt"][0],
        f"000019: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: {CONFIGURED}",
        "%SYS-5-CONFIG_I: Configured",
    ],
)
def test_it_is_recognised(line: str) -> None:
    assert re.match(LOOKS, line.encode())
    assert parsed(line) is not None


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "<html>",
        "<200>1",
        "Nov 29 was a Sunday",
        "Nov 29 23:44:26 something went wrong",
        "2026-11-29T23:44:26Z web7 app: others write so, too",
        "2026-11-29T23:44:26.123Z stdout F app[12]: text",
        "2026-11-29 23:44:26 web7 app[12]: text",
        "Sun Nov 29 23:44:26 2026 it rained",
        "100 %DONE-5-x",
    ],
)
def test_it_is_not_taken_for_others(line: str) -> None:
    assert re.match(LOOKS, line.encode()) is None


@pytest.mark.parametrize(
    ("received", "stamp", "time"),
    [
        ("2026-12-31T23:59:59", "Jan  1 00:00:01", "2027-01-01T00:00:01Z"),  # a clock that is ahead
        ("2026-12-31T23:59:59", "Dec 31 23:59:58", "2026-12-31T23:59:58Z"),
        ("2027-01-01T00:00:01", "Dec 31 23:59:58", "2026-12-31T23:59:58Z"),
        ("2027-01-01T00:00:01", "Jan  1 00:00:01", "2027-01-01T00:00:01Z"),
        ("2026-11-29T23:44:00", "Nov 30 23:44:00", "2026-11-30T23:44:00Z"),  # a day
        ("2026-11-29T23:44:00", "Nov 30 23:44:01", "2025-11-30T23:44:01Z"),  # and more
        ("2026-03-01T00:00:00", "Feb 29 12:00:00", "2024-02-29T12:00:00Z"),
        ("2028-02-28T12:00:00", "Feb 29 12:00:00", "2028-02-29T12:00:00Z"),
        ("2104-01-01T00:00:00", "Feb 29 12:00:00", "2096-02-29T12:00:00Z"),
        ("2026-11-29T23:44:00", "Jun 30 23:59:60", "2026-07-01T00:00:00Z"),  # a leap second
        ("1970-01-01T00:00:00", "Jun 30 23:59:59", "1969-06-30T23:59:59Z"),
    ],
)
def test_the_year_is_guessed(received: str, stamp: str, time: str) -> None:
    received_ns = int(datetime.fromisoformat(f"{received}+00:00").timestamp()) * 10**9
    assert parsed(f"{stamp} web7 app: text", received_ns=received_ns)["time"] == time


@pytest.mark.parametrize(
    ("stamp", "time"),
    [
        ("Jul  1 12:00:00", "2026-07-01T10:00:00Z"),
        ("Jan  1 00:30:00", "2025-12-31T23:30:00Z"),
        ("Oct 25 02:30:00", "2026-10-25T00:30:00Z"),  # comes twice: the first
        ("Mar 29 02:30:00", "2026-03-29T01:30:00Z"),  # is left out
        ("2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"),  # says its zone
        ("Jul  1 2026 12:00:00.5", "2026-07-01T10:00:00.5Z"),
    ],
)
def test_local_times(stamp: str, time: str) -> None:
    assert parsed(f"{stamp} web7 app: text", of_zone("Europe/Stockholm"))["time"] == time


@pytest.mark.parametrize(
    ("zone", "letters", "time"),
    [
        ("UTC", "CST", "2026-11-29T18:00:00Z"),
        ("Asia/Shanghai", "CST", "2026-11-29T04:00:00Z"),
        ("Asia/Shanghai", "UTC", "2026-11-29T12:00:00Z"),
        ("Asia/Kolkata", "IST", "2026-11-29T06:30:00Z"),
        ("Europe/Stockholm", "XYZ", "2026-11-29T11:00:00Z"),  # nobody's
    ],
)
def test_letters_of_zones(zone: str, letters: str, time: str) -> None:
    line = f"*Nov 29 12:00:00 {letters}: %SYS-5-CONFIG_I: Configured"
    assert parsed(line, of_zone(zone))["time"] == time


def test_new_year_comes_earlier_in_the_east() -> None:
    """There it is January while it is still December in UTC."""
    received_ns = int(datetime(2026, 12, 31, 10, 0, tzinfo=UTC).timestamp()) * 10**9
    line = "Jan  1 00:00:00 web7 app: text"
    assert parsed(line, of_zone("Pacific/Kiritimati"), received_ns)["time"] == "2026-12-31T10:00:00Z"


def test_a_zone_that_is_none() -> None:
    with pytest.raises(ValueError, match="expected an IANA name such as Europe/Stockholm, not 'Mars'"):
        Syslog(SyslogConfig(timezone="Mars"))


def test_a_year_is_guessed_anew_as_time_goes_on() -> None:
    """What the quick way remembers of a time does not outlive New Year's Eve."""
    parser = Syslog(SyslogConfig())
    line = b"Jan  2 12:00:00 web7 app: text"
    eve_ns = int(datetime(2026, 12, 31, tzinfo=UTC).timestamp()) * 10**9
    years = [
        parser.parse_all([line] * 6, b"\n".join([line] * 6), eve_ns + day * 86_400 * 10**9)[0] for day in (0, 1, 2, 0)
    ]
    assert [json.loads(made or b"{}")["time"][:4] for made in years] == ["2026", "2026", "2027", "2026"]


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=32)
words = printable.filter(lambda word: word != "-")
names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters='=]"'), min_size=1, max_size=32)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
times = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
offsets = st.integers(-23 * 60, 23 * 60)


def escaped(text: str) -> str:
    return "".join("\\" + letter if letter in '"\\]' else letter for letter in text)


@given(
    st.integers(0, 191),
    times | st.none(),
    offsets,
    st.lists(words | st.none(), min_size=4, max_size=4),
    st.dictionaries(names, st.dictionaries(names, texts, max_size=3), max_size=3),
    texts | st.none(),
)
@settings(deadline=None)
def test_what_rfc5424_prints_is_what_is_parsed(
    priority: int,
    time: datetime | None,
    offset: int,
    header: list[str | None],
    data: dict[str, dict[str, str]],
    message: str | None,
) -> None:
    expected: dict[str, Any] = {"level": LEVELS[priority % 8], "facility": FACILITIES[priority // 8]}
    shown = "-"
    if time is not None:
        sign, minutes = "-" if offset < 0 else "+", abs(offset)
        shown = f"{time.isoformat()}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
        expected["time"] = f"{(time - timedelta(minutes=offset)).isoformat()}Z"
    for name, word in zip(("hostname", "appname", "procid", "msgid"), header, strict=True):
        if word is not None:
            is_number = name == "procid" and word.isdigit() and str(int(word)) == word and len(word) < 19
            expected[name] = int(word) if is_number else word
    elements = (
        f"[{element}{''.join(f' {name}={chr(34)}{escaped(value)}{chr(34)}' for name, value in parameters.items())}]"
        for element, parameters in data.items()
    )
    if data:
        expected["structured_data"] = data
    line = f"<{priority}>1 {shown} {' '.join(word or '-' for word in header)} {''.join(elements) or '-'}"
    if message is not None:
        line += f" \ufeff{message}"
        expected |= {"message": message} if message else {}
    assert parsed(line) == expected


tags = st.from_regex(r"[A-Za-z_/][A-Za-z0-9_./-]{0,30}", fullmatch=True)
hosts = st.from_regex(r"[a-z][a-z0-9.-]{0,30}", fullmatch=True).filter(lambda host: host not in LEVELS)


@given(
    st.integers(0, 191) | st.none(),
    st.datetimes(datetime(2025, 12, 1), datetime(2026, 11, 29)).map(lambda time: time.replace(microsecond=0)),
    hosts,
    tags,
    st.integers(0, 10**6) | st.none(),
    texts,
)
@example(None, datetime(2026, 1, 1), "a", "b", None, "%SYS-5-CONFIG_I: not a device's")
@settings(deadline=None)
def test_what_rfc3164_prints_is_what_is_parsed(
    priority: int | None, time: datetime, host: str, tag: str, pid: int | None, message: str
) -> None:
    shown = f"{time:%b} {time.day:2d} {time:%H:%M:%S}"
    process = "" if pid is None else f"[{pid}]"
    line = f"{'' if priority is None else f'<{priority}>'}{shown} {host} {tag}{process}: {message}"
    expected: dict[str, Any] = {"time": f"{time.isoformat()}Z", "hostname": host, "appname": tag}
    if priority is not None:
        expected |= {"level": LEVELS[priority % 8], "facility": FACILITIES[priority // 8]}
    if pid is not None:
        expected["procid"] = pid
    if message:
        expected["message"] = message
    assert parsed(line) == expected


KNOWN = [HEROKU] + [line for line, _ in (*RFC5424, *REAL, *RFC3164, *DIALECTS.values())]
PUT_IN = [b"", b'"', b"\\", b" ", b"-", b"\xff", b"\t", b"[", b"]", b":", b": ", b"<", b"%", b"\xc3\xa9", b"0", b"\n"]
WORDS = [b"UTC ", b"2026 ", b"%SYS-5-CONFIG_I: ", b"kern.crit ", b"<kern.crit> ", b"INFO ", b"237: ", b"\xef\xbb\xbf"]


@st.composite
def nearly_lines(draw: st.DrawFn) -> bytes:
    """A line of one of the formats, perhaps with something put into it or left out."""
    line = draw(st.sampled_from(KNOWN)).encode()
    if draw(st.booleans()):
        place = draw(st.integers(0, len(line)) | st.integers(0, line.count(b" ")).map(lambda n: place_of(line, n)))
        line = line[:place] + draw(st.sampled_from(PUT_IN + WORDS)) + line[place + draw(st.integers(0, 3)) :]
    return line


def place_of(line: bytes, number: int) -> int:
    """Where a word begins."""
    return len(b" ".join(line.split(b" ")[:number])) + 1


@given(st.lists(nearly_lines(), min_size=1, max_size=12))
@settings(deadline=None)
def test_the_quick_way_is_the_careful_one(lines: list[bytes]) -> None:
    made = [SYSLOG.parse(line, RECEIVED_NS) for line in lines]
    assert list(SYSLOG.parse_all(lines, b"\n".join(lines), RECEIVED_NS)) == made


@given(nearly_lines())
@settings(deadline=None)
def test_a_line_of_a_shape_is_what_it_is_alone(line: bytes) -> None:
    lines = [line] * 6
    assert list(SYSLOG.parse_all(lines, b"\n".join(lines), RECEIVED_NS)) == [SYSLOG.parse(line, RECEIVED_NS)] * 6


def test_a_block_of_one_app_goes_the_quick_way() -> None:
    careful: list[bytes] = []

    class Counting(Syslog):
        def parse(self, line: bytes, received_ns: int) -> bytes | None:
            careful.append(line)
            return super().parse(line, received_ns)

    kinds = [line for line, _ in RFC5424[:3]] + [DIALECTS["rsyslog, forwarded"][0], DIALECTS["rsyslog, traditional"][0]]
    lines = [kinds[number % len(kinds)].encode() for number in range(600)]
    lines[100] = rb'<13>1 - - - - - [x a="\""] escaped'
    lines[200] = rb'<13>1 - - app - - - {"path":"C:\\dir"}'
    lines[300] = b"<13>1 - - app - - - \x1b[31mred"
    made = Counting(SyslogConfig()).parse_all(lines, b"\n".join(lines), RECEIVED_NS)
    assert list(made) == [SYSLOG.parse(line, RECEIVED_NS) for line in lines]
    assert {lines[100], lines[300]} <= set(careful)
    assert lines[200] not in careful
    assert len(careful) <= 8


def test_what_lines_of_one_shape_may_differ_in() -> None:
    """Facilities, seconds, where they are from, whether there is structured data, and of what names."""
    lines = [
        b"<%d>1 2026-11-29T23:%02d:26.5%b %b%b x" % (8 * facility + 3, facility, offset, words, data)
        for facility in range(24)
        for offset in (b"Z", b"+01:00")
        for words in (b"web app 7 M ", b'a"b \xc3\xa9 07 - ', b"- - - - ", b"h" * 300 + b" app 7 M ")
        for data in (b"-", b'[a b="c"]', b'[a b=""]', b'[a b="]"][d e="f" g="h"]', b'[a b="c" b="d"]', b"[a]")
    ]
    made = SYSLOG.parse_all(lines, b"\n".join(lines), RECEIVED_NS)
    assert list(made) == [SYSLOG.parse(line, RECEIVED_NS) for line in lines]
    assert None not in made


def test_a_second_that_is_none_harms_no_other_line() -> None:
    lines = [f"<13>1 2026-11-29T23:44:{second}.1Z h a - - - x".encode() for second in range(50, 62)] * 3
    made = SYSLOG.parse_all(lines, b"\n".join(lines), RECEIVED_NS)
    assert list(made) == [SYSLOG.parse(line, RECEIVED_NS) for line in lines]
    assert made[10] == made[22] == made[34] is not None, "a leap second"
    assert made[11] is None


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(is_enabled: bool) -> None:
    was_enabled = gc.isenabled()
    try:
        (gc.enable if is_enabled else gc.disable)()
        SYSLOG.parse_all([HEROKU.encode()], HEROKU.encode(), RECEIVED_NS)
        assert gc.isenabled() is is_enabled
    finally:
        (gc.enable if was_enabled else gc.disable)()


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["a", "1", " ", '"', "\\", "]", "[", "[a", ' a="', '[a b="c"]', ":", "a:", "<", "%", "- ", "a-", ": ", "("]
)
@pytest.mark.parametrize(
    "start",
    [
        "",
        "<13>",
        "<13>1 - - - - - ",
        "<13>1 - - - - - [a",
        "<13>Nov 29 23:44:26 ",
        "Nov 29 23:44:26 a ",
        "1: %A",
        "%",
        "12: a: ",
    ],
)
def test_a_long_line_takes_linear_time(start: str, piece: str) -> None:
    """Squared, 50,000 bytes are 25 seconds or more; linear, a tenth."""
    line = (start + piece * (50_000 // len(piece))).encode()
    began = process_time()
    SYSLOG.parse_all([line], line, RECEIVED_NS)
    assert process_time() - began < 5


def test_a_priority_with_a_leading_zero_is_none_of_syslog_for_auto_whatever_came_before() -> None:
    alike = Syslog(SyslogConfig())
    alike.only_alike()
    lines = [b"<34>1 - - su - - - failed", b"<034>1 - - su - - - failed"]
    made = list(alike.parse_all(lines, b"\n".join(lines), RECEIVED_NS))
    assert made == [SYSLOG.parse(lines[0], RECEIVED_NS), None]
