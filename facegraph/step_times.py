"""Where the time of an answer went, in milliseconds by step.

The names are those of the service's `Server-Timing` header, which the bare pipeline gives its own steps too:
``total``; ``ingress``, the part of it in which no stage was waited for; for each stage the time that the
ingress waited for it, e.g. ``detector``, and that its replica worked, ``detector-busy``; and the parts of the
detector's work, ``decode``, ``detect``, ``crop`` and ``measure``.
"""

import re
from collections.abc import Iterable, Mapping
from statistics import median

STAGES = ("detector", "liveness", "embedder")
"""In the order of the flow; liveness and embedder work side by side, so their times do not add up."""


STEPS = {
    "client": "the answer, as the client sees it",
    "http": "  HTTP, to the ingress and back",
    "total": "  all of it in the ingress or the bare pipeline",
    "ingress": "    no stage waited for",
    "detector": "    detector, from call to answer",
    "detector-hop": "      queue, way and serialisation",
    "detector-busy": "      at work",
    "decode": "        decode",
    "detect": "        detect",
    "crop": "        crop",
    "measure": "        measure",
    "networks": "    liveness and embedder, side by side",
    "liveness": "      liveness, from call to answer",
    "liveness-hop": "        queue, way and serialisation",
    "liveness-busy": "        at work",
    "embedder": "      embedder, from call to answer",
    "embedder-hop": "        queue, way and serialisation",
    "embedder-busy": "        at work",
    "compare": "    compare",
}
"""The steps in the order of the flow, as they lie in one another."""


def parsed(header: str) -> dict[str, float]:
    """The duration of each metric of a `Server-Timing` header; of a name that comes twice, the sum."""
    steps: dict[str, float] = {}
    # A quoted description may have commas and semicolons in it.
    for metric in re.sub(r'"[^"]*"', "", header).split(","):
        name, *parameters = (part.strip() for part in metric.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "dur":
                steps[name] = steps.get(name, 0.0) + float(value)
    return steps


def completed(steps: Mapping[str, float], client: float) -> dict[str, float]:
    """The steps of one answer with what follows from them.

    Args:
        steps: as `parsed` gives them; empty where the server tells none.
        client: milliseconds from the request's first byte to the answer's last, as the client saw it.

    Returns:
        Besides `steps`: ``client``; ``http``, what of it the server did not see; for each stage, e.g.
        ``detector-hop``, what the replica did not see of the call: queue, way and serialisation;
        ``networks``, the time in which liveness and embedder, or one of them, were waited for;
        ``networks-busy``, the longer of their work, and ``networks-hop``, the rest.
    """
    found = {**steps, "client": client}
    if "total" in steps:
        found["http"] = client - steps["total"]
    for stage in STAGES:
        if f"{stage}-busy" in steps:
            found[f"{stage}-hop"] = steps[stage] - steps[f"{stage}-busy"]
    busy = [steps[f"{stage}-busy"] for stage in STAGES[1:] if f"{stage}-busy" in steps]
    if busy and {"total", "ingress", "detector"} <= steps.keys():
        found["networks"] = steps["total"] - steps["ingress"] - steps["detector"]
        found["networks-busy"] = max(busy)
        found["networks-hop"] = found["networks"] - found["networks-busy"]
    return found


def medians(answers: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each step over the answers that have it."""
    values: dict[str, list[float]] = {}
    for steps in answers:
        for name, milliseconds in steps.items():
            values.setdefault(name, []).append(milliseconds)
    return {name: median(entries) for name, entries in values.items()}
