"""The configuration: from files, variables and flags to `Settings`, or to a list of all that is wrong.

    YAML files ─ read, merged ─┐
    LOGROUTER_* ─ assigned ────┤  one document of nodes ── converted, checked ──▶ Settings
    flags ─ assigned ──────────┘  (each knows its origin)                     └─▶ ConfigError: every mistake

What the pieces own: `nodes` the tree, `yaml_nodes` the part of YAML we read, `files` finding and merging,
`substitution` `${…}`, `environment` and `flags` their notations, `assignments` how these two change the document,
`kinds`, `scalars` and `conversion` typing, `words` what was meant by an unknown one, `urls` and `components` sources,
steps and sinks, `build` what ties the sections together, `settings` the result, `effective` showing it; `fixtures`,
tests of it. To add an option, add a field to its struct: nothing here needs to know. Later wins: defaults, OTEL_*
(resource only), files, LOGROUTER_*, flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from logrouter.config.assignments import assign
from logrouter.config.build import build
from logrouter.config.environment import conventions, otel_resource, read_environment, state_directory
from logrouter.config.files import (
    SYSTEM_FOLDER,
    Document,
    merge_documents,
    read_documents,
    read_fixtures,
    without_tests,
)
from logrouter.config.flags import Flags, read_matches, read_sets, read_sinks
from logrouter.config.mistakes import Mistakes
from logrouter.config.nodes import DEFAULT, Node
from logrouter.config.settings import (
    AdminSettings,
    RouteSettings,
    RunSettings,
    Settings,
    SinkSettings,
    SourceSettings,
    SpoolSettings,
    StepSettings,
)
from logrouter.config.substitution import Substitution
from logrouter.errors import ConfigError

if TYPE_CHECKING:
    from logrouter.fixtures import Case

__all__ = [
    "AdminSettings",
    "Flags",
    "RouteSettings",
    "RunSettings",
    "Settings",
    "SinkSettings",
    "SourceSettings",
    "SpoolSettings",
    "StepSettings",
    "load",
    "load_tested",
]


def load(
    files: Sequence[Path] = (),
    environ: Mapping[str, str] | None = None,
    flags: Flags | None = None,
    *,
    folder: Path = Path(),
    system_folder: Path = SYSTEM_FOLDER,
    app: str | None = None,
) -> Settings:
    """The settings that files, variables and flags make together.

    `app`: the name of the app, under `logrouter run`. It is the default of `service.name`, and its output is what is
    stdin elsewhere.

    `files` are those of `--config`; without them (and without LOGROUTER_CONFIG) `logrouter.yaml` in `folder` is
    read if it is there, else `*.yaml` in `system_folder`. Raises ConfigError with all mistakes.
    """
    environ, mistakes = environ or {}, Mistakes()
    documents = read_documents(files, environ, folder, system_folder, mistakes)
    settings = _settings(documents, environ, flags or Flags(), mistakes, app)
    if mistakes:
        raise ConfigError(mistakes.sorted())
    return settings


def load_tested(
    files: Sequence[Path],
    environ: Mapping[str, str],
    flags: Flags,
    fixtures: Sequence[Path] = (),
    *,
    folder: Path = Path(),
    system_folder: Path = SYSTEM_FOLDER,
) -> tuple[Settings, list[Case]]:
    """The same, and the tests: those in the files `fixtures`; without these, those in the config.

    Raises ConfigError with the mistakes of both.
    """
    from logrouter.config.fixtures import convert_tests

    mistakes = Mistakes()
    documents = read_documents(files, environ, folder, system_folder, mistakes)
    settings = _settings(documents, environ, flags, mistakes, None)
    if fixtures:
        lists = [read_fixtures(path, mistakes) for path in fixtures]
    else:
        lists = [without_tests(document)[1] for document in documents]
    cases = convert_tests([node for node in lists if node is not None], settings, mistakes)
    if mistakes:
        raise ConfigError(mistakes.sorted())
    return settings, cases


def _settings(
    documents: Sequence[Node], environ: Mapping[str, str], flags: Flags, mistakes: Mistakes, app: str | None
) -> Settings:
    """Only good for anything if no mistake was added."""
    warnings = Mistakes()
    fill = Substitution(environ, mistakes).fill
    filled = [fill(without_tests(document)[0]) for document in documents]
    document = _with_defaults(merge_documents(filled, mistakes), otel_resource(environ, warnings), app)
    document = _with_state_directory(document, environ)
    document = _with_variables_and_flags(document, environ, flags, mistakes, "run" if app else "stdin")
    return build(document, mistakes, warnings.found, conventions(environ), under_run=app is not None)


def _with_defaults(document: Document, resource: dict[str, Node], app: str | None) -> Document:
    """The document with the resource that the environment knows, where the document does not say better."""
    own = document["resource"].value if "resource" in document else {}
    named = {"service.name": Node(app, DEFAULT, text=app)} if app else {}
    return {**document, "resource": Node({**named, **resource, **own}, DEFAULT)}


def _with_state_directory(document: Document, environ: Mapping[str, str]) -> Document:
    """The document with the folder that systemd gives a service for the spool, where it does not name one."""
    spool = document.get("spool", Node({}, DEFAULT))
    folder = state_directory(environ)
    if folder is None or not isinstance(spool.value, dict) or "directory" in spool.value:
        return document
    return {**document, "spool": Node({**spool.value, "directory": folder}, spool.origin, spool.key_origin)}


def _with_variables_and_flags(
    document: Document, environ: Mapping[str, str], flags: Flags, mistakes: Mistakes, source: str
) -> Document:
    """The document after all assignments; the default source and sink where there is none."""
    for assignment in (*read_environment(environ, mistakes), *read_sinks(flags, mistakes)):
        document = assign(document, assignment, mistakes)
    sets = read_sets(flags, mistakes)
    named = {assignment.path[0] for assignment in sets}
    for section, name in (("sources", source), ("sinks", "stdout")):
        if not (section in document and document[section].value) and section not in named:
            document[section] = Node({name: Node(name, DEFAULT, text=name)}, DEFAULT)
    for assignment in sets:
        document = assign(document, assignment, mistakes)
    for assignment in read_matches(flags, document, mistakes):
        document = assign(document, assignment, mistakes)
    return document
