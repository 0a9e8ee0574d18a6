"""The application's autoscaling policy for Ray Serve: observes, decides with `deployments.scaling`, and explains.

In a configuration, the `autoscaling_policy` of an application names `ApplicationPolicy`, and its `policy_kwargs` are
`deployments.settings.ScalingSettings`. Serve calls the policy in its controller, and then applies each deployment's
`upscale_delay_s`, `downscale_delay_s`, `min_replicas` and `max_replicas`.
"""

import logging
import math
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

import ray
from ray._private.state import available_resources_per_node
from ray.serve.config import AutoscalingContext

from deployments.decisions import publish
from deployments.scaling import Decision, Load, Node, decide
from deployments.settings import ScalingSettings
from deployments.usage import BUSY, CORES, IDLE, RESERVED

logger = logging.getLogger("ray.serve")

PERIOD_S = 2.0
"""Seconds between decisions. Serve calls the policy more often, at each step of its control loop."""

Contexts = Mapping[Any, AutoscalingContext]
"""Serve's observations, by the id of the deployment."""


class ApplicationPolicy:
    """Decides for all deployments of an application at once.

    Args:
        settings: fields of `ScalingSettings`.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = ScalingSettings(**settings)
        self._decisions: dict[str, Decision] = {}
        self._decided = -PERIOD_S
        self._reserved: dict[str, Mapping[str, float]] = {}

    def __call__(self, contexts: Contexts) -> tuple[dict[Any, int], dict[Any, dict[str, Any]]]:
        """Return the number of replicas of each deployment; nothing if there is no new decision to apply."""
        if time.monotonic() - self._decided < PERIOD_S:
            return {}, {}
        self._decided = time.monotonic()
        try:
            decisions = self._decide(contexts)
            for application in {context.app_name or "" for context in contexts.values()}:
                publish(application, {name: self._explained(decision) for name, decision in decisions.items()})
        except Exception:
            # Ray may be unavailable for a moment, and Serve would not update the application after an exception.
            logger.exception("autoscaling: no decision; all deployments keep their replicas")
            return {}, {}
        if self._settings.dry_run:
            return {}, {}
        for context in contexts.values():
            if decisions[context.deployment_name].cause == "making room":
                # Another deployment gets the room, so Serve should not wait longer to remove this replica than it
                # waits to add one.
                config: Any = context.config
                context.config = config.model_copy(update={"downscale_delay_s": config.upscale_delay_s})
        return {key: decisions[context.deployment_name].replicas for key, context in contexts.items()}, {}

    def _decide(self, contexts: Contexts) -> dict[str, Decision]:
        loads = {context.deployment_name: load(context) for context in contexts.values()}
        # Replicas of a lost node report nothing, but their successors reserve the same.
        self._reserved |= {name: found.reserved for name, found in loads.items() if found.reserved}
        loads = {name: replace(found, reserved=self._reserved.get(name, {})) for name, found in loads.items()}
        measured = self._settings.cores == "measured"
        nodes = [Node(idle if measured else math.inf, free) for idle, free in unused(contexts)]
        decisions = decide(loads, nodes, self._settings.spare_cores, self._decisions)
        for name, decision in decisions.items():
            before = self._decisions.get(name)
            changed = before is None or (before.replicas, before.cause) != (decision.replicas, decision.cause)
            if changed and decision.cause not in ("steady", "starting"):
                replicas, reason = self._explained(decision)
                logger.info("autoscaling: %s: %d -> %d replicas: %s", name, loads[name].target, replicas, reason)
        self._decisions = decisions
        return decisions

    def _explained(self, decision: Decision) -> tuple[int, str]:
        prefix = "dry run: " if self._settings.dry_run else ""
        return decision.replicas, f"{prefix}{decision.cause}: {decision.reason}"


def load(context: AutoscalingContext) -> Load:
    """Return the load of a deployment from what Serve and its replicas report."""
    # Serve declares all of these as optional.
    metrics: Any = context.aggregated_metrics or {}
    config: Any = context.config
    busy, cores = ([*metrics.get(name, {}).values()] for name in (BUSY, CORES))
    return Load(
        running=context.current_num_replicas,
        target=context.target_num_replicas,
        minimum=context.capacity_adjusted_min_replicas,
        maximum=context.capacity_adjusted_max_replicas,
        ongoing=context.total_num_requests,
        wanted_ongoing=config.get_target_ongoing_requests(),
        busy=fmean(busy) if busy else None,
        cores=fmean(cores) if cores else 0.0,
        reserved={
            name.removeprefix(RESERVED): max(values.values())
            for name, values in metrics.items()
            if name.startswith(RESERVED)
        },
    )


def unused(contexts: Contexts) -> list[tuple[float, Mapping[str, float]]]:
    """Return the idle cores and the unreserved resources of each node.

    Cores are idle if no process on the machine uses them. Their number is limited to the node's CPUs in Ray minus
    those that its replicas use, because the node may be a container with fewer cores than the machine. Replicas that
    report nothing count as using what they reserve.
    """
    idle, used, reserved = (defaultdict[str, list[float]](list) for _ in range(3))
    for context in contexts.values():
        metrics: Any = context.aggregated_metrics or {}
        for name in metrics:
            for replica, cores in metrics[name].items() if name.startswith(IDLE) else ():
                node = name.removeprefix(IDLE)
                idle[node].append(cores)
                used[node].append(metrics[CORES][replica])
                reserved[node].append(metrics.get(f"{RESERVED}CPU", {}).get(replica, 0.0))
    found = []
    available = available_resources_per_node()  # type: ignore[no-untyped-call]
    for entry in ray.nodes():  # type: ignore[no-untyped-call]
        node = entry["NodeID"]
        if entry["Alive"] and node in available:
            cpus, free = entry["Resources"].get("CPU", 0.0), available[node]
            others = max(0.0, cpus - free.get("CPU", 0.0) - sum(reserved[node]))
            found.append((min([cpus - others - sum(used[node]), *idle[node]]), free))
    return found
