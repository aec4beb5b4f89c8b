"""Let a function of your own, in Python, do what no other step does: change events, take them out, make more of them.

    - python:
        code: |
          def transform(events):
              for event in events:
                  event["path"] = event["path"].rstrip("/") or "/"
              return [event for event in events if event["path"] != "/healthz"]
    < {"path": "/cart/", "status": 200}
    > {"path": "/cart", "status": 200}
    < {"path": "/healthz", "status": 200}
    > (discarded)
    < {"status": 200}
    > {"status": 200}

It is given a list of events, dicts of what JSON has (a line of text is `{"message": …}`), and returns the list of those
that go on, in order; or None, if it has changed the events of the list that it got. What it leaves out is counted as
discarded, what it makes beside as added. Where the code stands:

    - python: {file: ./my_steps.py, function: transform}
    - python: ./my_steps.py:transform
    - python: my_package.my_steps:transform

A file is found by its path from where logrouter runs, is read with the config, is part of its hash, and a reload takes
up what has changed in it; each step that names it has a module of its own, and shares no variables with others. A
module is imported as any other: it must be installed or on `PYTHONPATH`, and changes with a restart.

Lists are runs of events as they were read, of at most 128, of the events for which `when` holds: a function should
look at each event by itself, or count on nothing more than on their order.

**When it fails.** If it raises, or returns what is no list of dicts that can be written as JSON, its events are given
to it one by one, and those on which it fails again pass on as they were, marked `meta.step_failed` and counted; our own
log tells the kind of the error and its line. With `on_failure: withhold` an event that says so takes their place, as
with `redact`. The third event above has no path. If it takes longer than `timeout`, it is ended by an exception inside
of it, and all the events of that list have failed. While it runs nothing else does: nothing is read, no sink is served.
What waits in C code that cannot be interrupted nobody can end; then `/healthz` does not answer. What it prints goes to
stderr, as stdout may be a sink's. A process that it forks ends with the function.

`logrouter check` calls it with an event that is made up, and tells if it fails. The step stands before the spool only,
where everything happens once; what it remembers begins anew with the process. With `allow_plugins: false` there is no
such step: whoever writes the config could run anything with it.
"""

from __future__ import annotations

import os
import signal
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from itertools import count
from types import FrameType, ModuleType, TracebackType
from typing import Any, ClassVar, Final, Literal, TypeVar

from logrouter.documents import Document
from logrouter.errors import did_you_mean, refuse
from logrouter.facts import Facts
from logrouter.steps import DISCARD, Outcome, Step, StepConfig, StepFailed
from logrouter.time_box import TimeUp, run_within
from logrouter.values import CodeFile, Duration

Function = Callable[[list[Document]], Any]
A = TypeVar("A")
R = TypeVar("R")

_EXAMPLE: Final[Document] = {"time": "2026-03-01T12:00:00Z", "level": "info", "message": "made up by logrouter check"}
_IMPORT_SECONDS: Final = 30.0
_numbers = count(1)


class PythonConfig(StepConfig, frozen=True, kw_only=True):
    """One of `code`, `file` and `module`. A text is short for one of the last two, and `function`."""

    code: str | None = None
    """The code itself."""
    file: CodeFile | None = None
    """The path of a file with the code."""
    module: str | None = None
    """The name of a module to import."""
    function: str = "transform"
    """The name of the function in it."""
    timeout: Duration = Duration(5.0)
    """How long it may take for one list of events."""
    on_failure: Literal["pass", "withhold"] = "pass"
    """What becomes of events on which it fails: `pass` lets them go on as they were; `withhold` puts an event in their
    place that says so."""


class Python(Step[PythonConfig]):
    """Calls the function."""

    Config: ClassVar[type[StepConfig]] = PythonConfig
    decides: ClassVar[bool] = True
    multiplies: ClassVar[bool] = True
    batches: ClassVar[bool] = True
    runs_own_code: ClassVar[bool] = True
    placeholder: ClassVar[Document] = {"message": "[a step failed]", "step_failed": "python"}

    def __init__(self, config: PythonConfig) -> None:
        super().__init__(config)
        given = [name for name in ("code", "file", "module") if getattr(config, name) is not None]
        refuse(_problems(config, given))
        self.fails_closed = config.on_failure == "withhold"
        self._file = ""
        module = self._module(given[0])
        function = getattr(module, config.function, None)
        if not callable(function):
            hint = did_you_mean(config.function, [name for name, value in vars(module).items() if callable(value)])
            problem = f"function: there is no function {config.function!r} in {self._named}"
            raise ValueError(f"{problem} ({hint})" if hint else problem)
        self._function: Function = function

    @classmethod
    def options_from(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        place, colon, function = value.rpartition(":")
        if not colon or not place:
            raise ValueError(f"expected ./my_steps.py:function or my_package.module:function, not {value!r}")
        return {"file" if place.endswith(".py") or "/" in place else "module": place, "function": function}

    @property
    def _named(self) -> str:
        """Where the code stands, as messages name it."""
        return str(self.config.file or self.config.module or "code")

    def _module(self, option: str) -> ModuleType:
        try:
            if self.config.module is not None:
                module = _run(_IMPORT_SECONDS, import_module, self.config.module)
                self._file = module.__file__ or ""
                return module
            self._file = str(self.config.file or "code")
            text = self.config.file.held if self.config.file is not None else self.config.code or ""
            return self._made(text)
        except SyntaxError as error:
            raise ValueError(f"{option}: {self._named}:{error.lineno or 0}: {error.msg}") from None
        except Interrupted:
            raise
        except BaseException as error:
            raise ValueError(f"{option}: {self._named} cannot be imported: {self._reason(error)}: {error}") from None

    def _made(self, text: str) -> ModuleType:
        """A module of its own, which is forgotten with the step."""
        module = ModuleType(f"logrouter_python_step_{next(_numbers)}")
        module.__file__ = self._file
        code = compile(text, self._file, "exec", dont_inherit=True)
        sys.modules[module.__name__] = module  # where dataclasses and others look for it
        weakref.finalize(self, sys.modules.pop, module.__name__, None)
        _run(_IMPORT_SECONDS, lambda names: exec(code, names), module.__dict__)
        return module

    def tried(self) -> str | None:
        try:
            self.apply_batch([dict(_EXAMPLE)])
        except StepFailed as error:
            return f"on an event that is made up it fails: {error}"
        return None

    def apply(self, document: Document, facts: Facts) -> Outcome:
        made = self.apply_batch([document])
        if len(made) == 1 and made[0] is document:
            return None
        return list(made) or DISCARD

    def apply_batch(self, documents: Sequence[Document]) -> Sequence[Document]:
        given = list(documents)
        try:
            made = _run(self.config.timeout, self._function, given)
        except TimeUp as error:
            raise StepFailed(f"{self._reason(error)}: it took longer than {self.config.timeout}", again=False) from None
        except Interrupted:
            raise
        except BaseException as error:  # also KeyboardInterrupt, SystemExit, asyncio.CancelledError: they are not ours
            raise StepFailed(self._reason(error)) from None
        if made is None:
            made = given
        if not isinstance(made, list | tuple):
            raise StepFailed(f"{self.config.function} has returned {type(made).__name__}, which is no list of events")
        if odd := {type(event).__name__ for event in made} - {"dict"}:
            raise StepFailed(f"{self.config.function} has returned a list with {', '.join(sorted(odd))} in it")
        if len({id(event) for event in made}) < len(made):
            raise StepFailed(f"{self.config.function} has returned the same dict twice: copy it")
        return made

    def _reason(self, error: BaseException) -> str:
        """The kind of an error and its line in the user's code. Not its text: that may quote the event."""
        line = _line_of(error.frame if isinstance(error, TimeUp) else error.__traceback__, self._file)
        return type(error).__name__ + (f" at {self._named}:{line}" if line else "")


def _problems(config: PythonConfig, given: Sequence[str]) -> Iterator[str]:
    if len(given) != 1:
        yield f"expected one of code, file and module, not {' and '.join(given) or 'none of them'}"
    if config.timeout <= 0:
        yield "timeout: must be more than 0"


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, while the user's code ran."""


def _run(seconds: float, function: Callable[[A], R], argument: A) -> R:
    """Call what the user has written. Raises TimeUp, Interrupted, and what it raises itself.

    A child that it has forked ends here: or it would go on as a second logrouter, with the same events.
    """
    process = os.getpid()
    interrupts = _Interrupts()
    try:
        with redirect_stdout(sys.stderr), interrupts:
            return run_within(seconds, function, argument)
    except KeyboardInterrupt:
        if interrupts.came:
            raise Interrupted from None
        raise
    finally:
        if os.getpid() != process:
            os._exit(os.EX_OK)


class _Interrupts:
    """Tells whether a KeyboardInterrupt is that of a signal, or one which the user's code raises."""

    def __init__(self) -> None:
        self.came = False
        handler = signal.getsignal(signal.SIGINT)
        self._handler = handler if callable(handler) else None

    def __enter__(self) -> None:
        if self._handler is not None:
            try:
                signal.signal(signal.SIGINT, self._note)
            except ValueError:  # not the main thread: no signal comes here
                self._handler = None

    def __exit__(self, *raised: object) -> None:
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        assert self._handler is not None
        try:
            self._handler(number, frame)
        except KeyboardInterrupt:
            self.came = True
            raise


def _line_of(place: FrameType | TracebackType | None, file: str) -> int | None:
    """The innermost line of a file in a stack, or in a traceback; None where that is not in it."""
    line = None
    while place is not None:
        if isinstance(place, FrameType):
            if place.f_code.co_filename == file:
                return place.f_lineno
            place = place.f_back
        else:
            if place.tb_frame.f_code.co_filename == file:
                line = place.tb_lineno
            place = place.tb_next
    return line
