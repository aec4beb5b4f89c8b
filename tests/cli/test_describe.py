"""`logrouter describe`: what there is, and every option of it."""

from __future__ import annotations

import pytest

from logrouter import component, reference
from tests.cli.conftest import Command

COMPONENTS = [(kind, name) for kind in reference.KINDS for name in component.names(kind)]


def summary(kind: component.Kind, name: str) -> str:
    return (component.load_module(kind, name).__doc__ or "").splitlines()[0].replace("`", "")


def test_all_there_is(command: Command) -> None:
    done = command("describe")

    expected = []
    for kind in ("sources", "parsers", "steps", "sinks"):
        expected.append(kind)
        expected += [f"  {name:<13}  {summary(kind, name)}" for name in component.names(kind)]
    assert (done.code, done.complaints) == (0, "")
    assert done.output.splitlines() == [*expected, "", "logrouter describe KIND NAME shows the options of one"]


def test_one_kind(command: Command) -> None:
    listed = command("describe", "step").output

    assert listed.splitlines()[0] == "steps"
    assert all(f"\n  {name} " in listed for name in component.names("steps"))
    assert "stdout" not in listed
    assert command("describe", "steps").output == listed


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_every_option_of_one(command: Command, kind: component.Kind, name: str) -> None:
    done = command("describe", kind.removesuffix("s"), name)

    assert (done.code, done.complaints) == (0, "")
    assert done.output == reference.plain_page(kind, name)
    options = reference.options(component.load(kind, name).Config)
    assert [option.name for option in options if f"\n  {option.name}   " not in done.output] == []


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_it_is_plain_text(command: Command, kind: component.Kind, name: str) -> None:
    output = command("describe", kind.removesuffix("s"), name).output

    assert not any(mark in output for mark in ("`", "<!--", "| ---", "\n#", "\n\n\n", "]("))
    paragraphs = [line for line in output.splitlines() if not line.startswith("    ")]
    assert max(map(len, paragraphs)) <= 80


def test_what_one_looks_like(command: Command) -> None:
    assert (
        command("describe", "step", "discard").output
        == """\
step discard

Discard events: take them out, counted, before they are stored or sent anywhere.

    - discard: path == "/healthz"
    in   {"path": "/healthz", "status": 200}
    out  (discarded)
    in   {"path": "/cart", "status": 200}
    out  {"path": "/cart", "status": 200}

Discarded events are counted by step, so that nothing is missing without a
trace. To keep a part of them, see 'sample'. It stands before the spool only,
never in a route: a route that should not have an event says so in its 'match'.

options

'when' must be given: without it, every event would be discarded. A rule alone
is short for {when: …}.

  when   rule; needed
      Which events to discard, as a rule. Needed: without it, every event would
      be discarded.
"""
    )


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("sink", "fil"), "logrouter: there is no sink 'fil'; did you mean 'file'?\n"),
        (("source", "kafka"), "logrouter: there is no source 'kafka'; there are "),
        (("step", "../sinks/file"), "logrouter: there is no step '../sinks/file'; there are "),
        (("step", "_paths"), "logrouter: there is no step '_paths'; there are "),
    ],
)
def test_what_there_is_not(command: Command, argv: tuple[str, ...], complaint: str) -> None:
    done = command("describe", *argv)

    assert (done.code, done.output) == (2, "")
    assert done.complaints.startswith(complaint)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (("snik",), "there is nothing called 'snik'; did you mean 'sink'?"),
        (("redcat",), "there is nothing called 'redcat'; did you mean 'redact'?"),
        (("zzzz",), "there is nothing called 'zzzz'; there are the kinds source, parser, step, sink"),
        (("file",), "'file' is of several kinds: logrouter describe source file, logrouter describe sink file"),
        (("file", "sinks"), "the kind comes first: logrouter describe sink file"),
        (("redact", "zzzz"), "the kind comes first: logrouter describe step redact"),
    ],
)
def test_a_kind_that_there_is_not(command: Command, argv: tuple[str, ...], complaint: str) -> None:
    assert command("describe", *argv) == (2, "", f"logrouter: {complaint}\n")


def test_a_name_is_enough_where_it_is_of_one_kind(command: Command) -> None:
    assert command("describe", "redact") == command("describe", "step", "redact")
