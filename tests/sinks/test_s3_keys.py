"""Where objects are put: no value of an event makes a key that a server refuses, which would stop the sink for good."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logrouter.facts import Facts
from logrouter.sinks._objects import KeyTemplate, further, key_of

NAME = "20270115T080000Z-archive-5bd1e995a1b2c3d4-0"
TEMPLATES = [
    "{a}",
    "{a}/{b}/",
    ".{a}/{b}/",
    "{a}{b}/{a}{b}{a}/",
    "x/{a} {b}-{id}.json.gz",
    "{id}/{a}/{b}.gz",
    "{id}-{a}{b}/{a}{b}.gz",
    "/".join(["{a}{b}"] * 6),
    "{id}/" + "/".join(["{a}{b}"] * 6),
]


def is_taken_by_minio(key: str) -> bool:
    """As MinIO looks at keys: cmd/generic-handlers.go (hasBadPathComponent), object-api-utils.go, xl-storage.go."""
    parts = key.replace("\\", "/").split("/")
    return (
        not any(part.strip() in (".", "..") for part in parts)
        and "//" not in key
        and not key.endswith("/")
        and all(len(part.encode()) <= 255 for part in key.split("/"))
        and len(key.encode()) <= 1024
    )


def key_for(template: str, a: str, b: str) -> str:
    place = KeyTemplate.parse(template).render({"a": a, "b": b}, Facts({}, 0, {}), segment=True)
    return key_of(place, NAME, ".ndjson.gz")


VALUES = st.one_of(
    st.text("./\\ ax", max_size=6), st.text(max_size=20), st.sampled_from(["x" * 200, "ü" * 150, "." * 300])
)


@given(st.sampled_from(TEMPLATES), VALUES, VALUES)
@example(".{a}/{b}/", " ", "..\\..")
@settings(deadline=None, max_examples=200)
def test_any_value_gives_a_key_that_is_taken(template: str, a: str, b: str) -> None:
    key = key_for(template, a, b)
    assert is_taken_by_minio(key)
    assert is_taken_by_minio(further(key, 9))
    assert NAME in key


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("shop", "eu", f"shop/eu/{NAME}.ndjson.gz"),
        (" .. ", "..\\etc", f" _ /_\\etc/{NAME}.ndjson.gz"),
        ("...", "a.b", f".../a.b/{NAME}.ndjson.gz"),
        ("C:\\logs\\a", ". .", f"C:\\logs\\a/. ./{NAME}.ndjson.gz"),
    ],
)
def test_what_is_left_of_a_value(a: str, b: str, expected: str) -> None:
    assert key_for("{a}/{b}/", a, b) == expected


def test_of_what_is_too_long_whole_folders_stay_and_the_objects_own_name() -> None:
    key = key_for("/".join(["{a}"] * 6), "x" * 200, "")
    assert key == "/".join(["x" * 200] * 4 + [f"{NAME}.ndjson.gz"])
    assert key_for("{a}{b}-{id}.gz", "x" * 200, "y" * 200) == f"{'x' * 200}{'y' * (50 - len(NAME) - 3)}{NAME}.gz"
