"""The alert rules, judged by Prometheus's own tool: each fires for what it is about and for nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from tests.drill.exercises import EXERCISES, NOT_CAUSED
from tests.drill.scene import FOR, LIMITS, shortened
from worker import certificates
from worker.ops.gauges import GAUGES

HERE = Path(__file__).parent
RULES = HERE.parent.parent / "deploy" / "prometheus" / "rules.yaml"
CASES = HERE / "alerts.yaml"
RUNBOOK = HERE.parent.parent / "docs" / "runbook.md"


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


def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() -> None:
    """With what it means, what to look at, what to type and whom to call; each alert points there."""
    rules = {
        rule["alert"]: rule
        for group in yaml.safe_load(RULES.read_text())["groups"]
        for rule in group["rules"]
    }
    sections = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", RUNBOOK.read_text(), re.MULTILINE | re.DOTALL))
    assert sections.keys() == rules.keys()
    for name, section in sections.items():
        assert re.findall(r"^\*\*(\w+)\.\*\* .", section, re.MULTILINE) == [
            "Means",
            "Look",
            "Type",
            "Call",
        ], name
        assert rules[name]["annotations"]["runbook_url"] == f"docs/runbook.md#{name.lower()}"
        assert rules[name]["labels"]["severity"] in ("page", "ticket")


def test_every_alert_is_shown_in_its_cases_not_to_come_as_well() -> None:
    silent = {
        case["alertname"]
        for test in yaml.safe_load(CASES.read_text())["tests"]
        for case in test["alert_rule_test"]
        if not case["exp_alerts"]
    }
    rules = {
        rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    }
    assert rules - silent == set()


def test_every_metric_that_a_rule_names_is_one_that_the_program_has() -> None:
    named = set(re.findall(r"writeback_\w+", RULES.read_text()))
    counters = {f"writeback_{name}_total" for name in ("runs", "defects")}
    others = {family.name for family in certificates.EXPIRES.collect()}
    assert named - counters - others <= {f"writeback_{name}" for name in GAUGES}


def test_the_drill_causes_every_alert_or_says_where_it_is_tried_instead() -> None:
    rules = {
        rule["alert"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    }
    caused = {exercise.alert for exercise in EXERCISES}
    assert caused | NOT_CAUSED.keys() == rules
    assert caused & NOT_CAUSED.keys() == set()


def test_the_drill_shortens_what_the_rules_say() -> None:
    """A limit that the rules no longer have would leave the drill waiting for hours."""
    shipped = yaml.safe_load(RULES.read_text())
    before = {rule["alert"]: rule["expr"] for group in shipped["groups"] for rule in group["rules"]}
    after = {rule["alert"]: rule for group in shortened(shipped)["groups"] for rule in group["rules"]}
    assert all(after[name]["expr"] != before[name] for name in LIMITS)
    assert {rule.get("for", FOR) for rule in after.values()} == {FOR}
