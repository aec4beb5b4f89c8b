"""`logrouter spool verify`: read everything, and tell every damaged place and what it costs."""

from __future__ import annotations

from argparse import Namespace

from logrouter.cli._spool_check import CheckedJournal, CheckedLog, Damage, check_log, sinks_in, total_of
from logrouter.cli._spool_lacking import lacking
from logrouter.cli._spool_options import EXIT_DAMAGED, as_json
from logrouter.figures import counted, rounded_size
from logrouter.runtime.spool.directory import SpoolDirectory


def verify(directory: SpoolDirectory, options: Namespace) -> int:
    """Read everything and tell what is damaged."""
    log = check_log(directory)
    journals = [CheckedJournal(directory, sink) for sink in sinks_in(directory)]
    damages = [*log.damages, *(damage for journal in journals for damage in journal.damages)]
    states = [journal.state for journal in journals if journal.state is not None]
    lacks = lacking(log, states) if directory.user() is None else {}
    if options.json:
        print(_as_json(directory, log, journals, damages, lacks))
    else:
        print("\n".join(_told(directory, log, journals, damages, lacks)))
    return EXIT_DAMAGED if damages else 0


def _told(
    directory: SpoolDirectory,
    log: CheckedLog,
    journals: list[CheckedJournal],
    damages: list[Damage],
    lacks: dict[str, int],
) -> list[str]:
    parts = (counted(len(log.segments), "segment"), counted(log.events, "event"), rounded_size(log.bytes))
    told = [f"{directory.path}: {', '.join(parts)}, {counted(len(journals), 'cursor')}"]
    told += map(str, damages)
    told += [journal.cost for journal in journals if journal.damages]
    if log.missing:
        told.append(f"{counted(log.missing, 'event')} between others are not there: set aside before, or never kept")
    told += [f"sink {sink} lacks {counted(events, 'event')} that nobody has any more" for sink, events in lacks.items()]
    if not damages:
        return [*told, "all is well" if not lacks else "all that is there is well"]
    return [*told, f"damaged: {total_of(damages)}; `logrouter spool repair` sets them aside"]


def _as_json(
    directory: SpoolDirectory,
    log: CheckedLog,
    journals: list[CheckedJournal],
    damages: list[Damage],
    lacks: dict[str, int],
) -> str:
    return as_json(
        {
            "directory": directory.path,
            "well": not damages,
            "segments": len(log.segments),
            "events": log.events,
            "bytes": log.bytes,
            "cursors": len(journals),
            "missing": log.missing,
            "lacking": lacks,
            "damaged": damages,
        }
    )
