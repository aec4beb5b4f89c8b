"""The alert rules of docs/alerts.yaml, asked of Prometheus' own tool."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

ALERTS = Path(__file__).parents[2] / "docs" / "alerts.yaml"


def test_prometheus_accepts_the_alerts(promtool: str) -> None:
    checked = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "9 rules found" in checked.stdout


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
    (tmp_path / "test.yaml").write_text(json.dumps(rules))
    tested = subprocess.run([promtool, "test", "rules", str(tmp_path / "test.yaml")], capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr
