"""Where the time of a response went, in milliseconds per step.

Steps are named as in the service's `Server-Timing` header: ``total``; ``ingress``, the part of it that waited for no
stage; for each stage the time that the ingress waited for it, such as ``detector``, and the time that its replica
worked, ``detector-busy``; and the parts of the detector's work, ``decode``, ``detect``, ``crop`` and ``measure``.
"""

import re
from collections.abc import Iterable, Mapping
from statistics import median

STAGES = ("detector", "liveness", "embedder")

STEPS = {
    "client": "response, as the client measures it",
    "http": "  HTTP to the ingress and back",
    "total": "  total in the ingress",
    "ingress": "    waiting for no stage",
    "detector": "    detector, round trip",
    "detector-hop": "      queueing, transfer and serialisation",
    "detector-busy": "      work",
    "decode": "        decode",
    "detect": "        detect",
    "crop": "        crop",
    "measure": "        measure",
    "networks": "    liveness and embedder, in parallel",
    "liveness": "      liveness, round trip",
    "liveness-hop": "        queueing, transfer and serialisation",
    "liveness-busy": "        work",
    "embedder": "      embedder, round trip",
    "embedder-hop": "        queueing, transfer and serialisation",
    "embedder-busy": "        work",
    "compare": "    compare",
}
"""Labels of the steps, in order and indented like a tree."""


def parse_server_timing(header: str) -> dict[str, float]:
    """The duration of each metric in a `Server-Timing` header, summed over metrics with the same name."""
    steps: dict[str, float] = {}
    # Quoted descriptions may contain commas and semicolons.
    for metric in re.sub(r'"[^"]*"', "", header).split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "dur":
                steps[name] = steps.get(name, 0.0) + float(value)
    return steps


def with_derived_steps(steps: Mapping[str, float], client: float) -> dict[str, float]:
    """Add the steps that can be derived.

    Args:
        steps: as `parse_server_timing` returns them; may be empty.
        client: milliseconds from the first byte of the request to the last byte of the response.

    Returns:
        `steps` with ``client``; ``http``, the part of it outside the service; for each stage, for example
        ``detector-hop``, the part of its round trip outside its replica; and ``networks``, the time spent waiting for
        liveness and embedder.
    """
    found = {**steps, "client": client}
    if "total" in steps:
        found["http"] = client - steps["total"]
    for stage in STAGES:
        if f"{stage}-busy" in steps:
            found[f"{stage}-hop"] = steps[stage] - steps[f"{stage}-busy"]
    if {"total", "ingress", "detector"} <= steps.keys() and ("liveness" in steps or "embedder" in steps):
        found["networks"] = steps["total"] - steps["ingress"] - steps["detector"]
    return found


def median_steps(responses: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each step over the responses that have it."""
    values: dict[str, list[float]] = {}
    for steps in responses:
        for name, milliseconds in steps.items():
            values.setdefault(name, []).append(milliseconds)
    return {name: median(entries) for name, entries in values.items()}
