from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.batch import Slice
from logrouter.event import Flag
from logrouter.projection import recognise_line
from logrouter.sinks import Append, SinkContext
from logrouter.sinks.file import FileConfig, FileMode, FileSink
from logrouter.templates import Template
from logrouter.testing import batch_of, instructions, slice_of
from logrouter.values import Duration, Size
from tests.strategies import json_lines, lines

RESOURCE = {"service.name": "checkout"}


def sink(path: str = "out.ndjson", **options: Any) -> FileSink:
    return FileSink(FileConfig(path=Template.parse(path), **options), SinkContext("out", RESOURCE))


def test_one_append_for_a_batch() -> None:
    batch = batch_of(slice_of([b'{"a":1}', b"text"]), slice_of([b'{"b":2}']))
    assert instructions(sink(), batch) == [Append("out.ndjson", b'{"a":1}\n{"message":"text"}\n{"b":2}\n')]


def test_events_are_grouped_by_path_in_their_order() -> None:
    made = sink("{app}.log", format="raw")
    assert made.templates == (Template.parse("{app}.log"),)
    batch = batch_of(
        slice_of([b"1", b"2", b"3"], columns=(["a.log", "b.log", "a.log"],)),
        slice_of([b"4", b"5"], columns=("b.log",)),
    )
    assert instructions(made, batch) == [Append("a.log", b"1\n3\n", 2), Append("b.log", b"2\n4\n5\n", 2)]


def test_each_path_gets_what_is_included_and_the_collisions_of_its_events() -> None:
    part = slice_of(
        [b'{"meta.source":"own"}', b'{"a":1}'], columns=(["a", "b"],), collides=b"\x01\x00", attributes={"source": "x"}
    )
    assert instructions(sink("{app}", include=("meta.source",)), batch_of(part)) == [
        Append("a", b'{"meta.source":"x"}\n', 2),
        Append("b", b'{"a":1,"meta.source":"x"}\n', 2),
    ]


def test_a_fixed_path_is_no_template() -> None:
    made = sink("logs/{{x}}.ndjson")
    assert made.templates == ()
    assert instructions(made, batch_of(slice_of([b"{}"]))) == [Append("logs/{x}.ndjson", b"{}\n")]


def test_a_long_line_is_joined_over_batches_for_each_file() -> None:
    made = sink("{app}", format="raw")
    first = slice_of([b"AA", b"BB"], [Flag.PARTIAL_START, 0], columns=(["a", "b"],))
    assert instructions(made, batch_of(first)) == [Append("a", b"AA", 2), Append("b", b"BB\n", 2)]
    second = slice_of([b"CC"], [Flag.PARTIAL_END], first=1, columns=("a",))
    assert instructions(made, batch_of(second)) == [Append("a", b"CC\n")]


def slices_of(events: st.SearchStrategy[tuple[bytes, int]]) -> st.SearchStrategy[list[list[tuple[bytes, int]]]]:
    return st.lists(st.lists(events, min_size=1, max_size=4), min_size=1, max_size=4)


marks = st.sampled_from([0, 0, 0, Flag.INVALID_UTF8, Flag.PARTIAL_START])
some_slices = slices_of(st.tuples(json_lines, st.just(0))) | slices_of(st.tuples(lines, marks))


@given(some_slices, st.sampled_from(["json", "raw", "logfmt"]), st.sampled_from([(), ("meta.source",), ("meta",)]))
@settings(deadline=None)
def test_lines_of_several_slices_are_those_of_each(
    events: list[list[tuple[bytes, int]]], kind: Any, include: tuple[str, ...]
) -> None:
    """They are made in one go where nothing that a line tells depends on its slice."""
    include = () if kind == "raw" else include
    slices = []
    for number, part in enumerate(events):
        flags = [flag or recognise_line(line) for line, flag in part]
        attributes = {"source": f"source {number}"}
        slices.append(slice_of([line for line, _ in part], flags, attributes=attributes, first=4 * number))
    at_once, each = sink(format=kind, include=include), sink(format=kind, include=include)
    singly = b"".join(made.data for part in slices for made in appends(each, part))
    assert b"".join(made.data for made in appends(at_once, *slices)) == singly


def appends(made: FileSink, *slices: Slice) -> list[Append]:
    return [each for each in instructions(made, batch_of(*slices)) if isinstance(each, Append)]


def test_nothing_is_appended_where_nothing_is_left() -> None:
    notice = slice_of([b'{"message":"gap"}'], [Flag.JSON | Flag.NOTICE])
    assert instructions(sink(format="raw"), batch_of(notice)) == []
    assert not sink(format="raw").told_of_gaps
    assert sink().told_of_gaps


def test_a_name_longer_than_file_systems_take_is_cut_and_stays_its_own() -> None:
    made = sink("{a}{b}.gz")
    long = ["x" * 200 + "y" * 199 + f"{number}.gz" for number in range(2)]
    first, second = instructions(made, batch_of(slice_of([b"1", b"2"], columns=(long,))))
    assert first.path != second.path  # type: ignore[union-attr]
    for append in (first, second):
        assert isinstance(append, Append)
        assert len(append.path.encode()) < 246
        assert append.path.endswith(".gz")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:errors.ndjson", "errors.ndjson"),
        ("file:logs/errors.ndjson", "logs/errors.ndjson"),
        ("file:/var/log/x.ndjson", "/var/log/x.ndjson"),
        ("file:///var/log/x.ndjson", "/var/log/x.ndjson"),
        ("file://localhost/var/log/x.ndjson", "/var/log/x.ndjson"),
        ("file:a%20b%23c%7Bd%7D.log", "a b#c{{d}}.log"),
        ("file:{service.name}-{date:%dab%Y}.log", "{service.name}-{date:%dab%Y}.log"),
    ],
)
def test_paths_in_urls(url: str, path: str) -> None:
    assert FileSink.options_from_url(url) == {"path": path}


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:", "expected the path of a file"),
        ("file:///", "expected the path of a file"),
        ("file:logs/", "expected the path of a file"),
        ("file://errors.ndjson", "write file:errors.ndjson or file:///errors.ndjson"),
        ("file://logs/x", "write file:logs/x or file:///logs/x"),
        ("file:a#b", "%23"),
        ("file:a%ffb", "utf-8"),
    ],
)
def test_urls_that_name_no_file(url: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        FileSink.options_from_url(url)


@pytest.mark.parametrize(
    ("path", "options", "problem"),
    [
        ("~/x.log", {}, "~ is not expanded"),
        ("logs/", {}, "names no file"),
        ("a\0b", {}, "NUL"),
        ("x", {"format": "raw", "include": ("meta",)}, "raw lines have no room"),
        ("x", {"include": ("service.nam",)}, "did you mean 'service.name'"),
        ("x", {"keep": 0}, "at least 1"),
        ("x", {"max_open_files": 0}, "at least 1"),
        ("x", {"rotate_size": Size(0)}, "rotate_size: must be more than 0"),
        ("x", {"rotate_interval": Duration(0)}, "rotate_interval: must be more than 0"),
    ],
)
def test_options_that_make_no_sense(path: str, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sink(path, **options)


@pytest.mark.parametrize(
    ("path", "compression", "resolved"),
    [
        ("x.ndjson", "auto", "none"),
        ("x.ndjson.gz", "auto", "gzip"),
        ("x.{date}.zst", "auto", "zstd"),
        ("x.gz", "none", "none"),
        ("x", "zstd", "zstd"),
    ],
)
def test_compression_follows_the_name(path: str, compression: Any, resolved: str) -> None:
    assert sink(path, compression=compression).handling.compression == resolved


def test_links_are_followed_where_the_path_is_fixed() -> None:
    assert sink("x").handling.follow_links
    assert not sink("{app}").handling.follow_links


def test_names_that_mislead_are_told() -> None:
    def told(path: str, compression: Any) -> list[str]:
        return FileSink.warnings(FileConfig(path=Template.parse(path), compression=compression))

    assert told("x.gz", "auto") == told("x", "auto") == told("x.gz", "gzip") == []
    assert told("x", "gzip") == ["programs expect the name of a gzip file to end with .gz"]
    assert told("x.gz", "none") == ["the path ends with .gz but the file is not compressed by gzip"]


@pytest.mark.parametrize(("text", "mode"), [("0640", 0o640), ("600", 0o600), ("0777", 0o777)])
def test_permissions(text: str, mode: int) -> None:
    assert FileMode.parse(text) == mode
    assert str(FileMode.parse(text)) == f"0{mode:03o}"


@pytest.mark.parametrize("text", ["0o640", "0888", "rw", "", "06400", "64"])
def test_no_permissions(text: str) -> None:
    with pytest.raises(ValueError, match="expected permissions such as 0640"):
        FileMode.parse(text)
