"""A real Prometheus that watches workers on this machine, asked over its API."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.servers.boot import free_ports
from tests.servers.janitor import Janitor
from tests.servers.tools import tool

_ANSWER = 30.0


class Prometheus:
    """Scrapes and judges every second. `targets`: the addresses of workers; `rules`: files of alert rules."""

    def __init__(
        self,
        janitor: Janitor,
        targets: Sequence[str],
        rules: Sequence[Path] = (),
    ) -> None:
        [port] = free_ports(1)
        folder = janitor.new_folder("prometheus")
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(_configuration(targets, rules)))
        self._url = f"http://127.0.0.1:{port}"
        arguments = (
            f"--config.file={folder / 'prometheus.yaml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        )
        with (folder / "prometheus.log").open("wb") as sink:
            janitor.spawn(
                [tool("prometheus", "prometheus"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._url}/-/ready", timeout=_ANSWER) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def query(self, expression: str) -> dict[tuple[tuple[str, str], ...], float]:
        """{labels in the order of their names: value now}."""
        answer = self._get("query", query=expression)
        found = answer["result"] if answer["resultType"] == "vector" else []
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in found}

    def course(self, expression: str, start: float, end: float, step: float) -> Mapping[str, Sequence[Any]]:
        """{labels as text: its points (moment, value)}."""
        answer = self._get("query_range", query=expression, start=str(start), end=str(end), step=str(step))
        return {
            " ".join(one["metric"].values()) or expression: [
                (at, float(value)) for at, value in one["values"]
            ]
            for one in answer["result"]
        }

    def rules(self) -> dict[str, Mapping[str, Any]]:
        """{alert: its state (`inactive`, `pending`, `firing`), health, alerts}."""
        groups = self._get("rules")["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def _get(self, what: str, **given: str) -> Any:
        url = f"{self._url}/api/v1/{what}?{urllib.parse.urlencode(given)}"
        try:
            with urllib.request.urlopen(url, timeout=_ANSWER) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{given}: {error.read().decode()}") from None


def _configuration(targets: Sequence[str], rules: Sequence[Path]) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"},
        "rule_files": [str(file) for file in rules],
        "scrape_configs": [{"job_name": "writeback", "static_configs": [{"targets": list(targets)}]}],
    }
