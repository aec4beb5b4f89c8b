r"""Finds the exception in the lines of an event: where it begins, its type, its message.

Of exceptions that are the cause of others it is the one which was raised last, as nobody has caught that one. Python
and PHP write it last, all others first.

A panic of Go or Rust is no value with a type that would be shown: its type is `panic`, that of what Go's runtime cannot
go on after `fatal error`.

Sources: those of `joining/languages.py`. Every expression is tried from the beginning of lines, and looks no further
than a line or two: whatever the text, it takes linear time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from logrouter.possessive import portable


class Raised(NamedTuple):
    """An exception in a text."""

    before: str
    """The lines that logged it. Empty: nothing did."""
    type: str
    """Empty where it has none: JavaScript throws whatever there is."""
    message: str
    stacktrace: str
    """The exception as it stands in the text: frames, causes, all that is behind it."""

    @property
    def summary(self) -> str:
        """One line that names it."""
        message = self.message.partition("\n")[0]
        return f"{self.type}: {message}" if self.type and message not in ("", self.type) else self.type or message


def raised_in(text: str) -> Raised | None:
    """The exception that a text of several lines holds; None where it holds none, or does not say which."""
    for mark, read in _KINDS:
        if mark in text and (raised := read(text)) is not None:
            return raised
    return None


def _raised(text: str, start: int, type_: str, message: str) -> Raised:
    """One that begins at a place: that of a line, or within the line that logged it, which then is all of that."""
    before_end = start
    if start and text[start - 1] != "\n":
        before_end = _first_of(text, start, "\n")
    return Raised(text[:before_end].rstrip("\n"), type_, message.strip("\n"), text[start:])


def _first_of(text: str, start: int, *marks: str) -> int:
    """Where the first of some texts begins that stands behind a place, or the end."""
    return min((place for mark in marks if (place := text.find(mark, start)) >= 0), default=len(text))


def _line_before(text: str, mark: str) -> tuple[int, int]:
    """Where the line begins and ends that stands before a text; nowhere, where there is none."""
    end = max(0, text.find(mark))
    return text.rfind("\n", 0, end) + 1, end


def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(portable(expression), re.MULTILINE | re.ASCII)


# ── Python ──

_TRACEBACK: Final = _compiled(r"^(?:  \+ Exception Group )?+Traceback \(most recent call last\):")
_TRACEBACK_WITHIN: Final = _compiled(r"Traceback \(most recent call last\):$")
_PLACE: Final = _compiled(r'^  File "[^"\n]++", line \d')
_LAST_LINE: Final = _compiled(r"^(?:  \| )?+(?P<type>[A-Za-z_][\w.<>]*+)(?::(?: (?P<message>[^\n]*+))?+)?+$")
_BEHIND: Final = ("\nCall stack:\n", "\nMessage: ", "\nStack (most recent call last):", "\nfuture: <", "\ntask: <")
"""What logging and asyncio write behind a traceback."""


def _python(text: str) -> Raised | None:
    heads = list(_TRACEBACK.finditer(text)) or list(_TRACEBACK_WITHIN.finditer(text))
    return _python_from(text, heads[0].start(), heads[-1].end()) if heads else None


def _python_syntax_error(text: str) -> Raised | None:
    """Without a traceback: nothing has run yet."""
    match = _PLACE.search(text)
    return match and _python_from(text, match.start(), match.end())


def _python_from(text: str, start: int, last_head: int) -> Raised | None:
    last = _LAST_LINE.search(text, last_head)
    if last is None:
        return None
    message = last["message"] or ""
    if not last[0].startswith("  | "):
        message += text[last.end() : _first_of(text, last.end(), *_BEHIND)]
    return Raised(text[:start].rstrip(), last["type"], message.strip("\n"), text[start:])


_FATAL: Final = _compiled(r"^(?P<type>Fatal Python error): (?P<message>[^\n]*+)$")


def _python_fatal(text: str) -> Raised | None:
    """What faulthandler and the interpreter write when there is no going on."""
    match = _FATAL.search(text)
    return match and _raised(text, match.start(), match["type"], match["message"])


# ── Rust ──

_RUST_PANIC: Final = _compiled(
    r"^thread '[^'\n]*+' (?:\(\d++\) )?+panicked at (?:'(?P<message>[^\n]*)', [^\n]++|[^\n]*+(?<=:)$)"
)
_RUST_ERROR: Final = _compiled(r"^Error: (?P<message>[^\n]++)\n\n(?:Caused by|Stack backtrace|Location):$")


def _rust_panic(text: str) -> Raised | None:
    match = _RUST_PANIC.search(text)
    if match is None:
        return None
    message = match["message"]  # on the same line until Rust 1.73
    if message is None:
        message = text[match.end() : _first_of(text, match.end(), "\nnote: ", "\nstack backtrace:", "\nthread '")]
    return _raised(text, match.start(), "panic", message)


def _rust_error(text: str) -> Raised | None:
    """What `main` returns, of anyhow or eyre."""
    match = _RUST_ERROR.search(text)
    return match and _raised(text, match.start(), "Error", match["message"])


# ── PHP ──

_PHP_UNCAUGHT: Final = _compiled(r"(?<!\w)Uncaught (?P<type>[\w\\]++)(?P<rest>: | in )")
_PHP_PRINTED: Final = _compiled(r"(?:^|(?<=[:\]] ))(?![A-Z]++:)(?P<type>[A-Z\\][\w\\]*+)(?P<rest>: | in )")
_PHP_NEXT: Final = _compiled(r"^Next (?P<type>[A-Z\\][\w\\]*+)(?P<rest>: | in )")
_MONOLOG: Final = _compiled(r"\[object\] \((?P<type>[\w\\]++)\(code: [^()\n]*+\): ")
_MONOLOG_END: Final = _compiled(r":\d++\)\Z")


def _php(text: str) -> Raised | None:
    start, end = _line_before(text, "\nStack trace:\n#")
    first = _PHP_UNCAUGHT.search(text) or _PHP_PRINTED.search(text, start, end) or _PHP_PRINTED.search(text, 0, end)
    if first is None:
        return None
    last = [first, *_PHP_NEXT.finditer(text, first.end())][-1]
    rest = text[last.start("rest") : _first_of(text, last.end(), "\nStack trace:\n")]
    message, _, _ = rest.rpartition(" in ")  # before the file and the line
    return _raised(text, first.start(), last["type"], message.removeprefix(": "))


def _monolog(text: str) -> Raised | None:
    start, end = _line_before(text, "\n[stacktrace]")
    match = _MONOLOG.search(text, start, end) or _MONOLOG.search(text, 0, end)
    if match is None:
        return None
    message, _, place = text[match.end() : end].rpartition(" at ")
    if _MONOLOG_END.search(place) is None:
        return None
    return _raised(text, match.start(), match["type"].replace("\\\\", "\\"), message)


# ── Go ──

_GO_PANIC: Final = _compiled(r"^(?P<type>panic|fatal error|SIG[A-Z]{3,6}): ")
_GO_AGAIN: Final = _compiled(r"^\t*+panic: ")
_GO_LOGGED: Final = _compiled(r"(?<= )panic(?:: | serving \S++(?<=:) )(?P<message>[^\n]*+)")
"""By net/http, and by those who recover."""
_GO_RECOVERED: Final = _compiled(r" \[recovered(?:, [a-z]++)?+\]$")
_GO_BEHIND: Final = ("\n\n", "\ngoroutine ", "\n[signal ", "\nPC=", "\nruntime: ", "\nexit status ")


def _go(text: str) -> Raised | None:
    match = _GO_PANIC.search(text)
    if match is None:
        match = _GO_LOGGED.search(text, *_line_before(text, "\ngoroutine "))
        return match and _raised(text, match.start(), "panic", match["message"])
    end = _first_of(text, match.end(), *_GO_BEHIND)
    start = match.end()
    if match["type"] == "panic":
        for again in _GO_AGAIN.finditer(text, start, end):  # in what was deferred
            start = again.end()
    begin = 0 if text.startswith(("runtime: ", "unexpected fault ")) else match.start()
    return _raised(text, begin, match["type"], _GO_RECOVERED.sub("", text[start:end]).replace("\n\t", "\n"))


# ── Ruby ──

_RUBY_PLACE: Final = r"(?:<internal:)?+[^\s:{]++:\d++:"
_RUBY_RAISED: Final = _compiled(rf"^{_RUBY_PLACE}in [`'][^'\n]*+': (?P<message>[^\n]*+)$")
_RUBY_LOGGED: Final = _compiled(r"^[A-Z], \[[^\]\n]*+\] ++[A-Z]++ -- [^:\n]*+: ")
_RUBY_SYNTAX_ERROR: Final = _compiled(rf"^{_RUBY_PLACE} (?P<message>syntax error[^\n]*+)$")
_RUBY_CLASS: Final = r"(?P<type>[A-Z]\w*+(?:::\w++)*+)"
_RUBY_TYPE: Final = _compiled(rf" ?\({_RUBY_CLASS}\)\Z|\A{_RUBY_CLASS.replace('type', 'alone')}\Z")
_RUBY_LOGGED_TYPE: Final = _compiled(rf" ?\({_RUBY_CLASS}\)(?=\n{_RUBY_PLACE}in [`'])")
_RUBY_LOGGED_BEFORE: Final = _compiled(rf"{_RUBY_CLASS}: (?P<message>[^\n]*+)(?=\n(?:\tfrom )?+{_RUBY_PLACE}in [`'])")
"""As those write it who log message and backtrace themselves."""
_RUBY_BEHIND: Final = ("\n\tfrom ", "\n\n")


def _ruby(text: str) -> Raised | None:
    if (logged := _RUBY_LOGGED.search(text)) is not None:
        return _ruby_logged(text, logged.end())
    match = _RUBY_RAISED.search(text)
    if match is None:
        return _ruby_logged(text, 0)  # what the parser `ruby` has left of it
    message = match["message"]
    if message == "unhandled exception":
        return _raised(text, match.start(), "RuntimeError", "")
    type_ = _RUBY_TYPE.search(message)
    if type_ is None:
        return None
    message = message[: type_.start()] + text[match.end() : _first_of(text, match.end(), *_RUBY_BEHIND)]
    return _raised(text, match.start(), type_["type"] or type_["alone"], message)


def _ruby_logged(text: str, start: int) -> Raised | None:
    """By the class Logger: the type stands behind the message, or before it."""
    if (type_ := _RUBY_LOGGED_TYPE.search(text, start)) is not None:
        return _raised(text, start, type_["type"], text[start : type_.start()])
    match = _RUBY_LOGGED_BEFORE.match(text, start)
    return match and _raised(text, start, match["type"], match["message"])


def _ruby_syntax_error(text: str) -> Raised | None:
    match = _RUBY_SYNTAX_ERROR.search(text)
    return match and _raised(text, match.start(), "SyntaxError", match["message"])


# ── what writes its frames as `at …`: Java, Node, .NET ──

_FRAMES: Final = _compiled(r"\n[ \t]++(?:at \S|---> |\.\.\. \d)")
_PREFIX: Final = (
    r'^[ \t]*+(?:Exception in thread "[^"\n]*+" |Unhandled [Ee]xception[.:] |Uncaught (?:exception )?+|Caused by: )?+'
)
_CALLED_ERROR: Final = r"(?:(?<=Error)|(?<=Exception)|(?<=Rejection)|(?<=Throwable)|(?<=Warning))"
_MESSAGE_FOLLOWS: Final = r"(?: \[\w++\])?+(?:: ?|(?=\n)|\Z)"
_NAMED: Final = _compiled(rf"{_PREFIX}(?P<type>[A-Za-z_$][\w$.`+]*+){_CALLED_ERROR}{_MESSAGE_FOLLOWS}")
_PACKAGED: Final = _compiled(
    rf"{_PREFIX}(?!java\.lang\.Thread\.State:)(?P<type>(?=[\w$]++\.)[A-Za-z_$][\w$.`+]*+|[A-Z][a-z][\w$]*+)"
    + _MESSAGE_FOLLOWS
)
_WITHIN: Final = _compiled(rf"(?<![\w$.`+])(?P<type>[A-Za-z_$][\w$.`+]*+){_CALLED_ERROR}{_MESSAGE_FOLLOWS}")
_CODE: Final = _compiled(r"\S++(?<=\d)\n[^\n]*+\n[ \t]*+\^*+[ \t]*+$")
"""What Node shows before what was thrown: file and line, code, carets."""


def _at(text: str) -> Raised | None:
    frames = _FRAMES.search(text)
    if frames is None:
        return None
    end = frames.start()
    last_line = text.rfind("\n", 0, end) + 1
    match = _NAMED.search(text, 0, end) or _PACKAGED.match(text, last_line, end) or _WITHIN.search(text, last_line, end)
    if match is None:  # with a message of several lines, which begins within the first
        match = _WITHIN.search(text, 0, end)
    if match is None:
        return None
    message, _, _ = text[match.end() : end].partition(" ---> ")  # .NET shows inner ones behind it
    is_shown_code = _CODE.match(text, 0, match.start()) is not None
    return _raised(text, 0 if is_shown_code else match.start(), match["type"], message)


_THROWN: Final = _compiled(r"\S++(?<=\d)\n[^\n]*+\n[ \t]*+\^++\n(?!\n)")


def _thrown(text: str) -> Raised | None:
    """JavaScript throws a text, or whatever it is."""
    match = _THROWN.match(text)
    if match is None:
        return None
    return _raised(
        text, 0, "", text[match.end() : _first_of(text, match.end(), "\n(Use `node", "\n\n", "\nThrown at:")]
    )


_KINDS: Final[tuple[tuple[str, Callable[[str], Raised | None]], ...]] = (
    ("Traceback (most recent call last):", _python),
    ("Fatal Python error: ", _python_fatal),
    ('  File "', _python_syntax_error),
    ("panicked at ", _rust_panic),
    ("\nStack trace:\n", _php),
    ("\n[stacktrace]", _monolog),
    ("panic", _go),
    ("fatal error: ", _go),
    ("SIG", _go),
    (":in ", _ruby),
    (": syntax error", _ruby_syntax_error),
    ("at ", _at),
    ("---> ", _at),
    ("... ", _at),
    ("Error: ", _rust_error),
    ("^\n", _thrown),
)
"""What a text must hold, and what then looks closer."""
