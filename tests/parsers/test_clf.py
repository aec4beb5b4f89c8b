"""Each format's own examples, what servers write that is odd; and the quick way gives what the careful one does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers._access import FORMATS, AccessFormat
from logrouter.parsers.clf import Clf, ClfConfig

AUTO = Clf(ClfConfig())
COMBINED = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'


def parsed(line: str | bytes, parser: Clf = AUTO) -> Any:
    """The fields of a line, or None. The same whether it comes alone or in a block."""
    raw = line.encode() if isinstance(line, str) else line
    made = parser.parse(raw, 0)
    assert list(parser.parse_all([raw], raw, 0)) == [made]
    return made and json.loads(made)


@cache
def alone(**config: Any) -> Clf:
    return Clf(ClfConfig(**config))


FRANK = {
    "client": "127.0.0.1",
    "user": "frank",
    "time": "2000-10-10T20:55:36Z",
    "method": "GET",
    "path": "/apache_pb.gif",
    "protocol": "HTTP/1.0",
    "status": 200,
    "size": 2326,
}
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/91.0.4472.119 Safari/537.36"
VECTORS = {
    # https://httpd.apache.org/docs/2.4/logs.html
    "common": (COMBINED, FRANK),
    "combined": (
        f'{COMBINED} "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"',
        FRANK | {"referrer": "http://www.example.com/start.html", "user_agent": "Mozilla/4.08 [en] (Win98; I ;Nav)"},
    ),
    # the format of Debian's apache2.conf
    "vhost_combined": (
        f'www.example.com:443 {COMBINED} "-" "curl/8.5.0"',
        {"vhost": "www.example.com", "port": 443, **FRANK, "user_agent": "curl/8.5.0"},
    ),
    # the format `main` of nginx's conf/nginx.conf
    "nginx_main": (
        '10.0.0.1 - - [23/Nov/2026:00:30:00 +0100] "POST /a?b=c HTTP/2.0" 499 0 "-" "-" "203.0.113.7, 10.0.0.9"',
        {
            "client": "10.0.0.1",
            "time": "2026-11-22T23:30:00Z",
            "method": "POST",
            "path": "/a?b=c",
            "protocol": "HTTP/2.0",
            "status": 499,
            "size": 0,
            "forwarded_for": "203.0.113.7, 10.0.0.9",
        },
    ),
    # https://vector.dev/docs/reference/vrl/functions/#parse_nginx_log, "ingress_upstreaminfo"
    "ingress_nginx": (
        (
            '0.0.0.0 - bob [18/Mar/2023:15:00:00 +0000] "GET /some/path HTTP/2.0" 200 12312 '
            f'"https://10.0.0.1/some/referer" "{BROWSER}" 462 0.050 [some-upstream-service-9000] '
            "[some-other-upstream-5000] 10.0.50.80:9000 19437 0.049 200 752178adb17130b291aefd8c386279e7"
        ),
        {
            "client": "0.0.0.0",
            "user": "bob",
            "time": "2023-03-18T15:00:00Z",
            "method": "GET",
            "path": "/some/path",
            "protocol": "HTTP/2.0",
            "status": 200,
            "size": 12312,
            "referrer": "https://10.0.0.1/some/referer",
            "user_agent": BROWSER,
            "request_length": 462,
            "request_time": 0.05,
            "proxy_upstream_name": "some-upstream-service-9000",
            "proxy_alternative_upstream_name": "some-other-upstream-5000",
            "upstream_addr": "10.0.50.80:9000",
            "upstream_response_length": 19437,
            "upstream_response_time": 0.049,
            "upstream_status": 200,
            "req_id": "752178adb17130b291aefd8c386279e7",
        },
    ),
    # https://github.com/traefik/traefik, pkg/middlewares/accesslog/parser_test.go
    "traefik": (
        (
            'TestHost - TestUser [13/Apr/2016:07:14:19 -0700] "POST testpath HTTP/0.0" 123 12 "testReferer" '
            '"testUserAgent" 1 "testFrontend" "http://127.0.0.1/testBackend" 1ms'
        ),
        {
            "client": "TestHost",
            "user": "TestUser",
            "time": "2016-04-13T14:14:19Z",
            "method": "POST",
            "path": "testpath",
            "protocol": "HTTP/0.0",
            "status": 123,
            "size": 12,
            "referrer": "testReferer",
            "user_agent": "testUserAgent",
            "request_count": 1,
            "router": "testFrontend",
            "server": "http://127.0.0.1/testBackend",
            "duration_ms": 1,
        },
    ),
    # https://github.com/rack/rack, lib/rack/common_logger.rb
    "rack": (
        '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 0.0046',
        {**FRANK, "request_time": 0.0046},
    ),
    # https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
    "envoy": (
        (
            '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations HTTP/2" 204 - 154 0 226 100 "10.0.35.28" "nsq2http" '
            '"cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" "locations" "tcp://10.0.2.1:80"'
        ),
        {
            "time": "2016-04-15T20:17:00.310Z",
            "method": "POST",
            "path": "/api/v1/locations",
            "protocol": "HTTP/2",
            "status": 204,
            "bytes_received": 154,
            "bytes_sent": 0,
            "duration_ms": 226,
            "upstream_service_time": 100,
            "forwarded_for": "10.0.35.28",
            "user_agent": "nsq2http",
            "request_id": "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2",
            "authority": "locations",
            "upstream_host": "tcp://10.0.2.1:80",
        },
    ),
    # https://istio.io/latest/docs/tasks/observability/logs/access-log/
    "istio": (
        (
            '[2020-11-25T21:26:18.409Z] "GET /status/418 HTTP/1.1" 418 - via_upstream - "-" 0 135 4 4 "-" '
            '"curl/7.73.0-DEV" "84961386-6d84-929d-98bd-c5aee93b5c88" "httpbin:8000" "10.44.1.27:80" '
            "outbound|8000||httpbin.foo.svc.cluster.local 10.44.1.23:37652 10.0.45.184:8000 10.44.1.23:46520 - default"
        ),
        {
            "time": "2020-11-25T21:26:18.409Z",
            "method": "GET",
            "path": "/status/418",
            "protocol": "HTTP/1.1",
            "status": 418,
            "response_code_details": "via_upstream",
            "bytes_received": 0,
            "bytes_sent": 135,
            "duration_ms": 4,
            "upstream_service_time": 4,
            "user_agent": "curl/7.73.0-DEV",
            "request_id": "84961386-6d84-929d-98bd-c5aee93b5c88",
            "authority": "httpbin:8000",
            "upstream_host": "10.44.1.27:80",
            "upstream_cluster": "outbound|8000||httpbin.foo.svc.cluster.local",
            "upstream_local_address": "10.44.1.23:37652",
            "downstream_local_address": "10.0.45.184:8000",
            "downstream_remote_address": "10.44.1.23:46520",
            "route_name": "default",
        },
    ),
    # as ngx_http_log_error_handler writes it (src/http/ngx_http_request.c of nginx)
    "nginx_error": (
        (
            '2026/11/23 10:00:00 [error] 31#32: *7 open() "/usr/share/nginx/html/a, b" failed (2: No such file or '
            'directory), client: 127.0.0.1, server: localhost, request: "GET /a,%20b HTTP/1.1", host: "localhost", '
            'referrer: "http://localhost/"'
        ),
        {
            "time": "2026-11-23T10:00:00Z",
            "level": "error",
            "pid": 31,
            "tid": 32,
            "cid": 7,
            "message": 'open() "/usr/share/nginx/html/a, b" failed (2: No such file or directory)',
            "client": "127.0.0.1",
            "server": "localhost",
            "request": "GET /a,%20b HTTP/1.1",
            "host": "localhost",
            "referrer": "http://localhost/",
        },
    ),
    # https://httpd.apache.org/docs/2.4/logs.html#errorlog
    "apache_error": (
        (
            "[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187] "
            "File does not exist: /usr/local/apache2/htdocs/favicon.ico"
        ),
        {
            "time": "2011-09-09T10:42:29.902022Z",
            "level": "error",
            "module": "core",
            "pid": 35708,
            "tid": 4328636416,
            "client": "72.15.99.187",
            "message": "File does not exist: /usr/local/apache2/htdocs/favicon.ico",
        },
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_examples_of_the_formats(name: str) -> None:
    line, fields = VECTORS[name]
    assert parsed(line) == parsed(line, alone(format=name)) == fields
    for other in VECTORS:
        if other != name and (name, other) != ("vhost_combined", "combined"):  # there the user would be "- frank"
            assert parsed(line, alone(format=other)) is None


@pytest.mark.parametrize("name", FORMATS)
def test_the_quick_way_takes_the_examples(name: str) -> None:
    line = VECTORS[name][0].encode()
    found = AccessFormat(name).shape.objects(line + b"\n" + line, 2)
    assert found == ([AUTO.parse(line, 0)] * 2, [])
    assert [other for other in FORMATS if AccessFormat(other).shape.takes(line)] == [name]


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        ("GET / HTTP/1.1", {"method": "GET", "path": "/", "protocol": "HTTP/1.1"}),
        ("GET /a b HTTP/1.1", {"method": "GET", "path": "/a b", "protocol": "HTTP/1.1"}),
        ("GET /", {"method": "GET", "path": "/"}),  # HTTP/0.9
        ("PRI * HTTP/2.0", {"method": "PRI", "path": "*", "protocol": "HTTP/2.0"}),
        ("M-SEARCH * HTTP/1.1", {"method": "M-SEARCH", "path": "*", "protocol": "HTTP/1.1"}),
        ("-", {}),
        ("", {}),
        (r"\x16\x03\x01\x02", {"request": "\x16\x03\x01\x02"}),  # TLS to a port of plain HTTP, by nginx
        (r"GET /\xD0\x91 HTTP/1.1", {"method": "GET", "path": "/Б", "protocol": "HTTP/1.1"}),
        (r"GET /\xff HTTP/1.1", {"method": "GET", "path": "/\ufffd", "protocol": "HTTP/1.1"}),
        (r"GET /\x22\x5C HTTP/1.1", {"method": "GET", "path": '/"\\', "protocol": "HTTP/1.1"}),
        (r"GET /\"\\\n HTTP/1.1", {"method": "GET", "path": '/"\\\n', "protocol": "HTTP/1.1"}),  # by Apache
        ("GET /é HTTP/1.1", {"method": "GET", "path": "/é", "protocol": "HTTP/1.1"}),
        ("quit", {"request": "quit"}),
    ],
)
def test_requests(sent: str, fields: dict[str, str]) -> None:
    line = f'::1 - - [23/Nov/2026:10:00:00 +0000] "{sent}" 400 - "-" ""'
    assert parsed(line) == {"client": "::1", "time": "2026-11-23T10:00:00Z", **fields, "status": 400}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # the user is what was typed: nginx and Apache leave blanks in it
        (COMBINED.replace("frank", "john doe"), FRANK | {"user": "john doe"}),
        (COMBINED.replace("frank", "a[b"), FRANK | {"user": "a[b"}),
        (COMBINED.replace("- frank", "joe frank"), {"client": "127.0.0.1", "identity": "joe", **FRANK}),
        # an address of IPv6 is no vhost with its port, whoever the user
        (COMBINED.replace("127.0.0.1", "2001:db8::1"), FRANK | {"client": "2001:db8::1"}),
        (
            COMBINED.replace("127.0.0.1", "2001:db8::1").replace("frank", "john doe"),
            FRANK | {"client": "2001:db8::1", "user": "john doe"},
        ),
        # what nginx answers to HTTP/0.9, and where it has not answered yet
        (COMBINED.replace("200 2326", "009 0"), FRANK | {"status": 9, "size": 0}),
        (COMBINED.replace("200 2326", "000 0"), FRANK | {"status": 0, "size": 0}),
        (COMBINED.replace("200 2326", "- -"), {key: FRANK[key] for key in FRANK if key not in ("status", "size")}),
    ],
)
def test_what_servers_write_that_is_odd(line: str, fields: dict[str, Any]) -> None:
    assert parsed(line) == fields


def test_ingress_nginx_without_an_upstream_and_with_several() -> None:
    head = '10.0.0.1 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "-"'
    none = parsed(f"{head} 81 0.000 [] [] - - - - 4a2f")
    several = parsed(f"{head} 81 0.002 [a-b-80] [] 10.0.0.1:80, 10.0.0.2:80 0, 5 0.001, 0.001 502, 200 4a2f")
    turned = parsed(f"{head} 81 0.002 [a-b-80] [] 10.0.0.1:80 : 10.0.0.2:80 0 : 5 0.001 : 0.001 404 : 200 4a2f")
    assert {key: none[key] for key in list(none)[7:]} == {"request_length": 81, "request_time": 0.0, "req_id": "4a2f"}
    assert list(several.items())[10:] == [
        ("upstream_addr", "10.0.0.1:80, 10.0.0.2:80"),
        ("upstream_response_length", "0, 5"),
        ("upstream_response_time", "0.001, 0.001"),
        ("upstream_status", "502, 200"),
        ("req_id", "4a2f"),
    ]
    assert turned["upstream_status"] == "404 : 200"


def test_envoy_of_a_connection_that_is_none_of_http_and_where_nothing_was_answered() -> None:
    line = '[2016-04-15T20:17:00.310Z] "- - -" 0 UF,URX 0 0 10 - "-" "-" "-" "-" "10.0.2.1:3306"'
    assert parsed(line) == {
        "time": "2016-04-15T20:17:00.310Z",
        "status": 0,
        "response_flags": "UF,URX",
        "bytes_received": 0,
        "bytes_sent": 0,
        "duration_ms": 10,
        "upstream_host": "10.0.2.1:3306",
    }


def test_traefik_escapes_nothing() -> None:
    line = VECTORS["traefik"][0].replace("testUserAgent", r"a\x22b")
    assert parsed(line)["user_agent"] == r"a\x22b"


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # of Apache 2.2, https://httpd.apache.org/docs/2.2/logs.html#errorlog
        (
            "[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] client denied by server configuration: /export/test",
            {
                "time": "2000-10-11T14:32:52Z",
                "level": "error",
                "client": "127.0.0.1",
                "message": "client denied by server configuration: /export/test",
            },
        ),
        (
            "[Wed Oct 11 14:32:52 2000] [notice] [client fe80::1] x",
            {"time": "2000-10-11T14:32:52Z", "level": "notice", "client": "fe80::1", "message": "x"},
        ),
        # of 2.4: https://httpd.apache.org/docs/2.4/mod/core.html#errorlogformat
        (
            (
                "[Thu May 12 08:28:57.652118 2011] [core:trace1] [pid 8777:tid 4326490112] core.c(4739): "
                "(13)Permission denied: [client ::1:58619] AH00132: file not readable, referer: http://localhost/a"
            ),
            {
                "time": "2011-05-12T08:28:57.652118Z",
                "level": "trace1",
                "module": "core",
                "pid": 8777,
                "tid": 4326490112,
                "file": "core.c(4739)",
                "error": "(13)Permission denied",
                "client": "::1",
                "port": 58619,
                "message": "AH00132: file not readable",
                "referrer": "http://localhost/a",
            },
        ),
        (
            (
                "[Mon Nov 23 10:00:00.000001 2026] [proxy:error] [pid 7] (111)Connection refused: "
                "[remote 10.0.0.1:8080] AH01114: failed"
            ),
            {
                "time": "2026-11-23T10:00:00.000001Z",
                "level": "error",
                "module": "proxy",
                "pid": 7,
                "error": "(111)Connection refused",
                "remote": "10.0.0.1",
                "port": 8080,
                "message": "AH01114: failed",
            },
        ),
        (
            "[Mon Nov 23 10:00:00.500000 2026] [:error] [pid 7] PHP Warning:  x: y",
            {"time": "2026-11-23T10:00:00.500Z", "level": "error", "pid": 7, "message": "PHP Warning:  x: y"},
        ),
        # nginx 1.22 where the server has no name; of no connection; and of one that has sent no request yet
        (
            (
                "2026/11/29 22:15:57 [error] 22128#22128: *3 connect() failed (111: Connection refused) while "
                'connecting to upstream, client: 127.0.0.1, server: , request: "GET /up HTTP/1.1", '
                'upstream: "http://127.0.0.1:1/up", host: "127.0.0.1:18999"'
            ),
            {
                "time": "2026-11-29T22:15:57Z",
                "level": "error",
                "pid": 22128,
                "tid": 22128,
                "cid": 3,
                "message": "connect() failed (111: Connection refused) while connecting to upstream",
                "client": "127.0.0.1",
                "request": "GET /up HTTP/1.1",
                "upstream": "http://127.0.0.1:1/up",
                "host": "127.0.0.1:18999",
            },
        ),
        (
            "2026/11/23 10:00:00 [notice] 1#1: signal 17 (SIGCHLD) received from 32",
            {
                "time": "2026-11-23T10:00:00Z",
                "level": "notice",
                "pid": 1,
                "tid": 1,
                "message": "signal 17 (SIGCHLD) received from 32",
            },
        ),
        (
            (
                "2026/11/23 10:00:00 [info] 1#1: *3 client closed connection while waiting for request, client: ::1, "
                "server: 0.0.0.0:80"
            ),
            {
                "time": "2026-11-23T10:00:00Z",
                "level": "info",
                "pid": 1,
                "tid": 1,
                "cid": 3,
                "message": "client closed connection while waiting for request",
                "client": "::1",
                "server": "0.0.0.0:80",
            },
        ),
    ],
)
def test_error_logs(line: str, fields: dict[str, Any]) -> None:
    assert parsed(line) == fields


@pytest.mark.parametrize(
    ("local", "time"),
    [
        ("2026/07/01 12:00:00", "2026-07-01T10:00:00Z"),
        ("2026/01/01 00:30:00", "2025-12-31T23:30:00Z"),
        ("2026/10/25 02:30:00", "2026-10-25T00:30:00Z"),  # comes twice: the first
        ("2026/10/25 03:00:00", "2026-10-25T02:00:00Z"),
        ("2026/03/29 02:30:00", "2026-03-29T01:30:00Z"),  # is left out
    ],
)
def test_error_logs_have_local_times(local: str, time: str) -> None:
    assert parsed(f"{local} [warn] 1#1: x", alone(timezone="Europe/Stockholm"))["time"] == time


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("29/Feb/2024:23:59:59 +0000", "2024-02-29T23:59:59Z"),
        ("31/Dec/2016:23:59:60 +0000", "2017-01-01T00:00:00Z"),  # a leap second
        ("01/Jan/0001:00:00:00 +0000", "0001-01-01T00:00:00Z"),
        ("31/Dec/9999:11:59:59 -1200", "9999-12-31T23:59:59Z"),
        ("23/Nov/2026:10:00:00 +0545", "2026-11-23T04:15:00Z"),
    ],
)
def test_times(written: str, time: str) -> None:
    assert parsed(f'::1 - - [{written}] "GET / HTTP/1.1" 200 1')["time"] == time


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        COMBINED.replace("10/Oct", "32/Oct"),
        COMBINED.replace("10/Oct", "10/Okt"),
        COMBINED.replace("2000", "0000"),
        COMBINED.replace("-0700", "-9900"),
        COMBINED.replace("10/Oct/2000:13:55:36 -0700", "31/Dec/9999:23:59:59 -1200"),  # the year 10,000 in UTC
        COMBINED.replace("13:55:36", "24:00:00"),
        COMBINED.replace(" 200", " 2000"),
        COMBINED + " ",
        COMBINED + ' "-"',
        COMBINED[:-6],
        " " + COMBINED,
        "2026/11/31 10:00:00 [error] 1#1: x",
        "2026/11/23 10:00:00 [error] 1: x",
        "0000/11/23 10:00:00 [error] 1#1: x",
        "[Mon Nov 31 10:00:00 2026] [core:error] x",
        "[Mon Nov 23 10:00:00 2026] x",
    ],
)
def test_what_is_none_of_the_formats(line: str) -> None:
    assert parsed(line) is None


def test_an_unknown_zone_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="expected an IANA name such as Europe/Stockholm, not 'Mars/Olympus'"):
        alone(timezone="Mars/Olympus")


quotable = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda text: text != "-")


def escaped(text: str, server: str) -> str:
    """As ngx_http_log_escape and ap_escape_logitem write it."""
    if server == "apache":
        short = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r", "\b": r"\b", "\v": r"\v"}
        return "".join(
            short.get(chr(byte)) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in text.encode()
        )
    plain = set(range(32, 127)) - set(b'"\\')
    return "".join(chr(byte) if byte in plain else f"\\x{byte:02X}" for byte in text.encode())


@given(
    st.sampled_from(["apache", "nginx"]),
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda time: time.replace(microsecond=0, tzinfo=UTC)),
    st.integers(100, 599),
    st.integers(0, 10**15) | st.none(),
    quotable,
    quotable | st.none(),
)
@settings(deadline=None)
def test_what_a_server_writes_is_what_is_parsed(
    server: str, time: datetime, status: int, size: int | None, agent: str, referrer: str | None
) -> None:
    shown = f"{time:%d/%b}/{time.year:04d}:{time:%H:%M:%S} +0000"
    line = (
        f'10.0.0.1 - - [{shown}] "GET / HTTP/1.1" {status} {"-" if size is None else size} '
        f'"{escaped(referrer, server) if referrer else "-"}" "{escaped(agent, server)}"'
    )
    fields = parsed(line, alone(format="combined"))
    assert fields.pop("user_agent") == agent
    assert fields.pop("referrer", None) == referrer
    assert fields.pop("size", None) == size
    assert fields["status"] == status
    assert fields["time"] == f"{time.year:04d}-{time:%m-%dT%H:%M:%S}Z"


@st.composite
def nearly_lines(draw: st.DrawFn) -> bytes:
    """A line of one of the formats, perhaps with something put into it or left out."""
    line = draw(st.sampled_from([line.encode() for line, _ in VECTORS.values()]))
    if draw(st.booleans()):
        place = draw(st.integers(0, len(line)))
        what = st.sampled_from(
            [b"", b'"', b"\\", b" ", b"-", b"\xff", b"\t", b"[", b"]", b'" "', b"\xc3\xa9", b"0", b"\n"]
        )
        line = line[:place] + draw(what) + line[place + draw(st.integers(0, 3)) :]
    return line


@given(st.sampled_from(["auto", *VECTORS]), st.lists(nearly_lines(), min_size=1, max_size=8))
@settings(deadline=None)
def test_the_quick_way_is_the_careful_one(name: str, lines: list[bytes]) -> None:
    parser = alone(format=name)
    assert list(parser.parse_all(lines, b"\n".join(lines), 0)) == [parser.parse(line, 0) for line in lines]


def test_one_odd_line_keeps_no_other_from_the_quick_way() -> None:
    line = VECTORS["combined"][0].encode()
    careful: list[bytes] = []

    class Counting(Clf):
        def parse(self, line: bytes, received_ns: int) -> bytes | None:
            careful.append(line)
            return super().parse(line, received_ns)

    odd = {100: line.replace(b"GET", rb"\x16"), 300: b"hello", 301: b'a "b', 302: line.replace(b"Mozilla", b"\xff")}
    lines = [odd.get(number, line) for number in range(600)]
    made = Counting(ClfConfig()).parse_all(lines, b"\n".join(lines), 0)
    assert made == [AUTO.parse(line, 0) for line in lines]
    assert set(odd.values()) <= set(careful)
    assert len(careful) <= 8


def test_users_times_and_answers_may_differ_in_a_block() -> None:
    lines = [
        f'::{number} - {user} [23/Nov/2026:10:00:{number:02d} {zone}] "GET /{path} {protocol}" {status} 5'.encode()
        for number, user in enumerate(("-", "ann", "John Doe", "-x", "é", "u" * 300))
        for zone in ("+0000", "+0100", "nowhere")
        for path in ("a", "a!b", "é", 'a"b')
        for protocol in ("HTTP/1.1", "HTTP/2.0", "HTTP/1.1.1.1.1.1.1.1.1.1.1")
        for status in ("200", "-", "099")
    ]
    made = AUTO.parse_all(lines, b"\n".join(lines), 0)
    assert list(made) == [AUTO.parse(line, 0) for line in lines]
    assert sum(one is not None for one in made) > len(lines) // 3
