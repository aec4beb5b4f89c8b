"""What rsyslog is told, for jobs that it has modules for: it follows a file, without a queue.

With one, in memory, as for an output that may have to wait, it took from 1.5 (route) to 3.6 times as long (text).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.benchmarks.cases import CASES, Case
from tests.benchmarks.fluent_bit import access

PROGRAM: Final = "/usr/sbin/rsyslogd"
_CONFIG: Final = r"""
global(workDirectory="FOLDER")
module(load="imfile")
MODULE
template(name="line" type="string" string="%msg%\n")
template(name="fields" type="string" string="%$!event%\n")
input(type="imfile" file="INPUT" tag="it" ruleset="it")
ruleset(name="it" queue.type="Direct") {
RULES
}
"""
_FILE: Final = 'action(type="omfile" file="FOLDER/{}" template="{}" ioBufferSize="256k")'
_RULEBASE: Final = r"""version=2
rule=:%client:word% %-:word% %-:word% [%time:char-to:]%] "%method:word% %path:word% %protocol:char-to:"%" \
%status:number{"format":"number"}% %size:number{"format":"number"}% "%referrer:char-to:"%" "%user_agent:char-to:"%"
"""


class Job(NamedTuple):
    """One row of its table."""

    case: Case
    rules: tuple[str, ...]
    module: str = ""
    left: Callable[[Any], dict[str, Any]] | None = None
    """What it makes of a line; None where the output holds the very bytes."""


_CASE: Final = {case.name: case for case in CASES}
JOBS: Final = (
    Job(
        _CASE["route"],
        (
            'action(type="mmjsonparse" cookie="")',
            'if $!level == "error" or $!level == "fatal" then ' + _FILE.format("errors", "line"),
            'if $!service == "checkout" then ' + _FILE.format("checkout", "line"),
            'if $!level != "debug" then ' + _FILE.format("visible", "line"),
        ),
        "mmjsonparse",
    ),
    Job(_CASE["text"], (_FILE.format("all", "line"),)),
    Job(
        _CASE["clf"],
        ('action(type="mmnormalize" path="$!event" rulebase="FOLDER/rulebase")', _FILE.format("all", "fields")),
        "mmnormalize",
        access,
    ),
)


def command(job: Job, folder: Path, input_path: Path) -> list[str]:
    """It, told to do the job, with its files in a folder."""
    module = f'module(load="{job.module}")' if job.module else ""
    text = _CONFIG.replace("MODULE", module).replace("RULES", "\n".join(f"  {rule}" for rule in job.rules))
    config = folder / "config"
    config.write_text(text.replace("FOLDER", str(folder)).replace("INPUT", str(input_path)))
    (folder / "rulebase").write_text(_RULEBASE.replace("\\\n", ""))
    return [PROGRAM, "-n", "-f", str(config), "-i", str(folder / "pid")]
