"""What a word that is none of ours may mean: one that is spelt nearly so, or what another tool calls it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from logrouter.errors import nearest

ELSEWHERE: Final[dict[str, tuple[str, ...]]] = {
    # sections
    "input": ("sources",), "inputs": ("sources",), "outputs": ("sinks",), "output": ("sinks",),
    "destinations": ("sinks",), "transforms": ("steps",), "filters": ("steps",), "processors": ("steps",),
    "pipeline": ("steps", "routes"), "buffer": ("spool",), "env": ("resource",), "labels": ("resource",),
    # sources and sinks
    "tail": ("file",), "filestream": ("file",), "journal": ("journald",), "systemd": ("journald",),
    "kubernetes": ("cri",), "kubernetes_logs": ("cri",), "docker_logs": ("docker",), "pipe": ("stdin",),
    "opensearch": ("elasticsearch",), "es": ("elasticsearch",), "aws_s3": ("s3",), "minio": ("s3",),
    "console": ("stdout",), "null": ("blackhole",), "devnull": ("blackhole",), "webhook": ("http",),
    "prometheus": ("metrics",), "prometheus_exporter": ("metrics",), "log_to_metric": ("metrics",),
    # steps
    "add": ("set",), "add_field": ("set",), "add_fields": ("set",), "mutate": ("set",), "drop": ("discard",),
    "filter": ("match", "discard"), "grep": ("discard",), "mask": ("redact",), "rate_limit": ("throttle",),
    "deduplicate": ("dedupe",), "delete": ("remove",), "drop_fields": ("remove",), "select": ("keep_only",),
    "fingerprint": ("hash",), "lua": ("python",), "script": ("python",), "remap": ("python",),
    # options
    "path": ("include",), "paths": ("include",), "files": ("include",), "file": ("path", "include"),
    "filename": ("path", "include"), "ignore": ("exclude",), "hosts": ("url",), "host": ("url",), "uri": ("url",),
    "address": ("listen", "url"), "if": ("when", "match"), "condition": ("when", "match"), "where": ("when", "match"),
    "codec": ("format", "parse"), "encoding": ("format",), "parser": ("parse",), "parsers": ("parse",),
    "username": ("user",), "api_token": ("token",), "sinks": ("to",), "dir": ("directory",), "data_dir": ("directory",),
    "rate": ("keep",),
}  # fmt: skip
"""Words of Fluent Bit, Vector, Logstash and Filebeat, and ours, of which the first counts that there is."""


def meant_by(word: str, known: Iterable[str]) -> str | None:
    """Which of the known words is meant, if that can be guessed."""
    known, word = list(known), word.lower()
    return next((ours for ours in ELSEWHERE.get(word, ()) if ours in known), None) or nearest(word, known)


def hint_for(word: str, known: Iterable[str]) -> str | None:
    """The same as a hint."""
    meant = meant_by(word, known)
    return f"did you mean {meant!r}?" if meant else None
