"""The log files of a Kubernetes node: what containerd and CRI-O write below `/var/log/pods`.

Each line that a container wrote is an event: its JSON, or its text. Lines that the runtime has cut (at 16 KiB) are
joined again, each stream's for itself, up to `max_line`; what a container left unfinished counts as a line after five
seconds. Known of each event are

    meta.namespace, meta.pod, meta.container     by the path: /var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log, or
                                                 /var/log/containers/POD_NAMESPACE_CONTAINER-ID.log
    meta.stream                                  stdout or stderr
    meta.file                                    the path
    meta.written                                 when the runtime wrote the line, to the second

So the `time` of an event is its own, and where it has none (a line of text), that at which the runtime wrote it. That
is exact for the first of the events which were read at once and are of one second, and the others have the same; after
a long absence, when many seconds are read at once, several of these share a time. Where the streams of a container take
turns more than 16 times in a second, of what is read at once all of stdout comes before all of stderr.

Files are followed as the source `file` does: through kubelet's rotation, each line once over restarts. A line that is
not in the format stands as it is. Leave out the container that logrouter itself runs in, or what it says of itself is
read as well:

    exclude: ["/var/log/pods/*_logrouter-*/**"]

See [Kubernetes](../kubernetes.md) for the DaemonSet that runs it on each node. The files belong to root.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar, Final

from logrouter.container_logs import Cri
from logrouter.event import Attributes
from logrouter.sources import SourceConfig
from logrouter.sources._containers import ContainerSource
from logrouter.sources._tail import TailConfig

_NAME: Final = r"[^/_]+"
"""No name in Kubernetes has an underscore."""
_BELOW_PODS: Final = re.compile(rf"/(?P<namespace>{_NAME})_(?P<pod>{_NAME})_[^/_]+/(?P<container>{_NAME})/[^/]+$")
_IN_CONTAINERS: Final = re.compile(
    rf"/(?P<pod>{_NAME})_(?P<namespace>{_NAME})_(?P<container>{_NAME})-[0-9a-f]{{64}}\.log$"
)


class CriConfig(TailConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Which files."""

    include: Sequence[str] = ("/var/log/pods/*/*/*.log",)
    """Patterns of their paths, as those of the source `file`."""


class CriSource(ContainerSource[CriConfig]):
    """Follows the files that kubelet reads."""

    Config: ClassVar[type[SourceConfig]] = CriConfig
    form = Cri()

    def owner_of(self, path: str) -> Attributes:
        """Namespace, pod and container."""
        found = _BELOW_PODS.search(path) or _IN_CONTAINERS.search(path)
        return found.groupdict() if found else {}
