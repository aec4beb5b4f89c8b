"""Asks a server of Elasticsearch's API what it is, and whether it would take what we want to send, without sending it.

What may not be asked (`monitor` and `view_index_metadata` are rights of their own) is not complained of.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import msgspec

from logrouter.http_sink import SUCCESS, shown
from logrouter.instructions import Instruction, Request, Response
from logrouter.sinks._bulk_answers import document_in, failure_of

Probe: TypeAlias = Generator[Instruction, Any, list[str]]

_OLDEST: Final = {"Elasticsearch": 7, "OpenSearch": 1}
_NO_PIPELINE: Final = "_none"
"""What asks for none, also where the index names one."""
_BLOCKS: Final = tuple(f"index.blocks.{name}" for name in ("write", "read_only", "read_only_allow_delete"))
_OF_TEMPLATES: Final = ("index_patterns", "data_stream", "allow_auto_create")
_JSON: Final = (("Content-Type", "application/json"),)
_NDJSON: Final = (("Content-Type", "application/x-ndjson"),)


def probe(index: str, data_stream: bool, pipeline: str | None, rights: Sequence[str], target: str) -> Probe:
    """Yield requests, return what is wrong. `index` may hold `*` for what depends on events; `target` takes them."""
    response = yield Request("GET", "/")
    wrong = (yield from _refused(response, target)) or _wrong_with_server(response)
    if wrong:
        return wrong
    wrong += yield from _missing_rights(index, rights)
    if data_stream:
        wrong += yield from _no_stream(index)
    else:
        wrong += (yield from _is_stream(index)) or (yield from _wrong_with_index(index))
    if pipeline is not None and pipeline != _NO_PIPELINE:
        wrong += yield from _no_pipeline(pipeline)
    return wrong


def product_of(response: Response) -> tuple[str, str] | None:
    """Product and version, `("Elasticsearch", "8.17.1")`, from the answer to `GET /`. None: it is neither."""
    answer = document_in(response.body)
    version = answer.get("version")
    number = version.get("number") if isinstance(version, dict) else None
    if not isinstance(number, str):
        return None
    is_opensearch = isinstance(version, dict) and version.get("distribution") == "opensearch"
    # OpenSearch can be told to call itself 7.10, but keeps its distribution. The header came with Elasticsearch 7.14.
    return ("OpenSearch" if is_opensearch else "Elasticsearch"), number


def _refused(response: Response, target: str) -> Probe:
    """Whether we may do nothing at all. Somebody who may write need not be allowed to ask for the version: a bulk of
    no events tells, which servers read only once they know who sends it."""
    if response.status != 403:
        return []
    empty: Response = yield Request("POST", target, b"", _NDJSON)
    if empty.status not in (401, 403):
        return []
    return [f"POST {target.partition('?')[0]} is answered by {empty.status}: {_reason(empty)}"]


def _wrong_with_server(response: Response) -> list[str]:
    if response.status == 401:
        return [f"the credentials are refused: {_reason(response)}"]
    if response.status == 403:  # see `_refused`
        return []
    if response.status not in SUCCESS:
        return [f"GET / is answered by {response.status}: {_reason(response)}"]
    found = product_of(response)
    if found is None:
        return [f"what answers is neither Elasticsearch nor OpenSearch: {shown(response.body) or 'it says nothing'}"]
    product, version = found
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < _OLDEST[product]:
        return [f"{product} {version} is too old: {_OLDEST[product]} or newer is needed"]
    return []


def _missing_rights(index: str, rights: Sequence[str]) -> Probe:
    """Whether we may write, where the server can tell: Elasticsearch with its security on."""
    body = msgspec.json.encode({"index": [{"names": [index], "privileges": rights}]})
    answer = document_in((yield Request("POST", "/_security/user/_has_privileges", body, _JSON)).body)
    granted = answer.get("index")
    of_index = granted.get(index) if isinstance(granted, dict) else None
    if not isinstance(of_index, dict):
        return []
    missing = [right for right in rights if of_index.get(right) is False]
    return [f"{_user(answer)} has no right {' and '.join(missing)} on {index}"] if missing else []


def _no_stream(index: str) -> Probe:
    """Whether there is neither the data stream nor a template that makes it."""
    response = yield Request("GET", f"/_data_stream/{quote(index, safe='*')}?filter_path=data_streams.name")
    if response.status not in (*SUCCESS, 404) or document_in(response.body).get("data_streams"):
        return []
    templates = yield from _templates_for(index)
    if templates is None:
        return []
    if any("data_stream" in template for template in templates):
        return (yield from _is_never_made(index, f"there is no data stream {index}, and it is not made by itself"))
    return [f"there is no data stream {index}, and no index template with data_stream that would make it"]


def _is_stream(index: str) -> Probe:
    """Whether what is taken for a plain index is a data stream."""
    response = yield Request("GET", f"/_data_stream/{quote(index, safe='*')}?filter_path=data_streams.name")
    if response.status in SUCCESS and document_in(response.body).get("data_streams"):
        return [f"{index} is a data stream: set data_stream: true"]
    return []


def _wrong_with_index(index: str) -> Probe:
    """Whether a plain index cannot be written to: it is blocked, or is not there and would not be made."""
    if "*" in index:  # each day has another: there must be more to come, and older ones may well be blocked
        return (yield from _is_never_made(index, f"indices {index} are not made by themselves"))
    response = yield Request("GET", f"/{quote(index, safe='')}/_settings/index.blocks.*?flat_settings=true")
    failure = failure_of(response.body)
    if response.status == 404 and failure is not None and failure.type == "index_not_found_exception":
        return (yield from _is_never_made(index, f"there is no index {index}, and it is not made by itself"))
    if response.status not in SUCCESS:
        return []
    entries = [entry for entry in document_in(response.body).values() if isinstance(entry, dict)]
    if len(entries) != 1:  # none is blocked; or an alias has several indices, of which all but one may be
        return []
    blocked = [name for name in _BLOCKS if _object_in(entries[0], "settings").get(name) == "true"]
    return [f"{index} is blocked: {' and '.join(blocked)}"] if blocked else []


def _is_never_made(index: str, told: str) -> Probe:
    """Whether neither the cluster nor a template lets an index of this name be made by the first event."""
    response = yield Request("GET", "/_cluster/settings?include_defaults=true&filter_path=*.action.auto_create_index")
    answer = document_in(response.body)
    actions = [_object_in(_object_in(answer, level), "action") for level in ("transient", "persistent", "defaults")]
    setting = next((action["auto_create_index"] for action in actions if "auto_create_index" in action), None)
    if not isinstance(setting, str) or _makes(setting, index):
        return []
    templates = yield from _templates_for(index)
    if templates is None or any(template.get("allow_auto_create") is True for template in templates):
        return []
    return [f"{told} (action.auto_create_index: {setting})"]


def _makes(setting: str, index: str) -> bool:
    """Whether `action.auto_create_index` lets such an index be made: of patterns, the first that fits decides."""
    if setting in ("true", "false"):
        return setting == "true"
    for pattern in setting.split(","):
        if fnmatchcase(index, pattern.strip().lstrip("+-")):
            return not pattern.strip().startswith("-")
    return False


def _no_pipeline(pipeline: str) -> Probe:
    response = yield Request("GET", f"/_ingest/pipeline/{quote(pipeline, safe='')}?filter_path=*.version")
    return [f"there is no ingest pipeline {pipeline}"] if response.status == 404 else []


def _templates_for(index: str) -> Generator[Instruction, Any, list[dict[str, Any]] | None]:
    """The index templates whose patterns fit the name. None: we may not know."""
    filtered = ",".join(f"index_templates.index_template.{name}" for name in _OF_TEMPLATES)
    response: Response = yield Request("GET", f"/_index_template?filter_path={filtered}")
    if response.status not in SUCCESS:
        return None
    entries = document_in(response.body).get("index_templates", ())
    templates = [_object_in(entry, "index_template") for entry in entries if isinstance(entry, dict)]
    return [
        template
        for template in templates
        if any(isinstance(each, str) and fnmatchcase(index, each) for each in template.get("index_patterns", ()))
    ]


def _object_in(document: dict[str, Any], name: str) -> dict[str, Any]:
    """One that is a member of another; empty where it is not there."""
    value = document.get(name)
    return value if isinstance(value, dict) else {}


def _reason(response: Response) -> str:
    failure = failure_of(response.body)
    return f"{failure.type}: {failure.reason}" if failure else shown(response.body)


def _user(answer: dict[str, Any]) -> str:
    return f"user {answer['username']}" if isinstance(answer.get("username"), str) else "this user"
