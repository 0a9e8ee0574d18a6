"""Configurations whose stages scale on a small machine within seconds, and how many replicas they have."""

import copy
import re
from collections import Counter
from typing import Any

from load_tests.processes import command
from load_tests.server import Server

KINDS = {"detectors": "detector", "liveness": "liveness", "embedders": "embedder"}
"""What a stage's deployment is called by, for each section of a configuration's `args`."""

TARGET = 2
INGRESS_TARGET = 32
"""Calls at work or waiting that a replica is meant to have, of a stage and of the ingress."""

SHARE = 0.05
"""CPUs that a replica reserves, so that dozens fit on two cores; its network has one thread all the same."""

WINDOWS: dict[str, float] = {
    # Ray calls it deprecated, but the variables that are to replace it do nothing yet in 2.60.
    "metrics_interval_s": 0.5,
    "look_back_period_s": 3,
    "upscale_delay_s": 1,
}

_REPLICA = re.compile(r"ServeReplica:facegraph:([\w-]+)")


def apart(config: Any, most: int) -> Any:
    """`config` with every stage a deployment of its own; of each, and of the ingress, 1 to `most` replicas on CPUs."""
    made = copy.deepcopy(config)
    [application] = made["applications"]
    args = application["args"]
    args.update(device="cpu", ingress_cpus=SHARE)
    targets = {"ingress": INGRESS_TARGET}
    for section, kind in KINDS.items():
        for role, stage in args[section].items():
            stage.update(place="own", cpus=SHARE, workers=1)
            targets[f"{kind}-{role}"] = TARGET
    entries = {entry["name"]: entry for entry in application["deployments"]}
    for name, target in targets.items():
        entry = entries.setdefault(name, {"name": name})
        entry.pop("num_replicas", None)
        entry["autoscaling_config"] = {"min_replicas": 1, "max_replicas": most, "target_ongoing_requests": target}
    application["deployments"] = list(entries.values())
    return made


def quick(config: Any, downscale_s: float) -> Any:
    """`config` with windows of a few seconds for every deployment that scales.

    Args:
        downscale_s: how long there has to be too little for a deployment's replicas before it has fewer. Where stages
            share few cores, a queue moves from one to the other and back, some ten seconds each way.
    """
    made = copy.deepcopy(config)
    for application in made["applications"]:
        for entry in application["deployments"]:
            if "autoscaling_config" in entry:
                entry["autoscaling_config"].update(WINDOWS, downscale_delay_s=downscale_s)
    return made


def replicas(server: Server) -> Counter[str]:
    """How many replicas each deployment has, by its name.

    They are processes, as the machine sees them: one counts from its start, before it is ready, until it is gone.
    """
    found = (_REPLICA.search(command(pid)) for pid in server.processes("ServeReplica:"))
    return Counter(match[1] for match in found if match)
