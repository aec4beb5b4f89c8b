"""Lines of container runtimes, taken alone: `cri` and `docker`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logrouter.config import load
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.parsers.cri import Cri, CriConfig
from logrouter.parsers.docker import Docker, DockerConfig
from logrouter.policy import SinkRouting
from logrouter.routing import Router

CRI = Cri(CriConfig())
DOCKER = Docker(DockerConfig())


def parsed(parser: Cri | Docker, line: str | bytes) -> Any:
    made = parser.parse(line.encode() if isinstance(line, str) else line, 0)
    return made and json.loads(made)


def event(time: str, message: str, stream: str = "stdout", **more: Any) -> dict[str, Any]:
    return {"time": time, "message": message, "stream": stream, **more}


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
        (
            "2016-10-06T00:17:09.669794202Z stdout P log content 1",
            event("2016-10-06T00:17:09.669794202Z", "log content 1", partial=True),
        ),
        (
            "2016-10-06T00:17:09.669794203Z stderr F log content 2",
            event("2016-10-06T00:17:09.669794203Z", "log content 2", "stderr"),
        ),
        # TestParseCRILog in pkg/kubelet/kuberuntime/logs/logs_test.go of Kubernetes: tags, and a zone
        (
            "2016-10-20T18:39:20.57606443Z stdout P:TAG1:TAG2 cri test log",
            event("2016-10-20T18:39:20.57606443Z", "cri test log", partial=True),
        ),
        ("2016-10-20T18:39:20+02:00 stdout F a  b ", event("2016-10-20T16:39:20Z", "a  b ")),
        ("2016-10-20T18:39:20Z stdout F ", event("2016-10-20T18:39:20Z", "")),
        ("2016-10-20T18:39:20Z stdout F", event("2016-10-20T18:39:20Z", "")),
        (b"2016-10-20T18:39:20Z stdout F \xff", event("2016-10-20T18:39:20Z", "\ufffd")),
        ("2016-10-20T18:39:20Z stdin F text", None),
        ("2016-10-20T18:39:20Z stdout X text", None),
        ("2016-13-20T18:39:20Z stdout F text", None),
        ("stdout F text", None),
        ("hello", None),
    ],
)
def test_lines_of_cri(line: str | bytes, fields: dict[str, Any] | None) -> None:
    assert parsed(CRI, line) == fields


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        # https://docs.docker.com/engine/logging/drivers/json-file/
        (
            r'{"log":"Log line is here\n","stream":"stdout","time":"2019-01-01T11:11:11.111111111Z"}',
            event("2019-01-01T11:11:11.111111111Z", "Log line is here"),
        ),
        (
            r'{"log":"a\r\n","stream":"stderr","attrs":{"com.example":"b"},"time":"2019-01-01T11:11:11Z"}',
            event("2019-01-01T11:11:11Z", "a", "stderr", attrs={"com.example": "b"}),
        ),
        (
            '{"log":"the beginning","stream":"stdout","time":"2019-01-01T11:11:11Z"}',
            event("2019-01-01T11:11:11Z", "the beginning", partial=True),
        ),
        (
            b'{"log":"\xff\\n","stream":"stdout","time":"2019-01-01T11:11:11Z"}',
            event("2019-01-01T11:11:11Z", "\ufffd"),
        ),
        # an app's own JSON, and what is none
        ('{"log":"a","time":"2019-01-01T11:11:11Z","user":1}', None),
        ('{"log":"a","stream":"stdout"}', None),
        ('{"log":"a","stream":"elsewhere","time":"2019-01-01T11:11:11Z"}', None),
        ('{"log":"a","stream":"stdout","time":"yesterday"}', None),
        ("hello", None),
        (b"\xff", None),
    ],
)
def test_lines_of_docker(line: str | bytes, fields: dict[str, Any] | None) -> None:
    assert parsed(DOCKER, line) == fields


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=40)


@given(texts, st.sampled_from(["stdout", "stderr"]), st.booleans())
@settings(deadline=None)
def test_what_runtimes_print_is_what_is_parsed(text: str, stream: str, partial: bool) -> None:
    time = "2026-11-29T23:44:26.123456789Z"
    expected = event(time, text, stream, **({"partial": True} if partial else {}))
    assert parsed(CRI, f"{time} {stream} {'P' if partial else 'F'} {text}") == expected
    line = {"log": text if partial else f"{text}\n", "stream": stream, "time": time}
    assert parsed(DOCKER, json.dumps(line, ensure_ascii=False)) == expected


def test_docker_is_asked_about_its_lines_although_they_are_json() -> None:
    nowhere = Path("/nonexistent")
    text = "sources: {app: {type: stdin, parse: docker}}"
    settings = load(environ={"LOGROUTER_CONFIG_YAML": text}, folder=nowhere, system_folder=nowhere)
    ingest = Ingest(Router([SinkRouting("s", None)]), {"source": "app"}, settings.sources["app"].config.parse)
    lines = [rb'{"log":"ready\n","stream":"stdout","time":"2026-11-29T23:44:26Z"}', b'{"level":"info"}']
    (chunk,) = ingest.chunks(Frame(lines, b"\n".join(lines), {}, 0), 0)
    assert [json.loads(payload) for payload in chunk.payloads] == [
        event("2026-11-29T23:44:26Z", "ready"),
        {"level": "info"},
    ]
    assert ingest.parse_errors == 1
