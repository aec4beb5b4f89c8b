"""Nodes to tests of the config: `tests` in it, and files of these.

`${…}` means nothing here: lines are as they stand.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path as File
from typing import Any

from msgspec.structs import replace

from logrouter.config.conversion import WRONG, Converter
from logrouter.config.files import TESTS, read_sample
from logrouter.config.mistakes import Mistakes, shown
from logrouter.config.nodes import Node, Origin, Path, dotted
from logrouter.config.settings import Settings
from logrouter.errors import did_you_mean
from logrouter.event import ATTRIBUTES, MARKS
from logrouter.fixtures import Case, Expected, Fixture, Input, Line, Moment, Pause, Sample, file_of

_KNOWN_BY_SOURCES = tuple(name for name in ATTRIBUTES if name not in ("source", "received", *MARKS))
"""What `meta` may say."""


def convert_tests(lists: Iterable[Node], settings: Settings, mistakes: Mistakes) -> list[Case]:
    """The tests of all lists. Only good for anything if no mistake was added."""
    is_right = not mistakes
    return [case for tests in lists for case in _Reader(settings if is_right else None, mistakes).cases(tests)]


class _Reader:
    """Reads one list of tests."""

    def __init__(self, settings: Settings | None, mistakes: Mistakes) -> None:
        """`settings`: None where the config is wrong: then nobody knows what the tests may name."""
        self._settings = settings
        self._mistakes = mistakes
        self._converter = Converter(mistakes)
        self._places: dict[str, str] = {}

    def cases(self, tests: Node) -> list[Case]:
        """Each test that is right."""
        items = [] if tests.value is None else self._converter.list_items(tests, (TESTS,)) or []
        cases = (self._case(item, (TESTS, str(number))) for number, item in enumerate(items))
        return [case for case in cases if case is not None]

    def _case(self, node: Node, path: Path) -> Case | None:
        if not isinstance(node.value, dict):
            problem = f"{dotted(path)}: expected a test, with name, input and expect, not {shown(node)}"
            self._mistakes.add(node.origin, problem)
            return None
        keys = dict(node.value)
        if "input" in keys:
            keys["input"] = self._without_mappings(keys["input"], (*path, "input"))
        if "expect" in keys:
            keys["expect"] = _as_list(keys["expect"])
        fixture = self._converter.struct(Node(keys, node.origin), Fixture, path)
        if fixture is WRONG:
            return None
        self._check_name(fixture.name, node)
        meta = self._meta(fixture.meta, keys, (*path, "meta"))
        expectations = keys["expect"].value
        for number, expected in enumerate(fixture.expect):
            self._check_names(expected, expectations[number], (*path, "expect", str(number)))
        sample = fixture.input if isinstance(fixture.input, Sample) else None
        return Case(
            replace(fixture, meta=meta),
            self._source(fixture.source, keys, path),
            self._lines(fixture.input, node, (*path, "input")),
            node.origin.place,
            tuple(item.origin.place for item in expectations),
            None if sample is None else _path_of(sample, node),
        )

    def _without_mappings(self, node: Node, path: Path) -> Node:
        """The input without lines of JSON that YAML takes for mappings; the mistakes are added."""
        if isinstance(node.value, list):
            items = [item for item in node.value if not self._is_line_of_json(item, "after", path)]
            return Node(items, node.origin, node.key_origin)
        return Node("", node.origin, node.key_origin, "") if self._is_line_of_json(node, "file", path) else node

    def _is_line_of_json(self, node: Node, key: str, path: Path) -> bool:
        """Whether a mapping is none with this one key."""
        if not isinstance(node.value, dict) or any(did_you_mean(name, [key]) for name in node.value):
            return False
        hint = "a line of JSON needs quotes, '{…}', or a text of lines: |"
        self._mistakes.add(node.origin, f"{dotted(path)}: expected a line, or {key!r}, not another mapping", hint)
        return True

    def _check_name(self, name: str, node: Node) -> None:
        if name in self._places:
            self._mistakes.add(node.origin, f"two tests are called {name!r}, the first at {self._places[name]}")
        self._places.setdefault(name, node.origin.place)

    def _meta(self, meta: Mapping[str, Any], keys: Mapping[str, Node], path: Path) -> dict[str, Any]:
        """What the source knows, of which `written` is a time."""
        known = dict(meta)
        for name in meta:
            node = keys["meta"].value[name]
            if name not in _KNOWN_BY_SOURCES:
                self._converter.unknown(name, node, path, _KNOWN_BY_SOURCES)
            elif name == "written":
                known[name] = self._converter.convert(node, Moment, (*path, name))
        return known

    def _source(self, name: str | None, keys: Mapping[str, Node], path: Path) -> str:
        """The source that reads the lines."""
        if self._settings is None:
            return ""
        if name is None:
            return next(iter(self._settings.sources))
        self._check_known("source", name, self._settings.sources, keys["source"].origin, path)
        return name

    def _check_names(self, expected: Expected, node: Node, path: Path) -> None:
        """Whether the routes and sinks are there that it names."""
        if self._settings is None:
            return
        known = {"routes": [route.name for route in self._settings.routes], "sinks": list(self._settings.sinks)}
        for option, names in known.items():
            if getattr(expected, option) is not None:
                given = node.value[option].value
                named = given if isinstance(given, dict) else {item.text: item for item in given}
                for name, item in named.items():
                    self._check_known(option[:-1], name, names, item.place_of_key, (*path, option))

    def _check_known(self, what: str, name: str, known: Collection[str], origin: Origin, path: Path) -> None:
        if name not in known:
            hint = did_you_mean(name, known) or (f"known are: {', '.join(known)}" if known else None)
            self._mistakes.add(origin, f"{dotted(path)}: there is no {what} {name!r}", hint)

    def _lines(self, given: Input, node: Node, path: Path) -> tuple[Line, ...]:
        """What comes in, in order."""
        match given:
            case str():
                return (given.encode(),)
            case Sample():
                return self._sample(_path_of(given, node), (*path, "file"))
            case _:
                return tuple(item.after if isinstance(item, Pause) else f"{item}\n".encode() for item in given)

    def _sample(self, file: File, path: Path) -> tuple[Line, ...]:
        try:
            return (read_sample(file),)
        except ValueError as error:
            self._mistakes.add(self._converter.origins[path], f"{dotted(path)}: {error}")
            return ()


def _path_of(sample: Sample, test: Node) -> File:
    """The path of a sample, which stands in the folder of the file that names it."""
    return File(file_of(test.origin.place)).parent / sample.file


def _as_list(node: Node) -> Node:
    """`expect: {…}` is `expect: [{…}]`."""
    return Node([node], node.origin, node.key_origin) if isinstance(node.value, dict) else node
