"""Alerts and dashboards query metrics that the service exports."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from deployments import gallery_metrics
from project.root import ROOT
from telemetry import exposition, metrics
from tests.waiting import until

PROMETHEUS, GRAFANA = ROOT / "ops/prometheus", ROOT / "ops/grafana"
ADDED = {"deployment", "replica", "application", "le"}
"""Labels that Serve and Prometheus add to each of our metrics."""


def expressions() -> Iterator[str]:
    """The queries of the alerts and the dashboards."""
    for group in yaml.safe_load((PROMETHEUS / "alerts.yml").read_text("utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])
    for file in (GRAFANA / "dashboards").glob("*.json"):
        for panel in json.loads(file.read_text("utf-8"))["panels"]:
            yield from (target["expr"] for target in panel.get("targets", []))


def asked_for() -> dict[str, set[str]]:
    """The metrics that are queried, each with the labels used."""
    asked: dict[str, set[str]] = {}
    for expression in expressions():
        names = re.findall(r"\b((?:ray|facegraph)_\w+)", expression)
        assert names or "up{" in expression
        grouped = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        for name in names:
            matched = re.findall(rf"{name}{{([^}}]*)}}", expression)
            labels = {label for one in matched for label in re.findall(r'(\w+)\s*!?=~?\s*"', one)}
            asked.setdefault(name, set()).update(labels | grouped)
    return asked


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """Our own metrics as Prometheus names them, each with its labels."""
    declared: dict[str, set[str]] = {exposition.UP: {"node"}}

    def plain(name: str, description: str, labels: tuple[str, ...] = ()) -> Any:
        declared[f"ray_{name}"] = {*labels, *ADDED}

    def histogram(name: str, description: str, buckets: list[float], labels: tuple[str, ...]) -> Any:
        declared.update({f"ray_{name}_{part}": {*labels, *ADDED} for part in ("bucket", "sum", "count")})

    monkeypatch.setattr(metrics, "Counter", plain)
    monkeypatch.setattr(gallery_metrics, "Gauge", plain)
    monkeypatch.setattr(metrics, "Histogram", histogram)
    metrics.Metrics()
    gallery_metrics.GalleryMetrics()
    return declared


def test_queried_metrics_exist_with_their_labels(ours: dict[str, set[str]]) -> None:
    asked = {name: labels for name, labels in asked_for().items() if not name.startswith("ray_serve_")}
    assert len(asked) > 15
    assert asked.keys() <= ours.keys()
    assert {name: labels - ours[name] for name, labels in asked.items() if labels - ours[name]} == {}


def test_dashboard_shows_every_metric(ours: dict[str, set[str]]) -> None:
    shown = asked_for().keys()
    # The buckets of a histogram suffice.
    assert {name for name in ours if not name.endswith(("_sum", "_count"))} <= shown


def test_queried_metrics_of_serve_exist(service: httpx.Client) -> None:
    asked = {name for name in asked_for() if name.startswith("ray_serve_")}
    assert asked
    # Serve exports some of them only every few seconds.
    until(lambda: asked <= {*re.findall(r"^(\w+){", service.get("/metrics").text, re.MULTILINE)})


def test_documentation_names_every_metric(ours: dict[str, set[str]]) -> None:
    named = set(re.findall(r"`((?:ray_)?facegraph_\w+)`", (ROOT / "docs/observability.md").read_text("utf-8")))
    families = {re.sub("_(bucket|sum|count)$", "", name) for name in ours}
    assert named == families


def test_dashboard_uses_the_provisioned_source() -> None:
    [source] = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text("utf-8"))["datasources"]
    [dashboard] = [json.loads(file.read_text("utf-8")) for file in (GRAFANA / "dashboards").glob("*.json")]
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
