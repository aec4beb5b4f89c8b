"""How much that is not private the presets of `redact` take for private, told as a table in Markdown.

    python -m tests.benchmarks.redact_false_positives [LINES]

Ordinary lines are those of the benchmarks (apps in JSON and text, in logfmt, and syslog; where an e-mail address
stands in each, it is taken out first), and the source of Python's standard library, which is full of what looks like
something: it is read line by line, test suites left out.
"""

from __future__ import annotations

import sys
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from random import Random

from logrouter.redaction import PRESETS
from logrouter.redaction._clues import Clues
from tests.benchmarks import inputs

LINES = 1_000_000
_CLUES = Clues(list(PRESETS.values()))


def log_lines(count: int) -> Iterator[str]:
    """As many of each kind."""
    kinds = (inputs.json_lines, inputs.text_lines, inputs.logfmt_lines, inputs.syslog_lines)
    made = (islice(kind(Random(inputs.SEED)), count // len(kinds)) for kind in kinds)
    return (line.partition(',"email"')[0].rstrip("\n") for line in chain.from_iterable(made))


def source_lines(count: int) -> Iterator[str]:
    """Of the standard library, again from its beginning where it is too short."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = [
        path
        for path in sorted(folder.rglob("*.py"))
        if not {"test", "tests", "idlelib", "site-packages"} & set(path.relative_to(folder).parts)
    ]
    lines = (line for path in files for line in path.read_text("utf-8", "replace").splitlines())
    return islice((line for line in lines if line.strip()), count)


def hits(lines: Iterable[str]) -> tuple[int, Counter[str], dict[str, str]]:
    """How many lines there were; for each preset, how many it finds something in, and the first of that."""
    total, found, first = 0, Counter[str](), dict[str, str]()
    for line in lines:
        total += 1
        suspects = _CLUES.suspects(line)
        for number, (name, preset) in enumerate(PRESETS.items()):
            for start, end in preset.spans(line) if suspects >> number & 1 else ():
                found[name] += 1
                first.setdefault(name, line[start:end][:40])
                break
    return total, found, first


def main(arguments: list[str]) -> None:
    """Print the table."""
    count = int(arguments[0]) if arguments else LINES
    logs, source = hits(log_lines(count)), hits(source_lines(count))
    print(f"| preset | in {logs[0]:,} lines of logs | in {source[0]:,} lines of source | such as |\n|---|--:|--:|---|")
    for name in PRESETS:
        example = logs[2].get(name) or source[2].get(name)
        print(f"| `{name}` | {logs[1][name]:,} | {source[1][name]:,} | {f'`{example}`' if example else ''} |")


if __name__ == "__main__":
    main(sys.argv[1:])
