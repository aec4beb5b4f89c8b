"""Every example in configs/ is a good config, with the components that are really there."""

from __future__ import annotations

from pathlib import Path

import pytest

from logrouter.config import load
from logrouter.config.effective import config_hash, render_effective
from logrouter.errors import ConfigError
from logrouter.templates import Template

CONFIGS = Path(__file__).parents[1] / "configs"
ENVIRON = {"REDACT_KEY": "0123456789abcdef0123456789abcdef", "ES_API_KEY": "key-of-elasticsearch"}
WARNINGS = {"redact.yaml": ["steps.1.redact: fields cannot be found in lines of text; patterns can"]}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_an_example_loads(path: Path, tmp_path: Path) -> None:
    settings = load([path], ENVIRON)
    warned = [warning.problem for warning in settings.warnings]
    assert warned == WARNINGS.get(path.name, [])
    shown = render_effective(settings)
    assert [name for name, secret in ENVIRON.items() if secret in shown] == []
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    assert config_hash(load([again])) == config_hash(settings)


def test_nothing_configured(tmp_path: Path) -> None:
    settings = load((), {}, folder=tmp_path, system_folder=tmp_path)
    assert {name: source.type for name, source in settings.sources.items()} == {"stdin": "stdin"}
    assert {name: sink.type for name, sink in settings.sinks.items()} == {"stdout": "stdout"}


def test_there_is_one_stdin() -> None:
    with pytest.raises(ConfigError) as error:
        load((), {"LOGROUTER_CONFIG_YAML": "sources: {a: stdin, b: stdin}"})
    assert [mistake.problem for mistake in error.value.mistakes] == [
        "sources.b: there is one stdin, and sources.a reads it already"
    ]


@pytest.mark.parametrize(("given", "is_template"), [("none", False), ("auto", False), ("'{order}'", True)])
def test_a_word_that_an_option_knows_is_no_template(given: str, is_template: bool) -> None:
    """Taken for a template, `id: none` would give every event the id `none`: all but the first would be lost."""
    sink = f"{{type: elasticsearch, url: 'http://h', id: {given}}}"
    settings = load((), {"LOGROUTER_CONFIG_YAML": f"sinks: {{es: {sink}}}"})
    assert isinstance(settings.sinks["es"].config.id, Template) == is_template
    settings = load((), {"LOGROUTER_SINK_ES": "elasticsearch+http://h", "LOGROUTER_SINK_ES__ID": given.strip("'")})
    assert isinstance(settings.sinks["es"].config.id, Template) == is_template
