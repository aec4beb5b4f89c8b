"""Docker's log files: whose they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logrouter.sources.docker import DockerConfig, DockerSource

ID = "4f1b" * 16


def owner(folder: Path, config: bytes | None) -> dict[str, Any]:
    if config is not None:
        (folder / "config.v2.json").write_bytes(config)
    return dict(DockerSource(DockerConfig()).owner_of(f"{folder}/{ID}-json.log"))


def config(name: str, **labels: str) -> bytes:
    known = {"Image": "sha256:0", "State": {"Running": True}, "Config": {"Env": ["A=B"], "Labels": labels}}
    return json.dumps({"Name": name, **known}).encode()


def test_a_container_is_called_what_docker_calls_it(tmp_path: Path) -> None:
    assert owner(tmp_path, config("/web")) == {"container": "web"}


def test_in_kubernetes_it_is_called_what_that_calls_it(tmp_path: Path) -> None:
    labels = {
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.name": "checkout-0",
        "io.kubernetes.container.name": "app",
    }
    assert owner(tmp_path, config("/k8s_app_checkout-0_shop_uid_0", **labels)) == {
        "namespace": "shop",
        "pod": "checkout-0",
        "container": "app",
    }


@pytest.mark.parametrize(
    "odd", [None, b"", b"{", b"[]", b'{"Name":5}', b'{"Name":"\xff"}', b'{"Config":{"Labels":["a"]}}', b"{}"]
)
def test_where_that_cannot_be_read_its_id_is_all_there_is(tmp_path: Path, odd: bytes | None) -> None:
    assert owner(tmp_path, odd) == {"container": ID[:12]}


def test_a_container_without_labels(tmp_path: Path) -> None:
    assert owner(tmp_path, b'{"Name":"/web","Config":{"Labels":null}}') == {"container": "web"}
