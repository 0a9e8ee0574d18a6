"""The autoscaling policy: from observations in Serve's form to decisions, without a cluster."""

import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from ray.serve._private.common import DeploymentID
from ray.serve.config import AutoscalingConfig, AutoscalingContext

from deployments import autoscaling_policy, decisions, usage
from deployments.autoscaling_policy import ApplicationPolicy, load, unused
from deployments.usage import BUSY, CORES, IDLE, RESERVED, Usage

DETECTOR, INGRESS = (DeploymentID(name=name, app_name="facegraph") for name in ("detector-mtcnn", "ingress"))
ON_ONE, ON_OTHER = f"{IDLE}one", f"{IDLE}other"
Metrics = Mapping[str, dict[Any, float]]


def context(
    of: DeploymentID, ongoing: float = 0.0, metrics: Metrics | None = None, **changed: Any
) -> AutoscalingContext:
    """Serve's observation of a deployment with one of at most four replicas."""
    return AutoscalingContext(
        **{
            "deployment_id": of,
            "deployment_name": of.name,
            "app_name": of.app_name,
            "current_num_replicas": 1,
            "target_num_replicas": 1,
            "running_replicas": [],
            "total_num_requests": ongoing,
            "total_queued_requests": 0.0,
            "aggregated_metrics": metrics or {},
            "raw_metrics": {},
            "capacity_adjusted_min_replicas": 1,
            "capacity_adjusted_max_replicas": 4,
            "policy_state": {},
            "last_scale_up_time": None,
            "last_scale_down_time": None,
            "current_time": None,
            "config": AutoscalingConfig(target_ongoing_requests=2),
            **changed,
        }
    )


def usage_of(busy: float, cores: float, idle: float, node: str = ON_ONE) -> Metrics:
    return {BUSY: {"r": busy}, CORES: {"r": cores}, node: {"r": idle}, f"{RESERVED}CPU": {"r": 0.5}}


@pytest.fixture(autouse=True)
def _stored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's key-value store."""
    values: dict[str, Any] = {}
    monkeypatch.setattr(decisions, "_internal_kv_put", lambda key, value, namespace: values.update({key: value}))
    monkeypatch.setattr(decisions, "_internal_kv_get", lambda key, namespace: values.get(key))


@pytest.fixture(autouse=True)
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[float, float]]:
    """CPUs of each node, and those that are not reserved: two nodes with eight each."""
    nodes = {"one": (8.0, 7.0), "other": (8.0, 8.0)}

    def entries() -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": True, "Resources": {"CPU": cpus}} for name, (cpus, _) in nodes.items()]

    monkeypatch.setattr(autoscaling_policy, "ray", SimpleNamespace(nodes=entries))
    available = lambda: {name: {"CPU": free} for name, (_, free) in nodes.items()}  # noqa: E731
    monkeypatch.setattr(autoscaling_policy, "available_resources_per_node", available)
    return nodes


WAITING = {
    DETECTOR: context(DETECTOR, 9, usage_of(0.95, 1, idle=6)),
    INGRESS: context(INGRESS, 9, usage_of(0.2, 0.2, idle=6)),
}


async def test_decision_reaches_serve_the_log_and_the_status(log: list[logging.LogRecord]) -> None:
    assert ApplicationPolicy()(WAITING) == ({DETECTOR: 2, INGRESS: 1}, {})
    reason = "waiting: 9.0 calls per replica (target 2), 95% busy"
    assert [record.getMessage() for record in log] == [f"autoscaling: detector-mtcnn: 1 -> 2 replicas: {reason}"]
    known = await decisions.published("facegraph")
    assert (known["detector-mtcnn"].replicas, known["detector-mtcnn"].reason) == (2, reason)
    assert await decisions.published("another") == {}


def test_decision_is_made_and_logged_once_while_it_stays(
    log: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([100.0, 100.0, 101.0, 102.5, 102.5])
    monkeypatch.setattr(autoscaling_policy, "time", SimpleNamespace(monotonic=times.__next__))
    policy = ApplicationPolicy()
    assert [policy(WAITING)[0].get(DETECTOR) for _ in range(3)] == [2, None, 2]
    assert len(log) == 1


async def test_dry_run_changes_nothing(log: list[logging.LogRecord]) -> None:
    assert ApplicationPolicy(dry_run=True)(WAITING) == ({}, {})
    assert len(log) == 1
    assert (await decisions.published("facegraph"))["detector-mtcnn"].reason.startswith("dry run: waiting: ")


def test_reserved_cores_suffice_if_the_settings_say_so() -> None:
    crowded = {DETECTOR: context(DETECTOR, 9, usage_of(0.95, 1, idle=0))}
    crowded[INGRESS] = context(INGRESS, 0, usage_of(0, 0, idle=0, node=ON_OTHER))
    assert ApplicationPolicy()(crowded)[0][DETECTOR] == 1
    assert ApplicationPolicy(cores="reserved")(crowded)[0][DETECTOR] == 2


def test_room_for_a_lost_deployment_is_made_without_the_delay_of_a_removal(
    cluster: dict[str, tuple[float, float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoscaling_policy, "PERIOD_S", 0)
    policy = ApplicationPolicy()
    two = {"current_num_replicas": 2, "target_num_replicas": 2}
    calm = {DETECTOR: context(DETECTOR, 1, usage_of(0.5, 1, idle=6), **two), INGRESS: WAITING[INGRESS]}
    policy(calm)
    cluster.update({"one": (8.0, 0.0), "other": (8.0, 0.0)})
    gone = {**calm, INGRESS: context(INGRESS, current_num_replicas=0)}
    assert policy(gone)[0][DETECTOR] == 1
    config: Any = gone[DETECTOR].config
    assert config.downscale_delay_s == config.upscale_delay_s


def test_unreachable_cluster_changes_nothing(log: list[logging.LogRecord], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autoscaling_policy, "ray", None)
    assert ApplicationPolicy()(WAITING) == ({}, {})
    assert len(log) == 1


async def test_old_decisions_are_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    decisions.publish("facegraph", {"ingress": (1, "steady")})
    assert await decisions.published("facegraph")
    monkeypatch.setattr(decisions, "MAX_AGE_S", -1)
    assert await decisions.published("facegraph") == {}


def test_replicas_that_report_nothing_yet_are_not_judged() -> None:
    found = load(context(DETECTOR, 9))
    assert (found.busy, found.waits, found.reserved) == (None, False, {})


def test_idle_cores_are_those_of_the_machine_and_of_the_container(cluster: dict[str, tuple[float, float]]) -> None:
    # On the first node, the machine is busy; on the second, a container of two CPUs on a large machine.
    cluster["other"] = 2.0, 1.5
    contexts = {
        DETECTOR: context(DETECTOR, 0, usage_of(1, 0.75, idle=3)),
        INGRESS: context(INGRESS, 0, usage_of(1, 1.25, idle=60, node=ON_OTHER)),
    }
    assert [idle for idle, _ in unused(contexts)] == [3, 0.75]
    # Half a CPU more is reserved by a replica that does not report what it uses.
    cluster["other"] = 2.0, 1.0
    assert [idle for idle, _ in unused(contexts)] == [3, 0.25]


def test_nodes_without_replicas_and_dead_nodes(cluster: dict[str, tuple[float, float]]) -> None:
    assert unused({}) == [(7.0, {"CPU": 7.0}), (8.0, {"CPU": 8.0})]
    cluster.clear()
    assert unused({}) == []


def test_usage_is_measured_between_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = SimpleNamespace(get_assigned_resources=lambda: {"CPU": 0.5, "GPU": 0.1}, get_node_id=lambda: "one")
    monkeypatch.setattr(usage, "ray", SimpleNamespace(get_runtime_context=lambda: runtime))
    clock = SimpleNamespace(perf_counter=iter([10.0, 14.0]).__next__, process_time=iter([1.0, 2.0]).__next__)
    monkeypatch.setattr(usage, "time", clock)
    monkeypatch.setattr(usage, "_idle_core_seconds", iter([100.0, 106.0]).__next__)
    measured = Usage(iter([3.0, 7.0]).__next__, workers=2)
    reserved = {"reserved:CPU": 0.5, "reserved:GPU": 0.1}
    assert measured.measure() == reserved
    assert measured.measure() == {**reserved, "busy": 0.5, "cores": 0.25, "idle:one": 1.5}
