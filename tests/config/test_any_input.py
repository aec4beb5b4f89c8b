"""Whatever is in files, variables and flags: settings, or mistakes. Nothing else is ever raised."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logrouter.config import Flags, Settings, load
from logrouter.config.effective import config_hash, render_effective
from logrouter.errors import ConfigError

NOWHERE = Path("/nonexistent")
WORDS = [
    "sinks", "sources", "steps", "routes", "resource", "spool", "admin", "shutdown_timeout", "log_level", "type",
    "url", "match", "path", "format", "file", "stdout", "vault", "file:x", "stdin", "set", "discard", "when", "to",
    "name", "memory", "25s", "16MiB", "level == 'x'", "level = 3", "${X}", "${file:s}", "password_file",
    "${file:u}", "file:${file:s}", "vault+https://u:${file:s}@h/?user=${file:s}&labels=x", "password",
    "labels", "tags", "keep", "include", "vault+https://u:p@h/?a=b", "redact", "listen", "127.0.0.1:1", "never",
]  # fmt: skip
SCALARS = st.sampled_from(WORDS) | st.text(max_size=8) | st.integers() | st.floats() | st.booleans() | st.none()
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=15,
)
SECTION = st.dictionaries(st.sampled_from(["a", "b", "stdout", "stdin"]), TREES, max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "sinks": SECTION | TREES,
        "sources": SECTION | TREES,
        "steps": st.lists(TREES, max_size=3) | TREES,
        "routes": st.lists(TREES, max_size=3) | TREES,
        "spool": TREES,
        "resource": TREES,
        "log_level": TREES,
    },
)
VARIABLES = st.dictionaries(
    st.from_regex(r"LOGROUTER_(SINK|SOURCE|SPOOL|ADMIN|RESOURCE|STEPS|X)?_?[A-Z_]{0,8}", fullmatch=True)
    | st.sampled_from(
        ["LOGROUTER_STEPS", "LOGROUTER_ROUTES", "LOGROUTER_RESOURCE", "LOGROUTER_SINK_A", "LOGROUTER_SINK_A__TAGS"]
    ),
    st.sampled_from(WORDS) | st.text(max_size=20),
    max_size=4,
)

relaxed = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


SECRET = "hunter2hunter2"


@pytest.fixture(autouse=True)
def _secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s").write_text(SECRET)
    Path("u").write_text(f"vault+https://{SECRET}:{SECRET}@{SECRET}/?{SECRET}={SECRET}")


def settings_or_mistakes(environ: dict[str, str], flags: Flags | None = None) -> None:
    found, mistakes = None, []
    try:
        found = load((), environ, flags, folder=NOWHERE, system_folder=NOWHERE)
    except ConfigError as error:
        mistakes = error.mistakes
    assert all(mistake.place.isprintable() and mistake.problem.isprintable() for mistake in mistakes)
    assert isinstance(found, Settings) != bool(mistakes)
    assert SECRET not in f"{mistakes} {found}"
    if found is not None:
        assert SECRET not in render_effective(found)
        assert render_effective(found).replace("\n", "").isprintable()
        assert len(config_hash(found)) == 12


@pytest.mark.slow
@relaxed
@given(DOCUMENTS)
def test_any_document(document: Any) -> None:
    settings_or_mistakes({"LOGROUTER_CONFIG_YAML": yaml.safe_dump(document), "X": "x"})


@pytest.mark.slow
@relaxed
@given(st.text())
def test_any_text(text: str) -> None:
    settings_or_mistakes({"LOGROUTER_CONFIG_YAML": text})


@pytest.mark.slow
@relaxed
@given(VARIABLES)
def test_any_variables(environ: dict[str, str]) -> None:
    settings_or_mistakes(environ)


@pytest.mark.slow
@relaxed
@given(
    *[st.lists(st.sampled_from(WORDS) | st.text(max_size=20) | st.from_regex(r"[a-z.]{1,9}=.{0,9}"), max_size=3)] * 3
)
def test_any_flags(sinks: list[str], matches: list[str], sets: list[str]) -> None:
    settings_or_mistakes({}, Flags(sinks=sinks, matches=matches, sets=sets))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"k{number}: 1" for number in range(9_000)),
        "sinks:\n" + "\n".join(f"  K{number}: 1" for number in range(9_000)),
        "sinks: {a: {" + ", ".join(f"k{number}: 1" for number in range(9_000)) + "}}",
        "steps:\n" + "\n".join("  - k: 1" for _ in range(6_000)),
        "steps: [{set: {" + ", ".join(f"k{number}: 1" for number in range(1_000)) + "}}]",
        "resource: {a: " + "x" * 1_000_000 + "}",
        "sinks: {a: {url: 'file:a', match: '" + "(" * 1_000_000 + "'}}",
        "sinks: {a: 'file:" + "${X" * 300_000 + "'}",
    ],
    ids=range(8),
)
def test_large_documents(text: str) -> None:
    """No more than seconds for any of them."""
    settings_or_mistakes({"LOGROUTER_CONFIG_YAML": text})


def test_deep_variables_and_flags() -> None:
    settings_or_mistakes({"LOGROUTER_SINK_A" + "__A" * 30_000: "x", "LOGROUTER_SINK_A" + "__A" * 31: "x"})
    settings_or_mistakes({}, Flags(sets=["sinks" + ".a" * 30_000 + "=x", "sinks" + ".a" * 31 + "=x"]))
