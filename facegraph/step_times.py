"""Where the time of a response went, in milliseconds per step.

Steps are named as in the service's `Server-Timing` header: ``total``; ``ingress``, the part of the total during which
no stage call is running; for each task, the time that the ingress waited for its stages, such as ``detector``, and
their processing time, ``detector-busy``; and the parts of the detector's processing time, ``decode``, ``detect``,
``crop`` and ``measure``.
"""

import re
from collections.abc import Mapping

NETWORK_TASKS = ("liveness", "embedder", "pose", "eyes")
"""The tasks whose stages are called after the detector, in parallel."""

STEPS = {
    "client": "response, as the client measures it",
    "http": "  HTTP to the ingress and back",
    "total": "  total in the ingress",
    "ingress": "    outside stage calls",
    "detector": "    detector, round trip",
    "detector-hop": "      queueing, transfer and serialisation",
    "detector-busy": "      work",
    "decode": "        decode",
    "detect": "        detect",
    "crop": "        crop",
    "measure": "        measure",
    "networks": "    networks after the detector, in parallel",
    **{
        step: label
        for task in NETWORK_TASKS
        for step, label in (
            (task, f"      {task}, round trip"),
            (f"{task}-hop", "        queueing, transfer and serialisation"),
            (f"{task}-busy", "        work"),
        )
    },
}
"""Labels of the steps, in order and indented like a tree."""


def parse_server_timing(header: str) -> dict[str, float]:
    """Return the duration of each metric in a `Server-Timing` header, summed over metrics with the same name."""
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
        `steps` with ``client``; ``http``, the part of ``client`` outside the ingress; for each task, the part of its
        round trip during which its stages were not working, such as ``detector-hop``; and ``networks``, the time spent
        waiting for networks after the detector.
    """
    found = {**steps, "client": client}
    if "total" in steps:
        found["http"] = client - steps["total"]
    for task in ("detector", *NETWORK_TASKS):
        if f"{task}-busy" in steps:
            found[f"{task}-hop"] = steps[task] - steps[f"{task}-busy"]
    if {"total", "ingress", "detector"} <= steps.keys() and any(task in steps for task in NETWORK_TASKS):
        found["networks"] = steps["total"] - steps["ingress"] - steps["detector"]
    return found
