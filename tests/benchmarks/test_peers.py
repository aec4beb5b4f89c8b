"""Fluent Bit beside logrouter: what it is told is right as far as that can be known without it."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest
import yaml

from tests.benchmarks import peer_runs, peers, rsyslog
from tests.benchmarks.cases import Case
from tests.benchmarks.counting_server import Counts
from tests.benchmarks.fluent_bit import JOBS, Job

FLUENT_BIT = os.environ.get(peers.VARIABLE, "")
COUNT = 2_000


def test_without_the_programs_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(peers.VARIABLE, raising=False)
    monkeypatch.setattr(rsyslog, "PROGRAM", "/nowhere/rsyslogd")

    assert list(peers.beside(1, 2, 1, 1)) == [
        "Fluent Bit is not measured: BENCH_FLUENT_BIT names no program. Set it to the path of a `fluent-bit`.",
        "rsyslog is not measured: there is no /nowhere/rsyslogd.",
    ]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.case.name)
def test_config_reads_the_input_and_writes_every_output(job: Job) -> None:
    pipeline = yaml.safe_load(job.config(Path("/in.log"), Path("/out"), 9200))["pipeline"]

    (source,) = pipeline["inputs"]
    assert source["path"] == "/in.log"
    if isinstance(job.case, Case):
        assert {(output["path"], output["file"]) for output in pipeline["outputs"]} == {
            ("/out", name) for name in job.case.wanted
        }
    else:
        assert [output["port"] for output in pipeline["outputs"]] == [9200]


def test_a_growing_file_is_full_with_its_last_line_however_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "it"
    growing = peer_runs.Growing(path, wanted=3)
    seen = [growing.is_full()]
    with path.open("ab", buffering=0) as file:
        for piece in (b"a\n", b"\nb", b"\n", b"\nc\n"):
            file.write(piece)
            seen.append(growing.is_full())
    growing.remove_blank_lines()

    assert seen == [False, False, False, False, True]
    assert path.read_bytes() == b"a\nb\nc\n"


def test_entries_pushed_to_loki_as_json_are_counted() -> None:
    counts = Counts()
    streams = [{"stream": {"app": name}, "values": [["1", "a"], ["2", "b"]]} for name in "xyz"]
    body = orjson.dumps({"streams": streams})

    answered = counts.take("POST", "/loki/api/v1/push", {"content-type": "application/json"}, body)

    assert (answered[0], counts.events) == (204, 6)


@pytest.mark.slow
@pytest.mark.skipif(not FLUENT_BIT, reason=f"{peers.VARIABLE} names no program")
@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.case.name)
def test_fluent_bit_does_the_job(job: Job) -> None:
    assert peer_runs.run_fluent_bit(FLUENT_BIT, job, COUNT).cpu_seconds > 0


@pytest.mark.slow
@pytest.mark.skipif(not Path(rsyslog.PROGRAM).exists(), reason=f"there is no {rsyslog.PROGRAM}")
@pytest.mark.parametrize("job", rsyslog.JOBS, ids=lambda job: job.case.name)
def test_rsyslog_does_the_job(job: rsyslog.Job) -> None:
    assert peer_runs.run_rsyslog(job, COUNT).cpu_seconds > 0
