from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from logrouter.config import Settings
from logrouter.config.effective import config_hash, describe_effective, render_effective
from logrouter.sinks import Sink, SinkConfig
from logrouter.templates import Template
from logrouter.values import MaybeSecret, Secret, all_revealed
from tests.config.conftest import COMPONENTS

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
        ("${GONE:?set it in the pod}", "resource.x: the variable GONE is not set: set it in the pod"),
        ("${EMPTY:?}", "resource.x: the variable EMPTY is not set"),
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


@pytest.mark.parametrize(
    "text",
    [
        "sinks: {v: {type: vault, url: 'https://h', flush: '${GONE}', on_reject: keep}}",
        "sinks: {v: 'vault+https://${GONE}:9/'}",
        "sinks: {v: '${GONE}'}",
        "sinks: {v: {type: '${GONE}'}}",
        "sinks: {a: {url: 'file:a', match: '${GONE}'}}",
        "sources: {stdin: {max_line: 8MiB}}\nspool: {memory: '${GONE}'}",
        "run: {capture: spool}\nspool: {directory: '${GONE}'}",
        "run: {app_grace: 1h}\nshutdown_timeout: ${GONE}",
        "routes: [{to: '${GONE}'}]",
        "steps: [{redact: {patterns: '${GONE}'}}]",
        "steps: ['${GONE}']",
    ],
)
def test_what_only_follows_from_a_variable_that_is_missing_is_not_told(mistakes_in: Finder, text: str) -> None:
    told = mistakes_in(text)
    assert [line for line in told if "the variable GONE is not set" not in line] == []
    assert len(told) == 1


def test_other_mistakes_beside_a_variable_that_is_missing_are_told(mistakes_in: Finder) -> None:
    told = mistakes_in("sinks: {v: {url: 'vault+https://${GONE}/', ratio: x, match: 'a =='}}")
    assert [line.partition(": ")[2].partition(":")[0] for line in told] == [
        "sinks.v.url",
        "sinks.v.ratio",
        "sinks.v.match",
    ]


def test_a_credential_of_systemd_is_a_secret(load_text: Loader, tmp_path: Path) -> None:
    (tmp_path / "es-password").write_text("hunter2\n")
    text = "sinks: {v: {url: vault+https://h, password: '${credential:es-password}'}}"
    settings = load_text(text, {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert settings.sinks["v"].config.password.reveal() == "hunter2"
    shown = {line.key: (line.value, line.origin) for line in describe_effective(settings)}
    assert shown["sinks.v.password"] == ('"********"', "logrouter.yaml:1:45 ${credential:es-password}")


NONE_GIVEN = "there are no credentials: CREDENTIALS_DIRECTORY is not set, so {} cannot be read"


@pytest.mark.parametrize(
    ("name", "environ", "told"),
    [
        ("pw", {}, NONE_GIVEN.format("'pw'")),
        ("pw", {"CREDENTIALS_DIRECTORY": ""}, NONE_GIVEN.format("'pw'")),
        ("pw", {"CREDENTIALS_DIRECTORY": "/nowhere"}, "'/nowhere/pw' cannot be read: No such file or directory"),
        ("../pw", {"CREDENTIALS_DIRECTORY": "/nowhere"}, "expected the name of a credential, not '../pw'"),
        ("..", {"CREDENTIALS_DIRECTORY": "/nowhere"}, "expected the name of a credential, not '..'"),
        ("", {"CREDENTIALS_DIRECTORY": "/nowhere"}, "expected the name of a credential, not ''"),
    ],
)
def test_a_credential_that_cannot_be_had(mistakes_in: Finder, name: str, environ: dict[str, str], told: str) -> None:
    assert mistakes_in(f"resource:\n  x: a ${{credential:{name}}}\n", environ) == [
        f"logrouter.yaml:2:8: resource.x: {told}"
    ]


def test_variables_and_flags_are_not_filled_in(load_text: Loader) -> None:
    environ = {"LOGROUTER_RESOURCE__A": "at ${HOME}", "HOME": "/root"}
    assert load_text(environ=environ, sets=["resource.b=${HOME}"]).resource == {"a": "at ${HOME}", "b": "${HOME}"}


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
        ("spool: {memory: HERE}", "spool.memory"),
        ("log_level: HERE", "log_level"),
        ("sources: {a: {type: stdin, parse: HERE}}", "sources.a.parse"),
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
        problem = f"{option}: what a file holds is secret, and this is shown by `config` and in errors"
        assert told.partition(": ")[2].startswith(problem)
    assert "hunter2" not in told


class CloudConfig(SinkConfig, kw_only=True, frozen=True):
    url: MaybeSecret
    user: Secret | None = None
    password: Secret | None = None
    token: Secret | None = None
    index: Template = Template.parse("logs")
    tenant: str = ""


class CloudSink(Sink[CloudConfig]):
    Config: ClassVar[type[SinkConfig]] = CloudConfig
    transport = "none"
    names_by = ("index",)

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        if "bad" in url:
            raise ValueError(f"bad: {url}")
        return {"url": url.removeprefix("cloud+")}


PASSWORD = "p@evil.example:1/?#& %41+"
TOKEN = "t&user=x"


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sink whose options are secret, and files of secrets."""
    monkeypatch.setitem(COMPONENTS["sinks"], "cloud", CloudSink)
    (tmp_path / "s").write_text("hunter2\n")
    (tmp_path / "pw").write_text(PASSWORD)
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "empty").write_text("")


def shown(settings: Settings) -> str:
    return f"{settings!r} {render_effective(settings)} {describe_effective(settings)} {config_hash(settings)}"


def test_a_resource_out_of_a_file_is_not_shown(load_text: Loader, secrets: None) -> None:
    text = """
    resource: {k8s: {namespace.name: "${file:s}"}, pod: "a-${file:s}", empty: "${file:empty}", "n": 1.10}
    sinks: {file: {path: x, include: [pod]}}
    """
    settings = load_text(text)
    assert all_revealed(settings.resource) == {
        "k8s.namespace.name": "hunter2", "pod": "a-hunter2", "empty": "", "n": "1.10",
    }  # fmt: skip
    lines = [(line.key, line.value) for line in describe_effective(settings)]
    assert lines[:4] == [
        ("resource.k8s.namespace.name", '"********"'), ("resource.pod", '"********"'),
        ("resource.empty", '"********"'), ("resource.n", '"1.10"'),
    ]  # fmt: skip
    assert "hunter2" not in shown(settings)
    assert load_text(environ={"LOGROUTER_RESOURCE": "{x: '${file:s}'}"}).resource["x"] == "hunter2"


@pytest.mark.parametrize("template", ["{pod}-x", '{resource["pod"]}', "{meta.stream}{resource.pod}"])
def test_a_name_is_not_made_from_a_resource_out_of_a_file(mistakes_in: Finder, secrets: None, template: str) -> None:
    text = f"resource: {{pod: '${{file:s}}'}}\nsinks:\n  a: {{url: 'cloud+https://h', index: '{template}'}}\n"
    problem = 'sinks.a.index: resource["pod"] is out of a file, and this is shown in errors'
    assert mistakes_in(text) == [f"logrouter.yaml:3:38: {problem} (use ${{VAR}} in `resource`)"]
    assert mistakes_in(text.replace("${file:s}", "a-1")) == []


def test_secrets_are_parts_of_a_url(load_text: Loader, secrets: None) -> None:
    text = """
    sinks:
      a: cloud+https://${file:s}:x${file:pw}@es:9200/x?token=${file:token}&tenant=${TENANT}
      b: {url: "cloud+https://u:${file:empty}@es/", include: []}
    """
    settings = load_text(text, {"TENANT": "t"})
    a, b = settings.sinks["a"].config, settings.sinks["b"].config
    assert (a.url, a.tenant, type(a.url), type(a.tenant)) == ("https://es:9200/x", "t", str, str)
    secret = (a.user, a.password, a.token, b.password)
    assert [value.reveal() for value in secret] == ["hunter2", f"x{PASSWORD}", TOKEN, ""]
    assert "hunter2" not in shown(settings)
    assert "evil" not in shown(settings)


def test_a_secret_may_be_in_the_query_of_an_endpoint(load_text: Loader, secrets: None) -> None:
    settings = load_text("sinks: {a: {type: cloud, url: 'https://h:1/push?key=${file:token}'}}")
    assert settings.sinks["a"].config.url.reveal() == "https://h:1/push?key=t%26user%3Dx"
    assert "%26user" not in shown(settings)


def test_a_whole_url_may_be_secret(load_text: Loader, secrets: None, tmp_path: Path) -> None:
    (tmp_path / "url").write_text("cloud+https://u:hunter2@host:1/T0/B0?token=hunter3\n")
    (tmp_path / "endpoint").write_text("https://host/T0/B0?x=hunter3")
    text = "sinks: {a: '${file:url}', b: {type: cloud, url: '${file:endpoint}'}}"
    settings = load_text(text, {"LOGROUTER_SINK_A__TENANT": "t"})
    a, b = settings.sinks["a"].config, settings.sinks["b"].config
    assert [value.reveal() for value in (a.url, a.user, a.password, a.token, b.url)] == [
        "https://host:1/T0/B0", "u", "hunter2", "hunter3", "https://host/T0/B0?x=hunter3",
    ]  # fmt: skip
    assert a.tenant == "t"
    assert not any(word in shown(settings) for word in ("hunter", "host", "T0"))


REFUSED = "what a file holds is secret, and this part of a URL is shown by `config` and in errors"
UNKNOWN = "what the file holds, which is kept secret, is no URL of a known type"
SHOWN = "what a file holds is secret, and this is shown by `config` and in errors"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("${file:s}://h", f"sinks.a: {REFUSED}"),
        ("cloud+${file:s}://h", f"sinks.a: {REFUSED}"),
        ("cloud+https://${file:s}:9200", f"sinks.a: {REFUSED}"),
        ("cloud+https://u:p@${file:s}", f"sinks.a: {REFUSED}"),
        ("cloud+https://h/${file:s}", f"sinks.a: {REFUSED}"),
        ("cloud+https://h/?${file:s}=x", f"sinks.a: {REFUSED}"),
        ("cloud+https://h/?${file:s}", "sinks.a: expected key=value in the query, not '********'"),
        ("cloud+https://h/?tenant=${file:s}", f"sinks.a.tenant: {SHOWN}"),
        ("cloud+https://h/?index=a-${file:s}", f"sinks.a.index: {SHOWN}"),
        ("cloud+https://h/?match=${file:s}", f"sinks.a.match: {SHOWN}"),
        ("vault+https://${file:s}:x@h", f"sinks.a.user: {SHOWN}"),
        ("stdout?format=${file:s}", f"sinks.a.format: {SHOWN}"),
        ("file:${file:s}", f"sinks.a: {REFUSED}"),
        ("/var/${file:s}", f"sinks.a: {REFUSED}"),
        ("${file:s}", f"sinks.a: {UNKNOWN}"),
        ("${file:empty}", f"sinks.a: {UNKNOWN}"),
    ],
)
@pytest.mark.parametrize("form", ["sinks: {a: 'HERE'}", "sinks: {a: {url: 'HERE'}}"])
def test_other_parts_of_a_url_are_no_secrets(
    mistakes_in: Finder, secrets: None, url: str, told: str, form: str
) -> None:
    (found,) = mistakes_in(form.replace("HERE", url))
    assert found.partition(": ")[2].startswith(told)
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("file:hunter2", [f"sinks.a.path: {SHOWN}"]),
        ("file://hunter2/x", [f"sinks.a.path: {SHOWN}"]),
        ("file://", ["sinks.a: the URL, which is kept secret, makes no sense here"]),
        ("stdout:hunter2", ["sinks.a: the URL, which is kept secret, makes no sense here"]),
        ("vault+https://hunter2", [f"sinks.a.url: {SHOWN}"]),
        ("cloud+https://h/?tenant=hunter2", [f"sinks.a.tenant: {SHOWN}"]),
        ("cloud+https://h/?hunter2=x", ["sinks.a: unknown key in the URL, which is kept secret"]),
        ("cloud+https://h/?hunter2", [f"sinks.a: {UNKNOWN}"]),
        ("cloud+https://bad/hunter2", ["sinks.a: the URL, which is kept secret, makes no sense here"]),
        ("cloud+https://h/?url=hunter2", ["sinks.a: the URL says 'url' twice"]),
        ("hunter2:x", [f"sinks.a: {UNKNOWN}"]),
        ("/hunter2/x", [f"sinks.a: {UNKNOWN}"]),
    ],
)
def test_what_is_wrong_with_a_secret_url_does_not_show_it(
    mistakes_in: Finder, secrets: None, tmp_path: Path, url: str, told: list[str]
) -> None:
    (tmp_path / "url").write_text(url)
    found = mistakes_in("sinks: {a: '${file:url}'}")
    assert [mistake.partition(": ")[2][: len(text)] for mistake, text in zip(found, told, strict=True)] == told
    assert "hunter2" not in "".join(found)
