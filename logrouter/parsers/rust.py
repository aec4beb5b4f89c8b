r"""What Rust's loggers write for people to read: env_logger, tracing, log4rs, simple_logger, flexi_logger, fern …

    - parse: rust
    < [2026-11-29T23:44:26Z WARN  app::disk] nearly full
    > {"time":"2026-11-29T23:44:26Z","level":"WARN","message":"nearly full","target":"app::disk"}
    < 2026-11-29T23:44:26.123456Z  INFO get{id=7}: app: done ms=2
    > {"time":"2026-11-29T23:44:26.123456Z","level":"INFO","message":"done","spans":"get{id=7}","target":"app","ms":"2"}

It knows, whichever it is, line by line:

    env_logger           [TIME INFO  app::disk] x
    pretty_env_logger     INFO  app::disk > x
    tracing-subscriber   TIME  INFO span{key=value}: app::disk: x key=value      full and compact; Linkerd's: [12.3s]
    log4rs               TIME INFO app::disk - x
    simple_logger        TIME INFO  [app::disk] x
    simplelog            23:44:26 [INFO] x
    flexi_logger         INFO [app::disk] x; detailed: [TIME] INFO [app::disk] src/main.rs:12: x
    fern                 [2026-11-29][23:44:26][app::disk][INFO] x

`target` is what Rust's `log` calls so: the module, unless the app says otherwise. What `tracing` shows behind the
message as `key=value` becomes fields, all texts, as in logfmt; spans stay as they are written. Times are local, of
`timezone`, unless they say theirs.
"""

from __future__ import annotations

from typing import Final

from logrouter.parsers._layouts import Kind, Layout, LayoutsConfig, LayoutsParser, iso_time, looks_of, number
from logrouter.parsers._trailing import PAIRS


def _iso_of_fern(text: str) -> str:
    return text.replace("][", "T")


_PATH: Final = r"[A-Za-z_][\w-]*+(?:::[\w<>{}#-]++)*+"
_SPAN: Final = r'[\w.\-]++(?:\{(?:[^"{}\n\t]++|"(?:[^"\\\n\t]++|\\[^\n\t])*+")*+\})?+'
_KINDS: Final = {
    "time": iso_time(r"\d\d\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?+(?:Z|[+-]\d\d:?\d\d)?+"),
    "spaced": iso_time(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})?+(?: ?[+-]\d\d:?\d\d)?+"),
    "fern": iso_time(r"\d\d\d\d-\d\d-\d\d\]\[\d\d:\d\d:\d\d", _iso_of_fern),
    "level": Kind("TRACE|DEBUG|INFO|WARN|ERROR"),
    "target": Kind(_PATH),
    "spans": Kind(rf"{_SPAN}(?::{_SPAN})*+", holds_quotes=True),
    "thread": Kind(r"[\w.-]++"),
    "thread_id": Kind(r"\d++"),
    "file": Kind(r"[\w./-]+\.rs"),
    "uptime": number(r"(?:0|[1-9][0-9]{0,9})\.[0-9]{1,9}"),
}
_PLAIN: Final = (
    # https://docs.rs/env_logger, fmt::DefaultFormat
    r"\[(?:<time> )?+<level> ++<target>\] <message>",
    # https://docs.rs/pretty_env_logger
    r" *+(?:<time> )?+ *+<level> ++<target> ++> <message>",
    # https://docs.rs/log4rs, encode::pattern::PatternEncoder: {d} {l} {t} - {m}{n}
    r"<time> <level> <target> - <message>",
    # https://docs.rs/simple_logger
    r"<time> <level> ++\[<target>\] <message>",
    # https://docs.rs/flexi_logger, default_format and detailed_format
    r"<level> \[<target>\] <message>",
    r"\[<time:spaced>\] <level> \[<target>\] <file>:<line>: <message>",
    # https://docs.rs/fern, examples
    r"\[<time:fern>\]\[<target>\]\[<level>\] <message>",
    # https://docs.rs/simplelog
    r"<time:clock> \[<level>\] (?:\(<thread_id>\) )?+(?:<target>: )?+(?:\[<file>:<line>\] )?+<message>",
)
LAYOUTS: Final = [
    *(Layout(text, _KINDS) for text in _PLAIN),
    # https://docs.rs/tracing-subscriber, fmt::format::Full and Compact; linkerd2-proxy, linkerd/tracing/src/uptime.rs
    *(
        Layout(
            rf"{when} {{1,2}}<level> (?:(?:<thread> ++)?+ThreadId\(<thread_id>\) )?+"
            r"(?:(?=[\w.:-]+\{|[\w.-]++:[\w.-]|[\w.-]++: [A-Za-z_][\w-]*+::)<spans>: )?+<target>: "
            r"(?:<file>:(?:<line>:)?+ )?+<message>",
            _KINDS,
            PAIRS,
            telling=telling,
        )
        for when, telling in (("<time>", None), (r"\[ *+<uptime>s\]", 2))
    ),
]


class Rust(LayoutsParser[LayoutsConfig]):
    """Knows the layouts of `LAYOUTS`."""

    Config = LayoutsConfig
    layouts = LAYOUTS
    looks = looks_of(LAYOUTS, 40)
