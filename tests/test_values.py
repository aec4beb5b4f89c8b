"""Durations, sizes and secrets: what is understood, what is refused, and that what is shown can be read again."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.values import Duration, Secret, Size


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [
        ("250ms", 0.25, "250ms"),
        ("25s", 25.0, "25s"),
        ("1m30s", 90.0, "90s"),
        ("2h", 7200.0, "2h"),
        ("7d", 604800.0, "7d"),
        ("1.5s", 1.5, "1500ms"),
        ("1h0.5s", 3600.5, "3600500ms"),
        ("24h", 86400.0, "1d"),
        ("0s", 0.0, "0s"),
        ("0.0001s", 0.0001, "0.0001s"),
        ("0.00001ms", 0.00000001, "0.00000001s"),
    ],
)
def test_durations(text: str, seconds: float, shown: str) -> None:
    assert Duration.parse(text) == pytest.approx(seconds)
    assert str(Duration.parse(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "5", "s", "5 s", " 5s", "5s ", "5s\n", "-5s", "+5s", "5S", "5sec", "5w", ".5s", "5.s", "1e3s", "inf", "infs",
     "nan", "never", "1_000s", "٣s", "\uff15s", "1s,2s", "9" * 400 + "s"],
)  # fmt: skip
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration such as 250ms, 25s, 1m30s or 2h, not") as refused:
        Duration.parse(text)
    assert repr(text) in str(refused.value)


@pytest.mark.parametrize(
    ("text", "size_bytes", "shown"),
    [
        ("512B", 512, "512B"),
        ("0B", 0, "0B"),
        ("64KiB", 65536, "64KiB"),
        ("16MiB", 16 * 2**20, "16MiB"),
        ("1GiB", 2**30, "1GiB"),
        ("1024GiB", 2**40, "1TiB"),
        ("64kB", 64_000, "64000B"),
        ("1GB", 10**9, "1000000000B"),
        ("1.5MiB", 3 * 2**19, "1536KiB"),
        ("0.1KiB", 102, "102B"),
        ("999999999999999B", 999_999_999_999_999, "999999999999999B"),
        ("999999999999999TiB", 999_999_999_999_999 * 2**40, "999999999999999TiB"),
    ],
)
def test_sizes(text: str, size_bytes: int, shown: str) -> None:
    assert Size.parse(text) == size_bytes
    assert str(Size.parse(text)) == shown


@pytest.mark.parametrize(
    "text",
    ["", "64", "MiB", "64 MiB", "64MiB\n", "-1B", "64mib", "64KB", "64kb", "1M", "1Mb", "1e3B", "1GiB1MiB", "٣B",
     "inf", "infB", "9" * 400 + "B"],
)  # fmt: skip
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size such as 512B, 64KiB, 16MiB or 1GB, not") as refused:
        Size.parse(text)
    assert repr(text) in str(refused.value)


@given(st.integers(0, 2**62))
@settings(deadline=None)
def test_a_size_that_is_shown_can_be_read_again(size_bytes: int) -> None:
    shown = str(Size(size_bytes))
    if len(shown) <= 16:  # 15 digits and a unit
        assert Size.parse(shown) == size_bytes


@given(st.integers(0, 10**12), st.sampled_from(["ms", "s", "m", "h", "d"]))
@settings(deadline=None)
def test_a_duration_that_is_shown_can_be_read_again(number: int, unit: str) -> None:
    duration = Duration.parse(f"{number}{unit}")
    assert Duration.parse(str(duration)) == duration


@given(st.floats(0, 1e9))
@settings(deadline=None)
def test_any_length_of_time_can_be_shown(seconds: float) -> None:
    assert Duration.parse(str(Duration(seconds))) == pytest.approx(seconds, abs=1e-9)


@given(st.text(max_size=20))
@settings(deadline=None)
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    for kind in (Duration, Size):
        try:
            quantity = kind.parse(text)
        except ValueError:
            continue
        assert 0 <= quantity < float("inf")


def test_a_secret_is_shown_nowhere() -> None:
    secret = Secret.parse("hunter2")

    assert secret.reveal() == "hunter2"
    assert {str(secret), f"{secret}", f"{secret:>4}", "%s" % secret, "{}".format(secret)} == {"********"}  # noqa: UP031, UP032 - each way of showing is tried
    assert repr(secret) == repr([secret])[1:-1] == "'********'"
    assert secret == "hunter2"
    assert secret.encode() == b"hunter2"


def test_a_secret_stays_one_when_copied() -> None:
    copied = pickle.loads(pickle.dumps(Secret("hunter2")))

    assert (type(copied), copied.reveal(), str(copied)) == (Secret, "hunter2", "********")
