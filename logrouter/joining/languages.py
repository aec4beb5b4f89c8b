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
    own. `first` are sets of characters as within `[…]`: what is not of them needs no closer look."""

    openings: tuple[tuple[bytes, bytes], ...] = ()
    """What a traceback begins with, and its body: all that can follow only such an opening."""
    records: tuple[tuple[bytes, bytes], ...] = ()
    """The same of what a logger writes as several lines. It belongs to no line before it."""
    opening_first: bytes = b""
    """Of openings and records."""
    continuations: tuple[bytes, ...] = ()
    continuation_first: bytes = b""


_INDENTED: Final = rb"(?:\n[ \t][^\n]*+)*+"
_MESSAGE: Final = rb"(?:\n(?![\d{\[])[^\n]*+){1,3}?"
"""More lines of a message: a few, where something that is expected follows."""

# ── Python ──

_PY_EXCEPTION: Final = (
    # the last line: the class, alone or with a message. A level in capitals is the next line of a log.
    rb"(?:\n(?!(?:TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL)\b)"
    rb"(?:[A-Z]\w*+|[A-Za-z_][\w<>]*+(?:\.[\w<>]++)++)(?:: [^\n]*+|:)?+(?=\n)"
    rb"|\n[^\s:]++:\d++:in [`'][^\n]*+)?+"  # Ruby 2.5 to 2.7 on a terminal
)
_PY_MORE: Final = (
    # of the message, as pydantic and SQLAlchemy write it
    rb"(?:\n(?:[ \t][^\n]*+|[\w.\[\]-]++\n  [^\n]*?\[type=[^\n]*+"
    rb"|\n?(?:(?:DETAIL|HINT|CONTEXT|LINE \d++): |\[(?:SQL|parameters): |\(Background on this error)[^\n]*+))*+"
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
    + rb"|\n(?:Message|Arguments): [^\n]*+)*+"
)
_PY_THREAD: Final = rb"(?:Current thread|Thread) 0x[\da-f]++ [^\n]*+(?<=\(most recent call first\):)"
_PY_THREADS: Final = _INDENTED + rb"(?:\n\n?" + _PY_THREAD + _INDENTED + rb"|\n\n?Extension modules: [^\n]*+)*+"
_PYTHON: Final = Language(
    openings=(
        (_PY_HEAD, _PY_BODY),
        (
            rb'  File "[^"\n]++", line \d++[^\n]*+',
            _PY_FRAMES,
        ),  # a SyntaxError without more, or the rest of what was cut
        (rb"Stack \(most recent call last\):", _INDENTED),
        (
            rb"Fatal Python error: [^\n]*+",
            rb"(?:\nPython runtime state: [^\n]*+)?+" + _PY_THREADS,
        ),
        (_PY_THREAD, _PY_THREADS),
        (rb"[/<][^\s:]*+:\d++: \w*+(?<=Warning): [^\n]*+", rb"(?:\n  [^\n]*+)?+"),
    ),
    opening_first=rb" TSFC/<",
    continuations=(
        # asyncio's exception handler
        rb"(?:future|task|handle): <[^\n]*+(?:\n" + _PY_HEAD + _PY_BODY + rb")?+",
    ),
    continuation_first=rb"fth",
)

# ── what writes its frames as `at …`: Java, Node, .NET ──

_AT: Final = rb"\n[ \t]++(?:at |---> |\.\.\. \d)"
_AT_MESSAGE: Final = rb"(?:(?:\n(?![\d{\[]|[ \t]++at )[^\n]*+){1,3}?(?=" + _AT + rb"))?+"
"""More lines of a message, where frames follow these and not it."""
_AT_PREFIX: Final = rb'(?:Exception in thread "[^"\n]*+" |Unhandled [Ee]xception[.:] |Uncaught )?+'
_PACKAGED: Final = rb"(?:[A-Za-z_$][\w`+]*+(?:[.:$][\w`+]++)++|[A-Z][a-z]\w*+)"
_AT_ERROR: Final = (
    # what is called an error, with a message of up to four lines
    _AT_PREFIX + rb"[A-Za-z_$][\w$.`+:]*+(?:(?<=Error)|(?<=Exception)|(?<=Rejection)|(?<=Error:)|(?<=Exception:))"
    rb"(?: \[\w++\]:)?+(?: [^\n]*+(?:\n(?![\d{\[])[^\n]*+){0,3}?)?(?=" + _AT + rb")"
)
_AT_PACKAGED: Final = _AT_PREFIX + _PACKAGED + rb"(?:: [^\n]*+|:)?+(?=" + _AT + rb")"
_JS_VERSION: Final = rb"(?:\n{2,3}Node\.js v[^\n]*+)?+"
_AT_FRAME: Final = (
    rb"[ \t]++(?:at [^\n]++"
    rb"(?:(?<=\{)(?:\n[ \t][^\n]*+)*+(?:\n\})?+)?+"  # the properties that Node shows of an error, behind its last frame
    rb"|\.\.\. \d++ [a-z][^\n]*+|\[\.\.\. lines [^\n]*+)" + _JS_VERSION
)
_JUL_HEAD: Final = rb"[JFMASOND][a-z]{2} \d{1,2}, \d{4} \d{1,2}:\d\d:\d\d [AP]M [^\n]++(?=\n[A-Z]{3,10}: )"
"""Of java.util.logging: the level and the message stand on the next line."""
_JAVA: Final = Language(
    openings=((_AT_ERROR, b""), (_AT_PACKAGED, b"")),
    records=((_JUL_HEAD, rb"\n[^\n]++(?:\n(?:" + _AT_ERROR + rb"|" + _AT_PACKAGED + rb"))?+"),),
    opening_first=rb"A-Za-z_$",
    continuations=(
        _AT_FRAME,
        rb"[ \t]++(?:(?:Suppressed|Caused by|java\.lang\.Thread\.State): |- (?:locked|waiting|parking|elim))[^\n]*+",
        rb"(?:Caused|Wrapped) by: (?:\[CIRCULAR [^\n]*+|" + _PACKAGED + rb"(?:: [^\n]*+" + _AT_MESSAGE + rb")?+)",
    ),
    continuation_first=rb" \tCW",
)

# ── Go ──

_GO_FRAME_FOLLOWS: Final = rb"(?=\n\t[^\n:]++(?:(?<=\.go)|(?<=\.s)):\d)"
_GO_BODY: Final = (
    rb"(?:\n(?:\t[^\n]*+|\[signal [^\n]*+|(?:fatal error|runtime|panic): [^\n]*+|PC=[^\n]*+|exit status \d++"
    rb"|\.\.\.(?:additional |\d)[^\n]*+|created by [^\n]*+|runtime stack:|goroutine \d++ [^\n]*+(?<=\]:)"
    rb"|[^\s{][^\n]*+" + _GO_FRAME_FOLLOWS + rb"|\n(?:goroutine \d++ [^\n]*+(?<=\]:)|runtime stack:)|(?=\nrax )"
    rb"|(?:r[a-z\d]{1,5}|[c-g]s) ++0x[\da-f]++))*+"
)
_GO: Final = Language(
    openings=(
        (rb"panic: [^\n]*+(?:" + _MESSAGE + rb"(?=\n\ngoroutine \d))?+", _GO_BODY),
        (rb"(?:fatal error: |unexpected fault address 0x|SIG[A-Z]{3,6}: )[^\n]*+", _GO_BODY),
        (rb"runtime: (?:goroutine stack exceeds|out of memory)[^\n]*+", _GO_BODY),
        (rb"goroutine \d++ [^\n]*+(?<=\]:)", _GO_BODY),
    ),
    opening_first=rb"pfugrS",
    continuations=(
        # frames without more, as zap and logrus write them
        rb"[A-Za-z_][^\s(]*+(?:\([^\n]*+)?+" + _GO_FRAME_FOLLOWS + rb"\n\t[^\n]*+",
    ),
    continuation_first=rb"A-Za-z_",
)

# ── Node ──

_JS_DIFFERENCE: Final = rb"(?:\n(?:[ \t+\-][^\n]*+|(?=\n[ \t+\-])|\n[^\n]++(?=\n\n[ \t]++at )))*+(?:\n\})?+"
"""What is indented, and what `assert` shows of two values."""
_JS_PLACE: Final = (
    # file and line, code, carets: these are empty where the text ends too early
    rb"(?:/|node:|file:|\[|<|[A-Z]:\\|evalmachine)[^\n]*+(?<=\d)"
    rb"(?:\n[^\n]*+\n[ \t]*+\^++[ \t]*+(?=\n)|\n[^\n]*+\n(?=\n{1,2}[A-Z]\w*+(?<=Error)))"
)
_JS_HINT: Final = rb"\(Use `node --trace-[^\n]*+"
_NODE: Final = Language(
    openings=(
        (
            _JS_PLACE,
            rb"(?:\n" + _JS_PLACE + rb")?+(?:\n?\n(?!\{\")\S[^\n]*+" + _AT_MESSAGE + _JS_DIFFERENCE + rb")?+"
            rb"(?:\n" + _JS_HINT + rb")?+" + _JS_VERSION,
        ),
        (rb"AssertionError \[ERR_ASSERTION\]: [^\n]*+(?:\n\+ actual - expected[^\n]*+)?+", _JS_DIFFERENCE),
        (_AT_ERROR, b""),
        (_AT_PACKAGED, b""),
    ),
    opening_first=rb"/<\[A-Za-z_$",
    continuations=(
        _AT_FRAME,
        _JS_HINT + _JS_VERSION,
        rb"Emitted '[^\n]*+(?<=at:)",
        # what `assert` shows of two values, where its message began within the line of a log
        rb"\+ actual - expected[^\n]*+" + _JS_DIFFERENCE,
        rb"\n[^\n]*? !== [^\n]*+\n(?=\n[ \t]++at )",
    ),
    continuation_first=rb" \t(E+\n",
)

# ── Ruby ──

_RUBY_HEAD: Final = rb"[^\s:{]++:\d++:in [`'][^\n]*+(?<=\))"
_RUBY: Final = Language(
    openings=(
        (rb"[^\s:{]++:\d++: (?:syntax error|warning)[^\n]*+", rb"(?:\n[^\n]++\n[ \t]*+\^[\^~]*+(?=\n))*+"),
        (_RUBY_HEAD + rb"(?:(?:\n(?![\d{\[]|[A-Z], \[|[^\s:{]++:\d++:in )[^\n]*+){1,3}?(?=\n\tfrom ))?+", b""),
    ),
    opening_first=rb"/.<(\-A-Za-z_",
    continuations=(
        rb"\tfrom [^\n]*+(?:\n\tfrom [^\n]*+)*+(?:\n" + _RUBY_HEAD + rb")?+",
        rb"[^\s:{]++:\d++:in [`'][^'\n]*+'(?=\n)",  # frames without more, as Logger writes them
        rb"\n[^\n]++\n[ \t]*+\^[\^~]*+(?: \([A-Z][\w:]*+\))?+(?=\n)",  # error_highlight
        rb"Did you mean\? [^\n]*+",
    ),
    continuation_first=rb"\n\t/.<(\-A-Za-z_",
)

# ── .NET ──

_DOTNET: Final = Language(
    openings=(
        (rb"Unhandled [Ee]xception[.:] [^\n]*+" + _AT_MESSAGE, b""),
        (_AT_ERROR, b""),
        (_AT_PACKAGED, b""),
    ),
    records=((rb"(?:trce|dbug|info|warn|fail|crit): [^\s\[]++\[\d++\]", rb"(?:\n {6}[^\n]*+)*+"),),
    opening_first=rb"A-Za-z_",
    continuations=(
        _AT_FRAME,
        rb"[ \t]++---> [^\n]*+" + _AT_MESSAGE,
        rb"[ \t]*+--- End of [^\n]*+",
    ),
    continuation_first=rb" \t\-",
)

# ── PHP ──

_PHP: Final = Language(
    openings=(
        # a message of several lines
        (
            rb"(?:PHP )?+Fatal error: ++Uncaught [^\n]*+(?!\nStack)" + _MESSAGE + rb"(?=\nStack trace:\n)",
            b"",
        ),
    ),
    opening_first=rb"PF",
    continuations=(
        rb"(?:PHP )?+Stack trace:(?=\n)",
        rb"\[(?:stacktrace\]|previous exception\] [^\n]*+)",
        rb"#\d++ [^\n]*+",
        rb"PHP  ++\d++\. [^\n]*+",
        rb"  thrown in [^\n]*+",
        rb"\nNext [\w\\]++: [^\n]*+(?=\nStack trace:)",
        rb'"\}(?: (?:[\[{][^\n]*+)?+)?+(?=\n)',  # the end of what Monolog writes
    ),
    continuation_first=rb'PS\[# \n"',
)

# ── Rust ──

_RUST: Final = Language(
    openings=(
        (
            rb"thread '[^'\n]*+' (?:\(\d++\) )?+panicked at [^\n]*+",
            # the message stands on the next line since 1.73
            rb"(?:(?<=\d:)\n(?!\{)[^\n]*+)?+(?:" + _MESSAGE + rb"(?=\nnote: |\nstack backtrace:))?+"
            rb"(?:\n(?:[ \t][^\n]*+|note: [^\n]*+|stack backtrace:|thread caused non-unwinding panic[^\n]*+))*+",
        ),
    ),
    opening_first=rb"t",
    continuations=(
        rb"\n(?:Caused by|Stack backtrace|Location):(?:\n[ \t][^\n]*+)++",
        rb"stack backtrace:" + _INDENTED + rb"(?:\nnote: [^\n]*+)?+",
        rb"note: run with `RUST_BACKTRACE=[^\n]*+",
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
