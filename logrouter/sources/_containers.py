"""The base of sources that read the log files of containers: `cri` and `docker`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from logrouter.container_logs import STREAMS, ContainerFormat
from logrouter.event import Attributes
from logrouter.formats.values import without_surrogates
from logrouter.runtime.tailing import FileFraming, Start
from logrouter.runtime.tailing.containers import JOINED_SECONDS, ContainerFraming
from logrouter.sources._tail import TailConfigT, TailSource


class ContainerSource(TailSource[TailConfigT]):
    """Follows files of containers, each with two streams; subclasses say in what format, and whose they are."""

    form: ClassVar[ContainerFormat]

    @abstractmethod
    def owner_of(self, path: str) -> Attributes:
        """What is known of the container whose file it is."""

    def streams_of(self, path: str) -> Mapping[str, Attributes]:
        """The container's two."""
        owner = {"file": without_surrogates(path), **self.owner_of(path)}
        return {name: {"stream": name, **owner} for name in STREAMS}

    def framing_of(self, path: str, starts: Mapping[str, Start]) -> FileFraming:
        """What makes frames of a file's bytes, and where its streams go on."""
        config = self.config
        quiet_seconds = JOINED_SECONDS if config.multiline == "none" else config.quiet_seconds
        return ContainerFraming(self.form, config.max_line, starts, config.framing, quiet_seconds)
