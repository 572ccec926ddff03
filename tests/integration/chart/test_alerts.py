"""The alerts as the chart renders them, judged by Prometheus' own promtool, and the runbook that they point to."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import alert_cases
import pytest
from rendered_chart import CHART, ROOT, Manifest, of_kind, rendered
from ruamel.yaml import YAML

from rotator.observe.catalogue import METRICS

pytestmark = pytest.mark.ci

RUNBOOK = "https://wiki.example.com/rotator/operations.md"
PROMTOOL = shutil.which("promtool")
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count")}
SERIES = {each.name + suffix for each in METRICS for suffix in _SUFFIXES.get(each.kind, ("",))}


def promtool(*arguments, text=None) -> tuple[int, str]:
    assert PROMTOOL, "promtool is not installed: apt-get install prometheus"
    done = subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def rule() -> Manifest:
    values = {"prometheusRule": {"enabled": True, "runbook": RUNBOOK}}
    return of_kind(rendered(values, name="rotator"), "PrometheusRule")


@pytest.fixture
def rules_file(rule, tmp_path) -> Path:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(rule["spec"]))
    return file


def alerts_of(spec) -> list[dict[str, Any]]:
    return [alert for group in spec["groups"] for alert in group["rules"]]


def test_promtool_accepts_the_rendered_rules_and_the_file_as_it_stands(rules_file, rule):
    count = len(alerts_of(rule["spec"]))
    for file in (rules_file, CHART / "files" / "alerts.yaml"):
        code, said = promtool("check", "rules", str(file))
        assert code == 0, said
        assert f"SUCCESS: {count} rules found" in said


def test_each_alert_fires_when_it_should_and_says_what_is_wrong(rule, tmp_path):
    assert {case.alert for case in alert_cases.CASES} == {alert["alert"] for alert in alerts_of(rule["spec"])}
    code, said = promtool("test", "rules", *alert_cases.unit_tests(rule["spec"]["groups"], tmp_path, RUNBOOK))
    assert code == 0, said


def test_the_unit_tests_can_fail(rule, tmp_path, monkeypatch):
    fires, right = alert_cases.CASES[0], alert_cases.CASES[-1]
    wrong = replace(right, summary="something else")
    monkeypatch.setattr(alert_cases, "CASES", (wrong, fires))  # not the last file decides, but each
    code, said = promtool("test", "rules", *alert_cases.unit_tests(rule["spec"]["groups"], tmp_path, RUNBOOK))
    assert code != 0
    assert "something else" in said


def test_each_alert_goes_by_this_release_alone_and_by_metrics_that_exist(rule):
    for alert in alerts_of(rule["spec"]):
        selectors = re.findall(r"([a-z_]+)\{([^}]*)\}", alert["expr"])
        assert selectors, alert
        for name, labels in selectors:
            assert name == "up" or name in SERIES
            assert labels.startswith('job="rotator",namespace="telephony"')


def test_each_alert_has_a_severity_and_an_entry_in_the_runbook(rule):
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for alert in alerts_of(rule["spec"]):
        page, anchor = alert["annotations"]["runbook_url"].split("#")
        assert page == RUNBOOK
        assert anchor in anchors
        assert alert["labels"]["severity"] in ("warning", "critical")


def test_the_file_points_to_the_page_in_this_repository_where_it_is_used_without_helm():
    spec = YAML(typ="safe", pure=True).load((CHART / "files" / "alerts.yaml").read_text())
    assert all(alert["annotations"]["runbook_url"].startswith("docs/operations.md#") for alert in alerts_of(spec))
    assert (ROOT / "docs" / "operations.md").is_file()
