"""What a reload changes, in words; and what it cannot change, because only a restart can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec.structs import replace

from logrouter import component
from logrouter.config.effective import code_digests, describe_effective, secrets_in
from logrouter.config.nodes import Path, dotted
from logrouter.config.settings import RunSettings, Settings, SourceSettings
from logrouter.errors import Mistake

_FIXED: Final = (
    *(("spool", "directory"), ("spool", "durability"), ("admin", "listen")),
    *(("run", option) for option in RunSettings.__struct_fields__),
)
"""Options by which things stand that are in use, or that another process goes by."""
_HINT: Final = "restart logrouter to change that; nothing else was changed"
_VALUE_CHARACTERS: Final = 60


def check_change(before: Settings, after: Settings) -> list[Mistake]:
    """A mistake for each thing that differs and that only a restart can change."""
    mistakes = [
        _mistake(after, path, f"cannot change while logrouter runs, from {_shown(old)} to {_shown(new)}")
        for path in _FIXED
        if (old := _at(before, path)) != (new := _at(after, path))
        and (_is_given(before, path) or _is_given(after, path))
    ]
    for name in dict.fromkeys((*before.sources, *after.sources)):
        old, new = before.sources.get(name), after.sources.get(name)
        if problem := _problem_with_source(old, new):
            mistakes.append(_mistake(after, ("sources", name), problem))
    return mistakes


def _problem_with_source(old: SourceSettings | None, new: SourceSettings | None) -> str | None:
    if old is not None and new is not None and reads_the_same(old, new):
        return None
    for source in (old, new):
        if source is not None and component.load("sources", source.type).only_once:
            verb = "come" if old is None else "go" if new is None else "change"
            return f"{source.type} is what the process was started with: it cannot {verb} while logrouter runs"
    return None


def reads_the_same(old: SourceSettings, new: SourceSettings) -> bool:
    """Whether a source can go on while its settings change so."""
    if old.type != new.type:
        return False
    adjusted = {option: getattr(new.config, option) for option in component.load("sources", new.type).adjustable}
    return bool(replace(old.config, **adjusted) == new.config)


def _at(settings: Settings, path: Path) -> Any:
    return getattr(getattr(settings, path[0]), path[1])


def _is_given(settings: Settings, path: Path) -> bool:
    """Whether somebody has said so: a default may follow another option."""
    return path in settings.provenance.origins


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _mistake(settings: Settings, path: Path, problem: str) -> Mistake:
    origins = settings.provenance.origins
    place = next((str(origin) for known, origin in origins.items() if known[: len(path)] == path), "default")
    return Mistake(place, f"{dotted(path)}: {problem}", _HINT)


def describe_changes(before: Settings, after: Settings) -> list[str]:
    """One line for each thing that differs, in the order of the document; secrets are masked."""
    whole = [*_comings_and_goings("sources", before, after), *_comings_and_goings("sinks", before, after)]
    told = tuple(f"{line.partition(':')[0]}." for line in whole)
    old, new = _values(before), _values(after)
    keys = [key for key in dict.fromkeys((*old, *new)) if old.get(key) != new.get(key) and not key.startswith(told)]
    lines = [f"{key}: {_cut(old.get(key, 'none'))} → {_cut(new.get(key, 'none'))}" for key in keys]
    held, holds = code_digests(before), code_digests(after)
    lines += [f"{key}: what the file holds has changed" for key in holds if held.get(key, holds[key]) != holds[key]]
    kept, keeps = secrets_in(before), secrets_in(after)
    lines += [f"{key}: the secret has changed" for key in keeps if kept.get(key, keeps[key]) != keeps[key]]
    if not whole and not lines and _without_origins(before) != _without_origins(after):
        return ["a secret has changed"]
    return [*whole, *lines]


def _comings_and_goings(section: str, before: Settings, after: Settings) -> Iterator[str]:
    old: Mapping[str, Any] = getattr(before, section)
    new: Mapping[str, Any] = getattr(after, section)
    for name in dict.fromkeys((*old, *new)):
        if name not in old:
            yield f"{section}.{name}: added"
        elif name not in new:
            yield f"{section}.{name}: removed"


def _values(settings: Settings) -> dict[str, str]:
    return {shown.key: shown.value for shown in describe_effective(settings)}


def _without_origins(settings: Settings) -> Settings:
    return replace(settings, provenance=type(settings.provenance)())


def _cut(text: str) -> str:
    return text if len(text) <= _VALUE_CHARACTERS else f"{text[: _VALUE_CHARACTERS - 1]}…"
