"""The alert rules of docs/alerts.yaml, asked of Prometheus' own tool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ALERTS = Path(__file__).parents[2] / "docs" / "alerts.yaml"


@pytest.mark.parametrize("rules", [ALERTS, ALERTS.with_name("metrics-alerts.yaml")], ids=lambda path: path.stem)
def test_prometheus_accepts_the_alerts(rules: Path, promtool: str) -> None:
    checked = subprocess.run([promtool, "check", "rules", str(rules)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "rules found" in checked.stdout


@pytest.mark.parametrize(
    ("outcome", "alert", "summary"),
    [
        ("discarded", "LogrouterLoss", "50 events were discarded for es: why"),
        ("dead_lettered", "LogrouterRefused", "es refuses events (why): logrouter dlq ls"),
    ],
)
def test_what_happens_for_the_first_time_is_told(
    outcome: str, alert: str, summary: str, promtool: str, tmp_path: Path
) -> None:
    """Its series begins with it. An hour later it is over."""
    labels = {"sink": "es", "outcome": outcome, "reason": "why"}
    severity = "critical" if alert == "LogrouterLoss" else "warning"
    expected = {"exp_labels": {**labels, "severity": severity}, "exp_annotations": {"summary": summary}}
    matchers = ",".join(f'{name}="{text}"' for name, text in labels.items())
    rules = {
        "rule_files": [str(ALERTS)],
        "tests": [
            {
                "interval": "30s",
                "input_series": [{"series": f"logrouter_sink_events_total{{{matchers}}}", "values": "_x20 50x140"}],
                "alert_rule_test": [
                    {"eval_time": "9m", "alertname": alert, "exp_alerts": []},
                    {"eval_time": "11m", "alertname": alert, "exp_alerts": [expected]},
                    {"eval_time": "70m", "alertname": alert, "exp_alerts": []},
                ],
            }
        ],
    }
    check(promtool, rules, tmp_path)


@pytest.mark.parametrize(("file_bytes", "is_told"), [(40, True), (39, False)])
def test_dead_letters_near_their_limit(file_bytes: int, is_told: bool, promtool: str, tmp_path: Path) -> None:
    """The sum over all sinks counts, of each instance on its own."""
    summary = "the dead letters are nearly full: then the sinks that refuse events stop"
    told = {"exp_labels": {"instance": "a", "severity": "critical"}, "exp_annotations": {"summary": summary}}
    series = {
        'bytes{instance="a",sink="es"}': 41,
        'bytes{instance="a",sink="loki"}': file_bytes,
        'limit_bytes{instance="a"}': 100,
        'bytes{instance="b",sink="es"}': 50,
        'limit_bytes{instance="b"}': 100,
    }
    rules = {
        "rule_files": [str(ALERTS)],
        "tests": [
            {
                "interval": "30s",
                "input_series": [
                    {"series": f"logrouter_dead_letters_{name}", "values": f"{value}x40"}
                    for name, value in series.items()
                ],
                "alert_rule_test": [
                    {"eval_time": "4m", "alertname": "LogrouterDeadLettersFullSoon", "exp_alerts": []},
                    {
                        "eval_time": "6m",
                        "alertname": "LogrouterDeadLettersFullSoon",
                        "exp_alerts": [told] if is_told else [],
                    },
                ],
            }
        ],
    }
    check(promtool, rules, tmp_path)


def check(promtool: str, rules: dict[str, Any], folder: Path) -> None:
    (folder / "test.yaml").write_text(json.dumps(rules))
    tested = subprocess.run([promtool, "test", "rules", str(folder / "test.yaml")], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr
