from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from logrouter.config import Settings
from logrouter.config.effective import config_hash, describe_effective, render_effective

Loader = Callable[..., Settings]


TEXT = """\
resource: {service.name: shop, pod: "${POD}"}
steps:
  - set: {a: 1, b: "{x}"}
    when: level == "x"
sinks:
  errors: file:errors.ndjson?format=raw
  vault:
    url: vault+https://app:hunter2@h:9200
    tags: [one, two]
    labels: {app: shop}
  other: {url: "vault+https://h", password: "${file:secret}"}
routes:
  - to: [errors]
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "secret").write_text("hunter3")
    return {"POD": "a-1", "LOGROUTER_SINK_ERRORS__MATCH": 'severity >= "error"', "LOGROUTER_LOG_LEVEL": "info"}


def test_every_value_tells_its_origin(load_text: Loader, environ: dict[str, str]) -> None:
    settings = load_text(TEXT, environ, matches=["vault=level"], sets=["spool.memory=32MiB"])
    origins = {line.key: (line.value, line.origin) for line in describe_effective(settings)}
    expected = {
        "resource.service.name": ("shop", "logrouter.yaml:1:26"),
        "resource.pod": ("a-1", "logrouter.yaml:1:37 ${POD}"),
        "sources.stdin.type": ("stdin", "default"),
        "sources.stdin.parse": ("json_or_text", "default, as sinks.errors writes lines as they came"),
        "steps.0.when": ('"level == \\"x\\""', "logrouter.yaml:4:11"),
        "steps.0.set.a": ("1", "logrouter.yaml:3:14"),
        "steps.0.set.b": ('"{x}"', "logrouter.yaml:3:20"),
        "sinks.errors.type": ("file", "logrouter.yaml:6:11"),
        "sinks.errors.path": ("errors.ndjson", "logrouter.yaml:6:11"),
        "sinks.errors.format": ("raw", "logrouter.yaml:6:11"),
        "sinks.errors.fsync": ("true", "default"),
        "sinks.errors.match": ('"severity >= \\"error\\""', "LOGROUTER_SINK_ERRORS__MATCH"),
        "sinks.vault.match": ("level", "--match vault=…"),
        "sinks.vault.password": ('"********"', "logrouter.yaml:8:10"),
        "sinks.vault.user": ("app", "logrouter.yaml:8:10"),
        "sinks.vault.tags.1": ("two", "logrouter.yaml:9:17"),
        "sinks.vault.labels.app": ("shop", "logrouter.yaml:10:19"),
        "sinks.other.password": ('"********"', "logrouter.yaml:11:45 ${file:secret}"),
        "sinks.vault.flush": ("1s", "default"),
        "routes.0.name": ("route1", "default"),
        "routes.0.to.0": ("errors", "logrouter.yaml:13:10"),
        "spool.memory": ("32MiB", "--set spool.memory=…"),
        "spool.block_timeout": ("10s", "default"),
        "shutdown_timeout": ("25s", "default"),
        "log_level": ("info", "LOGROUTER_LOG_LEVEL"),
    }
    assert {key: origins.get(key) for key in expected} == expected


def test_secrets_are_not_shown(load_text: Loader, environ: dict[str, str]) -> None:
    settings = load_text(TEXT, environ)
    shown = render_effective(settings) + repr(describe_effective(settings)) + repr(settings)
    assert "hunter2" not in shown
    assert "hunter3" not in shown


def test_what_is_shown_can_be_loaded(load_text: Loader, environ: dict[str, str]) -> None:
    settings = load_text(TEXT, environ)
    shown = render_effective(settings)
    again = load_text(shown)
    assert config_hash(again) == config_hash(settings)
    assert [line[:2] for line in describe_effective(again)] == [line[:2] for line in describe_effective(settings)]


def test_the_hash_tells_configs_apart_but_not_secrets(
    load_text: Loader, environ: dict[str, str], tmp_path: Path
) -> None:
    first = config_hash(load_text(TEXT, environ))
    assert len(first) == 12
    assert config_hash(load_text(TEXT, {**environ, "LOGROUTER_LOG_LEVEL": "error"})) != first
    (tmp_path / "secret").write_text("other")
    assert config_hash(load_text(TEXT.replace("hunter2", "other"), environ)) == first


def test_odd_texts_survive_being_shown(load_text: Loader) -> None:
    odd = ["", "null", "1", "1.0", "a: b", "# c", "${X}", "\x1b[31m", "é\u2028", "'", '"', "- x", "~", "\\n"]
    settings = load_text(sets=[f"resource.k{number}={text}" for number, text in enumerate(odd)])
    shown = render_effective(settings)
    assert shown.replace("\n", "").isprintable()
    assert load_text(shown).resource == settings.resource
