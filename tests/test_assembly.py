"""Which steps are the very same: those for all sources, and those that a reload leaves as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from logrouter import config
from logrouter.assembly import Assembly, assemble
from logrouter.config import Settings


def settings_of(text: str) -> Settings:
    environ = {"LOGROUTER_CONFIG_YAML": text}
    return config.load(environ=environ, system_folder=Path("/nonexistent"))


def steps_of(assembly: Assembly, source: str) -> list[Any]:
    return [named.step for named in assembly.chains[source].steps]


def config_of(first: str, second: str, shared: str) -> Settings:
    return settings_of(
        "sources:\n"
        f"  a: {{type: file, include: [/a], steps: {first}}}\n"
        f"  b: {{type: file, include: [/b], steps: {second}}}\n"
        f"steps: {shared}\nsinks: {{out: {{type: blackhole}}}}"
    )


ONE, TWO = "{throttle: {rate: 1/s}}", "{throttle: {rate: 2/s}}"


def test_steps_for_all_are_shared_and_those_of_a_source_are_its_own() -> None:
    assembly = assemble(config_of(f"[{ONE}]", f"[{ONE}]", f"[{ONE}, {ONE}]"), {})
    (own_of_a, *shared_of_a), (own_of_b, *shared_of_b) = steps_of(assembly, "a"), steps_of(assembly, "b")
    assert own_of_a is not own_of_b
    assert shared_of_a == shared_of_b
    assert len({own_of_a, own_of_b, *shared_of_a}) == 4, "each that is written is one"


def test_what_is_the_same_goes_on_over_a_reload_whatever_changes_beside_it() -> None:
    before = assemble(config_of(f"[{ONE}]", "[]", f"[{ONE}, {TWO}]"), {})
    after = assemble(config_of(f"[{TWO}, {ONE}]", f"[{TWO}]", f"[{TWO}, {ONE}, {ONE}]"), {}, before)
    own, one, two = steps_of(before, "a")

    assert steps_of(after, "a")[1:4] == [own, two, one]
    assert steps_of(after, "b")[1:3] == [two, one]
    new = {*steps_of(after, "a"), *steps_of(after, "b")} - {own, one, two}
    assert len(new) == 3


def test_where_all_are_the_same_the_chain_goes_on() -> None:
    before = assemble(config_of(f"[{ONE}]", "[]", "[]"), {})
    after = assemble(config_of(f"[{ONE}]", f"[{ONE}]", "[]"), {}, before)
    assert after.chains["a"] is before.chains["a"]
    assert after.chains["b"] is not before.chains["b"]
