"""`logrouter dlq replay`: sends dead letters to their sinks again."""

from __future__ import annotations

import os
from argparse import Namespace
from collections import Counter
from contextlib import ExitStack
from functools import partial

import trio

from logrouter import component
from logrouter.cli._dlq_choice import Choice, Reading, files_of
from logrouter.cli._spool_options import Found
from logrouter.config.settings import Settings
from logrouter.dead_letters import DeadLetter
from logrouter.errors import LogrouterError
from logrouter.figures import counted, table
from logrouter.runtime.letter_files import LetterFile, LetterFiles, held
from logrouter.runtime.replaying import Account, replay
from logrouter.values import Duration

EXIT_REFUSED = 74
"""EX_IOERR: something was refused again."""
EXIT_LEFT = 75
"""EX_TEMPFAIL: something could not be sent."""


def send_again(found: Found, options: Namespace) -> int:
    """Send those that are wanted."""
    assert found.settings is not None  # no flag names a folder without a config
    choice = Choice(found, options)
    timeout_seconds = _timeout(options.timeout)
    files = files_of(found)
    reading = Reading(files, choice)
    if options.dry_run:
        print("\n".join(_counts(reading)) or "no dead letters")
        return reading.check()
    accounts = _replay_all(found.settings, files, reading, timeout_seconds)
    print("\n".join(told(accounts)))
    code = reading.check()
    if any(account.left for account in accounts.values()):
        return EXIT_LEFT
    return EXIT_REFUSED if any(account.refused for account in accounts.values()) else code


def _timeout(text: str) -> float:
    try:
        return Duration.parse(text)
    except ValueError as error:
        raise LogrouterError(f"--timeout: {error}") from None


def _counts(reading: Reading) -> list[str]:
    numbers = Counter(letter.sink for letter, _ in reading.all())
    return [f"{sink}: {counted(number, 'dead letter')} would be sent again" for sink, number in numbers.items()]


def _replay_all(settings: Settings, files: LetterFiles, reading: Reading, timeout_seconds: float) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    sinks = files.by_sink()
    with ExitStack() as stack:
        if sinks:
            _be_alone(files, stack)
        for sink, listed in sinks.items():
            if problem := _problem_with(sink, settings):
                left = sum(1 for file in listed for _ in reading.of(file))
                accounts[sink] = Account(left=left, trouble=problem)
                continue
            wanted = partial(_letters, reading)
            accounts[sink] = trio.run(partial(replay, files, sink, settings, wanted, timeout_seconds=timeout_seconds))
    return {sink: account for sink, account in accounts.items() if account.events}


def _be_alone(files: LetterFiles, stack: ExitStack) -> None:
    """Two replays at once would send everything twice."""
    try:
        stack.enter_context(held(os.path.join(files.folder, "replay.lock")))
    except BlockingIOError:
        raise LogrouterError("another replay is under way") from None


def _letters(reading: Reading, file: LetterFile) -> list[DeadLetter]:
    return [letter for letter, _ in reading.of(file)]


def _problem_with(sink: str, settings: Settings) -> str | None:
    """Why nothing can be sent to a sink by itself."""
    if sink not in settings.sinks:
        return "not a sink of this config"
    kind = settings.sinks[sink].type
    if component.load("sinks", kind).gathers:
        return f"{kind} puts events together in objects, and refuses none by itself"
    return None


def told(accounts: dict[str, Account]) -> list[str]:
    """What has become of them, for people."""
    if not accounts:
        return ["no dead letters"]
    titles = ("SINK", "DELIVERED", "REFUSED", "LEFT")
    rows = [
        (sink, str(account.delivered), str(sum(account.refused.values())), str(account.left))
        for sink, account in accounts.items()
    ]
    lines = table(titles, rows, numbers=titles[1:])
    for sink, account in accounts.items():
        lines += [f"{sink}: refused again: {number} {reason}" for reason, number in account.refused.items()]
        if account.trouble is not None:
            lines.append(f"{sink}: {account.trouble}")
    return lines
