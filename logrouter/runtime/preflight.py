"""What can be known before the start about the places that are read and written: a config that cannot work is refused.

Only what no waiting would mend is a mistake: a folder that may not be written, a path through a regular file.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
import stat
from pathlib import Path
from typing import Any

from logrouter import component
from logrouter.assembly import make_sink
from logrouter.config.settings import Address, Settings, StepSettings
from logrouter.endpoint import Tls
from logrouter.errors import ConfigError, Mistake
from logrouter.runtime.disk import problem_with_folder
from logrouter.sinks import Sink

_OWN_STREAM = r"/dev/std(?:in|out|err)|(?:/dev|/proc/self)/fd/\d+"
_PLACEHOLDER = r"\{[^}]*\}"
_STREAM_SINKS = {"stdout": "stdout:", "1": "stdout:", "stderr": "stderr:", "2": "stderr:"}
_STREAMS = {1: "stdout", 2: "stderr"}
_NO_FILES = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a block device"}


def check_places(settings: Settings, *, streams: bool = False) -> None:
    """Raise ConfigError, with a mistake for each source that could not be read, each sink that could not be written to,
    or only into another's file, and one where the spool's folder cannot be used.

    `streams`: also for each that cannot be had with stdin, stdout and stderr as this process has them. `check` asks for
    none of it: it has others.
    """
    mistakes = []
    if settings.spool.directory is not None and (problem := _problem_with_spool(settings.spool.directory)):
        mistakes.append(Mistake(_origin(settings, ("spool", "directory")), f"spool.directory: {problem}"))
    for name, source in settings.sources.items():
        problem = component.load("sources", source.type).problem_with(source.config)
        if problem is not None:
            mistakes.append(Mistake(_origin(settings, ("sources", name)), f"sources.{name}: {problem}"))
    owners: dict[str, str] = {}
    for name in settings.sinks:
        sink = make_sink(name, settings)
        problem = problem_with(sink)
        if problem is None and (file := whole_file(sink)) and (owner := owners.setdefault(file, name)) != name:
            problem = f"{sink.known_path} is the file of sinks.{owner} already, at {_place(settings, owner)}"
        for claim in sink.claims:
            if (owner := owners.setdefault(claim, name)) != name:
                problem = problem or f"{claim} is that of sinks.{owner} already, at {_place(settings, owner)}"
        problem = problem or _read_by_a_source(sink, settings)
        if streams:
            problem = problem or _problem_with_streams(sink, settings)
        if problem is not None:
            mistakes.append(Mistake(_place(settings, name), f"sinks.{name}: {problem}"))
    if mistakes:
        raise ConfigError(mistakes)


def _problem_with_streams(sink: Sink[Any], settings: Settings) -> str | None:
    if sink.transport == "stream":
        if not _can_write(sink.descriptor):
            return f"{_STREAMS[sink.descriptor]} is closed: nothing that is written there would arrive"
        written = _file_behind(sink.descriptor)
    else:
        written = whole_file(sink)
    if written is None:
        return None
    if written == _file_behind(0) and any(source.type == "stdin" for source in settings.sources.values()):
        return f"stdin is {written}, and would give back what this sink writes: expected another file"
    return _followed_by_a_source(written, settings) if sink.transport == "stream" else None


def _can_write(descriptor: int) -> bool:
    """Whether it is open for that. One that was closed is open for reading since the start (`__main__`)."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        return False


def _file_behind(descriptor: int) -> str | None:
    """The path of the regular file that a stream is, if it is one, and /proc tells."""
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.readlink(f"/proc/self/fd/{descriptor}") if is_file else None
    except OSError:
        return None


def _problem_with_spool(folder: str) -> str | None:
    from logrouter.runtime.spool.directory import problem_with

    return problem_with(folder)


def whole_file(sink: Sink[Any]) -> str | None:
    """The file that a sink must have for itself: two would mix their lines, and rotate each other's file away."""
    if sink.transport != "files" or sink.known_path.endswith("/"):
        return None
    path = os.path.realpath(sink.known_path)
    return None if Path(path).is_char_device() else path


def problem_with(sink: Sink[Any]) -> str | None:
    """Why a sink cannot be written to; None where it can, or where only time will tell."""
    if sink.transport == "http":
        return _problem_with_certificates(sink.endpoint.tls)
    if sink.transport != "files":
        return None
    path = Path(sink.known_path)
    if re.fullmatch(_OWN_STREAM, str(path)):
        hint = f"write {_STREAM_SINKS.get(path.name, 'stdout: or stderr:')}"
        return f"{path} is a stream of logrouter's own: expected a file, which can be opened anew and rotated ({hint})"
    if sink.known_path.endswith("/"):
        return problem_with_folder(str(path))
    try:
        if path.is_dir():
            return f"{path} is a folder: expected the path of a file"
        return _problem_with_file(path) if path.exists() else problem_with_folder(str(path.parent))
    except PermissionError:
        return f"{path} may not be looked at: a folder above it may not be searched"


def _read_by_a_source(sink: Sink[Any], settings: Settings) -> str | None:
    """Each event would come back, and be written again, for ever."""
    if sink.transport != "files":
        return None
    template = getattr(sink.config, "path", None)
    path = os.path.abspath(re.sub(_PLACEHOLDER, "x", template.text if template else sink.known_path))
    return _followed_by_a_source(path, settings)


def _followed_by_a_source(path: str, settings: Settings) -> str | None:
    for name, source in settings.sources.items():
        if component.load("sources", source.type).reads(source.config, path):
            return f"sources.{name} follows {path} and would read what this sink writes: exclude it there"
    return None


def _problem_with_certificates(tls: Tls) -> str | None:
    """Read when the first connection is made; what is wrong with them no destination can mend."""
    for option in ("ca_file", "cert_file", "key_file"):
        path = getattr(tls, option)
        try:
            if path is not None:
                Path(path).read_bytes()
        except OSError as error:
            return f"tls.{option}: {path} cannot be read: {os.strerror(error.errno or 0).lower()}"
    return None


def _problem_with_file(path: Path) -> str | None:
    if kind := _NO_FILES.get(stat.S_IFMT(path.stat().st_mode)):
        return f"{path} is {kind}: expected a file, or a device such as /dev/null"
    return None if os.access(path, os.W_OK) else f"{path} may not be written"


def warnings_about_places(settings: Settings, reloading: int | None = None) -> list[Mistake]:
    """What is odd about them, though not wrong: it may be another logrouter that stands in the way now.

    `reloading`: the process that is to take the config up. What it has in use itself it keeps.
    """
    from logrouter.runtime.spool.directory import warnings_about

    folder, address = settings.spool.directory, settings.admin.listen
    found = warnings_about(folder, user=reloading) if folder is not None else []
    if folder is not None and reloading is None:  # a reload goes on until the sink has got what waits
        found += _left_behind(folder, settings)
    odd = [("spool", "directory", warning) for warning in found]
    if address is not None and reloading is None and (problem := _problem_with_address(address)):
        odd.append(("admin", "listen", problem))
    return [Mistake(_origin(settings, (part, option)), f"{part}.{option}: {warning}") for part, option, warning in odd]


def _left_behind(folder: str, settings: Settings) -> list[str]:
    """What a start would delete: it keeps nothing for sinks that are not in the config, be it that one was renamed."""
    from logrouter.runtime.spool.resuming import waiting_for_others
    from logrouter.segments import UnknownVersion

    try:
        waiting = waiting_for_others(folder, settings.sinks)
    except (OSError, UnknownVersion):  # the start itself tells of that
        return []
    return [
        f"{events} events wait in {folder} for a sink {name}, which is not in this config: a start without it deletes"
        f" them (`logrouter spool export --sink {name}` shows them)"
        for name, events in waiting.items()
    ]


def warnings_about_steps(settings: Settings) -> list[Mistake]:
    """What goes wrong with events that are made up, in steps that try it: where these run code of the user's."""
    places: list[tuple[tuple[str, ...], StepSettings]]
    places = [(("steps", str(place)), step) for place, step in enumerate(settings.steps)]
    for name, source in settings.sources.items():
        places += [(("sources", name, "steps", str(place)), step) for place, step in enumerate(source.steps)]
    found = []
    for path, step in places:
        if problem := component.load("steps", step.name)(step.config).tried():
            where = (*path, step.name)
            found.append(Mistake(_origin(settings, where, path), f"{'.'.join(where)}: {problem}"))
    return found


def _problem_with_address(address: Address) -> str | None:
    """Why nobody can listen there now."""
    kind = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        socket.create_server((address.host, address.port), family=kind).close()
    except OSError as error:
        return f"cannot listen on {address}: {str(error.strerror).partition(' (while ')[0]}"
    return None


def _place(settings: Settings, name: str) -> str:
    """Where the config names the destination."""
    return _origin(settings, *(("sinks", name, option) for option in ("path", "url", "type")), ("sinks", name))


def _origin(settings: Settings, *paths: tuple[str, ...]) -> str:
    origins = settings.provenance.origins
    return next((str(origins[path]) for path in paths if path in origins), "default")
