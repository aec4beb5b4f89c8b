"""Finds and reads config files, and merges them into one document. The only place here that opens files.

    --config FILE (repeatable) → else LOGROUTER_CONFIG (FILE:FILE) → else ./logrouter.yaml
    → else /etc/logrouter/*.yaml → else none

`LOGROUTER_CONFIG_YAML` holds a whole document; it is the last file, and like the first two it is a choice:
where it is set, the last two places are not looked at.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from logrouter.config.mistakes import Mistakes, shown
from logrouter.config.nodes import Node, dotted
from logrouter.config.words import hint_for
from logrouter.config.yaml_nodes import MAX_BYTES, parse_yaml
from logrouter.errors import did_you_mean
from logrouter.values import CodeFile

MAPPINGS = ("resource", "sources", "sinks", "spool", "dead_letters", "admin", "run")
LISTS = ("steps", "routes")
SCALARS = ("shutdown_timeout", "log_level", "allow_plugins")
SECTIONS = ("resource", "sources", "steps", "routes", "sinks", "spool", "dead_letters", "admin", "run", *SCALARS)
"""The keys of a config, in the order in which they are documented and shown."""
TESTS = "tests"
"""A key beside these: a list that is no part of the config, but tests it."""

Document = dict[str, Node]
"""Sections: those of MAPPINGS hold mappings, those of LISTS lists."""

SYSTEM_FOLDER = Path("/etc/logrouter")
"""Where a service's config is looked for."""
_MAX_SECRET_BYTES = 64 * 1024
_MAX_SAMPLE_BYTES = 4 * 2**20
_MAX_CODE_BYTES = 1024 * 1024
_WRITER_SECONDS = 5.0
"""How long a named pipe is waited for until somebody writes: long enough for two programs started at once."""


def read_documents(
    files: Sequence[Path], environ: Mapping[str, str], folder: Path, system_folder: Path, mistakes: Mistakes
) -> list[Node]:
    """The documents that make up the config, in order. A bad one is left out, its mistakes added."""
    paths, said_by = find_files(files, environ, folder, system_folder)
    nodes = [_read(path, said_by, mistakes) for path in paths]
    if text := environ.get("LOGROUTER_CONFIG_YAML"):
        nodes.append(parse_yaml(text, "LOGROUTER_CONFIG_YAML", mistakes))
    return [node for node in nodes if node is not None]


def without_tests(document: Node) -> tuple[Node, Node | None]:
    """A document without its tests, and these."""
    if not isinstance(document.value, dict) or TESTS not in document.value:
        return document, None
    rest = {key: node for key, node in document.value.items() if key != TESTS}
    return Node(rest, document.origin, document.key_origin), document.value[TESTS]


def read_fixtures(path: Path, mistakes: Mistakes) -> Node | None:
    """The list of tests that a file holds, alone or under `tests`. None where there is none, its mistake added."""
    document = _read(path, "test", mistakes)
    if document is None or not isinstance(document.value, dict):
        return document
    rest, tests = without_tests(document)
    for key, node in rest.value.items():
        is_config = key in SECTIONS
        hint = f"if it is the config, say --config {path}" if is_config else did_you_mean(key, [TESTS])
        mistakes.add(node.place_of_key, f"a file of tests holds a list of them, or {TESTS!r}, but not {key!r}", hint)
    return tests


def read_sample(path: Path) -> bytes:
    """What a file of lines for a test holds. Raises ValueError with the reason."""
    try:
        data = _read_bytes(path, _MAX_SAMPLE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ValueError(f"{str(path)!r} cannot be read: {_reason(error)}") from None
    if len(data) > _MAX_SAMPLE_BYTES:
        raise ValueError(f"{str(path)!r} is larger than 4MiB")
    return data


def find_files(
    files: Sequence[Path], environ: Mapping[str, str], folder: Path, system_folder: Path
) -> tuple[Sequence[Path], str]:
    """The files to read, and who asked for them (for mistakes)."""
    if files:
        return files, "--config"
    if listed := environ.get("LOGROUTER_CONFIG"):
        return [Path(name) for name in listed.split(":") if name], "LOGROUTER_CONFIG"
    if environ.get("LOGROUTER_CONFIG_YAML"):
        return [], ""
    if _is_file(local := folder / "logrouter.yaml"):
        return [local], ""
    return sorted(system_folder.glob("*.yaml")), ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a working directory of somebody else
        return False


def _read(path: Path, said_by: str, mistakes: Mistakes) -> Node | None:
    try:
        data = _read_bytes(path, MAX_BYTES + 1)
    except IsADirectoryError:
        example = next(iter(sorted(path.glob("*.yaml"))), None)
        hint = f"for example {example}" if example else None
        mistakes.add(f"{said_by} {path}".strip(), "is a folder: expected a file", hint)
        return None
    except (OSError, ValueError) as error:  # ValueError: NUL in the name
        mistakes.add(f"{said_by} {path}".strip(), f"cannot be read: {_reason(error)}")
        return None
    return parse_yaml(data, str(path), mistakes)


def _read_bytes(path: Path, most: int) -> bytes:
    """What a file, a pipe or a terminal holds, until it ends. Raises OSError.

    A pipe is waited for as long as it has a writer, as a shell's `<(…)` has; without one it would be for ever, so
    that a named pipe is given some seconds to get one.
    """
    data = bytearray()
    with open(path, "rb", buffering=0, opener=_open_at_once) as file:
        is_pipe = stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
        if is_pipe:
            _wait_for_writer(file.fileno())
        while len(data) < most and (piece := file.read(most - len(data))) != b"":
            if piece is None:  # nothing yet
                select.select([file], [], [])
            else:
                data += piece
        if not data and is_pipe:
            raise OSError(errno.EPIPE, "it is a pipe that nobody has written to")
    return bytes(data)


def _wait_for_writer(descriptor: int) -> None:
    """Until a pipe has something to read, or the time is up, or its last writer is gone.

    Until a named pipe is opened to write for the first time, reading it is its end already, but polling it is not.
    """
    polling = select.poll()
    polling.register(descriptor, select.POLLIN)
    polling.poll(_WRITER_SECONDS * 1000)


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_secret(path: str) -> str:
    """The text of a file of secrets, without one newline at its end. Raises ValueError with the reason."""
    return _read_text(path, _MAX_SECRET_BYTES, "64KiB").removesuffix("\n").removesuffix("\r")


def read_code(path: str) -> CodeFile:
    """A file of code. Raises ValueError with the reason."""
    return CodeFile(path, _read_text(path, _MAX_CODE_BYTES, "1MiB"))


def _read_text(path: str, most: int, named: str) -> str:
    try:
        data = _read_bytes(Path(path), most + 1)
        if len(data) > most:
            raise ValueError(f"it is larger than {named}")
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path!r} cannot be read: it is not UTF-8") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path!r} cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """What the system says, without the path: "No such file or directory"."""
    return (isinstance(error, OSError) and error.strerror) or str(error)


def merge_documents(documents: Iterable[Node], mistakes: Mistakes) -> Document:
    """One document out of all: mappings merged by key, lists put one after the other.

    What is set in two documents is a mistake: which of them wins would depend on their names.
    """
    merged: Document = {}
    for document in documents:
        if not isinstance(document.value, dict):
            mistakes.add(document.origin, f"a config is a mapping such as 'sinks: …', not {shown(document)}")
            continue
        empty = None
        for key, node in document.value.items():
            if key not in SECTIONS:
                mistakes.add(node.place_of_key, f"unknown key {key!r}", _hint(key, empty))
                continue
            empty = key if node.value is None else None
            if checked := _section(key, node, mistakes):
                merged[key] = _merge(merged[key], checked, (key,), mistakes) if key in merged else checked
    return merged


def _hint(key: str, empty: str | None) -> str:
    """What an unknown key is meant to be. `empty`: the section above it, if nothing stands under that."""
    if hint := hint_for(key, (*SECTIONS, TESTS)):
        return hint
    return f"if it belongs to {empty!r}, indent it" if empty else f"known are: {', '.join((*SECTIONS, TESTS))}"


def _section(key: str, node: Node, mistakes: Mistakes) -> Node | None:
    """The section as its kind wants it; None where nothing stands under its key, or the wrong thing."""
    if node.value is None:
        return None
    if key in SCALARS:
        return node
    if key in MAPPINGS and not isinstance(node.value, dict):
        hint = "give each a name: 'errors: …'" if key in ("sinks", "sources") and isinstance(node.value, list) else None
        mistakes.add(node.origin, f"{key}: expected a mapping, not {shown(node)}", hint)
        return None
    if key in LISTS and not isinstance(node.value, list):
        mistakes.add(node.origin, f"{key}: expected a list, not {shown(node)}", "begin each item with '- '")
        return None
    if key == "resource":
        return Node(flatten(node), node.origin, node.key_origin)
    return node


def flatten(node: Node, prefix: str = "") -> dict[str, Node]:
    """`{service: {name: x}}` is `{service.name: x}`: attributes are flat and have dotted names."""
    flat: dict[str, Node] = {}
    for key, item in node.value.items():
        if isinstance(item.value, dict):
            flat |= flatten(item, f"{prefix}{key}.")
        else:
            flat[prefix + key] = item
    return flat


def _merge(first: Node, second: Node, path: tuple[str, ...], mistakes: Mistakes) -> Node:
    if isinstance(first.value, list) and isinstance(second.value, list):
        return Node(first.value + second.value, first.origin)
    if not isinstance(first.value, dict) or not isinstance(second.value, dict):
        mistakes.add(second.place_of_key, f"{dotted(path)} is set twice, first at {first.place_of_key.place}")
        return first
    merged = dict(first.value)
    for key, node in second.value.items():
        if key in merged:
            where = merged[key].place_of_key.place
            mistakes.add(node.place_of_key, f"{dotted((*path, key))} is set twice, first at {where}")
        else:
            merged[key] = node
    return Node(merged, first.origin)
