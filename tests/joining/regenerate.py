"""Runs the programs in `programs/` and writes what they say when they crash to `made/`.

    python -m tests.joining.regenerate

Each program tells its cases, `WAY⇥CASE` a line, and runs one of them. What one writes to stderr is a vector. A line
that the program marks with U+001E begins an event, as does the first line; nothing else does.

What is made is kept, as the tests run where there is no compiler. Which exception each event holds is written beside it
(`!`, type and message) as the parser `traceback` finds it: look at what git says has changed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from logrouter.parsers._raised import raised_in

HERE = Path(__file__).parent
MARK = "\x1e"


def commands(folder: Path) -> Iterator[tuple[str, list[str], str]]:
    """For each language the command that runs its program, and the one that tells its version."""
    yield "python", [sys.executable, "crash.py"], "python3 --version"
    yield "node", ["node", "crash.js"], "node --version"
    yield "ruby", ["ruby", "crash.rb"], "ruby --version"
    php = ["php", "-d", "display_errors=stderr", "-d", "log_errors=0", "-d", "html_errors=0", "crash.php"]
    yield "php", php, "php --version"
    run(["javac", "-d", str(folder), str(folder / "Crash.java")])
    yield "java", ["java", "-XX:TieredStopAtLevel=1", "-cp", str(folder), "Crash"], "java --version"
    run(["go", "build", "-trimpath", "-o", str(folder / "crash-go"), str(folder / "crash.go")])
    yield "go", [str(folder / "crash-go")], "go version"
    run(["rustc", "--edition", "2021", "-o", str(folder / "crash-rs"), str(folder / "crash.rs")])
    yield "rust", [str(folder / "crash-rs")], "rustc --version"


def run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def vector(folder: Path, command: list[str], case: str) -> str:
    """What one case writes, as `vectors.py` reads it."""
    environ = {**os.environ, "RUST_BACKTRACE": str(int("backtrace" in case)), "NO_COLOR": "1", "TZ": "UTC"}
    done = subprocess.run(
        [*command, *case.split("\t")], capture_output=True, text=True, env=environ, cwd=folder, check=False
    )
    way, _, name = case.partition("\t")
    lines = [f"=== {name}, {way}"]
    events: list[list[str]] = []
    for line in done.stderr.replace(str(folder), "/app").strip("\n").split("\n"):
        if not events or line.startswith(MARK) or MARK in line[:32]:
            events.append([])
        events[-1].append(line.replace(MARK, ""))
    for event in events:
        raised = raised_in("\n".join(event)) if len(event) > 1 else None
        if raised is not None:
            lines.append("! " + json.dumps([raised.type, raised.message], ensure_ascii=False))
        lines += [f"{'|' if number else '>'} {line}" if line else "|" for number, line in enumerate(event)]
    return "\n".join(lines)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(HERE / "programs", folder, dirs_exist_ok=True)
        for language, command, version in commands(folder):
            told = subprocess.run(version.split(), capture_output=True, text=True, check=True).stdout.splitlines()[0]
            cases = subprocess.run(command, capture_output=True, text=True, check=True, cwd=folder).stdout.splitlines()
            with ThreadPoolExecutor(2) as pool:
                vectors = list(pool.map(partial(vector, folder, command), cases))
            text = "\n\n".join([f"# source: {told}, programs/; made by regenerate.py", *vectors]) + "\n"
            (HERE / "made" / f"{language}.txt").write_text(text)
            print(language, len(cases))


if __name__ == "__main__":
    main()
