"""What other tools call our things is told by our words, and these there are."""

from __future__ import annotations

import pytest

from logrouter import component
from logrouter.config.files import SECTIONS
from logrouter.config.kinds import fields_of
from logrouter.config.settings import AdminSettings, RouteSettings, SpoolSettings
from logrouter.config.words import ELSEWHERE, hint_for, meant_by
from logrouter.reference import KINDS


def test_all_of_ours_there_are() -> None:
    components = [(kind, name) for kind in KINDS for name in component.names(kind)]
    structs = [component.load(kind, name).Config for kind, name in components]
    options = {key for struct in (*structs, AdminSettings, RouteSettings, SpoolSettings) for key in fields_of(struct)}
    known = {*SECTIONS, *(name for _, name in components), *options}
    assert {ours for words in ELSEWHERE.values() for ours in words} - known == set()


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("filter", ["match", "path"], "match"),
        ("filter", ["discard", "set"], "discard"),
        ("Outputs", ["sinks", "steps"], "sinks"),
        ("MATCH", ["match"], "match"),
        ("mtach", ["match"], "match"),
        ("kafka", ["file", "stdout"], None),
    ],
)
def test_what_is_meant(word: str, known: list[str], meant: str | None) -> None:
    assert meant_by(word, known) == meant
    assert hint_for(word, known) == (None if meant is None else f"did you mean {meant!r}?")
