from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logrouter.config import Settings

Loader = Callable[..., Settings]
Finder = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "shop"),
        ("'a-${NAME}-${NAME}'", "a-shop-shop"),
        ("${EMPTY}", ""),
        ("${GONE:-x y}", "x y"),
        ("${GONE:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("${NAME:-other}", "shop"),
        ("${NAME:?must be there}", "shop"),
        ("$${NAME}", "${NAME}"),
        ("$NAME $$ $", "$NAME $$ $"),
        ("${YAML}", "{a: [1, 2]} # no"),
    ],
)
def test_what_is_filled_in(load_text: Loader, text: str, value: str) -> None:
    environ = {"NAME": "shop", "EMPTY": "", "YAML": "{a: [1, 2]} # no"}
    assert load_text(f"resource:\n  x: {text}x\n".replace("'x", "x'"), environ).resource == {"x": f"{value}x"}


def test_values_are_typed_after_filling_in(load_text: Loader) -> None:
    text = """
    spool: {memory: "${MIB}MiB"}
    sinks: {a: {url: file:a, keep: "${KEEP}", fsync: "${SYNC}"}}
    steps:
      - set:
          plain: ${KEEP}
          quoted: "${KEEP}"
    """
    settings = load_text(text, {"MIB": "2", "KEEP": "7", "SYNC": "false"})
    config = settings.sinks["a"].config
    assert (settings.spool.memory, config.keep, config.fsync) == (2 * 2**20, 7, False)
    assert settings.steps[0].config.fields == {"plain": 7, "quoted": "7"}


def test_a_file_is_filled_in_without_its_last_newline(load_text: Loader, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("a\nb\n")
    text = "sinks:\n  v:\n    url: vault+https://h\n    password: ${file:token}\n"
    sink = load_text(text).sinks["v"]
    assert sink.config.password.reveal() == "a\nb"


@pytest.mark.parametrize("secret", ["null", "true", "7", "", "{a: 1}"])
def test_a_secret_is_text_whatever_it_looks_like(load_text: Loader, tmp_path: Path, secret: str) -> None:
    (tmp_path / "s").write_text(secret)
    config = load_text("sinks:\n  v:\n    url: vault+https://h\n    password: ${file:s}\n").sinks["v"].config
    assert config.password.reveal() == secret


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${GONE}", "resource.x: the variable GONE is not set; write ${GONE:-} where it may be missing"),
        ("${GONE:?set it in the pod}", "resource.x: GONE: set it in the pod"),
        ("${EMPTY:?}", "resource.x: EMPTY: is not set"),
        ("${BAD}", "resource.x: the variable BAD is not UTF-8"),
        ("${1x}", "resource.x: expected a variable's name in '${1x}'; write $${ for a literal '${'"),
        ("${}", "resource.x: expected a variable's name in '${}'; write $${ for a literal '${'"),
        ("${X", "resource.x: this '${' is never closed; write $${ for a literal one"),
        ("${file:/nowhere/x}", "resource.x: '/nowhere/x' cannot be read: No such file or directory"),
        ("${file:/}", "resource.x: '/' cannot be read: Is a directory"),
        ("${file:/dev/zero}", "resource.x: '/dev/zero' cannot be read: it is larger than 64KiB"),
    ],
)
def test_what_cannot_be_filled_in(mistakes_in: Finder, text: str, told: str) -> None:
    assert mistakes_in(f"resource:\n  x: a ${{OK}} {text}", {"EMPTY": "", "OK": "1", "BAD": "\udcff"}) == [
        f"logrouter.yaml:2:14: {told}"
    ]


def test_the_files_variables_and_flags_are_not_filled_in(load_text: Loader) -> None:
    environ = {"LOGROUTER_RESOURCE__A": "${HOME}", "HOME": "/root"}
    assert load_text(environ=environ, sets=["resource.b=${HOME}"]).resource == {"a": "${HOME}", "b": "${HOME}"}


def test_a_document_in_a_variable_is_filled_in(load_text: Loader) -> None:
    environ = {"LOGROUTER_STEPS": "- set: {home: '${HOME}'}", "HOME": "/root"}
    assert load_text(environ=environ).steps[0].config.fields == {"home": "/root"}


@pytest.mark.parametrize("hostile", ["x@evil.example:443/#", "evil.example/", "a?format=raw", "a b"])
def test_a_hostile_value_cannot_leave_its_component(mistakes_in: Finder, hostile: str) -> None:
    text = "sinks:\n  a: vault+https://${HOST}:9200/x\n"
    assert mistakes_in(text, {"HOST": hostile}) == [
        "logrouter.yaml:2:6: sinks.a: the host holds a character that no host has"
    ]


def test_a_hostile_password_stays_one(load_text: Loader) -> None:
    text = "sinks: {a: {url: 'vault+https://u:${PW}@es:9200/${PATH_PART}?ratio=${RATIO}'}}"
    environ = {"PW": "p@evil.example:1/?#&", "PATH_PART": "../x?y=1", "RATIO": "0.5"}
    config = load_text(text, environ).sinks["a"].config
    assert config.password.reveal() == "p@evil.example:1/?#&"
    assert config.url == "https://es:9200/..%2Fx%3Fy%3D1"
    assert config.ratio == 0.5


def test_a_whole_url_may_be_filled_in(load_text: Loader) -> None:
    text = "sinks: {a: '${URL}', b: {url: '${GONE:-file:b?format=raw}'}}"
    settings = load_text(text, {"URL": "vault+https://u:p@es:9200/?ratio=0.5"})
    assert (settings.sinks["a"].config.url, settings.sinks["a"].config.user) == ("https://es:9200/", "u")
    assert (settings.sinks["b"].config.path, settings.sinks["b"].config.format) == ("b", "raw")


def test_a_password_in_a_url_is_in_no_mistake(mistakes_in: Finder) -> None:
    text = """
    sinks:
      a: ftp://u:hunter2@host
      b: file://u:hunter2@host/x
      c: vault+https://u:hunter2@h?nokey=hunter2
    """
    told = mistakes_in(text)
    assert len(told) == 3
    assert "hunter2" not in "\n".join(told)


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("resource: {x: HERE}", "resource.x"),
        ("spool: {memory: HERE}", "spool.memory"),
        ("log_level: HERE", "log_level"),
        ("sources: {a: {type: stdin, parse: HERE}}", "sources.a.parse"),
        ("sinks: {a: HERE}", "sinks.a"),
        ("sinks: {a: {url: HERE}}", "sinks.a"),
        ("sinks: {a: {type: HERE}}", "sinks.a.type"),
        ("sinks: {a: {type: file, path: HERE}}", "sinks.a.path"),
        ("sinks: {a: {url: 'file:a', match: HERE}}", "sinks.a.match"),
        ("sinks: {a: {url: 'file:a', include: [HERE]}}", "sinks.a.include.0"),
        ("sinks: {a: {url: 'vault+https://h', labels: {x: HERE}}}", "sinks.a.labels.x"),
        ("sinks: {a: {url: 'vault+https://h', password_file: HERE}}", "sinks.a.password_file"),
        ("steps: [HERE]", "steps.0"),
        ("steps: [{remove: HERE}]", "steps.0.remove"),
        ("steps: [{set: {a: [{b: HERE}]}}]", "steps.0.set.fields.a.0.b"),
        ("routes: [{to: HERE}]", "routes.0.to.0"),
    ],
)
@pytest.mark.parametrize("written", ['"${file:s}"', '"/var/${file:s}/a"'])
def test_a_secret_is_refused_where_it_would_be_shown(
    mistakes_in: Finder, tmp_path: Path, text: str, option: str, written: str
) -> None:
    (tmp_path / "s").write_text("hunter2")
    (told,) = mistakes_in(text.replace("HERE", written))
    if option != "steps.0.remove":
        problem = f"{option}: ${{file:…}} is for secrets, and this is shown by `config` and in errors"
        assert told.partition(": ")[2].startswith(problem)
    assert "hunter2" not in told
