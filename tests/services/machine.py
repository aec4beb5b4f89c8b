"""A Debian whose systemd has really booted, as PID 1 of namespaces of its own: what units promise is tried there.

    machine.run("systemctl start logrouter")        # a command in it; its output, stderr included
    machine.path("/etc/logrouter/app.yaml")         # the same file from outside

It needs root, util-linux, a kernel with cgroups of version 2, and debootstrap, whose result is kept in the cache of
`programs`. It has no network but its own loopback, and writes to a copy. What is started in it ends with it.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.e2e.processes import TOO_LONG_SECONDS, wait_until
from tests.services import programs

SUITE = "trixie"
"""Debian 13: systemd 257, Python 3.13."""
PACKAGES = "python3,python3-venv,systemd,dbus"

_BOOT = """
set -e
cd "$1"
mount --bind . . && cd "$1"
mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run && mount -t tmpfs tmpfs tmp && mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
    touch dev/$device && mount --bind /dev/$device dev/$device
done
ln -s /proc/self/fd dev/fd && ln -s pts/ptmx dev/ptmx && mkdir dev/shm dev/pts dev/mqueue dev/hugepages
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && mount -t tmpfs tmpfs dev/shm
mkdir -p outside && pivot_root . outside && umount --lazy outside && mount --make-rshared /
export container=test
exec /lib/systemd/systemd --log-target=journal --show-status=no --unit=multi-user.target
"""


def debian() -> Path:
    """The folder of a small Debian, made once."""
    programs.find("debootstrap")
    if os.geteuid() != 0:
        programs.missing("only root can make a Debian")

    def build(folder: Path) -> None:
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, folder]
        programs.run([*command, "http://deb.debian.org/debian"], folder)
        folder.chmod(0o755)

    return programs.installed(f"debian-{SUITE}-1", build)


class Machine:
    """Boots at `with`, and is gone after it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self._cgroup = _cgroups() / f"logrouter-test-{os.getpid()}"
        subprocess.run(["cp", "--archive", "--reflink=auto", debian(), self.root], check=True)

    def path(self, path: str) -> Path:
        """A path in it, as seen from here."""
        return self.root / path.lstrip("/")

    def change_root(self, command: str, environment: Mapping[str, str] | None = None) -> str:
        """A command in its folder before it has booted: with our network, and without its services."""
        environment = {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **(environment or {})}
        return _output(["chroot", str(self.root), "bash", "-euc", command], environment)

    def run(self, command: str, *, code: int = 0) -> str:
        """A command in it, which must end with this exit code."""
        enter = ["nsenter", f"--target={self._pid}", "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        return _output([*enter, "--root", "--wd", "bash", "-euc", command], {"PATH": "/usr/sbin:/usr/bin"}, code)

    def __enter__(self) -> Self:
        self._cgroup.mkdir()
        join = ["bash", "-c", 'echo $$ >"$0/cgroup.procs"; exec "$@"', str(self._cgroup)]
        namespaces = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--propagation=private"]
        boot = ["bash", "-c", _BOOT, "boot", str(self.root)]
        self._unshare = subprocess.Popen(
            [*join, "unshare", *namespaces, "--fork", "--kill-child", *boot], stdin=subprocess.DEVNULL
        )
        wait_until(self._has_booted, "systemd to boot")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unshare.kill()  # which kills PID 1, and that everything else
        self._unshare.wait(TOO_LONG_SECONDS)
        wait_until(self._has_left, "its control groups to be empty")

    def _has_booted(self) -> bool:
        assert self._unshare.poll() is None, "it does not boot"
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children").read_text().split()
        if not children:
            return False
        self._pid = int(children[0])
        try:
            return self.run("systemctl is-system-running || true").strip() in ("running", "degraded")
        except (AssertionError, OSError):
            return False

    def _has_left(self) -> bool:
        for folder, _, _ in os.walk(self._cgroup, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                return False
        return True


def _cgroups() -> Path:
    """Where the system has its control groups of version 2."""
    for line in Path("/proc/mounts").read_text().splitlines():
        _, path, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(path)
    return programs.missing("no cgroup2 is mounted")


def _output(command: list[str], environment: Mapping[str, str], code: int = 0) -> str:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == code, f"{command[-1]}: {done.returncode}\n{done.stdout}"
    return done.stdout
