"""Log files of containers, followed by the real command, killed again and again."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path

import pytest

from tests.container_files import FORMATS, Written
from tests.e2e.processes import TOO_LONG_SECONDS, Workplace

PODS = ("one", "two")
KILLS = 4
TURNS = 150
"""Of writing, while each process runs."""


class Container:
    """Writes numbered lines to both of its streams, some of them in parts."""

    def __init__(self, path: Path, name: str, chance: random.Random) -> None:
        path.parent.mkdir(parents=True)
        self.written: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._path = path
        self._write = FORMATS[name]
        self._chance = chance

    def write(self, count: int) -> None:
        pieces = []
        for _ in range(count):
            stream = self._chance.choice(["stdout"] * 5 + ["stderr"])
            line = f"{len(self.written[stream])} {'x' * self._chance.randrange(200)}"
            self.written[stream].append(line)
            while self._chance.random() < 0.2:
                cut = self._chance.randrange(len(line))
                pieces.append(self._write(Written(stream, line[:cut].encode(), ends=False)))
                line = line[cut:]
            pieces.append(self._write(Written(stream, line.encode())))
        with self._path.open("ab") as file:
            file.write(b"".join(pieces))


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_killed_again_and_again_each_line_comes_once_and_in_order(workplace: Workplace, name: str) -> None:
    chance = random.Random(7)
    containers = {pod: Container(workplace.folder / pod / "app" / "0.log", name, chance) for pod in PODS}
    config = {
        "sources": {pod: {"type": name, "include": [f"{pod}/*/*.log"], "start": "beginning"} for pod in PODS},
        "sinks": {"out": {"type": "file", "path": "out-{meta.source}-{meta.stream}", "format": "raw"}},
        "spool": {"directory": "spool"},
    }
    workplace.write("logrouter.json", json.dumps(config))
    for _ in range(KILLS):
        router = workplace.start_router("--config", "logrouter.json")
        for _ in range(TURNS):
            for container in containers.values():
                container.write(chance.randrange(20))
        some = len(containers["one"].written["stderr"]) // 2
        workplace.wait_for_line("out-one-stderr", some)
        router.kill()
        router.communicate()
    router = workplace.start_router("--config", "logrouter.json")
    for pod, container in containers.items():
        for stream, lines in container.written.items():
            workplace.wait_for_line(f"out-{pod}-{stream}", len(lines))
    router.send_signal(signal.SIGTERM)
    _, complaints = router.communicate(timeout=TOO_LONG_SECONDS)
    assert (router.returncode, complaints) == (0, b"")
    for pod, container in containers.items():
        for stream, lines in container.written.items():
            found = workplace.lines(f"out-{pod}-{stream}")
            assert [line.decode().removesuffix("\n") for line in found] == lines
