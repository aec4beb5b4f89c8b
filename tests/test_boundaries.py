"""The rules of the house that a machine can check: what may import and do what, sizes, names, docstrings."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "logrouter"
LONGEST_FILE = 500
LONGEST_FUNCTION = 60
VAGUE_NAMES = ("util", "utils", "helper", "helpers", "manager", "common", "misc")

EDGES = ("logrouter.__main__", "logrouter.cli", "logrouter.runtime", "logrouter.sources", "logrouter.supervisor")
"""Where things are awaited, opened and timed. Everything else is pure."""
EXCEPTIONS = {
    "logrouter.config.files": "the loading edge: the one place that opens config files and files of secrets",
    "logrouter.config.page": "a tool of the developers, run by hand: it writes tables into a page of docs/",
    "logrouter.reference": "a tool of the developers, run by hand: it writes docs/; `describe` uses its pure part",
    "logrouter.testing": "fakes of what the runtime has",
    "logrouter.testing.contract": "what sinks are asked, by way of the fakes",
    "logrouter.testing.fakes": "transports, sources, a disk with faults",
    "logrouter.testing.http": "a server",
    "logrouter.testing.responding": "a transport",
}
LOADED_WHERE_WANTED = {
    "logrouter.cli": {"logrouter.cli._route"},
    "logrouter.config.conversion": {"logrouter.config.parsers"},
    "logrouter.runtime.transports": {
        f"logrouter.runtime.transports.{name}" for name in ("files", "http", "late", "state", "streams")
    },
}
"""What these choose among, and which knows them in turn."""
FORBIDDEN_PACKAGES = (
    "trio",
    "httpx",
    "httpcore",
    "h11",
    "prometheus_client",
    "socket",
    "asyncio",
    "threading",
    "subprocess",
)
OPENING = ("open", "read_text", "read_bytes", "write_text", "write_bytes")
CLOCK = {
    "time": ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep"),
    "datetime": ("now", "utcnow", "today"),
    "date": ("today",),
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}
PURE = [name for name in MODULES if not name.startswith(EDGES) and name not in EXCEPTIONS]


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes, without those that only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from walk(child)


def named_by(name: str) -> set[str]:
    """Every module of which a module names something, be it for type checkers alone."""
    found = set()
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.ImportFrom):
            inner = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            found |= {module if module in MODULES else str(node.module) for module in inner.values()}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return (found & MODULES.keys()) - {name}


@cache
def imports_of(name: str) -> frozenset[str]:
    """Every module that a module imports by name, at its top or later, and the packages these are in."""
    found = set()
    for node in walk(tree_of(name)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{name}:{node.lineno} imports relatively"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    parents = {module.rsplit(".", depth)[0] for module in found for depth in range(1, module.count(".") + 1)}
    return frozenset(found | parents)


def ways_to_forbidden(name: str) -> list[str]:
    """How a module comes to import what it must not: `logrouter.a → logrouter.b → trio`."""
    ways: list[str] = []
    seen = {name}
    waiting: list[tuple[str, ...]] = [(name,)]
    while waiting:
        way = waiting.pop()
        for imported in sorted(imports_of(way[-1]) - seen):
            if imported.split(".")[0] in FORBIDDEN_PACKAGES:
                ways.append(" → ".join((*way, imported)))
            elif imported in MODULES:
                seen.add(imported)
                waiting.append((*way, imported))
    return ways


def forbidden_acts(tree: ast.Module) -> list[str]:
    """Where something is opened or a clock is read."""
    found = []
    for node in walk(tree):
        if isinstance(node, ast.Call):
            called = node.func
            if (isinstance(called, ast.Name) and called.id == "open") or (
                isinstance(called, ast.Attribute) and called.attr in OPENING
            ):
                found.append(f"line {node.lineno}: {ast.unparse(called)}")
        elif isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value).rpartition(".")[2]
            if node.attr in CLOCK.get(owner, ()):
                found.append(f"line {node.lineno}: {ast.unparse(node)}")
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            found += [f"line {node.lineno}: time.{alias.name}" for alias in node.names if alias.name in CLOCK["time"]]
    return found


def test_the_walk_sees_what_it_should() -> None:
    """A boundary that cannot be crossed because nobody looks is none."""
    source = "import time, os\nfrom time import sleep\nopen('x')\nos.open('x', 0)\nx = time.time\np.read_text()\n"
    assert forbidden_acts(ast.parse(source)) == [
        "line 2: time.sleep",
        "line 3: open",
        "line 4: os.open",
        "line 5: time.time",
        "line 6: p.read_text",
    ]
    assert forbidden_acts(ast.parse("datetime.datetime.now()\ntime.gmtime(0)\n")) == ["line 1: datetime.datetime.now"]
    assert any(way.endswith(" → trio") for way in ways_to_forbidden("logrouter.runtime.topology"))


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_nothing_that_awaits(name: str) -> None:
    assert ways_to_forbidden(name) == []


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_open_nothing_and_read_no_clock(name: str) -> None:
    assert forbidden_acts(tree_of(name)) == []


def test_one_can_read_from_the_bottom_up() -> None:
    """No circle, nor one of types alone: whoever reads a module has read all that it is made of."""
    graph = {name: named_by(name) - LOADED_WHERE_WANTED.get(name, set()) for name in MODULES}
    TopologicalSorter(graph).prepare()


def test_one_module_speaks_http() -> None:
    """Whatever is to replace httpx one day replaces one file; what is below httpx, nobody knows."""
    assert [name for name in MODULES if "httpx" in imports_of(name)] == ["logrouter.runtime.transports.http"]
    assert [name for name in MODULES if "httpcore" in imports_of(name)] == []


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("logrouter.supervisor")])
def test_the_supervisor_needs_nothing_but_the_standard_library(name: str) -> None:
    """It stays beside the app for as long as that runs, and must not grow."""
    allowed = {*sys.stdlib_module_names, "logrouter"} - {"argparse", "asyncio", "dataclasses", "pathlib", "subprocess"}
    assert {module.split(".")[0] for module in imports_of(name)} <= allowed
    ours = {module for module in imports_of(name) if module.startswith("logrouter.")}
    assert all(module.startswith("logrouter.supervisor") for module in ours)


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_exceptions_are_needed(name: str) -> None:
    """An exception that no longer is one is a hole."""
    assert name in MODULES
    if name != "logrouter.testing.fakes":  # it passes calls on to `os`, by name
        assert forbidden_acts(tree_of(name)) or ways_to_forbidden(name)


@pytest.mark.parametrize("name", MODULES)
def test_files_are_short_and_named_for_what_they_hold(name: str) -> None:
    length = len(MODULES[name].read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST_FILE, f"{name} has {length} lines: split it"
    assert [part for part in name.split(".") if part.strip("_") in VAGUE_NAMES] == []


@pytest.mark.parametrize("name", MODULES)
def test_functions_are_short(name: str) -> None:
    functions = [node for node in walk(tree_of(name)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in functions}
    assert {function: length for function, length in lengths.items() if length > LONGEST_FUNCTION} == {}


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_is_documented(name: str) -> None:
    module = import_module(name)
    assert module.__doc__, f"{name} says nothing of itself"
    assert [what for what, documented in public(module, tree_of(name).body) if not documented] == []


def public(owner: object, body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, bool]]:
    """What has no underscore, and whether it or what it overrides has a docstring."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name[0] != "_":
            if ast.unparse(node).startswith("@overload"):
                continue
            member = inspect.getattr_static(owner, node.name)
            inherited = None if isinstance(node, ast.ClassDef) else inspect.getdoc(member)
            yield prefix + node.name, bool(ast.get_docstring(node) or inherited or documented_above(owner, node.name))
            if isinstance(node, ast.ClassDef) and not is_protocol(node):
                yield from public(member, node.body, f"{prefix}{node.name}.")


def documented_above(owner: object, name: str) -> bool:
    """Whether a base of the class documents what it overrides."""
    bases = owner.__mro__[1:] if isinstance(owner, type) else ()
    return any(inspect.getdoc(vars(base)[name]) for base in bases if name in vars(base))


def is_protocol(node: ast.ClassDef) -> bool:
    """Whether the class only lists what others can do: its docstring says whose methods these are."""
    return any(ast.unparse(base) == "Protocol" for base in node.bases)
