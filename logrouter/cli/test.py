"""`logrouter test`: run the tests of a config, which say what is to become of some lines."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from logrouter.config.settings import Settings
    from logrouter.fixtures import Case
    from logrouter.fixtures.running import Result


def main(argv: Sequence[str]) -> int:
    """Run the tests. Exit 0 where all is as expected, 1 where something is not, 78 where config or tests are wrong."""
    from logrouter.errors import LogrouterError

    options = make_parser().parse_args(argv)
    if options.record:
        return _record(options)
    if options.source is not None:
        raise LogrouterError("--source is for --record: a test says itself whose lines it is about (source: NAME)")
    runner = Runner(options)
    if not runner.options.watch:
        return runner.run()
    from logrouter.cli._watch import watch

    return watch(runner.run, runner.files)


def make_parser() -> argparse.ArgumentParser:
    """The command's parser."""
    from logrouter.cli import _options

    parser = _options.parser(
        "test",
        "Run tests of the config: lines that come in, and what is expected to become of\n"
        "them. They stand in the config itself, under 'tests', or in files of their own.\n"
        "Nothing is written or sent.",
        "The exit code is 0 where all is as expected, 1 where something is not, 78 where\nconfig or tests are wrong.",
    )
    parser.add_argument(
        "tests",
        metavar="FILE",
        nargs="*",
        help="files of tests, or folders of these (default: the tests in the config)",
    )
    parser.add_argument("-k", metavar="NAME", dest="name", help="only tests that have this in their name")
    parser.add_argument("--watch", action="store_true", help="run them again whenever one of the files changes")
    parser.add_argument("--junit", metavar="FILE", help="also write the results as JUnit XML, for CI systems")
    parser.add_argument(
        "--record", action="store_true", help="write tests instead, of what becomes of the lines on stdin now"
    )
    _options.add_source_option(parser)
    _options.add_config_options(parser)
    return parser


class Runner:
    """Runs what the options name, as often as it is asked."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self._samples: set[Path] = set()

    def run(self) -> int:
        """Run the tests once; gives the exit code. Raises ConfigError with all that is wrong in config and tests."""
        from logrouter.fixtures.report import Report
        from logrouter.runtime.transports.streams import wants_colour

        settings, cases = self._load()
        report = Report(colour=wants_colour(1, os.environ))
        started_ns, results = time.time_ns(), []
        for case in cases:
            results.append(_timed(settings, case))
            print(*report.lines(results[-1]), sep="\n", flush=True)
        print(report.summary(results))
        if self.options.junit is not None:
            _write_junit(Path(self.options.junit), results, started_ns)
        return 0 if all(result.passed for result in results) else 1

    def files(self) -> list[Path]:
        """What the results depend on: the files of the config, of tests and of samples that there were."""
        from logrouter.config.files import SYSTEM_FOLDER, find_files

        configs, _ = find_files([Path(file) for file in self.options.config], os.environ, Path(), SYSTEM_FOLDER)
        return [*configs, *self._test_files(), *sorted(self._samples)]

    def _load(self) -> tuple[Settings, list[Case]]:
        from logrouter import config
        from logrouter.cli import _options
        from logrouter.errors import LogrouterError

        settings, cases = config.load_tested(*_options.given(self.options), self._test_files())
        self._samples = {case.sample for case in cases if case.sample is not None}
        if not cases:
            raise LogrouterError("there are no tests: write some under 'tests' in the config, or name a file of them")
        chosen = [case for case in cases if (self.options.name or "").lower() in case.fixture.name.lower()]
        if not chosen:
            raise LogrouterError(f"no test has {self.options.name!r} in its name{_nearest(self.options.name, cases)}")
        return settings, chosen

    def _test_files(self) -> list[Path]:
        paths = [Path(name) for name in self.options.tests]
        return [file for path in paths for file in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])]


def _record(options: argparse.Namespace) -> int:
    from logrouter.cli import _options
    from logrouter.errors import LogrouterError
    from logrouter.fixtures.recording import record

    if options.tests or options.name or options.watch or options.junit:
        raise LogrouterError("--record runs no tests: it writes some of the lines on stdin")
    data = b"" if sys.stdin is None else sys.stdin.buffer.read()  # None: it was closed when we started
    settings = _options.load(options)
    for line in record(settings, _options.source_of(options, settings), data):
        print(line)
    return 0


def _nearest(name: str, cases: Sequence[Case]) -> str:
    from logrouter.errors import did_you_mean

    hint = did_you_mean(name, [case.fixture.name for case in cases])
    return f"; {hint}" if hint else ""


def _timed(settings: Settings, case: Case) -> Result:
    from logrouter.fixtures.running import run

    started = time.perf_counter()
    return run(settings, case)._replace(seconds=time.perf_counter() - started)


def _write_junit(path: Path, results: Sequence[Result], started_ns: int) -> None:
    import socket

    from logrouter.fixtures.junit import render

    path.write_bytes(render(results, started_ns, socket.gethostname()))
