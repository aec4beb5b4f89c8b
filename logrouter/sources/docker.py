"""Docker's log files: what its logging driver `json-file`, the default, writes below `/var/lib/docker/containers`.

Each line that a container wrote is an event: its JSON, or its text. Lines that Docker has cut (at 16 KiB) are joined
again, each stream's for itself, up to `max_line`; what a container left unfinished counts as a line after five seconds.
Known of each event are

    meta.container     the container's name, by the file config.v2.json beside; else the beginning of its id
    meta.namespace, meta.pod     and its name there, where Kubernetes has started it by way of cri-dockerd
    meta.stream        stdout or stderr
    meta.file          the path
    meta.written       when Docker wrote the line, to the second

So the `time` of an event is its own, and where it has none (a line of text), that at which Docker wrote it; see the
source `cri`, also for the order of both streams. What Docker adds to lines by `labels`, `env` or `tag` is left out.

Files are followed as the source `file` does: through Docker's rotation, each line once over restarts. They may be read
by root alone, unless an ACL allows it to others.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

import msgspec

from logrouter.container_logs import Docker
from logrouter.documents import NOT_JSON
from logrouter.event import Attributes
from logrouter.sources import SourceConfig
from logrouter.sources._containers import ContainerSource
from logrouter.sources._tail import TailConfig

_ID_LENGTH: Final = 12
"""As `docker ps` shows it."""
_LABELS: Final = {
    "io.kubernetes.pod.namespace": "namespace",
    "io.kubernetes.pod.name": "pod",
    "io.kubernetes.container.name": "container",
}


class DockerConfig(TailConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which files."""

    include: Sequence[str] = ("/var/lib/docker/containers/*/*-json.log",)
    """Patterns of their paths, as those of the source `file`."""


class _Settings(msgspec.Struct):
    Labels: dict[str, str] | None = None


class _Container(msgspec.Struct):
    """What Docker knows of a container, in config.v2.json."""

    Name: str = ""
    Config: _Settings = msgspec.field(default_factory=_Settings)


_decode = msgspec.json.Decoder(_Container).decode


class DockerSource(ContainerSource[DockerConfig]):
    """Follows the files of Docker's containers."""

    Config: ClassVar[type[SourceConfig]] = DockerConfig
    form = Docker()

    def owner_of(self, path: str) -> Attributes:
        """Its container, by the file beside."""
        file = Path(path)
        owner = {"container": file.name.removesuffix("-json.log")[:_ID_LENGTH]}
        try:
            known = _decode(file.with_name("config.v2.json").read_bytes())
        except (OSError, *NOT_JSON):
            return owner
        if name := known.Name.lstrip("/"):
            owner["container"] = name
        labels = known.Config.Labels or {}
        return owner | {attribute: labels[label] for label, attribute in _LABELS.items() if labels.get(label)}
