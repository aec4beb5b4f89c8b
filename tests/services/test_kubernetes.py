"""The manifests of configs/kubernetes against the schemas that Kubernetes publishes with its API."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.processes import REPOSITORY
from tests.manifests import MANIFESTS
from tests.services import programs

VALIDATOR = "kubernetes-validate==1.37.0"
"""Holds the schemas of the OpenAPI of each release, and tells what they do not know."""
SCRIPT = """
import sys, yaml, kubernetes_validate
for document in yaml.safe_load_all(sys.stdin):
    kubernetes_validate.validate(document, sys.argv[1], strict=True)
"""


@pytest.fixture(scope="module")
def validator() -> Path:
    """A Python that has it."""

    def build(folder: Path) -> None:
        programs.run([sys.executable, "-m", "venv", folder], folder)
        programs.run([folder / "bin" / "pip", "install", "--quiet", VALIDATOR], folder)

    return programs.installed(VALIDATOR, build) / "bin" / "python"


def validate(validator: Path, text: str, release: str) -> str:
    """What is wrong with a manifest, by a release of Kubernetes; nothing where it is right."""
    done = subprocess.run([validator, "-c", SCRIPT, release], input=text, capture_output=True, text=True)
    return done.stderr


@pytest.mark.parametrize("release", ["1.29", "1.37"])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.stem)
def test_kubernetes_knows_every_field(validator: Path, manifest: Path, release: str) -> None:
    assert validate(validator, manifest.read_text(), release) == ""


@pytest.mark.parametrize(
    ("right", "wrong"), [("restartPolicy:", "restartPolizy:"), ("failureThreshold: 6", "failureThreshold: six")]
)
def test_a_mistake_would_be_found(validator: Path, right: str, wrong: str) -> None:
    text = next(path for path in MANIFESTS if path.stem == "job").read_text()
    assert right in text
    assert "six" in (told := validate(validator, text.replace(right, wrong), "1.37")) or "restartPolizy" in told


KUBECTL = """#!/bin/sh
echo "$@" >> asked
while [ $# -gt 0 ]; do [ "$1" != --filename ] || cat "$2" >> applied; shift; done
"""
"""Takes what it is given; what of it Kubernetes would take, the validator says."""


def test_what_the_page_begins_with(validator: Path, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs" / "kubernetes.md").read_text()
    block = re.search(r"<!-- sidecar -->\n```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    (tmp_path / "configs").symlink_to(REPOSITORY / "configs")
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh", "-euc", block[1]], cwd=tmp_path, env=environ, check=True)
    applied = (tmp_path / "applied").read_text()
    assert validate(validator, applied, "1.37") == ""
    assert re.findall(r"image: (\S+)", applied) == ["registry.example.org/logrouter:0.1.0", "web:latest"]
    asked = (tmp_path / "asked").read_text().splitlines()[-1]
    selector, container = re.findall(r"--(?:selector|container) (\S+)", asked)
    assert f"{selector.replace('=', ': ')}}}" in applied
    assert f"name: {container}\n" in applied
