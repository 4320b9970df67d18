"""The alert rules, judged by Prometheus's own tool: each fires for what it is about and for nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml

HERE = Path(__file__).parent
RULES = HERE.parent.parent / "deploy" / "prometheus" / "rules.yaml"
CASES = HERE / "alerts.yaml"


def test_every_alert_rule_does_what_its_cases_say(promtool: str, tmp_path: Path) -> None:
    for file in (RULES, CASES):
        shutil.copy(file, tmp_path)
    for command in (["check", "rules", RULES.name], ["test", "rules", CASES.name]):
        done = subprocess.run(
            [promtool, *command], cwd=tmp_path, text=True, capture_output=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_no_alert_rule_is_without_a_case() -> None:
    rules = {
        rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    }
    cases = {
        case["alertname"]
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert cases == rules
