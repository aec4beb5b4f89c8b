r"""Docker: what its logging driver `json-file` writes of a container, one line at a time.

    - parse: docker
    < {"log":"ready\n","stream":"stdout","time":"2026-11-29T23:44:26.123456789Z"}
    > {"time":"2026-11-29T23:44:26.123456789Z","message":"ready","stream":"stdout"}

A line that Docker has cut is `partial`; all but its last piece are. What `labels`, `env` and `tag` add is in `attrs`.

These lines are JSON, which `parse: auto` and `parse: json` take as it is: name this parser, and before `json`. For the
files of a host there is the source `docker`, which joins the pieces, knows the container, and reads what is in a line
as if there were no Docker. What is in `message` the step `parse` takes apart.
"""

from __future__ import annotations

from typing import Final

import msgspec

from logrouter.container_logs import STREAMS, DockerLine
from logrouter.documents import NOT_JSON
from logrouter.parsers import Parser, ParserConfig
from logrouter.parsers.cri import ContainerEvent, encode, utc_time


class DockerConfig(ParserConfig, frozen=True):
    """It has no options."""


class _Line(DockerLine, forbid_unknown_fields=True, gc=False):
    """All that there is in one: anything else is not Docker's."""

    attrs: dict[str, str] | None = None


class Docker(Parser[DockerConfig]):
    """The format of `logrouter.container_logs`."""

    Config = DockerConfig

    def parse(self, line: bytes, received_ns: int) -> bytes | None:
        found = _decoded(line)
        if found is None or found.stream not in STREAMS:
            return None
        time = utc_time(found.time)
        if time is None:
            return None
        message = found.log
        if ends_line := message.endswith("\n"):
            message = message[:-1].removesuffix("\r")  # of a container with a terminal
        return encode(ContainerEvent(time, message, found.stream, not ends_line, found.attrs))


def _decoded(line: bytes) -> _Line | None:
    try:
        return _decode(line)
    except UnicodeDecodeError:
        pass
    except NOT_JSON:
        return None
    try:
        return _decode(line.decode("utf-8", "replace"))
    except NOT_JSON:
        return None


_decode: Final = msgspec.json.Decoder(_Line).decode
