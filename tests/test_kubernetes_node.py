"""The manifest of configs/kubernetes-node: its config is right, and its parts fit each other."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from logrouter.config import load
from logrouter.config.settings import Settings
from logrouter.runtime.tailing.globs import Patterns

MANIFEST = Path(__file__).parents[1] / "configs" / "kubernetes-node" / "daemonset.yaml"


@pytest.fixture
def documents() -> dict[str, dict[str, Any]]:
    return {document["kind"]: document for document in yaml.safe_load_all(MANIFEST.read_text(encoding="utf-8"))}


@pytest.fixture
def pod(documents: dict[str, dict[str, Any]]) -> dict[str, Any]:
    spec: dict[str, Any] = documents["DaemonSet"]["spec"]["template"]["spec"]
    return spec


@pytest.fixture
def settings(documents: dict[str, dict[str, Any]]) -> Settings:
    (text,) = documents["ConfigMap"]["data"].values()
    return load(environ={"NODE_NAME": "node-1", "LOGROUTER_CONFIG_YAML": text})


def test_the_config_is_right(settings: Settings) -> None:
    assert settings.warnings == ()
    assert {source.type for source in settings.sources.values()} == {"cri"}


def test_it_reads_and_writes_what_is_mounted(settings: Settings, pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    assert {mount["name"] for mount in mounts.values()} == {volume["name"] for volume in pod["volumes"]}
    (source,) = settings.sources.values()
    assert all(pattern.startswith("/var/log/pods/") for pattern in source.config.include)
    assert mounts["/var/log/pods"]["readOnly"]
    assert os.path.dirname(str(settings.spool.directory)) in mounts
    assert "/etc/logrouter" in mounts  # where a config is looked for


def test_it_leaves_out_what_it_writes_itself(
    settings: Settings, documents: dict[str, dict[str, Any]], pod: dict[str, Any]
) -> None:
    (source,) = settings.sources.values()
    patterns = Patterns(source.config.include, source.config.exclude)
    named = documents["DaemonSet"]["metadata"]
    uid, container = "0b7ee0c4-0e0d-4b6c-8a3c-8a5a4d9c1c11", pod["containers"][0]["name"]
    assert patterns.excludes(f"/var/log/pods/{named['namespace']}_{named['name']}-x2b4z_{uid}/{container}/0.log")
    assert not patterns.excludes(f"/var/log/pods/shop_checkout-0_{uid}/{container}/0.log")


def test_it_may_read_and_nothing_else(pod: dict[str, Any], settings: Settings) -> None:
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "runAsUser": 0,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["terminationGracePeriodSeconds"] > settings.shutdown_timeout
    assert settings.admin.listen is not None
    assert [port["containerPort"] for port in container["ports"]] == [settings.admin.listen.port]
