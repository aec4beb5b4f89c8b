r"""What tracebacks look like, language by language: regular expressions over bytes.

Sources: CPython `Lib/traceback.py`, `Python/traceback.c`, `Lib/logging`; OpenJDK `Throwable.java`, logback
`ThrowableProxyConverter`; Go `runtime/panic.go`, `runtime/traceback.go`; Node `lib/internal/process/execution.js`,
`src/node_errors.cc`; Ruby `eval_error.c`, `logger/formatter.rb`; .NET `Exception.ToString`, `SimpleConsoleFormatter`;
PHP `Zend/zend_exceptions.c`, Monolog `LineFormatter`; Rust `std/src/panicking.rs`, anyhow, eyre.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Language(NamedTuple):
    """How its tracebacks look: regular expressions over bytes, in which lines end with a newline, each without its
    own. What begins with another character than those of `…_first`, sets as within `[…]`, or with another word and a
    blank than one of `words`, is none of it."""

    openings: tuple[tuple[bytes, bytes], ...] = ()
    """What a traceback begins with, and its body: all that can follow only such an opening."""
    records: tuple[tuple[bytes, bytes], ...] = ()
    """The same of what a logger writes as several lines. It belongs to no line before it."""
    opening_first: bytes = b""
    """Of openings and records."""
    continuations: tuple[bytes, ...] = ()
    continuation_first: bytes = b""
    usual: bytes = b""
    """An opening and its body as they are seen most, before a line that cannot go on with them: what `openings` finds
    there, found in half the time."""
    words: tuple[bytes, ...] = ()
    """What pieces begin with that a blank follows: a letter, and a regular expression. What is named an error need not
    stand here."""


_INDENTED: Final = rb"(?:\n[ \t].*+)*+"
_MESSAGE: Final = rb"(?:\n(?![\d{\[]).*+){1,3}?"
"""More lines of a message: a few, where something that is expected follows."""

# ── Python ──

_PY_EXCEPTION: Final = (
    # the last line: the class, alone or with a message. A level in capitals is the next line of a log.
    rb"(?:\n(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b)"
    rb"(?:[A-Z]\w*+|[A-Za-z_][\w<>]*+(?:\.[\w<>]++)++)(?:: .*+|:)?+(?=\n)"
    rb"|\n[^\s:]++:\d++:in [`'].*+)?+"  # Ruby 2.5 to 2.7 on a terminal
)
_PY_MORE: Final = (
    # of the message, as pydantic and SQLAlchemy write it
    rb"(?:\n(?:[ \t].*+|[\w.\[\]-]++\n  .*?\[type=.*+"
    rb"|\n?(?:(?:DETAIL|HINT|CONTEXT|LINE \d++): |\[(?:SQL|parameters): |\(Background on this error).*+))*+"
)
_PY_FRAMES: Final = _INDENTED + _PY_EXCEPTION + _PY_MORE
_PY_HEAD: Final = rb"(?:Traceback|  \+ Exception Group Traceback) \(most recent call last\):"
_PY_BODY: Final = (
    _PY_FRAMES + rb"(?:\n\n(?:During handling of the above exception, another exception occurred"
    rb"|The above exception was the direct cause of the following exception):\n\n"
    + _PY_HEAD
    + _PY_FRAMES
    + rb"|\nCall stack:"
    + _INDENTED
    + rb"|\n(?:Message|Arguments): .*+)*+"
)
_PY_THREAD: Final = rb"(?:Current thread|Thread) 0x[\da-f]++ .*+(?<=\(most recent call first\):)"
_PY_THREADS: Final = _INDENTED + rb"(?:\n\n?" + _PY_THREAD + _INDENTED + rb"|\n\n?Extension modules: .*+)*+"
_PY_USUAL: Final = (
    rb"Traceback \(most recent call last\):(?:\n .*+)++"
    rb"\n(?:[a-z_][A-Za-z0-9_]*+(?:\.[A-Za-z0-9_]++)++|[A-Z][a-z][A-Za-z0-9_]*+): .*+"
    rb"(?=\n(?:\{|\d[\w.\[\]-]*+[^\n\w.\[\]-]))"
)
_PYTHON: Final = Language(
    openings=(
        (_PY_HEAD, _PY_BODY),
        (
            rb'  File "[^"\n]++", line \d++.*+',
            _PY_FRAMES,
        ),  # a SyntaxError without more, or the rest of what was cut
        (rb"Stack \(most recent call last\):", _INDENTED),
        (
            rb"Fatal Python error: .*+",
            rb"(?:\nPython runtime state: .*+)?+" + _PY_THREADS,
        ),
        (_PY_THREAD, _PY_THREADS),
        (rb"[/<][^\s:]*+:\d++: \w*+(?<=Warning): .*+", rb"(?:\n  .*+)?+"),
    ),
    usual=_PY_USUAL,
    words=(b"Traceback", b"Stack", b"Fatal", b"Current", b"Thread"),
    opening_first=rb" TSFC/<",
    continuations=(
        # asyncio's exception handler
        rb"(?:future|task|handle): <.*+(?:\n" + _PY_HEAD + _PY_BODY + rb")?+",
    ),
    continuation_first=rb"fth",
)

# ── what writes its frames as `at …`: Java, Node, .NET ──

_AT: Final = rb"\n[ \t]++(?:at |---> |\.\.\. \d)"
_AT_MESSAGE: Final = rb"(?:(?:\n(?![\d{\[]|[ \t]++at ).*+){1,3}?(?=" + _AT + rb"))?+"
"""More lines of a message, where frames follow these and not it."""
_AT_PREFIX: Final = rb'(?:Exception in thread "[^"\n]*+" |Unhandled [Ee]xception[.:] |Uncaught )?+'
_PACKAGED: Final = rb"(?:[A-Za-z_$][\w`+]*+(?:[.:$][\w`+]++)++|[A-Z][a-z]\w*+)"
_AT_ERROR: Final = (
    # what is called an error, with a message of up to four lines
    _AT_PREFIX + rb"[A-Za-z_$][\w$.`+:]*+(?:(?<=Error)|(?<=Exception)|(?<=Rejection)|(?<=Error:)|(?<=Exception:))"
    rb"(?: \[\w++\]:)?+(?: .*+(?:\n(?![\d{\[]).*+){0,3}?)?(?=" + _AT + rb")"
)
_AT_PACKAGED: Final = _AT_PREFIX + _PACKAGED + rb"(?:: .*+|:)?+(?=" + _AT + rb")"
_AT_WORDS: Final = (b"Exception", b"Unhandled", b"Uncaught")
_JS_VERSION: Final = rb"(?:\n{2,3}Node\.js v.*+)?+"
_AT_FRAME: Final = (
    rb"[ \t]++(?:at .++(?:(?<!\{)\n[ \t]++at .++)*+"
    rb"(?:(?<=\{)(?:\n[ \t].*+)*+(?:\n\})?+)?+"  # the properties that Node shows of an error, behind its last frame
    rb"|\.\.\. \d++ [a-z].*+|\[\.\.\. lines .*+)" + _JS_VERSION
)
_JUL_DATES: Final = tuple(
    month + rb"[a-z]{2} \d{1,2}, \d{4}" for month in (b"J", b"F", b"M", b"A", b"S", b"O", b"N", b"D")
)
_JUL_HEAD: Final = rb"[JFMASOND][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M .++(?=\n[A-Z]{3,10}: )"
"""Of java.util.logging: the level and the message stand on the next line."""
_JAVA: Final = Language(
    openings=((_AT_ERROR, b""), (_AT_PACKAGED, b"")),
    records=((_JUL_HEAD, rb"\n.++(?:\n(?:" + _AT_ERROR + rb"|" + _AT_PACKAGED + rb"))?+"),),
    words=(*_AT_WORDS, b"Caused", b"Wrapped", *_JUL_DATES),
    opening_first=rb"A-Za-z_$",
    continuations=(
        _AT_FRAME,
        rb"[ \t]++(?:(?:Suppressed|Caused by|java\.lang\.Thread\.State): |- (?:locked|waiting|parking|elim)).*+",
        rb"(?:Caused|Wrapped) by: (?:\[CIRCULAR .*+|" + _PACKAGED + rb"(?:: .*+" + _AT_MESSAGE + rb")?+)",
    ),
    continuation_first=rb" \tCW",
)

# ── Go ──

_GO_FRAME_FOLLOWS: Final = rb"(?=\n\t[^\n:]++(?:(?<=\.go)|(?<=\.s)):\d)"
_GO_BODY: Final = (
    rb"(?:\n(?:\t.*+|\[signal .*+|(?:fatal error|runtime|panic): .*+|PC=.*+|exit status \d++"
    rb"|\.\.\.(?:additional |\d).*+|created by .*+|runtime stack:|goroutine \d++ .*+(?<=\]:)"
    rb"|[^\s{].*+" + _GO_FRAME_FOLLOWS + rb"|\n(?:goroutine \d++ .*+(?<=\]:)|runtime stack:)|(?=\nrax )"
    rb"|(?:r[a-z\d]{1,5}|[c-g]s) ++0x[\da-f]++))*+"
)
_GO: Final = Language(
    openings=(
        (rb"panic: .*+(?:" + _MESSAGE + rb"(?=\n\ngoroutine \d))?+", _GO_BODY),
        (rb"(?:fatal error: |unexpected fault address 0x|SIG[A-Z]{3,6}: ).*+", _GO_BODY),
        (rb"runtime: (?:goroutine stack exceeds|out of memory).*+", _GO_BODY),
        (rb"goroutine \d++ .*+(?<=\]:)", _GO_BODY),
    ),
    words=(b"fatal", b"unexpected", b"goroutine"),
    opening_first=rb"pfugrS",
    continuations=(
        # frames without more, as zap and logrus write them
        rb"[A-Za-z_][^\s(]*+(?:\(.*+)?+" + _GO_FRAME_FOLLOWS + rb"\n\t.*+",
    ),
    continuation_first=rb"A-Za-z_",
)

# ── Node ──

_JS_DIFFERENCE: Final = rb"(?:\n(?:[ \t+\-].*+|(?=\n[ \t+\-])|\n.++(?=\n\n[ \t]++at )))*+(?:\n\})?+"
"""What is indented, and what `assert` shows of two values."""
_JS_PLACE: Final = (
    # file and line, code, carets: these are empty where the text ends too early
    rb"(?:/|node:|file:|\[|<|[A-Z]:\\|evalmachine).*+(?<=\d)"
    rb"(?:\n.*+\n[ \t]*+\^++[ \t]*+(?=\n)|\n.*+\n(?=\n{1,2}[A-Z]\w*+(?<=Error)))"
)
_JS_HINT: Final = rb"\(Use `node --trace-.*+"
_NODE: Final = Language(
    openings=(
        (
            _JS_PLACE,
            rb"(?:\n" + _JS_PLACE + rb")?+(?:\n?\n(?!\{\")\S.*+" + _AT_MESSAGE + _JS_DIFFERENCE + rb")?+"
            rb"(?:\n" + _JS_HINT + rb")?+" + _JS_VERSION,
        ),
        (rb"AssertionError \[ERR_ASSERTION\]: .*+(?:\n\+ actual - expected.*+)?+", _JS_DIFFERENCE),
        (_AT_ERROR, b""),
        (_AT_PACKAGED, b""),
    ),
    words=(*_AT_WORDS, b"Emitted"),
    opening_first=rb"/<\[A-Za-z_$",
    continuations=(
        _AT_FRAME,
        _JS_HINT + _JS_VERSION,
        rb"Emitted '.*+(?<=at:)",
        # what `assert` shows of two values, where its message began within the line of a log
        rb"\+ actual - expected.*+" + _JS_DIFFERENCE,
        rb"\n.*? !== .*+\n(?=\n[ \t]++at )",
    ),
    continuation_first=rb" \t(E+\n",
)

# ── Ruby ──

_RUBY_HEAD: Final = rb"[^\s:{]++:\d++:in [`'].*+(?<=\))"
_RUBY: Final = Language(
    openings=(
        (rb"[^\s:{]++:\d++: (?:syntax error|warning).*+", rb"(?:\n.++\n[ \t]*+\^[\^~]*+(?=\n))*+"),
        (_RUBY_HEAD + rb"(?:(?:\n(?![\d{\[]|[A-Z], \[|[^\s:{]++:\d++:in ).*+){1,3}?(?=\n\tfrom ))?+", b""),
    ),
    words=(b"Did",),
    opening_first=rb"/.<(\-A-Za-z_",
    continuations=(
        rb"\tfrom .*+(?:\n\tfrom .*+)*+(?:\n" + _RUBY_HEAD + rb")?+",
        rb"[^\s:{]++:\d++:in [`'][^'\n]*+'(?=\n)",  # frames without more, as Logger writes them
        rb"\n.++\n[ \t]*+\^[\^~]*+(?: \([A-Z][\w:]*+\))?+(?=\n)",  # error_highlight
        rb"Did you mean\? .*+",
    ),
    continuation_first=rb"\n\t/.<(\-A-Za-z_",
)

# ── .NET ──

_DOTNET: Final = Language(
    openings=(
        (rb"Unhandled [Ee]xception[.:] .*+" + _AT_MESSAGE, b""),
        (_AT_ERROR, b""),
        (_AT_PACKAGED, b""),
    ),
    records=((rb"(?:trce|dbug|info|warn|fail|crit): [^\s\[]++\[\d++\]", rb"(?:\n {6}.*+)*+"),),
    words=_AT_WORDS,
    opening_first=rb"A-Za-z_",
    continuations=(
        _AT_FRAME,
        rb"[ \t]++---> .*+" + _AT_MESSAGE,
        rb"[ \t]*+--- End of .*+",
    ),
    continuation_first=rb" \t\-",
)

# ── PHP ──

_PHP: Final = Language(
    openings=(
        # a message of several lines
        (
            rb"(?:PHP )?+Fatal error: ++Uncaught .*+(?!\nStack)" + _MESSAGE + rb"(?=\nStack trace:\n)",
            b"",
        ),
    ),
    words=(b"PHP", b"Fatal", b"Stack"),
    opening_first=rb"PF",
    continuations=(
        rb"(?:PHP )?+Stack trace:(?=\n)",
        rb"\[(?:stacktrace\]|previous exception\] .*+)",
        rb"#\d++ .*+",
        rb"PHP  ++\d++\. .*+",
        rb"  thrown in .*+",
        rb"\nNext [\w\\]++: .*+(?=\nStack trace:)",
        rb'"\}(?: (?:[\[{].*+)?+)?+(?=\n)',  # the end of what Monolog writes
    ),
    continuation_first=rb'PS\[# \n"',
)

# ── Rust ──

_RUST: Final = Language(
    openings=(
        (
            rb"thread '[^'\n]*+' (?:\(\d++\) )?+panicked at .*+",
            # the message stands on the next line since 1.73
            rb"(?:(?<=\d:)\n(?!\{).*+)?+(?:" + _MESSAGE + rb"(?=\nnote: |\nstack backtrace:))?+"
            rb"(?:\n(?:[ \t].*+|note: .*+|stack backtrace:|thread caused non-unwinding panic.*+))*+",
        ),
    ),
    words=(b"thread", b"stack"),
    opening_first=rb"t",
    continuations=(
        rb"\n(?:Caused by|Stack backtrace|Location):(?:\n[ \t].*+)++",
        rb"stack backtrace:" + _INDENTED + rb"(?:\nnote: .*+)?+",
        rb"note: run with `RUST_BACKTRACE=.*+",
    ),
    continuation_first=rb"\nsn",
)


LANGUAGES: Final = {
    "python": _PYTHON,
    "java": _JAVA,
    "go": _GO,
    "node": _NODE,
    "ruby": _RUBY,
    "dotnet": _DOTNET,
    "php": _PHP,
    "rust": _RUST,
}
