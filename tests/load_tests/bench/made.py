"""Measurements as they might have been."""

from dataclasses import replace

from load_tests.bench.measure import Measurement, What

_MEASUREMENT = Measurement(
    what="service",
    route="match",
    clients=1,
    seconds=10,
    answers=20,
    refused=0,
    failed=0,
    rate=2.0,
    p50=500.0,
    p95=600.0,
    p99=700.0,
    server_cpu=0.5,
    client_cpu=0.01,
    others_cpu=0.02,
    memory=1000.0,
    replicas=(0, 0),
    similarity=0.75,
    steps={},
)


def made(what: What, route: str, clients: int, rate: float = 2.0, **more: object) -> Measurement:
    return replace(_MEASUREMENT, what=what, route=route, clients=clients, rate=rate, **more)  # type: ignore[arg-type]
