from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from logrouter.assembly import make_sink
from logrouter.config import Settings
from logrouter.config.effective import render_effective
from logrouter.config.environment import is_service_link
from logrouter.parsing import JSON, NONE

Loader = Callable[..., Settings]
Finder = Callable[..., list[str]]


def test_the_environment_alone(load_text: Loader) -> None:
    settings = load_text(
        environ={
            "LOGROUTER_SINK_ERRORS": "file:errors.ndjson?format=raw",
            "LOGROUTER_SINK_ERRORS__MATCH": 'severity >= "error"',
            "LOGROUTER_SINK_ES": "vault+https://es:9200",
            "LOGROUTER_SINK_ES__LABELS": "{app: shop, tier: '1'}",
            "LOGROUTER_SINK_ES__LABELS__ZONE": "a",
            "LOGROUTER_SINK_ES__TAGS": "x, y",
            "LOGROUTER_SINK_ES__PASSWORD": "pa${ss#w0rd",
            "LOGROUTER_SOURCE_APP": "stdin",
            "LOGROUTER_SOURCE_APP__PARSE": "none",
            "LOGROUTER_SPOOL__MEMORY": "2MiB",
            "LOGROUTER_ADMIN__LISTEN": "127.0.0.1:9598",
            "LOGROUTER_SHUTDOWN_TIMEOUT": "5s",
            "LOGROUTER_LOG_LEVEL": "info",
            "LOGROUTER_STEPS": "- set: {a: 1}",
            "LOGROUTER_ROUTES": "[{to: [errors]}]",
            "LOGROUTER_RESOURCE": "{service.name: shop}",
            "LOGROUTER_RESOURCE__K8S__POD": "a-1",
            "HOME": "/root",
        }
    )
    errors, es = settings.sinks["errors"].config, settings.sinks["es"].config
    assert (errors.path, errors.format, errors.match.text) == ("errors.ndjson", "raw", 'severity >= "error"')
    assert (es.url, es.labels, es.tags) == ("https://es:9200", {"app": "shop", "tier": "1", "zone": "a"}, ("x", "y"))
    assert es.password.reveal() == "pa${ss#w0rd"
    assert settings.sources["app"].config.parse == NONE
    assert (settings.spool.memory, settings.shutdown_timeout, settings.log_level) == (2 * 2**20, 5.0, "info")
    assert settings.admin.listen == "127.0.0.1:9598"
    assert settings.admin.listen.port == 9598
    assert [step.config.fields for step in settings.steps] == [{"a": 1}]
    assert settings.routes[0].to == ("errors",)
    assert settings.resource == {"service.name": "shop", "k8s.pod": "a-1"}


def test_a_variable_wins_over_a_file(load_text: Loader) -> None:
    text = """
    sinks:
      a: {url: 'file:a', match: x, format: raw}
      b: {url: 'file:b', match: x}
      c: file:c
    steps: [{set: {n: 1}}]
    """
    settings = load_text(
        text,
        {
            "LOGROUTER_SINK_A": "file:a2",
            "LOGROUTER_SINK_B__MATCH": "y",
            "LOGROUTER_SINK_C__FORMAT": "raw",
            "LOGROUTER_STEPS": "[{set: {n: 2}}]",
        },
    )
    a, b, c = (settings.sinks[name].config for name in "abc")
    assert (a.path, a.match, a.format) == ("a2", None, "json")  # replaced
    assert (b.path, b.match.text) == ("b", "y")  # merged
    assert (c.path, c.format) == ("c", "raw")
    assert [step.config.fields["n"] for step in settings.steps] == [1, 2]  # after the file's


def test_the_default_sink_and_source_have_names(load_text: Loader) -> None:
    settings = load_text(environ={"LOGROUTER_SINK_STDOUT__FORMAT": "raw", "LOGROUTER_SOURCE_STDIN__PARSE": "json"})
    assert settings.sinks["stdout"].config.format == "raw"
    assert settings.sources["stdin"].config.parse == JSON


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("LOGROUTER_LOGLEVEL", "info", "unknown variable (did you mean 'LOGROUTER_LOG_LEVEL'?)"),
        ("LOGROUTER_SPOOL_MEMORY", "1MiB", "unknown variable (did you mean 'LOGROUTER_SPOOL__MEMORY'?)"),
        ("LOGROUTER_ES", "x", "unknown variable"),
        ("LOGROUTER_SINKS_ERRORS", "file:a", "unknown variable (did you mean 'LOGROUTER_SINK_ERRORS'?)"),
        ("LOGROUTER_SINKS_A__MATCH", "x", "unknown variable (did you mean 'LOGROUTER_SINK_A__MATCH'?)"),
        ("LOGROUTER_SINKS__A", "file:a", "unknown variable (did you mean 'LOGROUTER_SINK_A'?)"),
        ("LOGROUTER_SINK__A", "file:a", "unknown variable (did you mean 'LOGROUTER_SINK_A'?)"),
        ("LOGROUTER_SOURCES_APP", "stdin", "unknown variable (did you mean 'LOGROUTER_SOURCE_APP'?)"),
        ("LOGROUTER_SNK_A", "file:a", "unknown variable (did you mean 'LOGROUTER_SINK_A'?)"),
        ("LOGROUTER_SORCE_APP__PARSE", "json", "unknown variable (did you mean 'LOGROUTER_SOURCE_APP__PARSE'?)"),
        ("LOGROUTER_SPOL__MEMORY", "2MiB", "unknown variable (did you mean 'LOGROUTER_SPOOL__MEMORY'?)"),
        ("LOGROUTER_SINK_STDOUT_FORMAT", "raw", "unknown variable (did you mean 'LOGROUTER_SINK_STDOUT__FORMAT'?)"),
        ("LOGROUTER_SOURCE_STDIN_PARSE", "json", "unknown variable (did you mean 'LOGROUTER_SOURCE_STDIN__PARSE'?)"),
        ("LOGROUTER_SINK_A", "${URL}", "a ${…} in a variable is not filled in (only what is written in YAML"),
        (
            "LOGROUTER_SINK_A__PASSWORD",
            "${file:/run/secrets/a}",
            "a ${…} in a variable is not filled in (a secret is read from a file by LOGROUTER_",
        ),
        ("LOGROUTER_SINKS", "file:a", "unknown variable (a sink is LOGROUTER_SINK_<NAME>"),
        ("LOGROUTER_ROUTE", "[]", "unknown variable (all routes are one list: LOGROUTER_ROUTES='[…]')"),
        ("LOGROUTER_ROUTE_SLOW", "a", "unknown variable (all routes are one list: LOGROUTER_ROUTES='[…]')"),
        ("LOGROUTER_ROUTES_SLOW__TO", "a", "unknown variable (all routes are one list: LOGROUTER_ROUTES='[…]')"),
        ("LOGROUTER_STEP_1", "a", "unknown variable (all steps are one list: LOGROUTER_STEPS='[…]')"),
        ("LOGROUTER_SINK_", "file:a", "unknown variable"),
        ("LOGROUTER_SINK_1", "file:a", "unknown variable"),
        ("LOGROUTER_SINK_A__", "b", "unknown variable"),
        ("LOGROUTER_SINK_A___B", "b", "unknown variable"),
        ("LOGROUTER_SPOOL__MEMRY", "1MiB", "unknown key 'memry' in spool (did you mean 'memory'?)"),
        ("LOGROUTER_SPOOL__MEMORY", "soon", "spool.memory: expected a size such as 512B, 64KiB, 16MiB or 1GB"),
        ("LOGROUTER_SHUTDOWN_TIMEOUT", "25", "shutdown_timeout: expected a duration"),
        ("LOGROUTER_LOG_LEVEL", "warn", "log_level: expected debug, info, warning or error, not 'warn'"),
        ("LOGROUTER_SINK_A", "fil:x", "sinks.a: unknown scheme 'fil' (did you mean 'file'?)"),
        ("LOGROUTER_SINK_A__FORMAT", "raw", "sinks.a needs a 'type' or a 'url'"),
        ("LOGROUTER_STEPS", "{a: 1}", "expected a YAML list"),
        ("LOGROUTER_RESOURCE", "[a]", "expected a YAML mapping"),
        ("LOGROUTER_RESOURCE__A", "\udcff", "not UTF-8"),
        ("LOGROUTER_ADMIN__LISTEN", "9598", "admin.listen: expected an address such as 127.0.0.1:9598"),
        ("LOGROUTER_ADMIN__LISTEN", ":80", "admin.listen: expected an address such as 127.0.0.1:80 or [::1]:80, not"),
        ("LOGROUTER_SPOOL__DIRECTORY", "", "spool: directory: expected the path of a folder, and it is empty"),
        ("LOGROUTER_LOG_LEVEL", "INFO", "log_level: expected debug, info, warning or error, not 'INFO' (did you mean"),
        ("LOGROUTER_ADMIN__LISTEN", "localhost:70000", "admin.listen: expected an address"),
    ],
)
def test_wrong_variables(mistakes_in: Finder, name: str, value: str, told: str) -> None:
    (mistake,) = mistakes_in(environ={name: value})
    assert mistake.startswith(f"{name}: {told}")


def test_an_option_with_one_underscore(mistakes_in: Finder, load_text: Loader) -> None:
    sink = {"LOGROUTER_SINK_A": "file:a"}
    for value in ('severity >= "error"', "x", "vault"):
        (mistake,) = mistakes_in(environ={**sink, "LOGROUTER_SINK_A_MATCH": value})
        assert mistake == "LOGROUTER_SINK_A_MATCH: unknown variable (did you mean 'LOGROUTER_SINK_A__MATCH'?)"
    settings = load_text(environ={**sink, "LOGROUTER_SINK_A_B": "file:b", "LOGROUTER_SINK_A_C": "stdout"})
    assert [*settings.sinks] == ["a", "a_b", "a_c"]


def test_places_inside_a_document_in_a_variable(mistakes_in: Finder) -> None:
    assert mistakes_in(environ={"LOGROUTER_STEPS": "- set: {a: 1}\n- st: {}\n"}) == [
        "LOGROUTER_STEPS:2:3: steps.1: unknown step 'st' (did you mean 'set'?)"
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOGROUTER_PORT", "tcp://10.0.0.1:80"),
        ("LOGROUTER_SERVICE_HOST", "10.0.0.1"),
        ("LOGROUTER_SERVICE_PORT", "80"),
        ("LOGROUTER_SERVICE_PORT_HTTP", "80"),
        ("LOGROUTER_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("LOGROUTER_PORT_80_TCP_PROTO", "tcp"),
        ("LOGROUTER_PORT_80_TCP_PORT", "80"),
        ("LOGROUTER_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("LOGROUTER_SINK_ES_PORT", "tcp://10.0.0.1:9200"),
        ("LOGROUTER_SINK_ES_SERVICE_HOST", "fd00::1"),
        ("LOGROUTER_SINK_ES_SERVICE_PORT", "9200"),
        ("LOGROUTER_SINK_ES_PORT_9200_TCP", "tcp://[fd00::1]:9200"),
        ("LOGROUTER_ADMIN_PORT_53_UDP_PROTO", "udp"),
    ],
)
def test_what_kubernetes_injects_is_ignored(mistakes_in: Finder, name: str, value: str) -> None:
    assert is_service_link(name, value)
    assert mistakes_in(environ={name: value}) == []


def test_a_sink_may_be_called_port(load_text: Loader) -> None:
    settings = load_text(environ={"LOGROUTER_SINK_X_PORT": "file:x", "LOGROUTER_SINK_Y_SERVICE_HOST": "file:y"})
    assert list(settings.sinks) == ["x_port", "y_service_host"]


def test_the_resource_of_opentelemetry(load_text: Loader) -> None:
    environ = {"OTEL_SERVICE_NAME": "shop", "OTEL_RESOURCE_ATTRIBUTES": "service.name=no, team=a%2Cb%20c,x=1"}
    assert load_text(environ=environ).resource == {"service.name": "shop", "team": "a,b c", "x": "1"}
    environ["LOGROUTER_RESOURCE__X"] = "3"
    assert load_text("resource: {service.name: ours}", environ).resource == {
        "service.name": "ours",
        "team": "a,b c",
        "x": "3",
    }


def test_no_variable_of_the_tests_is_taken_for_an_option() -> None:
    """Whoever has exported one for the tests runs logrouter in the same shell."""
    tests = Path(__file__).parents[1]
    texts = [path.read_text(encoding="utf-8") for path in tests.rglob("*.py")]
    read = [name for text in texts for name in re.findall(r'\benviron\.get\("(\w+)"', text)]
    assert [name for name in read if name.startswith("LOGROUTER_")] == []
    assert "TEST_LOKI" in read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("OTEL_RESOURCE_ATTRIBUTES", f"team=a,{bad}") for bad in ("nonsense", "a=%ff", "a=\udcff", "=b")),
        ("OTEL_SERVICE_NAME", "shop \udcff"),
    ],
)
def test_a_bad_variable_of_others_is_a_warning(load_text: Loader, name: str, value: str) -> None:
    settings = load_text(environ={name: value})
    assert settings.resource == {}
    assert [warning.place for warning in settings.warnings] == [name]


def test_what_is_the_convention_of_a_destination_is_given_to_sinks_and_never_shown(load_text: Loader) -> None:
    environ = {"AWS_REGION": "eu-north-1", "AWS_SECRET_ACCESS_KEY": "hush", "HOME": "/root", "PATH": "/bin"}
    settings = load_text(environ=environ)
    assert make_sink("stdout", settings).context.environ == {
        "AWS_REGION": "eu-north-1",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "HOME": "/root",
    }
    assert "hush" not in repr(settings) + render_effective(settings)
