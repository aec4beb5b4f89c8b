"""What can be known before the start about the places that sinks write to: a config that cannot work is refused.

Only what no waiting would mend is a mistake: a folder that may not be written, a path through a regular file.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

from logrouter.assembly import make_sink
from logrouter.config.settings import Settings
from logrouter.errors import ConfigError, Mistake
from logrouter.sinks import Sink

_OWN_STREAM = re.compile(r"/dev/std(?:in|out|err)|(?:/dev|/proc/self)/fd/\d+")
_STREAM_SINKS = {"stdout": "stdout:", "1": "stdout:", "stderr": "stderr:", "2": "stderr:"}
_NO_FILES = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a block device"}


def check_destinations(settings: Settings) -> None:
    """Raise ConfigError, with a mistake for each sink that could not be written to, or only into another's file."""
    mistakes = []
    owners: dict[str, str] = {}
    for name in settings.sinks:
        sink = make_sink(name, settings)
        problem = problem_with(sink)
        if problem is None and (file := _whole_file(sink)) and (owner := owners.setdefault(file, name)) != name:
            problem = f"{sink.known_path} is the file of sinks.{owner} already, at {_place(settings, owner)}"
        if problem is not None:
            mistakes.append(Mistake(_place(settings, name), f"sinks.{name}: {problem}"))
    if mistakes:
        raise ConfigError(mistakes)


def _whole_file(sink: Sink[Any]) -> str | None:
    """The file that a sink must have for itself: two would mix their lines, and rotate each other's file away."""
    path = os.path.realpath(sink.known_path)
    is_one = sink.transport == "files" and not sink.known_path.endswith("/") and not Path(path).is_char_device()
    return path if is_one else None


def problem_with(sink: Sink[Any]) -> str | None:
    """Why a sink cannot be written to; None where it can, or where only time will tell."""
    if sink.transport != "files":
        return None
    path = Path(sink.known_path)
    if _OWN_STREAM.fullmatch(str(path)):
        hint = f"write {_STREAM_SINKS.get(path.name, 'stdout: or stderr:')}"
        return f"{path} is a stream of logrouter's own: expected a file, which can be opened anew and rotated ({hint})"
    if sink.known_path.endswith("/"):
        return _problem_with_folder(path)
    if path.is_dir():
        return f"{path} is a folder: expected the path of a file"
    return _problem_with_file(path) if path.exists() else _problem_with_folder(path.parent)


def _problem_with_file(path: Path) -> str | None:
    if kind := _NO_FILES.get(stat.S_IFMT(path.stat().st_mode)):
        return f"{path} is {kind}: expected a file, or a device such as /dev/null"
    return None if os.access(path, os.W_OK) else f"{path} may not be written"


def _problem_with_folder(folder: Path) -> str | None:
    """The nearest folder that exists must let us make what is missing."""
    while not os.path.lexists(folder):
        folder = folder.parent
    if not folder.is_dir():
        return f"{folder} is not a folder"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"the folder {folder} may not be written"


def _place(settings: Settings, name: str) -> str:
    """Where the config names the destination."""
    origins = settings.provenance.origins
    for path in (("sinks", name, "path"), ("sinks", name, "url"), ("sinks", name)):
        if path in origins:
            return str(origins[path])
    return "default"
