"""The spool on disk against a model, while the process is killed at any byte, the power fails, the disk is full or ill.

DESIGN's invariants 2 (cursor), 3 (conservation), 5 (order), 6 (same cut after a crash) and 8 (bounded) hold after every
step; nothing that was safe by the durability is lost by the crash that it names; no id is used twice.
"""

from __future__ import annotations

import errno

import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from logrouter.crashing import Killed
from tests.runtime.spool.model import DURABILITIES, Durability, Model

FAULTS = {
    "writev": (errno.ENOSPC, errno.EIO),
    "pwrite": (errno.ENOSPC, errno.EIO),
    "ftruncate": (errno.EIO,),
    "fdatasync": (errno.EIO,),
    "fsync": (errno.EIO,),
    "posix_fallocate": (errno.ENOSPC,),
    "unlink": (errno.EIO,),
    "open": (errno.EMFILE,),
    "pread": (errno.EMFILE,),
}
sink_numbers = st.integers(0, 2)
steps = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 6), st.booleans()),
    st.tuples(st.just("append"), st.integers(1, 6), st.booleans()),
    st.tuples(st.just("large"), st.sampled_from([1_000, 1_600, 1_800, 15_000]), st.booleans()),
    st.tuples(st.just("read"), sink_numbers, st.integers(1, 4)),
    st.tuples(st.just("note"), sink_numbers, st.just(0)),
    st.tuples(st.just("commit"), sink_numbers, st.integers(1, 3)),
    st.tuples(st.just("deliver"), sink_numbers, st.integers(1, 4)),
    st.tuples(st.just("deliver"), sink_numbers, st.integers(1, 4)),
    st.tuples(st.just("rewind"), sink_numbers, st.just(0)),
    st.tuples(st.just("tidy"), st.just(0), st.just(0)),
    st.tuples(st.just("crash"), st.booleans(), st.none() | st.integers(0, 1_500)),
    st.tuples(st.just("stop"), st.booleans(), st.just(0)),
    st.tuples(st.just("kill_after"), st.integers(0, 700), st.booleans()),
    st.tuples(st.just("full"), st.integers(0, 2_000), st.just(0)),
    st.tuples(st.just("heal"), st.just(0), st.just(0)),
    st.tuples(
        st.just("fail"),
        st.sampled_from([(function, number) for function, numbers in FAULTS.items() for number in numbers]),
        st.integers(1, 3),
    ),
)
scripts = st.lists(steps, max_size=40)
long_scripts = st.lists(steps, min_size=60, max_size=200)


async def perform(model: Model, script: list[tuple[str, object, object]]) -> None:
    power = False
    for verb, first, second in script:
        try:
            match verb, first, second:
                case "append", int(events), bool(live):
                    await model.append(events, live)
                case "large", int(width), bool(live):
                    await model.append(1, live, width)
                case "read", int(sink), int(items):
                    model.read(sink % len(model.sinks), items)
                case "note", int(sink), _:
                    await model.note(sink % len(model.sinks))
                case "commit", int(sink), int(batches):
                    model.commit(sink % len(model.sinks), batches)
                case "deliver", int(sink), int(items):
                    model.read(sink % len(model.sinks), items)
                    await model.note(sink % len(model.sinks))
                    model.commit(sink % len(model.sinks), 9)
                case "rewind", int(sink), _:
                    model.rewind(sink % len(model.sinks))
                case "tidy", _, _:
                    await model.tidy()
                case "crash", bool(power_goes), int() | None as again_after:
                    model.crash(power=power_goes, again_after=again_after)
                case "stop", bool(power_goes), _:
                    await model.stop(power=power_goes)
                case "kill_after", int(count), bool(power_goes):
                    power = power_goes
                    model.disk.kill_after(count)
                case "full", int(free_bytes), _:
                    model.disk.free_bytes = free_bytes
                case "heal", _, _:
                    model.disk.heal()
                case "fail", (str(function), int(number)), int(times):
                    model.disk.fail(function, number, times=times)
        except Killed:
            model.crash(power=power)
        model.check()
    model.crash(power=False)
    model.check()
    await model.deliver_all()


def run(
    durability: Durability, sinks: str, discarding: str, seed: int, script: list[tuple[str, object, object]]
) -> None:
    async def drive() -> None:
        await perform(Model(durability, sinks, discarding, seed), script)

    trio.run(drive, clock=MockClock(autojump_threshold=0))


life = {
    "durability": st.sampled_from(DURABILITIES),
    "sinks": st.sampled_from(["a", "ab", "abc"]),
    "discarding": st.sampled_from(["", "b", "abc"]),
    "seed": st.integers(0, 2**16),
}
no_limits = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}


@settings(max_examples=150, **no_limits)  # type: ignore[arg-type]
@given(**life, script=scripts)
def test_whatever_happens_every_event_is_accounted_for(
    durability: Durability, sinks: str, discarding: str, seed: int, script: list[tuple[str, object, object]]
) -> None:
    run(durability, sinks, discarding, seed, script)


@pytest.mark.slow
@settings(max_examples=5_000, **no_limits)  # type: ignore[arg-type]
@given(**life, script=scripts)
def test_whatever_happens_again_and_again(
    durability: Durability, sinks: str, discarding: str, seed: int, script: list[tuple[str, object, object]]
) -> None:
    run(durability, sinks, discarding, seed, script)


@pytest.mark.slow
@settings(max_examples=1_000, **no_limits)  # type: ignore[arg-type]
@given(**life, script=long_scripts)
def test_whatever_happens_in_a_long_life(
    durability: Durability, sinks: str, discarding: str, seed: int, script: list[tuple[str, object, object]]
) -> None:
    """One trouble on the other, over many restarts: troubles outlive them, and a start may be killed as well."""
    run(durability, sinks, discarding, seed, script)
