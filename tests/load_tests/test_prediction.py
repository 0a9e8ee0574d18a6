"""The comparison of a running service with the simulation."""

import os

import pytest

from capacity.system import Work
from load_tests.bench.measurement import Measurement
from load_tests.prediction import DETECTOR, INGRESS, NETWORKS, compared, configured
from load_tests.processes import Sample
from project.root import ROOT

CONFIGS = ROOT / "configs"

REPLICAS = dict(enumerate((INGRESS, DETECTOR, *NETWORKS)))
FIRST = Sample(10, dict.fromkeys(REPLICAS, 1.0), 0, 0, 0, 0, 0, REPLICAS, 100.0)
LAST = Sample(20, {0: 1.5, 1: 3.0, 2: 1.5, 3: 1.5}, 0, 0, 0, 0, 0, REPLICAS, 105.5)
"""Fifty responses in ten seconds took 3.5 CPU seconds, and other programs 2."""


def test_the_simulation_gets_the_cpu_time_of_each_deployment_and_the_cores_that_were_left() -> None:
    measured = Measurement("service", "/match", 64, {"rate": 5.0, "p50": 100.0, "p95": 120.0}, {}, {})
    found = compared(measured, FIRST, LAST, configured(CONFIGS / "serve.yaml"))
    assert found.cpu == pytest.approx({INGRESS: 0.01, DETECTOR: 0.04, **dict.fromkeys(NETWORKS, 0.01)})
    assert found.cores == pytest.approx(len(os.sched_getaffinity(0)) - 0.2)
    assert found.figures["rate"] == (5, found.predicted.rate)
    assert found.figures["p95"] == (120, 1000 * found.predicted.percentile(95))
    # Sixty-four clients keep every core busy, or the detector's two workers.
    assert found.predicted.rate == pytest.approx(min(found.cores / 0.07, 2 / 0.038), rel=0.05)


def test_devices_and_batches_are_those_of_the_configuration() -> None:
    detector, *networks = configured(CONFIGS / "simulated.yaml").values()
    assert detector.gpu == Work(0.1, 0.001)
    assert [each.largest for each in (detector, *networks)] == [16] * 3
    assert [each.workers for each in (detector, *networks)] == [16, 1, 1]
