"""`logrouter dlq delete`: deletes dead letters, file by file: a running logrouter goes on meanwhile."""

from __future__ import annotations

from argparse import Namespace

from logrouter.cli._dlq_choice import Choice, Reading, files_of
from logrouter.cli._spool_options import Found
from logrouter.errors import LogrouterError
from logrouter.figures import counted
from logrouter.runtime.letter_files import LetterFile, LetterFiles


def delete(found: Found, options: Namespace) -> int:
    """Delete those that are wanted."""
    choice = Choice(found, options)
    if choice.is_all and not options.all:
        raise LogrouterError("say which: by ID, --sink, --reason, --where; or --all")
    if options.all and not choice.is_all:
        raise LogrouterError("--all leaves none: leave it out, or ID, --sink, --reason and --where")
    files = files_of(found)
    reading = Reading(files, choice)
    deleted = 0
    for file in files.all():
        deleted += sum(1 for _ in reading.of(file)) if options.dry_run else _delete(files, file, reading, choice)
    verb = "would be deleted" if options.dry_run else "deleted"
    print(f"{counted(deleted, 'dead letter')} {verb}")
    code = reading.check()
    return 0 if options.all else code


def _delete(files: LetterFiles, file: LetterFile, reading: Reading, choice: Choice) -> int:
    """Delete from one file. Gives how many."""
    with files.lock():
        wanted = {letter.id for letter, _ in reading.of(file)}
        if choice.is_all:
            files.remove(file)
        elif wanted:
            files.rewrite(file, lambda letter: None if letter.id in wanted else letter)
    return len(wanted)
