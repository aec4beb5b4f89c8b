"""The alert rules of docs/alerts.yaml, asked of Prometheus' own tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

ALERTS = Path(__file__).parents[2] / "docs" / "alerts.yaml"


def test_prometheus_accepts_the_alerts(promtool: str) -> None:
    checked = subprocess.run([promtool, "check", "rules", str(ALERTS)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "8 rules found" in checked.stdout
