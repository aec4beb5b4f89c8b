"""What every sink must keep to, by existing: found by the name of its file."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter import component
from logrouter.config import load
from logrouter.event import Flag
from logrouter.sinks import (
    Append,
    Batch,
    Instruction,
    Keep,
    Now,
    Pause,
    Request,
    Retry,
    Seal,
    Sink,
    SinkConfig,
    SinkContext,
    Write,
)
from logrouter.sinks._counting import MetricConfig
from logrouter.templates import Template
from logrouter.testing import assert_sink_contract, batch_of, converse, instructions, slice_of
from logrouter.values import MaybeSecret, Secret

NAMES = component.names("sinks")
TRANSPORTS = {"files": (Append,), "stream": (Write,), "http": (Request, Seal, Now, Pause), "state": (Keep,), "none": ()}
EXAMPLES: dict[Any, Any] = {
    Template: Template.parse("example-{app}"),
    str: "example",
    MaybeSecret: "https://example.org",
    Mapping[str, MetricConfig]: {"example": MetricConfig(type="counter", labels={"app": Template.parse("{app}")})},
}
"""A value for each type that a required option may have."""
ENVIRON = {"AWS_ACCESS_KEY_ID": "example", "AWS_SECRET_ACCESS_KEY": "example"}
URLS = {"files": ":example", "http": "+https://example.org/example"}
"""What follows the name in a URL, by transport."""


def make(name: str, **options: Any) -> Sink[Any]:
    loaded = component.load("sinks", name)
    for field in msgspec.structs.fields(loaded.Config):
        if field.required and field.name not in options:
            options[field.name] = EXAMPLES[field.type]
    context = SinkContext("example", {"service.name": "checkout"}, environ=ENVIRON)
    sink: Sink[Any] = loaded(loaded.Config(**options), context)
    return sink


def batch(payloads: list[bytes], sink: Sink[Any]) -> Batch:
    columns = tuple(["example"] * len(payloads) for _ in sink.templates)
    flags = [Flag.JSON if payload.startswith(b"{") else 0 for payload in payloads]
    return batch_of(slice_of(payloads, flags, columns=columns, times_ns=[0] * len(payloads)))


def asked(sink: Sink[Any], events: Batch) -> list[Instruction]:
    """What it wants done with a batch: all of it, or up to the first request, if nobody answers."""
    if sink.transport != "http":
        return instructions(sink, events)
    if sink.gathers:
        events = Batch([], encoded=[sink.encode(part) for part in events.slices])
    told, outcome = converse(sink.send(events), lambda request: None)
    assert outcome == Retry("nobody answers")
    return told


SECRETS = [
    (name, field.name)
    for name in NAMES
    for field in msgspec.structs.fields(component.load("sinks", name).Config)
    if Secret in get_args(field.type) and str not in get_args(field.type)
]
BESIDE = {
    "password": {"user": "example"},
    "secret_access_key": {"access_key_id": "example"},
    "session_token": {"access_key_id": "example", "secret_access_key": "example"},
}
"""What an option needs beside it."""


def test_there_are_sinks() -> None:
    assert {"blackhole", "file", "stderr", "stdout"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_file_tells_users_what_it_does_and_its_url(name: str) -> None:
    told = component.load_module("sinks", name).__doc__ or ""
    assert len(told.splitlines()) >= 3
    assert f"`{name}:" in told or f"`{name}+https:" in told
    assert component.load("sinks", name).__doc__


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_explained_below_it(name: str) -> None:
    for base in component.load("sinks", name).Config.__mro__:
        if not issubclass(base, SinkConfig):
            break
        (definition,) = ast.parse(inspect.getsource(base)).body
        assert isinstance(definition, ast.ClassDef)
        for statement, after in zip(definition.body, [*definition.body[1:], None], strict=True):
            if isinstance(statement, ast.AnnAssign):
                explained = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                assert explained, f"{base.__name__}.{ast.unparse(statement.target)} has no docstring"


@pytest.mark.parametrize("name", NAMES)
def test_it_yields_what_its_transport_performs(name: str) -> None:
    sink = make(name)
    found = asked(sink, batch([b'{"a":1}', b"text"], sink))
    assert {type(instruction) for instruction in found} <= set(TRANSPORTS[sink.transport])
    assert all(instruction.written == 0 for instruction in found if isinstance(instruction, Append | Write))


@pytest.mark.parametrize("name", NAMES)
@given(payloads=st.lists(st.binary(min_size=1, max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=5))
@settings(deadline=None, max_examples=25)
def test_the_same_batch_gives_the_same_instructions(name: str, payloads: list[bytes]) -> None:
    texts = [b"-" + payload for payload in payloads]
    first, second = make(name), make(name)
    part = batch([*texts, b'{"a":1}'], first)
    before = ([*part.slices[0].payloads], part.slices[0].flags)
    assert asked(first, part) == asked(second, part)
    assert ([*part.slices[0].payloads], part.slices[0].flags) == before
    for instruction in asked(make(name), part):
        if isinstance(instruction, Append | Write):
            assert instruction.data.endswith(b"\n")
            assert instruction.data.count(b"\n") == len(payloads) + 1


@pytest.mark.parametrize("name", NAMES)
def test_it_knows_which_keys_it_adds(name: str) -> None:
    own = make(name).included_keys
    assert make(name, include=("service.name", "meta.host")).included_keys == ("meta.host", "service.name", *own)


@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_be_included_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"did you mean 'service.name'\?"):
        make(name, include=("service.nam",))


@pytest.mark.parametrize("name", NAMES)
def test_a_url_gives_options_that_it_has(name: str) -> None:
    loaded = component.load("sinks", name)
    options = loaded.options_from_url(name + URLS.get(loaded.transport, ":"))
    assert set(options) <= set(loaded.Config.__struct_fields__)


@pytest.mark.parametrize("name", NAMES)
def test_its_warnings_are_texts(name: str) -> None:
    assert component.load("sinks", name).warnings(make(name).config) == []


@pytest.mark.parametrize("name", [name for name in NAMES if component.load("sinks", name).transport == "http"])
def test_whatever_its_destination_answers(name: str) -> None:
    known = component.load("sinks", name).Config.__struct_fields__
    secrets = {"headers": {"X-Key": Secret("hidden-key")}, "token": Secret("hidden-token")}
    assert_sink_contract(make(name, **{option: value for option, value in secrets.items() if option in known}))


def test_there_are_secrets() -> None:
    assert {("elasticsearch", "api_key"), ("s3", "secret_access_key"), ("s3", "session_token")} <= set(SECRETS)


@pytest.mark.parametrize(("name", "option"), SECRETS)
def test_a_secret_may_stand_in_a_file(name: str, option: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    fields = msgspec.structs.fields(component.load("sinks", name).Config)
    required = {field.name: EXAMPLES[field.type] for field in fields if field.required}
    options = {"type": name, **required, **BESIDE.get(option, {}), f"{option}_file": str(tmp_path / "secret")}
    settings = load((), {"LOGROUTER_CONFIG_YAML": json.dumps({"sinks": {"example": options}})})
    assert getattr(settings.sinks["example"].config, option).reveal() == "from the file"
