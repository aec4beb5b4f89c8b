"""What differs between two configs, as it is told; and what only a restart can change."""

from __future__ import annotations

from pathlib import Path

import pytest

from logrouter.config import Settings, load
from logrouter.config.changes import check_change, describe_changes

NOWHERE = Path("/nonexistent")


def settings(**variables: str) -> Settings:
    environ = {f"LOGROUTER_{name}": value for name, value in variables.items()}
    return load(environ=environ, folder=NOWHERE, system_folder=NOWHERE)


ONE = {"SINK_A": "file:a"}
HASHED = "[{{hash: {{fields: [a], key: {}}}}}]"
HASH_HAS_CHANGED = "steps.0.hash.key: the secret has changed"


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        (ONE, ONE, []),
        (ONE, {**ONE, "SINK_B": "file:b"}, ["sinks.b: added"]),
        ({**ONE, "SINK_B": "file:b"}, ONE, ["sinks.b: removed"]),
        (ONE, {"SINK_A": "file:b"}, ["sinks.a.path: a → b"]),
        (ONE, {**ONE, "SINK_A__MATCH": "n == 1"}, ['sinks.a.match: none → "n == 1"']),
        (ONE, {**ONE, "LOG_LEVEL": "debug"}, ["log_level: warning → debug"]),
        (ONE, {**ONE, "STEPS": "[{remove: [a]}]"}, ["steps: [] → none", "steps.0.remove.0: none → a"]),
        (ONE, {**ONE, "SINK_A__MATCH": "n == 1" + "0" * 100}, [f'sinks.a.match: none → "n == 1{"0" * 52}…']),
        (
            {"SINK_A": "http://h/", "SINK_A__TYPE": "http", "SINK_A__TOKEN": "one"},
            {"SINK_A": "http://h/", "SINK_A__TYPE": "http", "SINK_A__TOKEN": "two"},
            ["sinks.a.token: the secret has changed"],
        ),
        (
            {"SINK_A": "http://h/", "SINK_A__TYPE": "http", "SINK_A__TOKEN": "one"},
            {"SINK_A": "http://h/x", "SINK_A__TYPE": "http", "SINK_A__TOKEN": "two"},
            ['sinks.a.url: "http://h/" → "http://h/x"', "sinks.a.token: the secret has changed"],
        ),
        ({**ONE, "STEPS": HASHED.format("a" * 20)}, {**ONE, "STEPS": HASHED.format("b" * 20)}, [HASH_HAS_CHANGED]),
    ],
)
def test_what_differs(before: dict[str, str], after: dict[str, str], changes: list[str]) -> None:
    assert describe_changes(settings(**before), settings(**after)) == changes


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        ({"SPOOL__DIRECTORY": "/x"}, "spool.directory: cannot change while logrouter runs, from none to /x"),
        (
            {"ADMIN__LISTEN": "127.0.0.1:1"},
            "admin.listen: cannot change while logrouter runs, from none to 127.0.0.1:1",
        ),
        (
            {"SOURCE_OTHER": "stdin"},
            "sources.other: stdin is what the process was started with: it cannot come while logrouter runs",
        ),
    ],
)
def test_what_only_a_restart_can_change(after: dict[str, str], problem: str) -> None:
    mistakes = check_change(settings(**ONE), settings(**ONE, **after))
    assert problem in [mistake.problem for mistake in mistakes]
    assert all(mistake.place.startswith("LOGROUTER_") for mistake in mistakes if mistake.problem == problem)
    assert {mistake.hint for mistake in mistakes} == {"restart logrouter to change that; nothing else was changed"}


def test_what_is_made_of_lines_can_change() -> None:
    after = settings(**ONE, SOURCE_STDIN__PARSE="none", SOURCE_STDIN__MAX_LINE="64KiB", SPOOL__MEMORY="1MiB")
    assert check_change(settings(**ONE), after) == []
