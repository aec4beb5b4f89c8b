"""Lines of PostgreSQL 15, and of the prefixes that users have."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.parsers.postgresql import Postgresql, PostgresqlConfig
from tests.parsers.layouts import MESSAGES, is_quick, parsed, vectors

PARSER = Postgresql(PostgresqlConfig())
VECTORS = vectors("postgresql")


@pytest.mark.parametrize(
    "line",
    [
        "hello",
        "",
        "2026-11-30 00:17:09.960 UTC [21195] LOG: one blank",
        "2026-11-30 00:17:09.960 [21195] LOG:  no zone",
        "2026-11-31 00:17:09.960 UTC [21195] LOG:  x",
        "2026-11-30 00:17:09.960 UTC [21195] NOISE:  x",
        '2026-11-30 00:17:09.960 UTC,"a","b",12,x',
        '{"level":"info","message":"x"}',
        '{"timestamp":1,"error_severity":"LOG"}',
        '{"timestamp":"2026-11-30 00:17:09 UTC",',
        "\tcontinued",
    ],
)
def test_what_is_none_of_the_layouts(line: str) -> None:
    assert parsed(PARSER, line) is None


def test_the_quick_way_takes_what_is_usual() -> None:
    stderr = [line for line, _ in VECTORS if "LOG:  " in line]
    assert len(stderr) > 8
    for line in stderr:
        assert is_quick(Postgresql(PostgresqlConfig()), [line] * 9), line
    csvlog = next(line for line, _ in VECTORS if ',LOG,00000,"starting"' in line)
    assert is_quick(Postgresql(PostgresqlConfig()), [csvlog] * 9)


@pytest.mark.parametrize(
    ("prefix", "begin", "fields"),
    [
        ("%m [%p] ", "2026-11-30 00:17:09.960 UTC [12] ", {"pid": 12}),
        ("%n ", "1795997829.960 ", {}),
        ("%t [%-6p] %10u|", "2026-11-30 00:17:09 UTC [12    ]        app|", {"pid": 12, "user": "app"}),
        (
            "%m %r %q%a ",
            "2026-11-30 00:17:09.960 UTC ::1(5000) psql ",
            {"remote_host": "::1", "remote_port": 5000, "application_name": "psql"},
        ),
        ("%m %r %q%a ", "2026-11-30 00:17:09.960 UTC [local] ", {"remote_host": "[local]"}),
        (
            "%m %e %c-%l %v %x %Q%% ",
            "2026-11-30 00:17:09.960 UTC 42P01 6b0cc085.52cb-3 3/28 0 -5% ",
            {
                "state_code": "42P01",
                "session_id": "6b0cc085.52cb",
                "line_num": 3,
                "vxid": "3/28",
                "txid": 0,
                "query_id": -5,
            },
        ),
        (
            "%m %b/%i %P: ",
            "2026-11-30 00:17:09.960 UTC client backend/SELECT 7: ",
            {"backend_type": "client backend", "ps": "SELECT", "leader_pid": 7},
        ),
        (
            "%m <%s> ",
            "2026-11-30 00:17:09.960 UTC <2026-11-30 00:17:00 UTC> ",
            {"session_start": "2026-11-30 00:17:00 UTC"},
        ),
    ],
)
def test_a_prefix_of_ones_own(prefix: str, begin: str, fields: dict[str, Any]) -> None:
    parser = Postgresql(PostgresqlConfig(log_line_prefix=prefix))
    found = parsed(parser, begin + "LOG:  hello")
    assert found.pop("time") in ("2026-11-30T00:17:09.960Z", "2026-11-30T00:17:09Z")
    assert found == {"level": "LOG", "message": "hello", **fields}
    assert parsed(parser, "2026-11-30 00:17:09.960 UTC nothing of the kind") is None


@pytest.mark.parametrize("prefix", ["%m %z ", "%m %", "%5"])
def test_a_prefix_that_postgresql_does_not_know(prefix: str) -> None:
    with pytest.raises(ValueError, match="log_line_prefix: PostgreSQL knows no '%"):
        Postgresql(PostgresqlConfig(log_line_prefix=prefix))


def test_a_prefix_is_of_stderr() -> None:
    with pytest.raises(ValueError, match="log_line_prefix: there is none in the format csv"):
        Postgresql(PostgresqlConfig(log_line_prefix="%m ", format="csv"))


@pytest.mark.parametrize(("format", "takes"), [("stderr", 0), ("csv", 1), ("json", 2)])
def test_a_format_that_is_named_is_the_only_one(format: Any, takes: int) -> None:
    of_each = ["2026-11-30 00:17:09 UTC [12] LOG:  x", VECTORS[-2][0], VECTORS[-1][0]]
    parser = Postgresql(PostgresqlConfig(format=format))
    assert [parsed(parser, line) is not None for line in of_each] == [number == takes for number in range(3)]


@pytest.mark.parametrize(
    ("zone", "timezone", "time"),
    [
        ("CET", "UTC", "2026-11-29T23:17:09Z"),
        ("CST", "UTC", "2026-11-30T06:17:09Z"),
        ("CST", "Asia/Shanghai", "2026-11-29T16:17:09Z"),
        ("UTC", "Asia/Shanghai", "2026-11-30T00:17:09Z"),
        ("+0530", "Asia/Shanghai", "2026-11-29T18:47:09Z"),
        ("-03", "UTC", "2026-11-30T03:17:09Z"),
        ("XYZ", "UTC", "2026-11-30T00:17:09Z"),
        ("XYZ", "Europe/Stockholm", "2026-11-29T23:17:09Z"),
    ],
)
def test_zones(zone: str, timezone: str, time: str) -> None:
    parser = Postgresql(PostgresqlConfig(timezone=timezone))
    assert parsed(parser, f"2026-11-30 00:17:09 {zone} [12] LOG:  x")["time"] == time


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=9), min_size=26, max_size=26), MESSAGES)
@settings(deadline=None)
def test_what_csvlog_holds_is_what_is_parsed(values: list[str], message: str) -> None:
    values[1:3] = [name.replace("\n", "") for name in values[1:3]]
    quoted = ['"' + value.replace('"', '""') + '"' if value else "" for value in values]
    quoted[0], quoted[3], quoted[13] = "2026-11-30 00:17:09.960 UTC", "12", '"' + message.replace('"', '""') + '"'
    quoted[4], quoted[5], quoted[6], quoted[12] = "", "692b8a1a.3e8", "1", "00000"
    found = parsed(PARSER, ",".join(quoted))
    assert found["message"] == message
    assert found["pid"] == 12
    for name, value in (("user", values[1]), ("statement", values[19]), ("location", values[21])):
        assert found.get(name, "") == value
