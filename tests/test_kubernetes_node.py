"""The manifest for each node of a cluster, where it is not as the others are: see tests/test_kubernetes.py."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from logrouter.config.settings import Settings
from logrouter.runtime.tailing.globs import Patterns
from tests.manifests import documents, pod_of, settings_of

MANIFEST = Path(__file__).parents[1] / "configs" / "kubernetes" / "node.yaml"


@pytest.fixture
def pod() -> dict[str, Any]:
    return pod_of(MANIFEST)


@pytest.fixture
def settings() -> Settings:
    return settings_of(MANIFEST)


def test_it_reads_and_writes_what_is_mounted(settings: Settings, pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    (source,) = settings.sources.values()
    assert source.type == "cri"
    assert all(pattern.startswith("/var/log/pods/") for pattern in source.config.include)
    assert mounts["/var/log/pods"]["readOnly"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    spool = volumes[mounts[os.path.dirname(str(settings.spool.directory))]["name"]]
    assert spool["hostPath"]["type"] == "DirectoryOrCreate", "what outlives the pod is on the node"


def test_it_leaves_out_what_it_writes_itself(settings: Settings, pod: dict[str, Any]) -> None:
    (source,) = settings.sources.values()
    patterns = Patterns(source.config.include, source.config.exclude)
    named = documents(MANIFEST)["DaemonSet"]["metadata"]
    uid, container = "0b7ee0c4-0e0d-4b6c-8a3c-8a5a4d9c1c11", pod["containers"][0]["name"]
    assert patterns.excludes(f"/var/log/pods/{named['namespace']}_{named['name']}-x2b4z_{uid}/{container}/0.log")
    assert not patterns.excludes(f"/var/log/pods/shop_checkout-0_{uid}/{container}/0.log")


def test_it_may_read_and_nothing_else(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "runAsUser": 0,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
