"""The manifests of configs/kubernetes: the configs in them pass `check`, and their parts fit each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from logrouter.values import Size
from tests.manifests import MANIFESTS, containers_of, documents, pod_of, routers_of, settings_of

REPOSITORY = Path(__file__).resolve().parents[1]
MEASURED_PEAK = Size.parse("90MiB")
"""docs/benchmarks.md, of the sinks that take most."""
LETTERS = Size.parse("64MiB")
"""`dead_letters.max_size`."""


def size(quantity: str) -> int:
    """Bytes of a quantity such as 192Mi."""
    return Size.parse(f"{quantity}B")


every_manifest = pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
beside_an_app = pytest.mark.parametrize(
    "manifest", [path for path in MANIFESTS if path.stem != "node"], ids=lambda path: path.stem
)
"""What is different of the one that reads a whole node: tests/test_kubernetes_node.py."""


@every_manifest
def test_the_config_is_right(manifest: Path) -> None:
    settings = settings_of(manifest)
    assert settings.warnings == ()
    assert [str(name).rpartition(".")[2] for name in documents(manifest)["ConfigMap"]["data"]] == ["yaml"]


@beside_an_app
def test_the_pod_may_do_little(manifest: Path) -> None:
    pod = pod_of(manifest)
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in containers_of(pod):
        may = container["securityContext"]
        assert may["readOnlyRootFilesystem"] is True
        assert may["allowPrivilegeEscalation"] is False
        assert may["capabilities"] == {"drop": ["ALL"]}
        assert {**pod["securityContext"], **may}["runAsUser"] > 0


@beside_an_app
def test_it_runs_as_the_user_of_the_image(manifest: Path) -> None:
    pod = pod_of(manifest)
    (router,) = routers_of(pod)
    (user,) = re.findall(r"^USER (\d+):(\d+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    may = {**pod["securityContext"], **router["securityContext"]}
    assert (may["runAsUser"], may["runAsGroup"], may["fsGroup"]) == (int(user[0]), int(user[1]), int(user[1]))


@every_manifest
def test_names_name_something(manifest: Path) -> None:
    pod, config = pod_of(manifest), documents(manifest)["ConfigMap"]["metadata"]["name"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounted = {mount["name"] for container in containers_of(pod) for mount in container["volumeMounts"]}
    assert mounted == set(volumes)
    assert volumes["config"]["configMap"]["name"] == config
    for container in containers_of(pod):
        ports = {port["name"] for port in container.get("ports", [])}
        probes = [value for key, value in container.items() if key.endswith("Probe")]
        assert {probe["httpGet"]["port"] for probe in probes} <= ports


@every_manifest
def test_paths_are_in_volumes(manifest: Path) -> None:
    """The root is read-only: what logrouter writes is in a volume, and what it reads is where the app writes."""
    (router,), settings = routers_of(pod_of(manifest)), settings_of(manifest)
    mounts = [mount["mountPath"] for mount in router["volumeMounts"]]
    assert str(settings.spool.directory).startswith("/var/lib/logrouter/")
    assert "/var/lib/logrouter" in mounts
    assert "/etc/logrouter" in mounts  # where a config is looked for
    for source in settings.sources.values():
        if source.type == "file":
            assert all(str(Path(pattern).parent) in mounts for pattern in source.config.include)


@every_manifest
def test_the_admin_port_is_the_one_that_is_asked(manifest: Path) -> None:
    (router,), listen = routers_of(pod_of(manifest)), settings_of(manifest).admin.listen
    assert listen is not None
    assert listen.host == "0.0.0.0"
    assert listen.port in [port["containerPort"] for port in router["ports"]]
    asked = {probe["httpGet"]["path"] for key, probe in router.items() if key.endswith("Probe")}
    if "restartPolicy" in router:
        assert asked == {"/healthz", "/readyz"}


@beside_an_app
def test_limits_fit_what_was_measured(manifest: Path) -> None:
    pod, settings = pod_of(manifest), settings_of(manifest)
    (router,) = routers_of(pod)
    resources = router["resources"]
    assert size(resources["limits"]["memory"]) >= 2 * MEASURED_PEAK
    assert size(resources["requests"]["memory"]) >= MEASURED_PEAK
    (spool,) = (volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "spool")
    assert settings.spool.max_size + LETTERS < size(spool) <= size(resources["limits"]["ephemeral-storage"])


@every_manifest
def test_there_is_time_to_deliver(manifest: Path) -> None:
    assert settings_of(manifest).shutdown_timeout < pod_of(manifest)["terminationGracePeriodSeconds"]


@beside_an_app
def test_a_sidecar_is_a_native_one(manifest: Path) -> None:
    """An init container that is restarted always: it is there before the app, and keeps no Job from being complete."""
    pod = pod_of(manifest)
    (router,) = routers_of(pod)
    if manifest.stem == "wrapper":
        assert router["command"] == ["logrouter", "run", "--"]
    else:
        assert router in pod["initContainers"]
        assert router["restartPolicy"] == "Always"
        assert router["startupProbe"]["httpGet"]["path"] == "/readyz"
        assert all(source.config.read_on for source in settings_of(manifest).sources.values())
