"""Flags for one line: `app | logrouter --sink errors=file:errors.ndjson --match errors='severity >= "error"'`."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from logrouter.config.assignments import Assignment
from logrouter.config.files import LISTS, SCALARS, SECTIONS, Document
from logrouter.config.mistakes import Mistakes
from logrouter.config.nodes import MAX_DEPTH, Path, is_utf8, text_node
from logrouter.config.words import hint_for
from logrouter.errors import did_you_mean

_NAMED_URL = r"(?s)([^:=/?]+)=(.*)"
_TYPE = r"([a-z][a-z0-9_]*)(?:\+[a-z0-9]+)?(?::|$)"


class Flags(msgspec.Struct, frozen=True):
    """What the command line sets; each is written as it was given."""

    sinks: Sequence[str] = ()
    """`NAME=URL`, or a URL alone: its name is then its type."""
    matches: Sequence[str] = ()
    """`NAME=RULE`: the `match` of a sink."""
    sets: Sequence[str] = ()
    """`KEY.PATH=VALUE`: any option."""


def _in_utf8(place: str, flags: Sequence[str], mistakes: Mistakes) -> list[str]:
    """Those that are text, as all of the config is."""
    text = [flag for flag in flags if is_utf8(flag)]
    if len(text) < len(flags):
        mistakes.add(place, "not UTF-8")
    return text


def read_sinks(flags: Flags, mistakes: Mistakes) -> list[Assignment]:
    """The sinks that flags add or replace."""
    assignments: dict[str, Assignment] = {}
    for flag in _in_utf8("--sink", flags.sinks, mistakes):
        match = re.fullmatch(_NAMED_URL, flag)
        name, url = match.groups() if match else (_type_of(flag), flag)
        place = f"--sink {name}=…" if match else "--sink"
        if not name:
            mistakes.add(place, "expected NAME=URL or a URL", "for example --sink errors=file:errors.ndjson")
        elif name in assignments:
            mistakes.add(place, f"two sinks are called {name!r}", "name each: --sink NAME=URL")
        else:
            assignments[name] = Assignment(("sinks", name), text_node(url, place))
    return list(assignments.values())


def _type_of(url: str) -> str:
    match = re.match(_TYPE, url)
    return match[1] if match else ""


def read_matches(flags: Flags, document: Document, mistakes: Mistakes) -> list[Assignment]:
    """The rules that flags give to sinks, which must exist by now."""
    sinks = document["sinks"].value
    assignments = []
    for flag in _in_utf8("--match", flags.matches, mistakes):
        name, equals, rule = flag.partition("=")
        if not equals or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            mistakes.add("--match", "expected NAME=RULE", "for example --match errors='severity >= \"error\"'")
        elif name not in sinks:
            mistakes.add(f"--match {name}=…", f"there is no sink {name!r}", did_you_mean(name, sinks) or _these(sinks))
        else:
            assignments.append(Assignment(("sinks", name, "match"), text_node(rule, f"--match {name}=…")))
    return assignments


def _these(names: Sequence[str]) -> str:
    return "the sinks are: " + ", ".join(sorted(names))


def read_sets(flags: Flags, mistakes: Mistakes) -> list[Assignment]:
    """What `--set` sets."""
    assignments = []
    for flag in _in_utf8("--set", flags.sets, mistakes):
        key, equals, value = flag.partition("=")
        path: Path = tuple(key.split("."))
        place = f"--set {key}=…" if equals else "--set"
        if not equals or not all(path) or len(path) > MAX_DEPTH:
            mistakes.add(place, "expected KEY=VALUE", "for example --set spool.memory=32MiB")
        elif path[0] in LISTS:
            mistakes.add(place, f"{path[0]} cannot be set by a flag", f"use LOGROUTER_{path[0].upper()}")
        elif path[0] not in SECTIONS:
            mistakes.add(place, f"unknown key {path[0]!r}", hint_for(path[0], SECTIONS))
        elif (len(path) == 1) != (path[0] in SCALARS):
            mistakes.add(place, "expected the full path of one option", "for example --set spool.memory=32MiB")
        else:
            assignments.append(Assignment(path, text_node(value, place)))
    return assignments
