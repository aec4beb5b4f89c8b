"""Images of containers, built and run by buildah where no container engine can run.

It isolates by chroot alone (so there is no process 1, no network of its own and no read-only root to be tested), and
stores by copying (vfs): what a test machine may refuse is not needed. The base image is the Debian of `machine`.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.e2e.processes import REPOSITORY
from tests.services import programs
from tests.services.machine import debian

BASE = "localhost/base"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Images:
    """A store of images of its own, with one that holds nothing but a Debian with Python: BASE."""

    def __init__(self, folder: Path) -> None:
        program = [programs.find("buildah"), "--storage-driver", "vfs"]
        self.program = [*program, "--root", str(folder / "store"), "--runroot", str(folder / "run")]
        container = self("from", "scratch")
        self("add", "--quiet", container, debian(), "/")
        if CERTIFICATES.exists():  # where packages come from may be known to this machine alone
            self("add", "--quiet", container, CERTIFICATES, CERTIFICATES.parent)
        index = [f"{name}={value}" for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_CERT"))]
        self("config", *(f"--env={variable}" for variable in index), container)
        self("commit", "--quiet", "--rm", container, BASE)

    def __call__(self, *arguments: str | Path) -> str:
        """What a command of buildah prints; it must succeed."""
        done = subprocess.run([*self.program, *map(str, arguments)], capture_output=True, text=True, cwd=REPOSITORY)
        assert done.returncode == 0, f"buildah {arguments}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()

    def build(self, tag: str, context: Path, *options: str) -> None:
        """Build the Dockerfile of a folder, in Docker's format, which knows HEALTHCHECK."""
        self("build", "--isolation=chroot", "--format=docker", "--layers=false", *options, "--tag", tag, context)

    def size_bytes(self, image: str) -> int:
        """What all its layers take, as they are, not compressed."""
        manifest = json.loads(json.loads(self("inspect", "--type=image", image))["Manifest"])
        return sum(layer["size"] for layer in manifest["layers"])

    def configuration(self, image: str) -> dict[str, Any]:
        """What a container of it is started with: Docker's `config`."""
        found: dict[str, Any] = json.loads(self("inspect", "--type=image", image))["Docker"]["config"]
        return found

    def container(self, image: str) -> Container:
        """A new container, that does not run yet."""
        return Container(self, self("from", "--pull-never", image), self.configuration(image)["Entrypoint"])


class Container:
    """A container, in which commands are run."""

    def __init__(self, images: Images, name: str, entry_point: Sequence[str]) -> None:
        self._images = images
        self._name = name
        self._entry_point = entry_point

    def command(
        self,
        arguments: Sequence[str],
        *,
        mounts: Mapping[Path, str] | None = None,
        environ: Mapping[str, str] | None = None,
        entry_point: bool = True,
    ) -> list[str]:
        """`docker run IMAGE ARGUMENTS`, as a command of buildah."""
        options = [f"--volume={ours}:{theirs}" for ours, theirs in (mounts or {}).items()]
        options += [f"--env={name}={value}" for name, value in (environ or {}).items()]
        entry = self._entry_point if entry_point else ()
        return [*self._images.program, "run", "--isolation=chroot", *options, self._name, "--", *entry, *arguments]

    def run(self, *arguments: str, data: bytes = b"", entry_point: bool = True) -> subprocess.CompletedProcess[bytes]:
        """The same, to its end, with these bytes on stdin."""
        return subprocess.run(self.command(arguments, entry_point=entry_point), input=data, capture_output=True)
