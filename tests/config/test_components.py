from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from logrouter.config import Settings, load
from logrouter.parsing import JSON

Loader = Callable[..., Settings]
Finder = Callable[..., list[str]]


PLACE = "logrouter.yaml:"


def test_the_long_form_and_the_url(load_text: Loader) -> None:
    text = """
    sinks:
      a: file:a.ndjson?format=raw&rotate_size=1MiB
      b: {url: "file:b.ndjson?format=raw", format: logfmt, match: level}
      c: {type: file, path: c.ndjson}
      d: {type: vault, url: "https://h/x?tenant=1", tags: [1, two], labels: {n: 1.10}, flush: never}
      stdout: {format: raw}
      e: stdout
    """
    sinks = load_text(text).sinks
    assert {name: sink.type for name, sink in sinks.items()} == {
        "a": "file", "b": "file", "c": "file", "d": "vault", "stdout": "stdout", "e": "stdout",
    }  # fmt: skip
    assert (sinks["a"].config.format, sinks["a"].config.rotate_size) == ("raw", 2**20)
    assert (sinks["b"].config.format, sinks["b"].config.match.text) == ("logfmt", "level")
    d = sinks["d"].config
    assert (d.url, d.tags, d.labels, d.flush) == ("https://h/x?tenant=1", ("1", "two"), {"n": "1.10"}, "never")


def test_secrets_from_files(load_text: Loader, mistakes_in: Finder, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret\n")
    sink = load_text("sinks: {v: {url: 'vault+https://h', password_file: pw}}").sinks["v"]
    assert sink.config.password.reveal() == "s3cret"
    text = """\
sinks:
  v: {url: 'vault+https://h', password_file: no, user_file: pw}
  w: {type: vault, url: 'https://h', password: x, password_file: pw}
"""
    assert mistakes_in(text) == [
        f"{PLACE}2:46: sinks.v.password_file: 'no' cannot be read: No such file or directory",
        f"{PLACE}2:50: unknown key 'user_file' in sinks.v (did you mean 'user'?)",
        f"{PLACE}3:51: sinks.w.password and sinks.w.password_file are both set",
    ]


@pytest.mark.parametrize(
    ("sink", "told"),
    [
        ("5", "1:13: sinks.a: expected a URL or a mapping, not '5'"),
        ("[x]", "1:13: sinks.a: expected a URL or a mapping, not a list"),
        (
            "",
            "1:10: sinks.a needs a 'type' or a 'url' (indent what belongs to it; types are: file, stdout, vault)",
        ),
        ("{type: fiel, path: x}", "1:20: sinks.a: unknown sink type 'fiel' (did you mean 'file'?)"),
        ("{type: stdout, url: 'file:x'}", "1:20: sinks.a: the type is 'stdout', but the URL's is 'file'"),
        ("{type: file}", "1:13: sinks.a needs 'path'"),
        ("{url: 5}", "1:19: sinks.a: expected a URL, not '5'"),
        ("'https://h'", "1:13: sinks.a: a plain https: URL does not tell the type of the sink (add type: …)"),
        ("stdout:x", "1:13: sinks.a: a stdout sink takes nothing after its name: write stdout: alone"),
        ("'file://u:p@h/x'", "1:13: sinks.a: a file sink has no user and password"),
        ("'file:'", "1:13: sinks.a needs 'path'"),
        ("'file://'", "1:13: sinks.a: expected a path after 'file:'"),
        ("file:x?path=y", "1:13: sinks.a: the URL says 'path' twice"),
        ("file:x?mach=y", "1:13: unknown key 'mach' in sinks.a (did you mean 'match'?)"),
        ("{type: file, path: [x]}", "1:32: sinks.a.path: expected text, not a list"),
        ("{type: file, path: true}", "1:32: sinks.a.path: expected text, not 'true' (write \"true\")"),
        ("{url: 'file:x', fsync: yes}", "1:36: sinks.a.fsync: expected true or false, not 'yes' (write true)"),
        ("{url: 'file:x', keep: many}", "1:35: sinks.a.keep: expected a whole number, not 'many'"),
        ("{url: 'file:x', keep: 1.5}", "1:35: sinks.a.keep: expected a whole number, not '1.5'"),
        ("{url: 'file:x', keep: 0}", "1:35: sinks.a.keep: expected a number >= 1, not '0'"),
        (
            "{url: 'file:x', format: jsn}",
            "1:37: sinks.a.format: expected json, raw or logfmt, not 'jsn' (did you mean 'json'?)",
        ),
        ("{url: 'file:x', rotate_size: {}}", "1:42: sinks.a.rotate_size: expected a size such as 16MiB, not a mapping"),
        (
            "{url: 'file:x', match: [x]}",
            "1:36: sinks.a.match: expected a rule such as 'severity >= \"error\"', not a list",
        ),
        ("{url: 'file:x', include: meta}", "1:38: sinks.a.include: expected a list, not 'meta' (write [meta])"),
        ("{url: 'vault:', labels: [x]}", "1:37: sinks.a.labels: expected a mapping, not a list"),
        ("{url: 'vault:', ratio: x}", "1:36: sinks.a.ratio: expected a number, not 'x'"),
    ],
)
def test_wrong_sinks(mistakes_in: Finder, sink: str, told: str) -> None:
    if "vault:" in sink:
        sink = sink.replace("vault:", "vault+https://h")
        head, _, rest = told.partition(": ")
        line, column = head.split(":")
        told = f"{line}:{int(column) + 9}: {rest}"
    assert mistakes_in(f"sinks: {{ a: {sink}}}") == [f"{PLACE}{told}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sinks: {a: {type: file, pth: x}}", ["1:25: unknown key 'pth' in sinks.a (did you mean 'path'?)"]),
        ("sinks: {a: {type: kafka, brokers: x}}", ["1:19: sinks.a: unknown sink type 'kafka' (known are: …)"]),
        ("sinks: {a: {type: tail, path: x}}", ["1:19: sinks.a: unknown sink type 'tail' (did you mean 'file'?)"]),
        ("steps: [{drop: {when: a == 1}}]", ["1:10: steps.0: unknown step 'drop' (did you mean 'discard'?)"]),
        ("inputs: {a: x}", ["1:1: unknown key 'inputs' (did you mean 'sources'?)"]),
        ("sinks:\nerrors: {url: 'file:a'}", ["2:1: unknown key 'errors' (if it belongs to 'sinks', indent it)"]),
        ("sinks: ['file:x']", ["1:8: sinks: expected a mapping, not a list (give each a name: 'errors: …')"]),
    ],
)
def test_what_newcomers_write(mistakes_in: Finder, text: str, told: list[str]) -> None:
    found = [re.sub(r"are: .*\)", "are: …)", line) for line in mistakes_in(text)]
    assert found == [PLACE + line for line in told]


def test_bare_numbers_are_no_quantities(mistakes_in: Finder) -> None:
    assert mistakes_in("sinks: {a: {url: 'file:x', rotate_size: 64}}\nshutdown_timeout: 25\n") == [
        (
            f"{PLACE}1:41: sinks.a.rotate_size: expected a size such as 512B, 64KiB, 16MiB or 1GB, not '64'"
            " (64 has no unit: write 64B, 64KiB, 64MiB or 64GiB)"
        ),
        (
            f"{PLACE}2:19: shutdown_timeout: expected a duration such as 250ms, 25s, 1m30s or 2h, not '25'"
            " (25 has no unit: write 25ms, 25s, 25m or 25h)"
        ),
    ]


def test_a_union_says_what_else_is_allowed(mistakes_in: Finder) -> None:
    assert mistakes_in("spool: {block_timeout: soon}") == [
        f"{PLACE}1:24: spool.block_timeout: expected a duration such as 250ms, 25s, 1m30s or 2h, not 'soon' (or never)"
    ]


@pytest.mark.parametrize(
    ("sink", "told"),
    [
        ("{LATER}", ["sinks.a needs a 'type' or a 'url'"]),
        ("{type: fil, LATER}", ["sinks.a: unknown sink type 'fil'"]),
        ("{type: file, url: 'stdout:', LATER}", ["sinks.a: the type is 'file'"]),
        ("{url: 'fil:x', LATER}", ["sinks.a: unknown scheme 'fil'"]),
        ("{type: file, url: 5, LATER}", ["sinks.a: expected a URL, not '5'"]),
        ("{url: 'stdout:x', LATER}", ["sinks.a: a stdout sink takes nothing after its name"]),
        ("{url: 'file:x', LATER, include: []}", ["the key 'include' stands twice"]),
    ],
)
def test_a_sink_that_cannot_be_made_has_its_options_checked(mistakes_in: Finder, sink: str, told: list[str]) -> None:
    found = mistakes_in("sinks: {a: " + sink.replace("LATER", "match: x =, include: [[]], mtach: y") + "}")
    expected = [
        *told,
        "sinks.a.match: `=` compares nothing",
        "sinks.a.include.0: expected text",
        "unknown key 'mtach' in sinks.a (did you mean 'match'?)",
    ]
    messages = [mistake.partition(": ")[2] for mistake in found]
    assert [text for text in expected if not any(message.startswith(text) for message in messages)] == []
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sinks: {a: {format: raw, paht: x, password_file: y}}", ["needs a 'type'", "unknown key 'paht'"]),
        ("steps: [{st: {when: x =}}]", ["unknown step", "`=` compares nothing"]),
        ("steps: [{st: {}, when: x =}]", ["unknown step", "`=` compares nothing"]),
        ("routes: [{to: stdout, steps: [{discard: {when: x =}}]}]", ["decides about events", "`=` compares nothing"]),
        ("steps: [{discard: {when: x =}, when: y}]", ["both inside and beside", "`=` compares nothing"]),
        ("sinks: {A: {type: fil}}", ["the name 'A'", "unknown sink type"]),
        ("sources: {A: {type: stdn}}", ["the name 'A'", "unknown source type"]),
        ("sinks: {a: 'file:x', a: 'file:y', b: 'fil:x'}", ["stands twice", "unknown scheme"]),
        ("sinks: {a: {url: 'file:x', keep: 0, include: [meta.hots]}}", ["a number >= 1", "no attribute 'meta.hots'"]),
        ("sinks: {a: {url: 'file:x', kep: 1, include: [x]}}", ["unknown key 'kep'", "'x' is not in `resource`"]),
        ("steps: [{set: {a: 'x!', when: x =}}]", ["unexpected '!'", "`=` compares nothing"]),
        ("steps: [{discard: {when: x =}}]", ["`=` compares nothing"]),  # and not: needs 'when'
        ("spool: {memory: 1KiB, when_full: blok}", ["memory must be at least 1MiB", "expected block"]),
    ],
)
def test_one_mistake_hides_no_other(mistakes_in: Finder, text: str, told: list[str]) -> None:
    found = mistakes_in(text)
    assert len(found) == len(told)
    assert all(any(part in mistake for mistake in found) for part in told)


@pytest.mark.parametrize(
    ("rule", "hint"),
    [
        ('severty >= "error"', "severty is the name of a field here (did you mean 'severity'?)"),
        ('not (serverity == "error")', "serverity is the name of a field here (did you mean 'severity'?)"),
        ("level == error", 'error is the name of a field here (write "error" for the level)'),
        ("level >= warning or x", 'warning is the name of a field here (write "warning" for the level)'),
        ('level >= "error"', 'level is text, in the order of the alphabet (write severity >= "error")'),
        ("x or log.level<'WARN'", 'log.level is text, in the order of the alphabet (write severity < "WARN")'),
        ("level >= 40", None),
        ('level > "b" and name >= "error"', None),
        ('severity >= "error"', None),
        ('severity_text == "x" and service == "varsity"', None),
        ('level == "error" or exists(error)', None),
        ("code == error.code", None),
        ('error == "x"', None),
    ],
)
def test_names_that_are_right_and_hardly_meant(load_text: Loader, rule: str, hint: str | None) -> None:
    in_a_sink = load_text(f"sinks:\n  a:\n    url: 'stdout:'\n    match: {rule}").warnings
    in_a_step = load_text(f"steps:\n  - discard:\n      when: {rule}").warnings
    assert [str(w).partition(": ")[2] for w in in_a_sink] == ([f"sinks.a: {hint}"] if hint else [])
    assert [str(w).partition(": ")[2] for w in in_a_step] == ([f"steps.0.discard: {hint}"] if hint else [])


@pytest.mark.parametrize(
    "text",
    [
        "sinks:\n  a: &a {type: file, path: x}\n  b: {<<: *a, path: y}",
        "sinks:\n  a: &a {type: file, path: x}\n  b: {<<: [*a, {keep: 2}, 5]}",
        "sinks:\n  a:\n    <<: {type: file, path: y}",
        "steps:\n  - discard: {<<: {when: x}}",
        "sinks:\n  <<: {a: stdout}\nroutes: [{to: a}]",
    ],
)
def test_what_a_merge_key_adds_is_not_told_as_missing(mistakes_in: Finder, text: str) -> None:
    (told,) = mistakes_in(text)
    assert "merge keys (<<) are not supported (write the keys out)" in told


def test_a_doubled_key_in_a_variable_is_told(mistakes_in: Finder) -> None:
    environ = {"LOGROUTER_SINK_A": "{url: 'file:a', url: 'file:b'}", "LOGROUTER_SINK_A__MATCH": "x"}
    (told,) = mistakes_in(environ=environ)
    assert "the key 'url' stands twice in one mapping" in told


def test_names_must_fit_into_variables(mistakes_in: Finder) -> None:
    rule = "must be made of a-z, 0-9 and _, and begin with a letter"
    assert mistakes_in('sinks:\n  My-Sink: stdout\n  "\\e[31m": stdout\n') == [
        f"{PLACE}2:3: sinks: the name 'My-Sink' {rule} (write my_sink)",
        f"{PLACE}3:3: sinks: the name '\\x1b[31m' {rule}",
    ]


def test_a_rule_points_at_its_character(mistakes_in: Finder) -> None:
    text = "sinks:\n  a:\n    url: file:a\n    match: >-\n      level == 'x'\n      and status = 3\n"
    (mistake,) = mistakes_in(text)
    place, rule, caret = mistake.split("\n")
    assert place.startswith(f"{PLACE}6:18: sinks.a.match: ")
    assert rule == "    level == 'x' and status = 3"
    assert caret.index("^") == rule.index("= 3")


CUT_SHORT = "(in YAML, ` #` starts a comment: put the rule in quotes, or after `>-`)"


@pytest.mark.parametrize(
    ("text", "hinted"),
    [
        ('sinks:\n  a:\n    url: file:a\n    match: message == "issue #7"\n', True),
        ("sinks:\n  a:\n    url: file:a\n    match: startswith(message,\n      level and #7\n", True),
        ("steps:\n  - discard: {when: a in ( # b)\n }", True),
        ("sinks:\n  a: {url: file:a, match: level == }  # all\n", False),
        ("sinks:\n  a:\n    url: file:a\n    match: 'level ==' # all\n", False),
        ("sinks:\n  a:\n    url: file:a\n    match: level ==\n    # all\n", False),
        ("sinks:\n  a:\n    url: file:a\n    match: exists(5) # all\n", False),
        ("sinks:\n  a:\n    url: file:a\n    match: >- # all\n      level ==\n", False),
    ],
)
def test_a_rule_that_a_comment_cut_short(mistakes_in: Finder, text: str, hinted: bool) -> None:
    (told,) = mistakes_in(text)
    assert (CUT_SHORT in told) is hinted


def test_nothing_is_a_comment_outside_of_yaml(mistakes_in: Finder) -> None:
    rule = 'message == "issue #'
    told = mistakes_in("sinks: {a: 'file:a', b: 'file:b'}", {"LOGROUTER_SINK_A__MATCH": rule}, matches=[f"b={rule}"])
    assert len(told) == 2
    assert "starts a comment" not in "".join(told)
    (told_of_steps,) = mistakes_in(environ={"LOGROUTER_STEPS": f"- discard:\n    when: {rule}7"})
    assert CUT_SHORT in told_of_steps  # which is YAML


def test_steps(load_text: Loader) -> None:
    text = """
    steps:
      - set: {a: 1, b: "{x}", c: [1, {d: true}]}
        when: level
      - set: {a: 1, when: level}
      - remove: [a, 404]
      - remove: {fields: [a], when: level}
      - discard: {when: level}
      - redact: {patterns: [email], with: hash, key: k}
    """
    steps = load_text(text).steps
    assert [step.name for step in steps] == ["set", "set", "remove", "remove", "discard", "redact"]
    first, second, third, fourth, fifth, sixth = (step.config for step in steps)
    assert first.fields == {"a": 1, "b": "{x}", "c": [1, {"d": True}]}
    assert second.fields == {"a": 1}
    assert (third.fields, third.when) == (("a", "404"), None)
    assert [config.when.text for config in (first, second, fourth, fifth)] == ["level"] * 4
    assert (sixth.action, sixth.key.reveal()) == ("hash", "k")


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("sett: {a: 1}", "1:11: steps.0: unknown step 'sett' (did you mean 'set'?)"),
        ("[x]", "1:11: steps.0: expected one step such as 'discard: {when: …}', not a list"),
        ("{}", "1:11: steps.0: expected one step such as 'discard: {when: …}', not nothing"),
        (
            "{set: {}, remove: []}",
            "1:11: steps.0: expected one step such as 'discard: {when: …}', not 'set', 'remove' in one item",
        ),
        ("{when: x}", "1:11: steps.0: expected one step such as 'discard: {when: …}', not nothing"),
        ("discard", "1:11: steps.0.discard: needs 'when': without it every event would be discarded"),
        ("discard: {}", "1:20: steps.0.discard: needs 'when': without it every event would be discarded"),
        ("discard: {wen: x}", "1:21: unknown key 'wen' in steps.0.discard (did you mean 'when'?)"),
        ("remove: [[a]]", "1:20: steps.0.remove.fields.0: expected text, not a list"),
        ("remove: a", "1:19: steps.0.remove: expected a mapping, not 'a' (with: fields, when)"),
        ("{set: {when: a}, when: b}", "1:28: steps.0.set: 'when' stands both inside and beside the step"),
        ("redact: {with: hsh}", "1:26: steps.0.redact.with: expected mask or hash, not 'hsh' (did you mean 'hash'?)"),
    ],
)
def test_wrong_steps(mistakes_in: Finder, step: str, told: str) -> None:
    assert mistakes_in(f"steps: [  {step}]") == [f"{PLACE}{told}"]


def test_what_a_step_says_is_placed_at_the_text_it_quotes(mistakes_in: Finder) -> None:
    assert mistakes_in("steps:\n  - set: {a: 1, b: 'so! it'}\n  - set: {'c!': 1}\n") == [
        f"{PLACE}2:23: steps.0.set: unexpected '!' (leave it out)\n    so! it\n      ^",
        f"{PLACE}3:11: steps.1.set: unexpected '!' (leave it out)\n    c!\n     ^",
    ]


def test_warnings_are_no_mistakes(load_text: Loader) -> None:
    settings = load_text("steps:\n  - redact: {}\n")
    assert [str(warning) for warning in settings.warnings] == [f"{PLACE}2:5: steps.0.redact: nothing to redact"]


def test_sources(load_text: Loader, mistakes_in: Finder) -> None:
    text = "sources: {app: {type: stdin, parse: json, max_line: 2MiB, steps: [{set: {a: 1}}]}}"
    source = load_text(text).sources["app"]
    assert (source.type, source.config.parse, source.config.max_line) == ("stdin", JSON, 2 * 2**20)
    assert [step.name for step in source.steps] == ["set"]
    assert mistakes_in(
        "sources: {app: {type: stdn, steps: [{st: {}}]}, b: {type: stdin, pares: json, steps: [x]}}"
    ) == [
        f"{PLACE}1:23: sources.app: unknown source type 'stdn' (did you mean 'stdin'?)",
        f"{PLACE}1:38: sources.app.steps.0: unknown step 'st' (did you mean 'set'?)",
        f"{PLACE}1:66: unknown key 'pares' in sources.b (did you mean 'parse'?)",
        f"{PLACE}1:87: steps.0: unknown step 'x' (known are: discard, redact, remove, set)".replace(
            "steps.0", "sources.b.steps.0"
        ),
    ]


def test_routes(load_text: Loader) -> None:
    text = """
    sinks: {a: file:a, b: file:b}
    routes:
      - {match: level, to: [a, b], steps: [{set: {x: 1}}], stop: true}
      - {name: slow, to: b}
    """
    first, second = load_text(text).routes
    assert first.match is not None
    assert (first.name, first.match.text, first.to, first.stop) == ("route1", "level", ("a", "b"), True)
    assert [step.config.fields for step in first.steps] == [{"x": 1}]
    assert (second.name, second.match, second.to, second.stop) == ("slow", None, ("b",), False)


@pytest.mark.parametrize(
    ("routes", "told"),
    [
        ("[a]", ["1:10: routes.0: expected a mapping with 'to', not 'a'"]),
        ("[{match: x}]", ["1:10: routes.0 needs 'to'"]),
        ("[{to: []}]", ["1:15: routes.0.to: empty, but a route must feed a sink"]),
        ("[{to: [stdut]}]", ["1:16: routes.0.to: there is no sink 'stdut' (did you mean 'stdout'?)"]),
        ("[{to: [es]}]", ["1:16: routes.0.to: there is no sink 'es' (the sinks are: stdout)"]),
        ("[{to: [stdout, stdout]}]", ["1:24: routes.0.to: the sink 'stdout' is named twice"]),
        ("[{to: {a: b}}]", ["1:15: routes.0.to: expected a list, not a mapping"]),
        (
            "[{name: a, to: stdout}, {name: a, to: stdout}]",
            ["1:33: two routes are called 'a', the first at logrouter.yaml:1:10"],
        ),
        ("[{to: stdout, mach: x}]", ["1:23: unknown key 'mach' in routes.0 (did you mean 'match'?)"]),
        (
            "[{to: stdout, steps: [{discard: {when: x}}]}]",
            [
                (
                    "1:32: routes.0.steps.0: 'discard' decides about events, which a route's steps cannot"
                    " (put it under the top-level steps)"
                )
            ],
        ),
    ],
)
def test_wrong_routes(mistakes_in: Finder, routes: str, told: list[str]) -> None:
    assert mistakes_in(f"routes: {routes}") == [f"{PLACE}{text}" for text in told]


def test_the_spool(load_text: Loader, mistakes_in: Finder) -> None:
    spool = load_text("spool: {memory: 2MiB, when_full: discard_oldest, block_timeout: never}").spool
    assert (spool.durability, spool.memory, spool.when_full, spool.block_timeout) == (
        "memory", 2 * 2**20, "discard_oldest", "never",
    )  # fmt: skip
    spool = load_text("spool: {directory: /x, max_size: 2GiB, sync_interval: 1s, keep: 1h}").spool
    assert (spool.durability, spool.directory, spool.max_size, spool.sync_interval, spool.keep) == (
        "disk", "/x", 2 * 2**30, 1.0, 3600.0,
    )  # fmt: skip
    assert load_text("spool: {directory: /x, durability: memory}").spool.durability == "memory"
    assert mistakes_in("spool: {durability: sync}") == [
        f"{PLACE}1:8: spool: durability: sync needs a directory (spool.directory)"
    ]
    assert mistakes_in("spool: {directory: /x, max_size: 1MiB}") == [
        f"{PLACE}1:8: spool: max_size must be at least 16MiB, not 1MiB"
    ]


def test_dead_letters(load_text: Loader, mistakes_in: Finder) -> None:
    assert load_text("spool: {}").dead_letters.max_size == 64 * 2**20
    text = (
        "spool: {directory: /x}\ndead_letters: {max_size: 20MiB}\nsinks: {v: {url: 'vault+https://h', on_reject: keep}}"
    )
    assert load_text(text).dead_letters.max_size == 20 * 2**20
    assert load_text(text).warnings == ()
    environ = {"LOGROUTER_DEAD_LETTERS__MAX_SIZE": "30MiB"}
    assert load_text("spool: {directory: /x}", environ).dead_letters.max_size == 30 * 2**20
    assert mistakes_in("dead_letters: {max_size: 1KiB}") == [
        f"{PLACE}1:15: dead_letters: max_size must be at least 16MiB, not 1KiB"
    ]


def test_what_is_to_be_kept_and_has_no_folder_is_told(load_text: Loader) -> None:
    """Only where the config asks for it: `keep` is the default."""
    text = """\
sinks:
  v: {url: 'vault+https://h', on_reject: keep}
  w: {url: 'vault+https://h', on_reject: discard}
  x: {url: 'vault+https://h'}
dead_letters: {max_size: 20MiB}
"""
    problem = "without a spool.directory nothing is kept: what a destination refuses is discarded, and counted"
    assert [str(warning) for warning in load_text(text).warnings] == [
        f"{PLACE}2:42: sinks.v.on_reject: {problem}",
        f"{PLACE}5:15: dead_letters: {problem}",
    ]


def test_systemd_gives_the_spool_a_folder() -> None:
    environ = {"STATE_DIRECTORY": "/var/lib/logrouter:/var/lib/other"}
    nowhere = Path("/nonexistent")
    spool = load(environ=environ, folder=nowhere, system_folder=nowhere).spool
    assert (spool.durability, spool.directory) == ("disk", "/var/lib/logrouter/spool")
    chosen = {**environ, "LOGROUTER_SPOOL__DIRECTORY": "/mine"}
    assert load(environ=chosen, folder=nowhere, system_folder=nowhere).spool.directory == "/mine"


def test_a_sink_may_leave_when_full_to_the_spool(load_text: Loader) -> None:
    text = "spool: {when_full: discard_oldest}\nsinks: {a: file:a, b: {url: file:b, when_full: block}}"
    sinks = load_text(text).sinks
    assert (sinks["a"].config.when_full, sinks["b"].config.when_full) == (None, "block")


def test_all_mistakes_at_once(mistakes_in: Finder) -> None:
    text = """\
sinks:
  a: {url: fil:x}
  b: {type: stdout, fromat: raw}
steps:
  - discrd: {when: x}
  - set: {a: 1}
    when: level = 3
routes:
  - to: [c]
spool: {memory: 5}
shutdown_timeout: soon
"""
    told = mistakes_in(text, {"LOGROUTER_LOG_LEVEL": "loud", "LOGROUTER_X": "1"}, matches=["z=x"])
    places = [mistake.split(": ", 1)[0] for mistake in told]
    assert places == [
        "LOGROUTER_X", "--match z=…",
        *(PLACE + place for place in ("2:12", "3:21", "5:5", "7:17", "9:10", "10:17", "11:19")),
        "LOGROUTER_LOG_LEVEL",
    ]  # fmt: skip


def test_many_mistakes_are_cut_off(mistakes_in: Finder) -> None:
    told = mistakes_in("\n".join(f"k{number}: 1" for number in range(300)))
    assert len(told) == 101
    assert told[-1] == "config: and 200 more mistakes, not shown"
