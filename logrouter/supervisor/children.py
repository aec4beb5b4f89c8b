"""Starting the app and the router, and what becomes of them.

`posix_spawn` starts a process without copying this one, and tells why a command could not be executed. A child begins
with the signals that we began with: the mask, and SIGPIPE and SIGXFSZ, which Python ignores, at their defaults.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from logrouter.supervisor import VARIABLE

EXIT_NOT_EXECUTABLE: Final = 126
EXIT_NOT_FOUND: Final = 127
SIGNALLED: Final = 128
"""As shells have it (POSIX, "Exit Status for Commands"); the last plus n: ended by signal n."""
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)
_SERVICE_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_PID", "LISTEN_FDS")
"""What a service manager tells its service, which is the app."""


def start_app(
    command: list[str], environment: Mapping[str, str], mask: Iterable[int], outputs: Sequence[int] | None
) -> int:
    """Start the app, which writes to these two descriptors, or (None) where we do. Gives its process id.

    Raises OSError where it cannot be: FileNotFoundError where there is no such command.
    """
    if not command[0]:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(outputs or (), start=1)]
    return os.posix_spawnp(
        command[0], command, environment, file_actions=actions, setsigmask=mask, setsigdef=_IGNORED_BY_PYTHON
    )


def start_router(flags: Sequence[str], handshake: str, mask: Iterable[int], descriptors: Sequence[int]) -> int:
    """Start the router, which inherits these descriptors beside stdout and stderr. Gives its process id.

    It is in a session of its own, so that nothing that a terminal sends reaches it: it must outlive the app.
    """
    command = [sys.executable, *_isolation(), "-m", "logrouter", "run", *flags]
    environment = {name: value for name, value in os.environ.items() if name not in _SERVICE_VARIABLES}
    environment[VARIABLE] = handshake
    actions: list[tuple[int, int, str, int, int] | tuple[int, int]]
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    apps = _inherited()  # not closed by an action: glibc allows none over `ulimit -n`, which may be lower than they are
    _set_inheritable({**dict.fromkeys(apps, False), **dict.fromkeys(descriptors, True)})
    try:
        return os.posix_spawn(
            sys.executable,
            command,
            environment,
            file_actions=actions,
            setsid=True,
            setsigmask=mask,
            setsigdef=_IGNORED_BY_PYTHON,
        )
    finally:
        _set_inheritable({**dict.fromkeys(apps, True), **dict.fromkeys(descriptors, False)})


def _set_inheritable(wanted: Mapping[int, bool]) -> None:
    for fd, inheritable in wanted.items():
        os.set_inheritable(fd, inheritable)


def reap() -> Iterator[tuple[int, int]]:
    """Whoever has ended: process id and exit code. As process 1 we get orphans too."""
    with suppress(ChildProcessError):  # nobody is left
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended[0], _exit_code(ended[1])


def is_stopped(pid: int) -> bool:
    """Whether a child is stopped now, whoever has done that (waitid(2): the news are left where they are)."""
    with suppress(ChildProcessError):  # it has ended
        return os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT) is not None
    return False


def _exit_code(status: int) -> int:
    """Its exit code, or 128 + n where signal n has ended it, as shells have it."""
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SIGNALLED - code


def _isolation() -> list[str]:
    """`-P`, so that no module in the working folder is taken for one of ours, unless ours are found there."""
    with suppress(OSError):  # the working folder has vanished
        if sys.path[0] in ("", os.getcwd()):
            return []
    return ["-P"]


def _inherited() -> list[int]:
    """What we have inherited beyond stderr: sockets, locks. It is the app's, not the router's."""
    with suppress(OSError):  # no /proc
        return [fd for fd in map(int, os.listdir("/proc/self/fd")) if fd > 2 and _is_inheritable(fd)]
    return []


def _is_inheritable(fd: int) -> bool:
    with suppress(OSError):  # the one that the folder was listed by
        return os.get_inheritable(fd)
    return False
