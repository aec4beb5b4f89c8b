"""The manifests of configs/kubernetes, taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from logrouter.config import Settings, load

MANIFESTS = sorted((Path(__file__).parents[1] / "configs" / "kubernetes").glob("*.yaml"))


def documents(manifest: Path) -> dict[str, dict[str, Any]]:
    """Kind → document."""
    return {document["kind"]: document for document in yaml.safe_load_all(manifest.read_text())}


def pod_of(manifest: Path) -> dict[str, Any]:
    """The spec of the pods that it makes."""
    (workload,) = (document for kind, document in documents(manifest).items() if kind != "ConfigMap")
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def containers_of(pod: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def routers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """The containers in which logrouter runs."""
    return [one for one in containers_of(pod) if any(mount["name"] == "spool" for mount in one["volumeMounts"])]


def settings_of(manifest: Path) -> Settings:
    """What logrouter makes of the config, with the variables that the manifest sets."""
    (router,) = routers_of(pod_of(manifest))
    (text,) = documents(manifest)["ConfigMap"]["data"].values()
    environ = {variable["name"]: "x" for variable in router["env"]}
    return load(environ={**environ, "LOGROUTER_CONFIG_YAML": text})
