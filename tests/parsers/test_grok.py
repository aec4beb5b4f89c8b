"""Grok: every known pattern by examples, lines of real formats, Oniguruma's syntax, and mistakes with their place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.errors import ExpressionError
from logrouter.parsers._grok_fields import SETS
from logrouter.parsers._oniguruma import written
from logrouter.parsers.grok import Grok, GrokConfig
from logrouter.rules.cost import longest

RECEIVED_NS = times.parse("2026-11-30T00:00:00Z") or 0


def parsed(match: str | list[str], line: str, **config: Any) -> Any:
    made = Grok(GrokConfig(match=match, **config)).parse(line.encode(), RECEIVED_NS)
    return made and json.loads(made)


# ── what the patterns match ──

EXAMPLES: dict[str, tuple[list[str], list[str]]] = {
    "USERNAME": (["a.b-c_9"], ["a b", ""]),
    "USER": (["root"], ["ö"]),
    "EMAILLOCALPART": (["first.last+tag"], [".a", "a..b"]),
    "EMAILADDRESS": (["o'neil@example.org"], ["@example.org", "a@"]),
    "INT": (["7", "-7", "+07"], ["7.1", "x"]),
    "BASE10NUM": (["7", "-7.25", ".5"], ["7.", "1e3"]),
    "NUMBER": (["1.5"], ["one"]),
    "BASE16NUM": (["0xff", "-DEADBEEF"], ["0xg"]),
    "BASE16FLOAT": (["0x1.f", "a.b"], ["g"]),
    "POSINT": (["12"], ["0", "012", "-1"]),
    "NONNEGINT": (["0", "012"], ["-1", "1.5"]),
    "WORD": (["word_1", "größe"], ["two words", "a-b"]),
    "NOTSPACE": (["a/b=c"], ["a b"]),
    "SPACE": (["", " \t "], ["x"]),
    "DATA": (["", "anything at all"], []),
    "GREEDYDATA": (["", "anything at all"], []),
    "QUOTEDSTRING": (['"a \\" b"', "'x'", "`y`", '""'], ['"a', "a"]),
    "QS": (['"a b"'], ["a b"]),
    "UUID": (["550e8400-e29b-41d4-a716-446655440000"], ["550e8400"]),
    "URN": (["urn:isbn:0451450523"], ["isbn:0451450523"]),
    "MAC": (["0011.2233.4455", "00-11-22-33-44-55", "00:11:22:33:44:55"], ["00:11:22"]),
    "CISCOMAC": (["0011.2233.4455"], ["00:11:22:33:44:55"]),
    "WINDOWSMAC": (["00-11-22-33-44-55"], ["00:11:22:33:44:55"]),
    "COMMONMAC": (["00:11:22:33:44:55"], ["00-11-22-33-44-55"]),
    # https://www.rfc-editor.org/rfc/rfc4291#section-2.2
    "IPV6": (
        [
            "2001:DB8:0:0:8:800:200C:417A", "FF01::101", "::1", "::", "0:0:0:0:0:0:13.1.68.3", "::FFFF:129.144.52.38",
            "1:2:3:4:5:6:7::", "1::8", "1:2:3::6:7:8", "fe80::1%eth0",
        ],
        ["1:2", "1:2:3:4:5:6:7:8:9", "1::2::3", "g::1"],
    ),
    "IPV4": (["127.0.0.1", "255.255.255.255"], ["256.1.1.1", "1.2.3"]),
    "IP": (["10.0.0.1", "::1"], ["localhost"]),
    "HOSTNAME": (["localhost", "a-b.example.org", "example.org."], ["-a", "a_b"]),
    "IPORHOST": (["::1", "10.0.0.1", "web1"], ["_"]),
    "HOSTPORT": (["web1:80", "10.0.0.1:443"], ["web1", "web1:0"]),
    "PATH": (["/var/log", r"C:\Windows\x"], ["var/log"]),
    "UNIXPATH": (["/", "/var/log/a-b_c.log"], ["var", "/a b"]),
    "TTY": (["/dev/pts/3", "/dev/tty1", "/dev/ttyS0"], ["/dev/null"]),
    "WINPATH": ([r"C:\Windows\x", r"\\host\share"], ["/var", "C:"]),
    "URIPROTO": (["http", "svn+ssh"], ["1http"]),
    "URIHOST": (["example.org:8080", "web1"], ["[::1"]),
    "URIPATH": (["/a/b,c;d"], ["a", "/a?b"]),
    "URIQUERY": (["a=b&c[]=d"], ["a b"]),
    "URIPARAM": (["?a=b"], ["a=b"]),
    "URIPATHPARAM": (["/a?b=c", "/a"], ["?b=c"]),
    "URI": (["http://me:secret@example.org:80/a?b=c", "file:///a"], ["/a", "example.org"]),
    "MONTH": (["Jan", "january", "Mär", "Dez", "Okt", "May", "September"], ["Janx", "13"]),
    "MONTHNUM": (["1", "01", "12"], ["0", "13"]),
    "MONTHNUM2": (["01", "12"], ["1"]),
    "MONTHDAY": (["1", "01", "31"], ["0", "32"]),
    "DAY": (["Mon", "Wednesday"], ["mon", "Montag"]),
    "YEAR": (["26", "2026"], ["202"]),
    "HOUR": (["0", "09", "23"], ["24"]),
    "MINUTE": (["00", "59"], ["60", "5"]),
    "SECOND": (["0", "59", "60", "59.123", "59,123", "59:123"], ["61"]),
    "TIME": (["10:00:00", "23:59:60.5"], ["10:00", "24:00:00"]),
    "DATE_US": (["11/23/2026", "11-23-26"], ["23/11/2026"]),
    "DATE_EU": (["23.11.2026", "23/11/26"], ["11/23/2026"]),
    "DATE": (["11/23/2026", "23.11.2026"], ["2026-11-23"]),
    "ISO8601_TIMEZONE": (["Z", "+01:00", "-0330"], ["CET"]),
    "ISO8601_SECOND": (["60"], ["61"]),
    "TIMESTAMP_ISO8601": (["2026-11-23T10:00:00.123Z", "2026-11-23 10:00", "2026-11-23 10:00:00,1+01:00"], ["10:00"]),
    "TIMESTAMP_CN": (["2026-11-23 10:00:00.123"], ["2026-11-23 10:00:00"]),
    "DATESTAMP": (["23/11/2026 10:00:00", "11-23-2026-10:00:00"], ["2026"]),
    "TZ": (["EST", "UTC"], ["CET"]),
    "DATESTAMP_RFC822": (["Mon Nov 23 2026 10:00:00 UTC"], ["Mon"]),
    "DATESTAMP_RFC2822": (["Mon, 23 Nov 2026 10:00:00 +0100"], ["Mon, 23 Nov 2026 10:00:00 CET"]),
    "DATESTAMP_OTHER": (["Mon Nov 23 10:00:00 EST 2026"], ["Nov 23"]),
    "DATESTAMP_EVENTLOG": (["20261123100000"], ["2026-11-23"]),
    "SYSLOGTIMESTAMP": (["Nov  3 10:00:00", "Nov 23 10:00:00"], ["Nov 23"]),
    "HTTPDATE": (["10/Oct/2000:13:55:36 -0700"], ["10/Oct/2000"]),
    "HTTPDERROR_DATE": (["Mon Nov 23 10:00:00.123456 2026"], ["Nov 23 10:00:00 2026"]),
    "CATALINA7_DATESTAMP": (["Jan 9, 2014 7:13:13 AM"], ["Jan 9, 2014"]),
    "CATALINA8_DATESTAMP": (["31-Jul-2020 16:40:38.578"], ["Jul 31"]),
    "CATALINA_DATESTAMP": (["31-Jul-2020 16:40:38.578", "Jan 9, 2014 7:13:13 AM"], ["Jul 31"]),
    "TOMCAT50_DATESTAMP": (["2014-01-09 17:32:25,527 -0800", "2014-01-09 17:32:25"], ["17:32:25"]),
    "TOMCAT_DATESTAMP": (["2014-01-09 17:32:25,527 -0800", "31-Jul-2020 16:40:38.578"], ["17:32:25"]),
    "LOGLEVEL": (["WARN", "warning", "Info", "information", "err", "CRITICAL", "emerg"], ["loud"]),
    "PROG": (["postfix/smtpd", "sshd"], ["sshd[1]", "a b"]),
    "SYSLOGHOST": (["web1"], [""]),
    "SYSLOG5424PRINTASCII": (["a[b]c"], ["a b", "é"]),
    "SYSLOG5424SD": (['[id@1 a="b] \\" c"][x]'], ["[a", "a"]),
    "CRON_ACTION": (["CMD", "END EDIT"], ["cmd"]),
    "HTTPDUSER": (["frank", "a@example.org"], ["a b"]),
    "HTTPDQUOTED": (['a \\" b', ""], ['a"b']),
    "JAVACLASS": (["org.example.A$B", "A"], ["1A", "a."]),
    "JAVAFILE": (["A.java", "Native Method"], ["a/b"]),
    "JAVAMETHOD": (["run", "<init>", "<clinit>"], ["1run"]),
    "JAVATHREAD": (["TP-Processor12"], ["main"]),
    "JAVALOGMESSAGE": (["any text"], []),
}  # fmt: skip


def test_every_pattern_without_fields_has_an_example() -> None:
    for patterns in SETS.values():
        plain = {name for name in patterns if not any(written(f"%{{{name}}}", patterns).captures)}
        assert plain - EXAMPLES.keys() <= {"HAPROXYTIME", "HAPROXYDATE", "HAPROXYNAME", "HAPROXYCAPTURED"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_a_pattern_matches(name: str) -> None:
    good, bad = EXAMPLES[name]
    edge, maybe = ('"', "?") if "" in good else (" ", "")
    match = f"^{edge}%{{{name}:found}}{maybe}{edge}$"
    for text in good:
        assert parsed(match, f"{edge}{text}{edge}") == ({"found": text} if text else {}), text
    for text in bad:
        assert parsed(match, f"{edge}{text}{edge}") is None, text


# ── lines ──

COMBINED = (
    '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 '
    '"http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'
)
"""https://httpd.apache.org/docs/2.4/logs.html#combined"""
HAPROXY = (
    "Feb  6 12:14:14 localhost haproxy[14389]: 10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in static/srv1 "
    '10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {1wt.eu} {} "GET /index.html HTTP/1.1"'
)
"""https://docs.haproxy.org/2.8/configuration.html#8.2.3"""


def test_combined() -> None:
    assert parsed("^%{COMBINEDAPACHELOG}$", COMBINED) == {
        "source": {"address": "127.0.0.1"},
        "user": {"name": "frank"},
        "timestamp": "10/Oct/2000:13:55:36 -0700",
        "http": {
            "request": {"method": "GET", "referrer": "http://www.example.com/start.html"},
            "version": "1.0",
            "response": {"status_code": 200, "body": {"bytes": 2326}},
        },
        "url": {"original": "/apache_pb.gif"},
        "user_agent": {"original": "Mozilla/4.08 [en] (Win98; I ;Nav)"},
    }
    legacy = parsed("%{COMBINEDAPACHELOG}", COMBINED, fields="legacy")
    assert (legacy["clientip"], legacy["verb"], legacy["response"], legacy["ident"]) == ("127.0.0.1", "GET", "200", "-")
    assert legacy["agent"] == '"Mozilla/4.08 [en] (Win98; I ;Nav)"'


def test_time_of_an_access_log() -> None:
    options = {"time_key": "timestamp", "time_format": "%d/%b/%Y:%H:%M:%S %z", "fields": "legacy"}
    assert parsed("^%{COMMONAPACHELOG}", COMBINED, **options)["time"] == "2000-10-10T20:55:36Z"
    fields = parsed("^%{HAPROXYHTTP}", HAPROXY, time_key="[haproxy][request_date]", time_format="%d/%b/%Y:%T.%f")
    assert fields["time"] == "2009-02-06T12:14:14.655Z"
    assert "request_date" not in fields["haproxy"]


@pytest.mark.slow
def test_haproxy() -> None:
    fields = parsed("^%{HAPROXYHTTP}$", HAPROXY)
    assert fields["source"] == {"address": "10.0.1.2", "port": 33317, "bytes": 2750}
    assert fields["haproxy"]["connections"] == {"active": 1, "frontend": 1, "backend": 1, "server": 1, "retries": 0}
    assert fields["haproxy"]["http"]["request"] == {
        "time_wait_ms": 10, "time_wait_without_data_ms": 69, "captured_headers": "1wt.eu",
    }  # fmt: skip
    assert fields["process"] == {"name": "haproxy", "pid": 14389}
    assert fields["url"] == {"original": "/index.html", "path": "/index.html"}
    legacy = parsed("^%{HAPROXYHTTP}$", HAPROXY, fields="legacy")
    assert (legacy["server_name"], legacy["http_request"], legacy["time_duration"]) == ("srv1", "/index.html", "109")
    tcp = (
        "Feb  6 12:12:56 localhost haproxy[14387]: 10.0.1.2:33313 [06/Feb/2009:12:12:51.443] fnt bck/srv1 0/0/5007 212 "
        "-- 0/0/0/0/3 0/0"
    )
    assert parsed("^%{HAPROXYTCP}$", tcp)["haproxy"]["server_name"] == "srv1"
    assert parsed("^%{HAPROXYTCP}$", tcp, fields="legacy")["bytes_read"] == "212"
    error = (
        "Dec  3 18:27:14 localhost haproxy[6103]: 127.0.0.1:56059 [03/Dec/2012:17:35:10.380] frt/f1: "
        "Connection error during SSL handshake"
    )
    assert parsed("^%{HAPROXYERROR}$", error, fields="legacy")["error_message"].startswith("Connection error")


LINES = [
    ("SYSLOGBASE", "Nov 23 10:00:00 web1 sshd[42]: x", {"process": {"name": "sshd", "pid": 42}}, {"program": "sshd"}),
    ("SYSLOGLINE", "Nov 23 10:00:00 web1 sshd[42]: ready", {"message": "ready"}, {"message": "ready"}),
    ("SYSLOGLINE", "2026-11-23T10:00:00Z web1 a: b", {"message": "b"}, {"timestamp8601": "2026-11-23T10:00:00Z"}),
    ("SYSLOGFACILITY", "<3.6>", {"log": {"syslog": {"facility": {"code": 3}, "priority": 6}}}, {"facility": "3"}),
    (
        "SYSLOGPAMSESSION",
        "Mar 16 00:01:25 host CRON[11]: pam_unix(cron:session): session opened for user root by (uid=0)",
        {"user": {"name": "root"}},
        {"pam_caller": "cron:session", "username": "root"},
    ),
    (
        "CRONLOG",
        "Nov 23 10:00:01 host CRON[99]: (root) CMD (test -x /usr/sbin/anacron)",
        {"message": "test -x /usr/sbin/anacron"},
        {"user": "root", "action": "CMD"},
    ),
    (  # https://www.rfc-editor.org/rfc/rfc5424#section-6.5
        "SYSLOG5424LINE",
        '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3"] An event',
        {"message": "An event", "event": {"code": "ID47"}},
        {"syslog5424_msg": "An event", "syslog5424_ver": "1", "syslog5424_sd": '[exampleSDID@32473 iut="3"]'},
    ),
    (
        "HTTPD_ERRORLOG",
        "[Mon Nov 23 10:00:00.123456 2026] [core:error] [pid 7:tid 9] [client 10.0.0.1:5] AH00126: Invalid URI",
        {"log": {"level": "error"}, "source": {"address": "10.0.0.1", "port": 5}, "message": "Invalid URI"},
        {"module": "core", "pid": "7", "errorcode": "AH00126"},
    ),
    (
        "HTTPD_ERRORLOG",
        "[Mon Nov 23 10:00:00 2026] [error] [client 10.0.0.1] File does not exist",
        {"message": "File does not exist"},
        {"loglevel": "error"},
    ),
    (
        "JAVASTACKTRACEPART",
        "\tat org.example.A$1.run(A.java:42)",
        {"log": {"origin": {"function": "run", "file": {"name": "A.java", "line": 42}}}},
        {"class": "org.example.A$1", "line": "42"},
    ),
    (
        "CATALINALOG",
        "31-Jul-2020 16:40:38.578 INFO [main] org.apache.catalina.startup.Catalina.start Server startup in [1] ms",
        {"message": "Server startup in [1] ms"},
        None,
    ),
    (
        "TOMCATLOG",
        "2014-01-09 20:03:28,269 -0800 | ERROR | com.example.Service - something happened",
        {"message": "something happened", "log": {"level": "ERROR"}},
        {"level": "ERROR", "class": "com.example.Service", "logmessage": "something happened"},
    ),
    (
        "TOMCATLOG",
        "2014-01-09 20:03:28,269 INFO 1 [/shop]org.example.A: run(x): done",
        {"message": "done", "tomcat": {"context": {"name": "/shop"}}},
        None,
    ),
    (
        "CATALINALOG",
        "Jan 9, 2014 7:13:13 AM org.apache.coyote.AbstractProtocol init INFO: Initializing",
        {"message": "Initializing", "log": {"level": "INFO", "origin": {"function": "init"}}},
        {"class": "org.apache.coyote.AbstractProtocol"},
    ),
]


@pytest.mark.parametrize(("name", "line", "ecs", "legacy"), LINES)
def test_lines(name: str, line: str, ecs: dict[str, Any], legacy: dict[str, Any] | None) -> None:
    fields = parsed(f"^%{{{name}}}", line)
    assert {key: fields[key] for key in ecs} == ecs
    if legacy is not None:
        fields = parsed(f"^%{{{name}}}", line, fields="legacy")
        assert {key: fields[key] for key in legacy} == legacy


@pytest.mark.slow
@pytest.mark.parametrize("fields", SETS)
def test_every_pattern_is_linear_where_it_is_anchored(fields: str) -> None:
    lookahead = {"SYSLOGPAMSESSION"}
    for name in SETS[fields].keys() - lookahead:
        assert longest(written(f"^%{{{name}}}", SETS[fields]).expression) is None, name


# ── fields ──


def test_fields() -> None:
    assert parsed("^%{INT:a:int} %{NUMBER:b:float} %{WORD:c:bool} %{WORD}", "1 2.50 true x") == {
        "a": 1, "b": 2.5, "c": True,
    }  # fmt: skip
    assert parsed("^%{INT:[a][b]:long} %{WORD:[a][c][d]} %{WORD:e.f}", "1 x y") == {
        "a": {"b": 1, "c": {"d": "x"}}, "e.f": "y",
    }  # fmt: skip
    assert parsed("^%{WORD:a} %{WORD:a} %{WORD:a}", "x y z") == {"a": ["x", "y", "z"]}
    assert parsed("^(?:%{INT:n}|%{WORD:w})(?<rest>.*)", "abc") == {"w": "abc"}
    assert parsed("(?<queue_id>[0-9A-F]{10,11})", "id BEF25A72965 x") == {"queue_id": "BEF25A72965"}
    assert parsed("(?P<a>x)(b)?", "xb") == {"a": "x"}


def test_several_expressions_and_own_patterns() -> None:
    patterns = {"ORDER": r"[A-Z]{2}-%{DIGITS}", "DIGITS": r"\d+", "WORD": "[a-z]+"}
    for line, fields in [("AB-1 sent", {"order": "AB-1", "state": "sent"}), ("AB-2", {"order": "AB-2"}), ("x", None)]:
        match = ["^%{ORDER:order} %{WORD:state}$", "^%{ORDER:order}$"]
        assert parsed(match, line, patterns=patterns) == fields
    assert parsed("^%{ORDER:order} %{WORD:state}$", "AB-1 Sent", patterns=patterns) is None


# ── Oniguruma ──


@pytest.mark.parametrize(
    ("match", "line", "found"),
    [
        (r"^(?<a>\h+)x", "beefx", "beef"),
        (r"^(?<a>[\h-]+)x", "be-efx", "be-ef"),
        (r"^\H(?<a>.)", "x1", "1"),
        (r"^(?<a>.+)\z", "abc", "abc"),
        (r"^(?<a>.+)\Z", "abc", "abc"),
        (r"^(?<a>[[:alpha:]]+)", "aé1", "aé"),
        (r"^(?<a>[[:alnum:]_%]+)", "aé1_%-", "aé1_%"),
        (r"^(?<a>[^[:space:]]+)", "ab c", "ab"),
        (r"^(?<a>[a[bc]d]+)", "abcde", "abcd"),
        (r"^(?<a>[]x]+)", "]x[", "]x"),
        (r"^(?<a>[\]x]+)", "]x[", "]x"),
        (r"^(?<a>[\[x]+)", "[x]", "[x"),
        (r"^(?<a>[\x21-\x7e]+)", "a!é", "a!"),
        (r"^(?<a>\p{Alpha}+)", "aé1", "aé"),
        (r"^(?<a>\p{^Alpha}+)", "1-a", "1-"),
        (r"^(?<a>\P{L}+)", "1-a", "1-"),
        (r"^(?<a>[\p{Upper}\p{Digit}]+)", "A1b", "A1"),
        (r"^(?<a>\x{e9}+)", "ééa", "éé"),
        (r"^(?<a>\u00e9+)", "ééa", "éé"),
        (r"^(?<a>x(?i)ab|cd)", "xAB", "xAB"),
        (r"^(?<a>x(?i)ab|cd)", "xCD", "xCD"),
        (r"^(?i:(?<a>ab))c", "ABc", "AB"),
        (r"(?i)^(?<a>ab)", "AB", "AB"),
        (r"^(?m)(?<a>.*)", "a\nb", "a\nb"),
        (r"^(?<a>.*)", "a\nb", "a"),
        (r"^(?<q>['\"])(?<a>.*?)\k<q>", "'it\"'", 'it"'),
        (r"^(?<a>(x|y)+)z", "xyz", "xy"),
        (r"^(?#the first)(?<a>.)", "xy", "x"),
        (r"^(?<a>a++)b", "aab", "aa"),
        (r"^(?>(?<a>a+))b", "aab", "aa"),
        (r"(?<=x)(?<a>.)(?=z)(?!y)(?<!y)", "xyz", None),
        (r"(?<=x)(?<a>.)(?=z)", "xyz", "y"),
        (r"^(?<a>.)\R", "x\r\n", "x"),
        (r"^\e(?<a>.)", "\x1bx", "x"),
        (r"^\[(?<a>[^]]+)\]", "[x]", "x"),
        (r"^100% (?<a>.)", "100% x", "x"),
    ],
)
def test_what_is_written_otherwise(match: str, line: str, found: str | None) -> None:
    fields = parsed(match, line)
    assert (fields and fields["a"]) == found


@pytest.mark.parametrize(
    ("match", "problem"),
    [
        (r"%{WRD:a}", "there is no pattern WRD at column 3 .*did you mean 'WORD'"),
        (r"%{word:a}", "there is no pattern word at column 3 .*did you mean 'WORD'"),
        (r"x%{WORD:a", "expected %{NAME}, %{NAME:field} or %{NAME:field:type} at column 2"),
        (r"%{WORD:a:itn}", "there is no type 'itn' .*did you mean 'int'"),
        (r"%{WORD:[a]b}", r"expected a field such as \[http\]\[method\], not '\[a\]b'"),
        (r"%{WORD:[a]} %{WORD:[a][b]}", "the field 'a' cannot be a text and hold 'b'"),
        (r"%{SELF:a}", "the pattern SELF is a part of itself"),
        (r"%{WORD}", "expected at least one field, such as %{WORD:name}"),
        (r"(?<a>x", r"`\(` is not closed at column 1"),
        (r"(?<a>x))", r"`\)` closes nothing at column 8"),
        (r"(?<a>[x)", r"`\[` is not closed at column 6"),
        (r"(?<a>[a&&b])", "`&&` in a set is not known here at column 8"),
        (r"(?<a>[a[^b]])", "a set in a set cannot be negated here"),
        (r"(?<a>[[:nope:]])", "the class .* is not known here"),
        (r"(?<a>\p{Greek})", "the property .*Greek.* is not known here"),
        (r"(?<a>[\P{L}])", "what has not a property"),
        (r"\G(?<a>x)", r"`\\G` is not known here at column 1"),
        (r"(?<a>x)\1", r"`\\1` is not known here at column 8"),
        (r"(?<a>x)\k<b>", "there is no group 'b' before it"),
        (r"(?<a>x)\x{110000}", "there is no such character"),
        (r"(?x)(?<a>x)", "only i and m are known here"),
        (r"(?~a)(?<a>x)", r"`\(\?~` is not known here"),
        (r"(?<a>x)**", "the regular expression is wrong: multiple repeat"),
        (r"(?<a>(x+x+)+y)", "can take exponential time"),
        (r"a(?<a>.*)b.*c.*d", "can take very long"),
        ("(?<a>x)\\", "is not known here"),
    ],
)  # fmt: skip
def test_mistakes(match: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        Grok(GrokConfig(match=match, patterns={"SELF": "x%{OTHER}", "OTHER": "%{SELF}"}))


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"match": []}, "match: expected at least one expression"),
        ({"match": "%{WORD:a}", "patterns": {"a-b": "x"}}, "patterns: a name has letters, digits and _, not 'a-b'"),
        ({"match": "%{WORD:a}", "time_format": "%F"}, "time_key: there is no field 'time'"),
        (
            {"match": "%{WORD:a} %{WORD:time}", "time_format": "%F", "time_key": "a"},
            "time_key: there is a field 'time' already",
        ),
        ({"match": "%{WORD:a}", "time_key": "a"}, "time_key: it needs time_format"),
        ({"match": "%{A:a}", "patterns": {"A": "(" * 3 + "%{WORD}" * 9_000 + ")" * 3}}, "the expression is too long"),
    ],
)
def test_mistakes_of_options(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Grok(GrokConfig(**config))


@given(st.text(alphabet="a[](){}?<>:!=\\^$.|*+%&xhpkWORD-,1 ", max_size=14))
@settings(deadline=None, max_examples=200)
def test_any_text_is_an_expression_or_a_mistake(text: str) -> None:
    try:
        Grok(GrokConfig(match=f"(?<a>x){text}"))
    except ExpressionError as error:
        assert str(error)  # noqa: PT017 - most texts raise, some do not


@given(st.text(alphabet="ab[](){}?<>:!=\\^$.|*+%&-,1 é\t", min_size=1, max_size=12))
@settings(deadline=None)
def test_a_text_that_is_escaped_matches_itself(text: str) -> None:
    escaped = "".join(character if character.isalnum() else "\\" + character for character in text)
    assert parsed(f"^(?<a>{escaped})$", text) == {"a": text}
