"""The files of `deploy/`, judged by the tools of those who run them: Docker, Kubernetes, systemd."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.topology import EVENTS_QUEUE
from tests.granted import DEPLOY
from tests.servers import ServerError
from tests.servers.tools import tool
from worker import __version__

ROOT = DEPLOY.parent
KUBERNETES = DEPLOY / "kubernetes"
DOCKERFILES = sorted(DEPLOY.rglob("Dockerfile"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSED = 3.0
EVERY_COMMAND = "/bin/true"


def judged(*command: str | Path) -> str:
    """What the tool says. Fails with it where it objects."""
    done = subprocess.run(
        [str(part) for part in command], text=True, capture_output=True, check=False, cwd=ROOT
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def installed(name: str) -> Path:
    """A tool of the tests' own environment."""
    return Path(sys.executable).parent / name


@pytest.fixture(scope="module")
def systemd_analyze() -> str:
    try:
        return tool("systemd-analyze", "systemd")
    except ServerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda file: file.parent.name)
def test_hadolint_finds_nothing_in_a_dockerfile(file: Path) -> None:
    judged(installed("hadolint"), file)


def test_the_image_runs_as_no_root_and_says_how_it_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    assert re.search(r"^ARG BASE=\S+@sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in text and "--require-hashes" in text
    assert f"ARG VERSION={__version__}\n" in text


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return document


def test_the_compose_file_fits_its_specification() -> None:
    judged(installed("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose.yaml")


def test_every_service_is_pinned_bounded_and_has_no_right_it_was_not_given() -> None:
    for name, service in compose()["services"].items():
        assert "build" in service or re.search(r"@sha256:|^tardy-writeback:", service["image"]), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["mem_limit"], name
        assert "privileged" not in service and "docker.sock" not in json.dumps(service), name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name


def test_what_the_compose_file_mounts_is_there_and_no_password_stands_in_it() -> None:
    volumes = compose()["volumes"]
    for name, service in compose()["services"].items():
        for mount in service.get("volumes", ()):
            source = mount.partition(":")[0]
            assert source in volumes or (DEPLOY / source).exists(), (name, mount)
    assert not re.search(r"(?i)(password|_pass): *[^/{\s]", (DEPLOY / "compose.yaml").read_text())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_knows_every_line_of_a_unit(unit: Path, tmp_path: Path, systemd_analyze: str) -> None:
    """As if it were installed: the command that it starts is one that is there."""
    text = re.sub(r"^ExecStart=\S+", f"ExecStart={EVERY_COMMAND}", unit.read_text(), flags=re.MULTILINE)
    copy = tmp_path / unit.name.replace("@", "@consumer")
    copy.write_text(text)
    for drop_ins in unit.parent.glob(f"{unit.stem}*.service.d"):
        shutil.copytree(drop_ins, tmp_path / drop_ins.name)
    assert judged(systemd_analyze, "verify", "--man=no", copy) == ""


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_exposed_to_little(unit: Path, systemd_analyze: str) -> None:
    threshold = str(int(MOST_EXPOSED * 10))
    judged(systemd_analyze, "security", "--offline=true", "--no-pager", f"--threshold={threshold}", unit)


def resources() -> Iterator[dict[str, Any]]:
    """What each kustomization applies."""
    for kustomization in sorted(KUBERNETES.rglob("kustomization.yaml")):
        listed = yaml.safe_load(kustomization.read_text())["resources"]
        for name in listed:
            yield from yaml.safe_load_all((kustomization.parent / name).read_text())


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in resources() if one["kind"] == kind}


def pods() -> Iterator[dict[str, Any]]:
    for one in resources():
        if one["kind"] in ("Deployment", "Job"):
            yield one["spec"]["template"]["spec"]


def test_kubernetes_knows_every_field_of_a_manifest() -> None:
    files = [
        path
        for path in sorted(KUBERNETES.rglob("*.yaml"))
        if path.name not in ("kustomization.yaml", "scaling.yaml")
    ]
    judged(installed("kubernetes-validate"), "--strict", "--quiet", *files)
    listed = {
        (kustomization.parent / name)
        for kustomization in KUBERNETES.rglob("kustomization.yaml")
        for name in yaml.safe_load(kustomization.read_text())["resources"]
    }
    assert listed == {path for path in KUBERNETES.rglob("*.yaml") if path.name != "kustomization.yaml"}


def test_every_pod_fits_the_restricted_standard_and_takes_secrets_as_files() -> None:
    for pod in pods():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]
            assert not any("valueFrom" in variable for variable in container["env"])


def test_a_worker_is_killed_for_a_hang_alone_and_gets_no_traffic_before_it_is_ready() -> None:
    for deployment in named("Deployment").values():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 30


def test_keda_scales_the_consumers_by_the_queue_that_they_take_from() -> None:
    """Fields as https://keda.sh/docs/latest/reference/scaledobject-spec/ and its RabbitMQ scaler name them."""
    [scaled] = named("ScaledObject").values()
    [trigger] = scaled["spec"]["triggers"]
    assert scaled["spec"]["scaleTargetRef"]["name"] in named("Deployment")
    assert "replicas" not in named("Deployment")[scaled["spec"]["scaleTargetRef"]["name"]]["spec"]
    assert 1 <= scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    assert trigger["type"] == "rabbitmq"
    assert trigger["metadata"]["queueName"] == EVENTS_QUEUE
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    assert trigger["authenticationRef"]["name"] in named("TriggerAuthentication")


def test_each_budget_and_policy_is_about_pods_that_there_are() -> None:
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in named("Deployment").values()]
    for kind, selector in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for name, one in named(kind).items():
            wanted = one["spec"][selector].get("matchLabels", {}).items()
            assert any(wanted <= pod.items() for pod in labels), name
