"""Times in formats of one's own: every directive, zones with daylight saving, years that are not told, odd years."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import times
from logrouter.errors import ExpressionError
from logrouter.parsers._dates import in_latest_year, zone_named
from logrouter.parsers._time_formats import DIRECTIVES, WORDS, TimeFormat

STOCKHOLM = ZoneInfo("Europe/Stockholm")
RECEIVED_NS = times.parse("2026-11-23T10:00:00Z") or 0


def read(text: str, form: str, zone: tzinfo = UTC, received: str = "2026-11-23T10:00:00Z") -> str | None:
    return TimeFormat(form, zone).utc_text(text, times.parse(received) or 0)


@pytest.mark.parametrize(
    ("text", "form", "time"),
    [
        ("2026-11-23 10:00:00", "%Y-%m-%d %H:%M:%S", "2026-11-23T10:00:00Z"),
        ("2026-11-23   10:00:00", "%Y-%m-%d %H:%M:%S", "2026-11-23T10:00:00Z"),
        (" 2026-11-23 10:00:00 ", "%F %T", "2026-11-23T10:00:00Z"),
        ("10/Oct/2000:13:55:36 -0700", "%d/%b/%Y:%H:%M:%S %z", "2000-10-10T20:55:36Z"),
        ("[10/oct/2000:13:55:36 -07:00]", "[%d/%b/%Y:%T %z]", "2000-10-10T20:55:36Z"),
        ("Mon Nov  3 07:05:09 2026", "%a %b %e %H:%M:%S %Y", "2026-11-03T07:05:09Z"),
        ("Mon Nov  3 07:05:09 2026", "%c", "2026-11-03T07:05:09Z"),
        ("Tuesday, 3 November 2026", "%A, %d %B %Y", "2026-11-03T00:00:00Z"),
        ("11/23/26 1:02 PM", "%D %I:%M %p", "2026-11-23T13:02:00Z"),
        ("11/23/26 12:02:03 am", "%D %r", "2026-11-23T00:02:03Z"),
        ("11/23/69 12:02:03 pm", "%m/%d/%y %l:%M:%S %P", "1969-11-23T12:02:03Z"),
        ("20261123T100102.123456789", "%Y%m%dT%H%M%S.%f", "2026-11-23T10:01:02.123456789Z"),
        ("20261123100102.5", "%Y%m%d%H%M%S.%L", "2026-11-23T10:01:02.500Z"),
        ("2026-327 10:00", "%Y-%j %R", "2026-11-23T10:00:00Z"),
        ("2024-366", "%Y-%j", "2024-12-31T00:00:00Z"),
        ("100% 2026-11-23", "100%% %F", "2026-11-23T00:00:00Z"),
        ("2016-12-31 23:59:60.5", "%F %T.%f", "2017-01-01T00:00:00.500Z"),  # a leap second that there was
        ("2026-11-23 10:00:00 +01", "%F %T %z", "2026-11-23T09:00:00Z"),
        ("2026-11-23 10:00:00Z", "%F %T%z", "2026-11-23T10:00:00Z"),
        ("2026-11-23 10:00:00 EST", "%F %T %Z", "2026-11-23T15:00:00Z"),  # RFC 5322, section 4.3
        ("2026-11-23 10:00:00 utc", "%F %T %Z", "2026-11-23T10:00:00Z"),
        ("2026-11-23 10:00:00 CET", "%F %T %Z", "2026-11-23T09:00:00Z"),
        ("2026-11-23 10:00:00 +05", "%F %T %Z", "2026-11-23T05:00:00Z"),  # as tzname() of zones without letters
        ("1795428000", "%s", "2026-11-23T10:00:00Z"),
        ("1795428000.25", "%s.%f", "2026-11-23T10:00:00.250Z"),
        ("1795428000", "unix", "2026-11-23T10:00:00Z"),
        ("1795428000.000000001", "unix", "2026-11-23T10:00:00.000000001Z"),
        ("1795428000123", "unix_ms", "2026-11-23T10:00:00.123Z"),
        ("1795428000123.456", "unix_ms", "2026-11-23T10:00:00.123456Z"),
        ("1795428000123456", "unix_us", "2026-11-23T10:00:00.123456Z"),
        ("1795428000123456789", "unix_ns", "2026-11-23T10:00:00.123456789Z"),
        ("0", "unix", "1970-01-01T00:00:00Z"),
        ("-1", "unix", "1969-12-31T23:59:59Z"),
        # https://www.rfc-editor.org/rfc/rfc3339#section-5.8
        ("1985-04-12T23:20:50.52Z", "rfc3339", "1985-04-12T23:20:50.520Z"),
        ("1996-12-19T16:39:57-08:00", "rfc3339", "1996-12-20T00:39:57Z"),
        ("1990-12-31T15:59:60-08:00", "rfc3339", "1991-01-01T00:00:00Z"),
        ("1937-01-01T12:00:27.87+00:20", "rfc3339", "1937-01-01T11:40:27.870Z"),
        # https://www.rfc-editor.org/rfc/rfc5322#appendix-A
        ("Fri, 21 Nov 1997 09:55:06 -0600", "rfc2822", "1997-11-21T15:55:06Z"),
        ("Thu, 13 Feb 1969 23:32 -0330", "rfc2822", "1969-02-14T03:02:00Z"),
        ("21 Nov 1997 09:55:06 GMT", "rfc2822", "1997-11-21T09:55:06Z"),
        ("Fri, 21 Nov 1997 09:55:06 -0600 (CST)", "rfc2822", "1997-11-21T15:55:06Z"),
        ("2026-11-23T10:00:00,5+0100", "iso8601", "2026-11-23T09:00:00.500Z"),
        ("20261123T100000Z", "iso8601", "2026-11-23T10:00:00Z"),
        ("2026-11-23T10:00", "iso8601", "2026-11-23T10:00:00Z"),
        ("2026-11-23", "iso8601", "2026-11-23T00:00:00Z"),
        ("2026-327", "iso8601", "2026-11-23T00:00:00Z"),
        ("0000-01-01 00:00:00", "%F %T", "0000-01-01T00:00:00Z"),
        ("0000-02-29 00:00:00", "%F %T", "0000-02-29T00:00:00Z"),
        ("9999-12-31 23:59:59.999999999", "%F %T.%f", "9999-12-31T23:59:59.999999999Z"),
        ("9999-12-31 23:59:59 +0100", "%F %T %z", "9999-12-31T22:59:59Z"),
    ],
)
def test_times(text: str, form: str, time: str) -> None:
    assert read(text, form) == time


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", "%F"),
        ("yesterday", "%F"),
        ("2026-11-23x", "%F"),
        ("2026-02-29", "%F"),
        ("2026-13-01", "%F"),
        ("2026-04-31", "%F"),
        ("2026-366", "%Y-%j"),
        ("2026-000", "%Y-%j"),
        ("000 12", "%j %H"),
        ("2026-11-23 24:00:00", "%F %T"),
        ("2026-11-23 10:60:00", "%F %T"),
        ("2026-11-23 10:00:61", "%F %T"),
        ("2026-11-23 10:00:00 XYZ", "%F %T %Z"),
        ("2026-11-23 10:00:00 +2460", "%F %T %z"),
        ("2026-11-23 10:00:00 +9900", "%F %T %z"),
        ("0000-01-01 00:00:00 +0100", "%F %T %z"),  # the year before
        ("9999-12-31 23:59:59 -0100", "%F %T %z"),  # and the year after, which RFC 3339 has not
        ("9999-12-31 23:59:60", "%F %T"),
        ("٢٠٢٦-11-23", "%F"),
        ("999999999999999999", "unix"),
        ("1e9", "unix"),
        ("nan", "unix"),
        ("2026-11-23T25:00:00Z", "rfc3339"),
        ("Fri, 0 Nov 1997 09:55:06 -0600", "rfc2822"),
        ("2026-11-23 " + " " * 100 + "10:00:00", "%F %T"),
    ],
)
def test_what_is_none(text: str, form: str) -> None:
    assert read(text, form) is None


@pytest.mark.parametrize(
    ("local", "time"),
    [
        ("2026-07-01 12:00:00", "2026-07-01T10:00:00Z"),
        ("2026-12-01 12:00:00", "2026-12-01T11:00:00Z"),
        ("2026-03-29 01:59:59", "2026-03-29T00:59:59Z"),
        ("2026-03-29 02:30:00", "2026-03-29T01:30:00Z"),  # there is no such hour: 03:30
        ("2026-03-29 03:30:00", "2026-03-29T01:30:00Z"),
        ("2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),  # there are two: the first
        ("2026-10-25 03:00:00", "2026-10-25T02:00:00Z"),
        ("9999-07-01 12:00:00", "9999-07-01T10:00:00Z"),
        ("0000-07-01 12:00:00", "0000-07-01T10:47:48Z"),  # by the sun, as before 1879
    ],
)
def test_a_zone_with_daylight_saving(local: str, time: str) -> None:
    assert read(local, "%F %T", STOCKHOLM) == time


def test_the_name_of_the_zone_tells_hours_that_come_twice_apart() -> None:
    assert read("2026-10-25 02:30:00 CEST", "%F %T %Z", STOCKHOLM) == "2026-10-25T00:30:00Z"
    assert read("2026-10-25 02:30:00 CET", "%F %T %Z", STOCKHOLM) == "2026-10-25T01:30:00Z"
    assert read("2026-10-25 02:30:00 CST", "%F %T %Z", ZoneInfo("Asia/Shanghai")) == "2026-10-24T18:30:00Z"


@pytest.mark.parametrize(
    ("text", "received", "time"),
    [
        ("Nov 23 09:59:59", "2026-11-23T10:00:00Z", "2026-11-23T09:59:59Z"),
        ("Nov 24 09:59:59", "2026-11-23T10:00:00Z", "2026-11-24T09:59:59Z"),  # a clock that is ahead
        ("Nov 24 10:00:01", "2026-11-23T10:00:00Z", "2025-11-24T10:00:01Z"),
        ("Dec 31 23:59:59", "2027-01-01T00:00:03Z", "2026-12-31T23:59:59Z"),
        ("Jan  1 00:00:01", "2026-12-31T23:59:58Z", "2027-01-01T00:00:01Z"),
        ("Feb 29 12:00:00", "2026-03-01T00:00:00Z", "2024-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
        ("Feb 29 12:00:00", "1903-06-01T00:00:00Z", "1896-02-29T12:00:00Z"),
        ("Feb 30 12:00:00", "2026-03-01T00:00:00Z", None),
    ],
)
def test_a_year_that_is_not_told(text: str, received: str, time: str | None) -> None:
    assert read(text, "%b %e %H:%M:%S", UTC, received) == time


def test_a_year_that_has_begun_where_the_zone_is() -> None:
    assert (
        read("Jan 1 02:00:00", "%b %e %T", ZoneInfo("Pacific/Auckland"), "2026-12-31T13:00:00Z")
        == "2026-12-31T13:00:00Z"
    )
    assert (
        read("Dec 31 18:00:00", "%b %e %T", ZoneInfo("America/New_York"), "2027-01-01T00:00:00Z")
        == "2026-12-31T23:00:00Z"
    )
    assert read("366 02", "%j %H", UTC, "2026-01-01T00:00:00Z") == "2024-12-31T02:00:00Z"


def test_an_hour_of_a_zone_that_is_named_may_be_of_the_day_before_yesterday() -> None:
    """By the clock of `timezone`."""
    assert read("18:00:00 PST", "%T %Z", UTC, "2026-11-30T00:30:00Z") == "2026-11-29T02:00:00Z"


@pytest.mark.parametrize(
    ("text", "received", "time"),
    [
        ("10:00:00", "2026-11-23T10:00:00.5Z", "2026-11-23T10:00:00Z"),
        ("23:59:59", "2026-11-23T00:00:01Z", "2026-11-22T23:59:59Z"),
        ("00:00:01", "2026-11-23T23:59:59Z", "2026-11-24T00:00:01Z"),
        ("10:59:59", "2026-11-23T10:00:00Z", "2026-11-23T10:59:59Z"),
        ("11:00:01", "2026-11-23T10:00:00Z", "2026-11-22T11:00:01Z"),
    ],
)
def test_a_day_that_is_not_told(text: str, received: str, time: str) -> None:
    assert read(text, "%H:%M:%S", UTC, received) == time


def test_a_day_that_is_not_told_is_one_of_the_zone() -> None:
    assert read("00:30:00", "%T", STOCKHOLM, "2026-11-22T23:30:05Z") == "2026-11-22T23:30:00Z"
    assert read("00:30:00 +0100", "%T %z", UTC, "2026-11-22T23:30:05Z") == "2026-11-22T23:30:00Z"


def test_when_lines_were_received_matters_each_time() -> None:
    form = TimeFormat("%b %d", UTC)
    for year in (1970, 1999, 2026, 2100):
        assert form.utc_text("Nov 23", times.parse(f"{year}-12-24T00:00:00Z") or 0) == f"{year}-11-23T00:00:00Z"
    assert form.utc_text("Nov 23", 10**30) is None


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("", "expected directives of strptime"),
        ("yyyy-MM-dd", "expected directives of strptime, such as %Y-%m-%d %H:%M:%S .*or one of unix"),
        ("unixms", "did you mean 'unix_ms'"),
        ("%Y-%m-%d %Q", "%Q is not known at column 10 .*known are: % A a B b"),
        ("%T.%3f", "%3 is not known at column 4 .*fractions are %f"),
        ("%F %T%:z", "%: is not known at column 6 .*offsets are %z"),
        ("%-d/%b", "%- is not known .*leave out the -"),
        ("%", "% is not known"),
        ("%F %d", "%d says what another directive says at column 4"),
        ("%T %F %T", "%T"),
        ("%Y", "it tells a year without its day"),
        ("%Y-%m", "it tells a month without its day"),
        ("%d %H", "it tells a day without its month"),
        ("%F %I", "hours of half a day"),
        ("%F %H %p", "hours of half a day"),
        ("%F %M:%S", "it tells minutes without their hour"),
        ("%z", "it tells neither a day nor an hour"),
    ],
)
def test_mistakes(form: str, problem: str) -> None:
    with pytest.raises(ExpressionError, match=problem):
        TimeFormat(form)


ZONES = ["UTC", "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]


@given(st.datetimes(datetime(1000, 1, 1)), st.sampled_from(ZONES))
@settings(deadline=None)
def test_what_python_prints_is_read(local: datetime, name: str) -> None:
    zone = zone_named(name)
    time_ns = TimeFormat("%Y-%m-%dT%H:%M:%S.%f", zone).utc_ns(local.strftime("%Y-%m-%dT%H:%M:%S.%f"), 0)
    passed = local.replace(tzinfo=zone).astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    assert time_ns == passed // timedelta(microseconds=1) * 1000


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-23 * 60, 23 * 60))
@settings(deadline=None)
def test_offsets(local: datetime, minutes: int) -> None:
    moment = local.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    text = moment.strftime("%d %B %Y %I:%M:%S %p %z").replace(f" {moment.year} ", f" {moment.year:04d} ")
    for form, said in [
        ("%d %B %Y %I:%M:%S %p %z", text),
        ("rfc3339", moment.isoformat()),
        ("iso8601", moment.isoformat()),
    ]:
        time_ns = TimeFormat(form).utc_ns(said, 0)
        assert time_ns == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) * 10**9


@given(
    st.text(max_size=40), st.sampled_from(["%F %T.%f %z", "%b %e %T", "%T %Z", "unix", "rfc2822", "iso8601", "%j %H"])
)
@settings(deadline=None)
def test_any_text_is_a_time_or_none(text: str, form: str) -> None:
    time = TimeFormat(form, STOCKHOLM).utc_text(text, RECEIVED_NS)
    assert time is None or times.parse(time) is not None or time[:4] == "0000"


@given(st.text(alphabet="%YmdHMSbaAjsfzZTFpIcDQ3 -:/", max_size=12))
@settings(deadline=None)
def test_any_text_is_a_format_or_a_value_error(form: str) -> None:
    try:
        TimeFormat(form).utc_ns("2026-11-23", RECEIVED_NS)
    except ValueError as error:
        assert str(error)  # noqa: PT017 - most texts raise, some do not


def test_the_latest_year() -> None:
    first_of = {year: times.parse(f"{year}-01-01") for year in range(1990, 2030)}
    assert in_latest_year(first_of.get, RECEIVED_NS) == first_of[2026]
    assert in_latest_year(lambda year: None, RECEIVED_NS) is None


def test_the_page_tells_every_directive_and_every_word() -> None:
    text = (Path(__file__).parents[2] / "docs" / "times.md").read_text()
    directives, words = text.split("## Directives")[1].split("## What is decided")[0].split("Or one of these words")
    rows = [line.split("|")[1] for line in directives.splitlines() if line.startswith("| `")]
    assert sorted(re.findall("`%(.)`", "".join(rows))) == sorted(DIRECTIVES)
    rows = [line.split("|")[1] for line in words.splitlines() if line.startswith("| `")]
    assert sorted(re.findall("`([a-z0-9_]+)`", "".join(rows))) == sorted(WORDS)


def test_zones_are_known_where_the_system_knows_none() -> None:
    """As in slim images."""
    zoneinfo.reset_tzpath(to=[])
    ZoneInfo.clear_cache()
    try:
        assert read("2026-07-01 12:00:00", "%F %T", zone_named("Europe/Stockholm")) == "2026-07-01T10:00:00Z"
    finally:
        zoneinfo.reset_tzpath()
        ZoneInfo.clear_cache()
