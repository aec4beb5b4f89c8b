"""The configuration as the rest of the program sees it: typed, checked, complete.

A source, a step or a sink is named by its type and holds its `Config`; whoever builds the topology makes the
component from it. Rules and templates are parsed, secrets read, durations are seconds and sizes bytes.
"""

from __future__ import annotations

import re
from typing import Any, Final, Literal, Self

import msgspec

from logrouter.config.nodes import Origin, Path
from logrouter.errors import Mistake
from logrouter.rules import Rule
from logrouter.values import Duration, MaybeSecret, Secret, Size

SHUTDOWN_TIMEOUT: Final = Duration(25.0)


class Address(str):
    """`host:port` to listen on. An IPv6 host stands in brackets."""

    __slots__ = ()

    _FORM = r"(?:\[[0-9A-Fa-f:.%]+\]|[A-Za-z0-9.-]+):(\d{1,5})"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError with what was expected."""
        match = re.fullmatch(cls._FORM, text)
        if match is None or int(match[1]) > 65535:
            port = text.removeprefix(":") if re.fullmatch(r":?\d{1,5}", text) else 9598
            raise ValueError(f"expected an address such as 127.0.0.1:{port} or [::1]:{port}, not {text!r}")
        return cls(text)

    @property
    def host(self) -> str:
        """Without brackets, as sockets take it."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """0 to 65535; 0 is any that is free."""
        return int(self.rpartition(":")[2])


class _Settings(msgspec.Struct, kw_only=True, frozen=True):
    """Base of all parts."""


class StepSettings(_Settings, kw_only=True, frozen=True):
    """One step."""

    name: str
    """Its type: `set`, `redact` …"""
    config: Any
    """The step class's `Config`."""


class SourceSettings(_Settings, kw_only=True, frozen=True):
    """One source."""

    type: str
    """What kind of source it is."""
    config: Any
    """The source class's `Config`."""
    steps: tuple[StepSettings, ...] = ()
    """Steps for this source's events, before the steps for all."""


class SinkSettings(_Settings, kw_only=True, frozen=True):
    """One sink."""

    type: str
    """What kind of sink it is."""
    config: Any
    """The sink class's `Config`."""


class RouteSettings(_Settings, kw_only=True, frozen=True):
    """Which events go to which sinks, changed how."""

    name: str
    """Its name in metrics and in `explain`; unique. Default: `route1`, `route2` …, by place."""
    match: Rule | None = None
    """Which events take this route, as a rule. Default: all."""
    steps: tuple[StepSettings, ...] = ()
    """Changes to this route's copy of the event; no other route sees them. Not those that decide, such as `sample`."""
    to: tuple[str, ...]
    """The sinks it feeds, by name. At least one."""
    stop: bool = False
    """Whether an event that takes this route is shown to no later one."""


class SpoolSettings(_Settings, kw_only=True, frozen=True):
    """The one buffer, between the sources and the sinks."""

    durability: Literal["memory", "disk", "sync"] | None = None
    """When an event is safe. `memory`: as soon as it is in the spool; a crash loses what was not delivered. `disk`:
    when it is written to a file; `kill -9` loses nothing that was safe, a power cut up to `sync_interval` of it.
    `sync`: when the disk has confirmed it; nothing that was safe is lost. Default: `disk` where there is a directory,
    else `memory`."""
    directory: str | None = None
    """Where events wait on disk: a folder for this process alone. With `durability: memory` it takes what the memory
    cannot hold, and what is left at the end. Default: `$STATE_DIRECTORY/spool`, which systemd gives, else none."""
    max_size: Size = Size(2**30)
    """How much disk the events may take; at least 16MiB. Less than what is there already throws nothing away. One event
    may take an eighth of it; a larger one is lost, counted and told."""
    memory: Size = Size(16 * 2**20)
    """How much memory the events may take, all in all; at least 1MiB."""
    sync_interval: Duration = Duration(0.2)
    """With `disk`: how often what was written is made to survive a power cut; more than 0."""
    keep: Duration = Duration(0.0)
    """How long delivered events stay on disk, to be looked at (`logrouter spool export`); within `max_size`."""
    when_full: Literal["block", "discard_oldest"] = "block"
    """What happens when a sink lags and the spool is full, for sinks that do not say it themselves: `block` makes
    the sources wait, `discard_oldest` discards the lagging sink's oldest events, counted."""
    block_timeout: Duration | Literal["never"] = Duration(10.0)
    """How long `block` makes a live source (stdin) wait. From then on, until the sink moves again, its oldest
    events are discarded. `never`: wait for ever."""

    def __post_init__(self) -> None:
        if self.memory < 2**20:
            raise ValueError(f"memory must be at least 1MiB, not {self.memory}")
        if self.max_size < 2**24:
            raise ValueError(f"max_size must be at least 16MiB, not {self.max_size}")
        if self.directory == "":
            raise ValueError("directory: expected the path of a folder, and it is empty")
        if self.durability in ("disk", "sync") and self.directory is None:
            raise ValueError(f"durability: {self.durability} needs a directory (spool.directory)")
        if self.sync_interval <= 0:
            raise ValueError("sync_interval must be more than 0")


class DeadLetterSettings(_Settings, kw_only=True, frozen=True):
    """What becomes of events that a destination refuses for good, where the spool has a directory."""

    max_size: Size = Size(64 * 2**20)
    """How much disk they may take, of all sinks together, in the folder `dead-letters` of `spool.directory`; at least
    16MiB. A sink whose destination refuses more than fits waits: `logrouter dlq` makes room."""

    def __post_init__(self) -> None:
        if self.max_size < 2**24:
            raise ValueError(f"max_size must be at least 16MiB, not {self.max_size}")


class AdminSettings(_Settings, kw_only=True, frozen=True):
    """The HTTP port for metrics and health."""

    listen: Address | None = None
    """Where `/metrics`, `/healthz`, `/readyz` and `/status` are served: `127.0.0.1:9598`. Default: nowhere."""


class RunSettings(_Settings, kw_only=True, frozen=True):
    """How an app is run by `logrouter run`."""

    capture: Literal["pipe", "spool"] | None = None
    """How its output reaches the router. `spool`: by files in the folder `capture` of `spool.directory`, so that
    whatever becomes of the router loses nothing and keeps the app waiting for nothing. `pipe`: by its pipes. Default:
    `spool` where the spool has a directory and `durability` is not `memory`."""
    capture_max_size: Size = Size(2**30)
    """How much disk these files may take; at least 1MiB. When they do, the app waits for `spool.block_timeout`; then
    its oldest output is discarded, and counted."""
    app_grace: Duration | None = None
    """How long the app may take to end after SIGTERM, before it is killed; less than `shutdown_timeout`, which is for
    this and for delivering the rest. Default: 15s, or three fifths of `shutdown_timeout` where that is less."""
    tee: bool | None = None
    """Whether what the app writes also goes to our own stdout and stderr, unchanged. Default: yes, but not where a sink
    writes to one of these or a step is `redact`."""
    pass_env: bool = False
    """Whether the app gets to see the variables `LOGROUTER_…`, which may hold secrets."""

    def __post_init__(self) -> None:
        if self.capture_max_size < 2**20:
            raise ValueError(f"capture_max_size must be at least 1MiB, not {self.capture_max_size}")


class Provenance(_Settings, kw_only=True, frozen=True):
    """What is known of the settings beside their values."""

    origins: dict[Path, Origin] = msgspec.field(default_factory=dict)
    """Where each value came from; what is not in it is a default."""
    warnings: tuple[Mistake, ...] = ()
    """What is allowed and probably not meant."""
    notes: tuple[str, ...] = ()
    """What follows from other options, and somebody may wonder about."""
    conventions: dict[str, Secret] = msgspec.field(default_factory=dict)
    """Environment variables that are conventions of destinations, which sinks read themselves: `AWS_REGION`."""


class Settings(_Settings, kw_only=True, frozen=True):
    """All of it."""

    resource: dict[str, MaybeSecret] = msgspec.field(default_factory=dict)
    """Static attributes of this process, `service.name` and the like, for rules (`resource["service.name"]`),
    templates and `include`."""
    sources: dict[str, SourceSettings]
    """Where events come from, by name. Default: `stdin`."""
    steps: tuple[StepSettings, ...] = ()
    """What is done to every event before the spool, once, in order."""
    routes: tuple[RouteSettings, ...] = ()
    """Which events go to which sinks. A sink that no route names takes everything its `match` accepts."""
    sinks: dict[str, SinkSettings]
    """Where events go, by name. Default: `stdout`."""
    spool: SpoolSettings = SpoolSettings()
    """The one buffer, between the sources and the sinks."""
    dead_letters: DeadLetterSettings = DeadLetterSettings()
    """Events that a destination refuses, kept with the reason, to be looked at and sent again."""
    admin: AdminSettings = AdminSettings()
    """The HTTP port for metrics and health."""
    run: RunSettings = RunSettings()
    """How an app is run by `logrouter run`; of no use elsewhere."""
    shutdown_timeout: Duration = SHUTDOWN_TIMEOUT
    """How long a shutdown may take, from SIGTERM or the end of input, for everything."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """From which level on logrouter writes its own events to stderr."""
    allow_plugins: bool = True
    """Whether a type that is not built in may come from another installed package, and the step `python` may run a
    function of yours. What these do is their own affair."""
    provenance: Provenance = Provenance()
    """Not an option: where all of this came from."""

    @property
    def warnings(self) -> tuple[Mistake, ...]:
        """What `check` tells beside mistakes."""
        return self.provenance.warnings
