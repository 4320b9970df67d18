"""Where a server comes from if no URL is given: a program here, Docker, apt-get; else what to type."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.servers.errors import ServerError

DOCKER_SECONDS = 10.0
INSTALL_SECONDS = 600.0

# Packages may start their own servers on fixed ports: as long as this policy is there, none does. apt-get's
# own words go to standard error, where the reason is looked for.
INSTALL = """
set -e
trap 'exit 1' HUP INT TERM
if [ ! -e "$POLICY" ]; then
    trap 'rm -f "$POLICY"' EXIT
    printf '#!/bin/sh\\nexit 101\\n' > "$POLICY"
    chmod 755 "$POLICY"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update || true
apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$@"
"""
POLICY = "/usr/sbin/policy-rc.d"

_installing = threading.Lock()


@dataclass(frozen=True, slots=True)
class Service:
    """What is looked for: its name, the variable that may hold its URL, its Debian package, and how to find
    the folder of its programs (None: not here)."""

    name: str
    variable: str
    package: str
    find: Callable[[], Path | None]


@dataclass(frozen=True, slots=True)
class Found:
    """Where the service comes from: a folder of programs `here`, or `docker`."""

    where: Literal["here", "docker"]
    folder: Path = Path()


def resolve(service: Service) -> Found:
    """The first way that works. Raises ServerError with the line to type."""
    if folder := service.find():
        return Found("here", folder=folder)
    if docker_answers():
        return Found("docker")
    trouble = install(service.package)
    if folder := service.find():
        return Found("here", folder=folder)
    raise ServerError(f"{service.name} is not here ({trouble}): {advice(service)}")


def advice(service: Service) -> str:
    """The one line to type."""
    if shutil.which("apt-get"):
        return f"sudo apt-get install -y {service.package}"
    return f"install {service.name}, start Docker, or set {service.variable} to the URL of one for tests"


def docker_answers() -> bool:
    """Whether a Docker engine answers (the command alone is not enough)."""
    if shutil.which("docker") is None:
        return False
    try:
        asked = subprocess.run(
            ["docker", "version", "--format={{.Server.Version}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOCKER_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return asked.returncode == 0


def install(package: str, policy: str = POLICY) -> str:
    """Installs a Debian package, with no server of it started. Returns why that did not go; "" where it
    did."""
    if shutil.which("apt-get") is None:
        return "no apt-get"
    become = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if become and not _may(become):
        return "neither root nor sudo without a password"
    with _installing:
        return _run_install([*become, "env", f"POLICY={policy}", "sh", "-c", INSTALL, "sh", package])


def _may(become: list[str]) -> bool:
    if shutil.which(become[0]) is None:
        return False
    return subprocess.run([*become, "true"], capture_output=True, check=False).returncode == 0


def _run_install(command: list[str]) -> str:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"apt-get has not ended after {INSTALL_SECONDS:g} s"
    if done.returncode == 0:
        return ""
    words = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
    return f"apt-get failed: {words[0] if words else f'status {done.returncode}'}"
