"""The environment as configuration: `LOGROUTER_*`, and OpenTelemetry's variables for the resource.

    LOGROUTER_SINK_<NAME>=URL            LOGROUTER_SINK_<NAME>__<KEY>[__<SUBKEY>]=value      the same for SOURCE
    LOGROUTER_SPOOL__<KEY>=value         LOGROUTER_DEAD_LETTERS__<KEY>=value
    LOGROUTER_ADMIN__<KEY>=value         LOGROUTER_RUN__<KEY>=value           LOGROUTER_RESOURCE__<KEY>=value
    LOGROUTER_SHUTDOWN_TIMEOUT, LOGROUTER_LOG_LEVEL, LOGROUTER_ALLOW_PLUGINS
    LOGROUTER_STEPS, LOGROUTER_ROUTES, LOGROUTER_RESOURCE
    LOGROUTER_CONFIG, LOGROUTER_CONFIG_YAML (read in files.py); STATE_DIRECTORY, which systemd sets
    AWS_* and HOME, by which AWS's own tools find their credentials (read by those sinks that ask for them)

Any other name that begins with LOGROUTER_ is a mistake, but for what Kubernetes injects into every pod beside
a Service called `logrouter…` ("service links"): those are told by their names and by their values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from logrouter.component import Kind, names, plugins
from logrouter.config.assignments import Assignment
from logrouter.config.files import SCALARS
from logrouter.config.mistakes import Mistakes
from logrouter.config.nodes import MAX_DEPTH, Node, Path, is_utf8, text_node
from logrouter.config.substitution import Substitution
from logrouter.config.yaml_nodes import parse_yaml
from logrouter.errors import did_you_mean, nearest
from logrouter.values import Secret

# Expressions are compiled when they are first used: most starts read no variable of ours.
_SECTION = r"LOGROUTER_(SINK|SOURCE)_([A-Za-z0-9_]+?)(__.+)?"
_NESTED = r"LOGROUTER_(SPOOL|DEAD_LETTERS|ADMIN|RUN|RESOURCE)__(.+)"
_SLIP = r"LOGROUTER_(SINK|SOURCE)S?_*(.*)"
_LIST_SLIP = r"LOGROUTER_(STEP|ROUTE)S?(?:_.*)?"
_SECTIONS = ("SINK", "SOURCE", "SPOOL", "DEAD", "ADMIN", "RUN", "RESOURCE", "LOG", "SHUTDOWN", "ALLOW", "CONFIG")
_OPTION_SLIP = r"LOGROUTER_(SINK|SOURCE)_([A-Z][A-Z0-9_]*?)_([A-Z][A-Z0-9_]*)"
_REFERENCE = r"\$\{[^{}]+\}"
"""All of a value, as it would be written in a file."""
_NAME = r"[a-z](?:_?[a-z0-9])*"
_READ_ELSEWHERE = ("LOGROUTER_CONFIG", "LOGROUTER_CONFIG_YAML")
_SINGLE = {f"LOGROUTER_{key.upper()}": key for key in SCALARS}
_DOCUMENTS = {"LOGROUTER_STEPS": list, "LOGROUTER_ROUTES": list, "LOGROUTER_RESOURCE": dict}
_KNOWN = (
    *_READ_ELSEWHERE, *_SINGLE, *_DOCUMENTS, "LOGROUTER_ADMIN__LISTEN", "LOGROUTER_SPOOL__MEMORY",
    "LOGROUTER_SPOOL__DURABILITY", "LOGROUTER_SPOOL__WHEN_FULL", "LOGROUTER_SPOOL__BLOCK_TIMEOUT",
    "LOGROUTER_SPOOL__DIRECTORY", "LOGROUTER_SPOOL__MAX_SIZE", "LOGROUTER_SPOOL__SYNC_INTERVAL",
    "LOGROUTER_SPOOL__KEEP", "LOGROUTER_DEAD_LETTERS__MAX_SIZE",
    "LOGROUTER_RUN__CAPTURE", "LOGROUTER_RUN__CAPTURE_MAX_SIZE", "LOGROUTER_RUN__APP_GRACE", "LOGROUTER_RUN__TEE",
    "LOGROUTER_RUN__PASS_ENV",
)  # fmt: skip

_LINK_PREFIX = r"LOGROUTER_(?:(?!.*__).+_)?"
_LINK_URL = r"(?:tcp|udp|sctp)://[0-9A-Fa-f.:\[\]]+"
_LINK_HOST = r"[0-9A-Fa-f.:]+|None"
_SERVICE_LINKS = (
    (_LINK_PREFIX + r"SERVICE_HOST", _LINK_HOST),
    (_LINK_PREFIX + r"SERVICE_PORT(?:_[A-Z0-9_]+)?", r"\d+"),
    (_LINK_PREFIX + r"PORT(?:_\d+_(?:TCP|UDP|SCTP))?", _LINK_URL),
    (_LINK_PREFIX + r"PORT_\d+_(?:TCP|UDP|SCTP)_PROTO", r"tcp|udp|sctp"),
    (_LINK_PREFIX + r"PORT_\d+_(?:TCP|UDP|SCTP)_PORT", r"\d+"),
    (_LINK_PREFIX + r"PORT_\d+_(?:TCP|UDP|SCTP)_ADDR", _LINK_HOST),
)
"""Kubernetes, "Discovering services: environment variables"."""


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes injects such a variable. `LOGROUTER_SINK_X_PORT=file:a` is a sink called `x_port`."""
    return any(re.fullmatch(names, name) and re.fullmatch(values, value) for names, values in _SERVICE_LINKS)


def read_environment(environ: Mapping[str, str], mistakes: Mistakes) -> list[Assignment]:
    """What the `LOGROUTER_*` variables set, in the order of their names: a URL before its `__KEY`s."""
    names = sorted(name for name in environ if name.startswith("LOGROUTER_") and name not in _READ_ELSEWHERE)
    assignments = []
    for name in names:
        value = environ[name]
        if is_service_link(name, value):
            continue
        if not is_utf8(value):
            mistakes.add(name, "not UTF-8")
        elif name in _DOCUMENTS:
            assignments += _document(name, value, environ, mistakes)
        elif re.fullmatch(_REFERENCE, value):
            # the value is not shown: it may be a password after all
            mistakes.add(name, "a ${…} in a variable is not filled in", _written_as(name, value))
        elif meant := _option_meant(name, value, environ):
            mistakes.add(name, "unknown variable", f"did you mean {meant!r}?")
        elif path := _path(name, mistakes):
            assignments.append(Assignment(path, text_node(value, name)))
    return assignments


def conventions(environ: Mapping[str, str]) -> dict[str, Secret]:
    """Variables that are conventions of destinations (`AWS_REGION`), and `HOME`, where they look for their files."""
    return {name: Secret(value) for name, value in environ.items() if name == "HOME" or name.startswith("AWS_")}


def state_directory(environ: Mapping[str, str]) -> Node | None:
    """Where the spool is in the folder that systemd gives a service (`STATE_DIRECTORY`, systemd.exec(5)), if any."""
    folder = environ.get("STATE_DIRECTORY", "").split(":")[0]
    return text_node(f"{folder}/spool", "STATE_DIRECTORY") if folder else None


def _document(name: str, value: str, environ: Mapping[str, str], mistakes: Mistakes) -> list[Assignment]:
    """A section as a YAML document of its own."""
    section = name.removeprefix("LOGROUTER_").lower()
    node = parse_yaml(value, name, mistakes)
    if node is None:
        return []
    if not isinstance(node.value, _DOCUMENTS[name]):
        mistakes.add(name, f"expected a YAML {'list' if _DOCUMENTS[name] is list else 'mapping'}")
        return []
    return [Assignment((section,), Substitution(environ, mistakes).fill(node, (section,)))]


def _path(name: str, mistakes: Mistakes) -> Path | None:
    """What a variable sets, or None after adding the mistake."""
    path = _path_of(name)
    if path is None:
        mistakes.add(name, "unknown variable", _meant(name))
    return path


def _path_of(name: str) -> Path | None:
    if name in _SINGLE:
        return (_SINGLE[name],)
    if match := re.fullmatch(_SECTION, name):
        component, keys = match[2].lower(), match[3]
        if re.fullmatch(_NAME, component) and _all_named(keys):
            return (f"{match[1].lower()}s", component, *_keys(keys))
    elif (match := re.fullmatch(_NESTED, name)) and _all_named(f"__{match[2]}"):
        return (match[1].lower(), *_keys(f"__{match[2]}"))
    return None


def _meant(name: str) -> str:
    """A hint: among others for a section in the plural, or one underscore too many, or a list written by names."""
    if match := re.fullmatch(_LIST_SLIP, name):
        return f"all {match[1].lower()}s are one list: LOGROUTER_{match[1]}S='[…]'"
    match = re.fullmatch(_SLIP, _with_known_section(name))
    if match and _path_of(better := f"LOGROUTER_{match[1]}_{match[2]}"):
        return f"did you mean {better!r}?"
    return (not match and did_you_mean(name, _KNOWN)) or _HOW


def _with_known_section(name: str) -> str:
    """The same where what comes after LOGROUTER_ is nearly `SINK` or `SOURCE`."""
    _, section, *rest = name.split("_", 2)
    return "_".join(["LOGROUTER", nearest(section, _SECTIONS) or section, *rest])


def _option_meant(name: str, value: str, environ: Mapping[str, str]) -> str | None:
    """The variable of an option, where one underscore of two is there: `LOGROUTER_SINK_A_MATCH` would be another sink,
    but no URL is its value, and there is a sink called `a`."""
    match = re.fullmatch(_OPTION_SLIP, name)
    if match is None or any(other.startswith(f"{name}__") for other in environ):
        return None
    section, component, key = match.groups()
    owner = f"LOGROUTER_{section}_{component}"
    kind: Kind = "sinks" if section == "SINK" else "sources"
    is_there = component in ("STDIN", "STDOUT") or owner in environ or any(n.startswith(f"{owner}__") for n in environ)
    component_meant = re.split("[:+]", value)[0]
    if not is_there or component_meant in names(kind) or component_meant in plugins(kind):
        return None
    return f"{owner}__{key}"


def _written_as(name: str, value: str) -> str:
    if value.startswith("${file:"):
        return f"a secret is read from a file by {name}_FILE={value[7:-1]}"
    return "only what is written in YAML is substituted: set the value itself"


_HOW = "a sink is LOGROUTER_SINK_<NAME>, an option of it LOGROUTER_SINK_<NAME>__<KEY>"


def _keys(text: str | None) -> list[str]:
    return text.lower().split("__")[1:] if text else []


def _all_named(text: str | None) -> bool:
    keys = _keys(text)
    return len(keys) < MAX_DEPTH and all(re.fullmatch(_NAME, key) for key in keys)


def otel_resource(environ: Mapping[str, str], mistakes: Mistakes) -> dict[str, Node]:
    """The resource that OpenTelemetry's variables describe (specification, "Resource SDK").

    `OTEL_RESOURCE_ATTRIBUTES` is `key=value,key=value`, percent-encoded; a bad one is discarded whole, as the
    specification wants, and told in `mistakes`, which the caller takes as warnings: it is not our variable.
    """
    name = "OTEL_RESOURCE_ATTRIBUTES"
    try:
        attributes = {key: text_node(value, name) for key, value in _otel_pairs(environ.get(name, ""))}
    except ValueError as error:
        mistakes.add(name, f"ignored: {error}")
        attributes = {}
    if service := environ.get("OTEL_SERVICE_NAME"):
        if is_utf8(service):
            attributes["service.name"] = text_node(service, "OTEL_SERVICE_NAME")
        else:
            mistakes.add("OTEL_SERVICE_NAME", "ignored: it is not UTF-8")
    return attributes


def _otel_pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not key or not equals:
            raise ValueError(f"expected key=value, not {part!r}")
        pairs.append((_decoded(key), _decoded(value)))
    return pairs


def _decoded(text: str) -> str:
    from urllib.parse import unquote_to_bytes

    try:
        return unquote_to_bytes(text.encode()).decode()
    except UnicodeError:
        raise ValueError("it is not UTF-8") from None
