"""Components made for these tests: what config must cope with, whatever the real ones become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from logrouter import component
from logrouter.config import Flags, Settings, load
from logrouter.errors import ConfigError, ExpressionError
from logrouter.sinks import Sink, SinkConfig
from logrouter.sources import Source, SourceConfig
from logrouter.steps import Step, StepConfig
from logrouter.values import Duration, Secret, Size


class FileConfig(SinkConfig, kw_only=True, frozen=True):
    path: str
    format: Literal["json", "raw", "logfmt"] = "json"
    rotate_size: Size | None = None
    keep: Annotated[int, msgspec.Meta(ge=1)] = 5
    fsync: bool = True


class FileSink(Sink[FileConfig]):
    Config = FileConfig
    transport = "none"

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        path = url.removeprefix("file:").removeprefix("//")
        if not path:
            raise ValueError("expected a path after 'file:'")
        return {"path": path}


class StdoutConfig(SinkConfig, kw_only=True, frozen=True):
    format: Literal["auto", "json", "raw"] = "auto"


class StdoutSink(Sink[StdoutConfig]):
    Config = StdoutConfig
    transport = "none"


class VaultConfig(SinkConfig, kw_only=True, frozen=True):
    url: str
    user: str | None = None
    password: Secret | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    tags: tuple[str, ...] = ()
    ratio: float = 1.0
    flush: Duration | Literal["never"] = Duration(1.0)
    on_reject: Literal["keep", "discard"] = "keep"


class VaultSink(Sink[VaultConfig]):
    Config = VaultConfig
    transport = "none"

    @classmethod
    def options_from_url(cls, url: str) -> dict[str, Any]:
        return {"url": url.removeprefix("vault+")}


class StdinConfig(SourceConfig, kw_only=True, frozen=True):
    pass


class StdinSource(Source[StdinConfig]):
    Config = StdinConfig


class SetConfig(StepConfig, kw_only=True, frozen=True):
    fields: dict[str, Any]


class SetStep(Step[SetConfig]):
    Config = SetConfig

    def __init__(self, config: SetConfig) -> None:
        super().__init__(config)
        for text in (*config.fields, *config.fields.values()):
            if isinstance(text, str) and "!" in text:
                raise ExpressionError("unexpected '!'", text, text.index("!"), "leave it out")

    @classmethod
    def options_from(cls, value: Any) -> Any:
        return {"fields": value}


class RemoveConfig(StepConfig, kw_only=True, frozen=True):
    fields: tuple[str, ...]


class RemoveStep(Step[RemoveConfig]):
    Config = RemoveConfig

    @classmethod
    def options_from(cls, value: Any) -> Any:
        return {"fields": value} if isinstance(value, list) else value


class DiscardConfig(StepConfig, kw_only=True, frozen=True):
    def __post_init__(self) -> None:
        if self.when is None:
            raise ValueError("needs 'when': without it every event would be discarded")


class DiscardStep(Step[DiscardConfig]):
    Config = DiscardConfig
    decides = True


class RedactConfig(StepConfig, kw_only=True, frozen=True):
    patterns: tuple[str, ...] = ()
    action: Literal["mask", "hash"] = msgspec.field(name="with", default="mask")
    key: Secret | None = None


class RedactStep(Step[RedactConfig]):
    Config = RedactConfig

    @classmethod
    def warnings(cls, config: RedactConfig) -> list[str]:
        return [] if config.patterns else ["nothing to redact"]


COMPONENTS: dict[str, dict[str, type[Any]]] = {
    "sinks": {"file": FileSink, "stdout": StdoutSink, "vault": VaultSink},
    "sources": {"stdin": StdinSource},
    "steps": {"discard": DiscardStep, "redact": RedactStep, "remove": RemoveStep, "set": SetStep},
}


@pytest.fixture(autouse=True)
def components(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component, "names", lambda kind: tuple(COMPONENTS[kind]))
    monkeypatch.setattr(component, "load", lambda kind, name: COMPONENTS[kind][name])


Loader = Callable[..., Settings]
Finder = Callable[..., list[str]]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    """Loads a text as `logrouter.yaml`, with variables and flags."""
    monkeypatch.chdir(tmp_path)

    def load_it(text: str | bytes | None = None, environ: Mapping[str, str] = {}, **flags: list[str]) -> Settings:
        if text is not None:
            Path("logrouter.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return load((), environ, Flags(**flags), system_folder=tmp_path / "etc")

    return load_it


@pytest.fixture
def mistakes_in(load_text: Loader) -> Finder:
    """The mistakes that loading finds, as the user reads them."""

    def find(text: str | bytes | None = None, environ: Mapping[str, str] = {}, **flags: list[str]) -> list[str]:
        try:
            load_text(text, environ, **flags)
        except ConfigError as error:
            return [str(mistake) for mistake in error.mistakes]
        return []

    return find
