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
_JSON: Final = (("Content-Type", "application/json"),)


def probe(index: str, data_stream: bool, rights: Sequence[str]) -> Probe:
    """Yield requests, return what is wrong. `index` may hold `*` for what depends on events."""
    response = yield Request("GET", "/")
    wrong = _wrong_with_server(response)
    if wrong:
        return wrong
    wrong += yield from _missing_rights(index, rights)
    wrong += yield from (_no_stream(index) if data_stream else _is_stream(index))
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


def _wrong_with_server(response: Response) -> list[str]:
    if response.status == 401:
        return [f"the credentials are refused: {_reason(response)}"]
    if response.status == 403:  # somebody who may write need not be allowed to ask for the version
        return []
    if response.status not in SUCCESS:
        return [f"GET / is answered by {response.status}: {_reason(response)}"]
    found = product_of(response)
    if found is None:
        return [f"what answers is neither Elasticsearch nor OpenSearch: {shown(response.body)}"]
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
    filtered = "index_templates.index_template.index_patterns,index_templates.index_template.data_stream"
    response = yield Request("GET", f"/_index_template?filter_path={filtered}")
    if response.status not in SUCCESS:
        return []
    if any(fnmatchcase(index, pattern) for pattern in _stream_patterns(document_in(response.body))):
        return []
    return [f"there is no data stream {index}, and no index template with data_stream that would make it"]


def _is_stream(index: str) -> Probe:
    """Whether what is taken for a plain index is a data stream."""
    response = yield Request("GET", f"/_data_stream/{quote(index, safe='*')}?filter_path=data_streams.name")
    if response.status in SUCCESS and document_in(response.body).get("data_streams"):
        return [f"{index} is a data stream: set data_stream: true"]
    return []


def _stream_patterns(answer: dict[str, Any]) -> list[str]:
    templates = [entry.get("index_template") for entry in answer.get("index_templates", ()) if isinstance(entry, dict)]
    makers = [one for one in templates if isinstance(one, dict) and "data_stream" in one]
    return [pattern for one in makers for pattern in one.get("index_patterns", ()) if isinstance(pattern, str)]


def _reason(response: Response) -> str:
    failure = failure_of(response.body)
    return f"{failure.type}: {failure.reason}" if failure else shown(response.body)


def _user(answer: dict[str, Any]) -> str:
    return f"user {answer['username']}" if isinstance(answer.get("username"), str) else "this user"
