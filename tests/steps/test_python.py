from __future__ import annotations

import gc
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logrouter import config
from logrouter.chain import Chain
from logrouter.config.changes import describe_changes
from logrouter.config.effective import config_hash, render_effective
from logrouter.errors import ConfigError
from logrouter.event import Flag
from logrouter.facts import Facts
from logrouter.framing import Frame
from logrouter.ingest import Ingest
from logrouter.policy import SinkRouting
from logrouter.routing import Router
from logrouter.rules import Rule
from logrouter.runtime.preflight import warnings_about_steps
from logrouter.steps import StepFailed
from logrouter.steps.python import Python, PythonConfig
from logrouter.values import Duration

FACTS = Facts({"source": "app"}, 1_700_000_000_000_000_000, {})


def python(body: str, **options: Any) -> Python:
    """A step whose function is `def transform(events):` with this body."""
    code = "def transform(events):\n" + "".join(f"    {line}\n" for line in body.splitlines())
    return Python(PythonConfig(code=code, **options))


def outcome(lines: list[bytes], chain: Chain) -> list[Any]:
    """What a chunk of these lines becomes; with `!` before what is marked as failed."""
    router = Router([SinkRouting("all")], further=chain.references)
    chunks = Ingest(router, {"source": "app"}, chain=chain).chunks(Frame(lines, b"\n".join(lines), {}, 0), 5)
    events = [event for chunk in chunks for event in zip(chunk.payloads, chunk.flags, strict=True)]
    return [
        ("!" if flags & Flag.STEP_FAILED else "") + payload.decode("utf-8", "backslashreplace")
        for payload, flags in events
    ]


def chain_of(*steps: Python) -> Chain:
    return Chain([("python", step) for step in steps])


NUMBERED = [b'{"n":%d}' % number for number in range(5)]


# ── what it makes of events ───────────────────────────────────────────────────────────────────────────


def test_it_gets_all_that_stand_next_to_each_other_and_gives_what_goes_on() -> None:
    step = python('return [{"seen": [event.get("n") for event in events]}]')
    chain = chain_of(step)
    assert outcome(NUMBERED, chain) == ['{"seen":[0,1,2,3,4]}']
    assert chain.discarded == {"python": 4}


def test_a_list_has_at_most_128_events() -> None:
    lines = [b'{"n":%d}' % number for number in range(300)]
    assert outcome(lines, chain_of(python('return [{"n": len(events)}]'))) == ['{"n":128}', '{"n":128}', '{"n":44}']


def test_those_for_which_the_condition_does_not_hold_stay_where_they_are() -> None:
    step = python('return [{"seen": [event["n"] for event in events]}]', when=Rule.parse("n != 2"))
    assert outcome(NUMBERED, chain_of(step)) == ['{"seen":[0,1]}', '{"n":2}', '{"seen":[3,4]}']


def test_none_means_those_that_it_got() -> None:
    assert outcome(NUMBERED[:2], chain_of(python('for event in events: event["m"] = -event["n"]'))) == [
        '{"n":0,"m":0}',
        '{"n":1,"m":-1}',
    ]
    assert outcome(NUMBERED[:3], chain_of(python("events.pop(1)"))) == ['{"n":0}', '{"n":2}']


def test_more_may_come_out_than_went_in() -> None:
    chain = chain_of(python('return [*events, *({"copy": event["n"]} for event in events)]'))
    assert outcome(NUMBERED[:2], chain) == ['{"n":0}', '{"n":1}', '{"copy":0}', '{"copy":1}']
    assert chain.added == {"python": 2}


def test_text_is_a_message_and_stays_text_while_it_is_no_more() -> None:
    lines = [b"one", b'{"message":"two"}', b"three"]
    assert outcome(lines, chain_of(python("return list(reversed(events))"))) == ["three", '{"message":"two"}', "one"]
    upper = chain_of(python('return [{**event, "message": event["message"].upper()} for event in events]'))
    assert outcome(lines, upper) == ['{"message":"ONE"}', '{"message":"TWO"}', '{"message":"THREE"}']


def test_later_steps_see_what_json_has() -> None:
    first = python('import datetime\nreturn [{"at": datetime.date(2026, 3, 1), "pair": (1, 2)} for event in events]')
    second = python('for event in events: event["types"] = [type(value).__name__ for value in event.values()]')
    assert outcome(NUMBERED[:1], chain_of(first, second)) == ['{"at":"2026-03-01","pair":[1,2],"types":["str","list"]}']


def test_it_is_asked_about_each_event_once_also_where_a_step_behind_it_fails() -> None:
    counting = 'events[0]["seen"] = transform.seen = getattr(transform, "seen", 0) + 1'
    failing = python("raise ValueError")
    assert outcome([b'{"n":1}'], chain_of(python(counting), failing)) == ['!{"n":1,"seen":1}']


@given(st.lists(st.sampled_from([b'{"n":1}', b'{"n":2}', b'{"n":"x"}', b"text", b"{broken", b'{"n":1e400}', b"\xff"])))
def test_by_chunk_it_is_as_by_event(lines: list[bytes]) -> None:
    """For a function that looks at each event by itself."""
    body = 'return [{**event, "n": event["n"] + 1} for event in events if event["n"] != 2]'
    together, alone = chain_of(python(body)), chain_of(python(body))
    assert outcome(lines, together) == [event for line in lines for event in outcome([line], alone)]
    assert (together.discarded, together.failed) == (alone.discarded, alone.failed)


# ── when it fails ─────────────────────────────────────────────────────────────────────────────────────


def test_where_it_raises_only_the_events_to_blame_are_marked() -> None:
    body = 'for event in events:\n    event["m"] = 1\n    if event["n"] == 2: raise KeyError("a secret")'
    chain = chain_of(python(body))
    assert outcome(NUMBERED[:4], chain) == ['{"n":0,"m":1}', '{"n":1,"m":1}', '!{"n":2}', '{"n":3,"m":1}']
    assert (chain.failed, chain.reasons) == ({"python": 1}, {"python": "KeyError at code:4"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return 7", "transform has returned int, which is no list of events"),
        ("return 'text'", "transform has returned str, which is no list of events"),
        ("return iter(events)", "transform has returned list_iterator, which is no list of events"),
        ("return [None]", "transform has returned a list with NoneType in it"),
        ("return [*events, 0]", "transform has returned a list with int in it"),
        ("return [events]", "transform has returned a list with list in it"),
        ("return events * 2", "transform has returned the same dict twice: copy it"),
        ('return [{"a": object()}]', "TypeError"),
        ('events[0]["a"] = events[0]', "RecursionError"),
        ("events[0][(1,)] = 2", "TypeError"),
        ("exit()", "SystemExit at code:2"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt at code:2"),
        ("raise GeneratorExit", "GeneratorExit at code:2"),
        ("import asyncio; raise asyncio.CancelledError", "CancelledError at code:2"),
        ("transform(events)", "RecursionError at code:2"),
    ],
)
def test_nonsense_is_a_failure_like_any_other(body: str, reason: str) -> None:
    chain = chain_of(python(body))
    assert outcome([b'{"n":1}', b"text"], chain) == ['!{"n":1}', "!text"]
    assert chain.reasons["python"] == reason


RAISE_SIGNAL = "import signal; signal.raise_signal(signal.SIGINT)"


def test_ctrl_c_while_it_runs_is_no_failure_of_it() -> None:
    for call in (python(RAISE_SIGNAL).tried, lambda: Python(PythonConfig(code=RAISE_SIGNAL))):
        with pytest.raises(KeyboardInterrupt):
            call()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_waits_for_ctrl_c_is_told_of_it_while_the_function_runs() -> None:
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        chain = chain_of(python(f"{RAISE_SIGNAL}\nraise KeyboardInterrupt"))
        assert outcome([b'{"n":1}'], chain) == ['!{"n":1}']
        assert signal.signal(signal.SIGINT, before) is not before
    finally:
        signal.signal(signal.SIGINT, before)
    assert set(came) == {signal.SIGINT}


def test_what_it_prints_does_not_come_between_the_events_of_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    assert outcome([b'{"n":1}'], chain_of(python("print(events)"))) == ['{"n":1}']
    assert capfd.readouterr() == ("", "[{'n': 1}]\n")


def test_a_process_that_it_forks_does_not_go_on_as_a_second_one() -> None:
    body = "import os\nchild = os.fork()\nif child:\n    events[0]['status'] = os.waitpid(child, 0)[1]"
    assert outcome([b'{"n":1}'], chain_of(python(body))) == ['{"n":1,"status":0}']


def test_withheld_is_what_it_fails_on() -> None:
    step = python('if events[0]["n"] == 1: raise ValueError', on_failure="withhold")
    placeholder = '!{"message":"[a step failed]","step_failed":"python"}'
    assert outcome([b'{"n":1}'], chain_of(step)) == [placeholder]
    assert outcome([b"{broken"], chain_of(step, python("return None"))) == [placeholder]


def test_what_hangs_is_ended_and_all_of_its_list_has_failed() -> None:
    chain = chain_of(python("if len(events) > 1:\n    while True:\n        pass", timeout=Duration(0.02)))
    assert outcome(NUMBERED[:2], chain) == ['!{"n":0}', '!{"n":1}']
    assert chain.reasons["python"].partition(":")[0] == "TimeUp at code"
    assert "it took longer than 20ms" in chain.reasons["python"]


def test_what_is_made_up_is_tried() -> None:
    assert python("return events").tried() is None
    assert python('return events["a"]').tried() == "on an event that is made up it fails: TypeError at code:2"


# ── where the code stands ─────────────────────────────────────────────────────────────────────────────


def load(steps: str, **environ: str) -> config.Settings:
    return config.load(environ={"LOGROUTER_STEPS": steps, **environ}, system_folder=Path("/nonexistent"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "my_steps.py"
    path.write_text("COUNT = []\ndef transform(events):\n    COUNT.append(1)\n    return [{'count': len(COUNT)}]\n")
    return path


def test_a_file_and_each_step_has_a_module_of_its_own(file: Path) -> None:
    settings = load(f"[{{python: {{file: {file}}}}}, {{python: '{file}:transform'}}]")
    one, other = (Python(step.config) for step in settings.steps)
    assert [one.apply({}, FACTS), one.apply({}, FACTS), other.apply({}, FACTS)] == [
        [{"count": 1}],
        [{"count": 2}],
        [{"count": 1}],
    ]


def test_a_file_is_part_of_the_hash_and_of_what_a_reload_tells(file: Path) -> None:
    before, same = (load(f"[{{python: '{file}:transform'}}]") for _ in range(2))
    file.write_text(file.read_text() + "# changed\n")
    after = load(f"[{{python: '{file}:transform'}}]")
    assert before == same
    assert before.steps != after.steps
    assert config_hash(before) == config_hash(same) != config_hash(after)
    assert describe_changes(before, same) == []
    assert describe_changes(before, after) == ["steps.0.python.file: what the file holds has changed"]


def test_the_effective_config_can_be_loaded_again(file: Path, tmp_path: Path) -> None:
    settings = load(f"[{{python: '{file}:transform'}}]")
    shown = tmp_path / "shown.yaml"
    shown.write_text(render_effective(settings))
    assert config.load([shown]).steps == settings.steps


def test_modules_go_with_their_steps() -> None:
    def ours() -> set[str]:
        return {name for name in sys.modules if name.startswith("logrouter_python_step_")}

    gc.collect()
    before = ours()
    step = python("return None")
    assert len(ours() - before) == 1
    del step
    gc.collect()
    assert ours() == before


def test_dataclasses_find_their_module() -> None:
    code = (
        "from __future__ import annotations\nfrom dataclasses import asdict, dataclass\n"
        "@dataclass\nclass Event:\n    n: int\n"
        "def transform(events):\n    return [asdict(Event(event['n'] + 1)) for event in events]\n"
    )
    assert outcome(NUMBERED[:1], chain_of(Python(PythonConfig(code=code)))) == ['{"n":1}']


def test_a_module_that_is_installed() -> None:
    settings = load("[{python: 'json:loads'}]")
    with pytest.raises(StepFailed, match="TypeError"):
        Python(settings.steps[0].config).apply({}, FACTS)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ("{}", "expected one of code, file and module, not none of them"),
        ("{code: 'x = 1', module: json}", "expected one of code, file and module, not code and module"),
        ("{code: 'x = 1'}", "function: there is no function 'transform' in code"),
        ("{code: 'transform = 1'}", "function: there is no function 'transform' in code"),
        ("{code: 'def transform('}", "code: code:1: '(' was never closed"),
        ("{code: 'raise ValueError(5)'}", "code: code cannot be imported: ValueError at code:1: 5"),
        ("{code: 'import sys; sys.exit(3)'}", "code: code cannot be imported: SystemExit at code:1: 3"),
        ("{code: 'raise KeyboardInterrupt'}", "code: code cannot be imported: KeyboardInterrupt at code:1"),
        ("{module: no.such}", "module: no.such cannot be imported: ModuleNotFoundError"),
        ("{module: json, function: laods}", "function: there is no function 'laods' in json (did you mean 'loads'?)"),
        ("{file: /nonexistent/my.py}", "file: '/nonexistent/my.py' cannot be read: No such file or directory"),
        ("no_function.py", "expected ./my_steps.py:function or my_package.module:function, not 'no_function.py'"),
        ("{code: 'def transform(e): pass', timeout: 0s}", "timeout: must be more than 0"),
        ("{code: 'def transform(e): pass', on_failure: drop}", "expected pass or withhold"),
        ("{cod: x}", "unknown key 'cod'"),
    ],
)
def test_mistakes(mistake, options, problem):
    assert problem in mistake(f"python: {options}")


def test_where_plug_ins_are_not_allowed_it_is_a_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        load("[{python: 'json:loads'}]", LOGROUTER_ALLOW_PLUGINS="false")
    (only,) = caught.value.mistakes
    assert only.problem == "steps.0: 'python' runs code of yours, and allow_plugins is false"


def test_in_a_route_it_is_a_mistake() -> None:
    routes = "[{to: stdout, steps: [{python: 'json:loads'}]}]"
    with pytest.raises(ConfigError, match="decides about events"):
        config.load(environ={"LOGROUTER_ROUTES": routes}, system_folder=Path("/nonexistent"))


def test_check_warns_of_what_fails_on_an_event_that_is_made_up() -> None:
    settings = load("[{set: {a: 1}}, {python: 'json:loads'}, {python: 'json:dumps'}]")
    first, second = (warning.problem for warning in warnings_about_steps(settings))
    assert first.startswith("steps.1.python: on an event that is made up it fails: TypeError at json:")
    assert second.startswith("steps.2.python: on an event that is made up it fails: dumps has returned str")
