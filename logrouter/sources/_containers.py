"""The base of sources that read the log files of containers: `cri` and `docker`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, TypeVar

from logrouter.container_logs import STREAMS, ContainerFormat
from logrouter.event import Attributes
from logrouter.runtime.tailing import FileFraming, Start
from logrouter.runtime.tailing.containers import ContainerFraming
from logrouter.sources import SourceConfig
from logrouter.sources._tail import TailConfig, TailSource, printable


class ContainerConfig(TailConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which files."""

    include: Sequence[str]
    """Patterns of their paths, as those of the source `file`."""


ContainerConfigT = TypeVar("ContainerConfigT", bound=ContainerConfig)


class ContainerSource(TailSource[ContainerConfigT]):
    """Follows files of containers, each with two streams; subclasses say in what format, and whose they are."""

    Config: ClassVar[type[SourceConfig]] = ContainerConfig
    form: ClassVar[ContainerFormat]

    @abstractmethod
    def owner_of(self, path: str) -> Attributes:
        """What is known of the container whose file it is."""

    @property
    def include(self) -> Sequence[str]:
        """The patterns of paths to follow."""
        return self.config.include

    def streams_of(self, path: str) -> Mapping[str, Attributes]:
        """The container's two."""
        owner = {"file": printable(path), **self.owner_of(path)}
        return {name: {"stream": name, **owner} for name in STREAMS}

    def framing_of(self, path: str, starts: Mapping[str, Start]) -> FileFraming:
        """What makes frames of a file's bytes, and where its streams go on."""
        config = self.config
        if config.multiline == "none":
            return ContainerFraming(self.form, config.max_line, starts)
        return ContainerFraming(self.form, config.max_line, starts, config.framing, config.quiet_seconds)
