"""The configuration: from files, variables and flags to `Settings`, or to a list of all that is wrong.

    YAML files ─ read, merged ─┐
    LOGROUTER_* ─ assigned ────┤  one document of nodes ── converted, checked ──▶ Settings
    flags ─ assigned ──────────┘  (each knows its origin)                     └─▶ ConfigError: every mistake

What the pieces own: `nodes` the tree, `yaml_nodes` the part of YAML we read, `files` finding and merging,
`substitution` `${…}`, `environment` and `flags` their notations, `assignments` how these two change the document,
`scalars` and `conversion` typing, `urls` and `components` sources, steps and sinks, `build` what ties the sections
together, `settings` the result, `effective` showing it. To add an option, add a field to its struct: nothing here
needs to know. Later wins: defaults, OTEL_* (resource only), files, LOGROUTER_*, flags.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from logrouter.config.assignments import assign
from logrouter.config.build import build
from logrouter.config.effective import config_hash, describe_effective, render_effective
from logrouter.config.environment import conventions, otel_resource, read_environment, state_directory
from logrouter.config.files import SYSTEM_FOLDER, Document, merge_documents, read_documents
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
    "config_hash",
    "describe_effective",
    "load",
    "render_effective",
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
    environ, flags = environ or {}, flags or Flags()
    mistakes, warnings = Mistakes(), Mistakes()
    fill = Substitution(environ, mistakes).fill
    documents = [fill(node) for node in read_documents(files, environ, folder, system_folder, mistakes)]
    document = _with_defaults(merge_documents(documents, mistakes), otel_resource(environ, warnings), app)
    document = _with_state_directory(document, environ)
    document = _with_variables_and_flags(document, environ, flags, mistakes, "run" if app else "stdin")
    settings = build(document, mistakes, warnings.found, conventions(environ), under_run=app is not None)
    if mistakes:
        raise ConfigError(mistakes.sorted())
    return settings


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
