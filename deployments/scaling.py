"""Decide how many replicas each deployment of the application should have.

A replica is added where calls wait, if a node has idle cores and unreserved resources for it. Deployments that the
additional calls would saturate get replicas in the same decision. A replica is removed if the deployment would remain
far from busy without it. A replica is also removed if, after the loss of a node, another deployment has fewer replicas
than its minimum and no node has room for more. This module does not use Ray or Serve; `deployments.autoscaling_policy`
does.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

SATURATED = 0.8
"""Calls wait for a deployment's own replicas only if their workers are busy for at least this share of the time."""
RELAXED = 0.6
"""A replica is removed only if the others would be busy for less than this share of the time."""
START_CORES = 1.0
"""Cores that a starting replica uses for its imports and its model."""

Cause = Literal["steady", "starting", "waiting", "companion", "maximum", "no room", "relaxed", "making room"]


@dataclass(frozen=True, slots=True)
class Load:
    """The load of one deployment, averaged over its look-back period.

    Attributes:
        running: replicas that process calls.
        target: replicas that it should have now. Some may still be starting.
        minimum, maximum: limits of `target`.
        ongoing: unfinished calls: in a worker, waiting in a replica, or waiting for a replica.
        wanted_ongoing: target number of unfinished calls per replica.
        busy: share of the time in which a replica's workers run, from 0 to 1. None if no replica has reported yet.
        cores: CPU seconds that one replica uses per second.
        reserved: resources that one replica reserves in Ray.
    """

    running: int
    target: int
    minimum: int
    maximum: int
    ongoing: float
    wanted_ongoing: float
    busy: float | None
    cores: float
    reserved: Mapping[str, float]

    @property
    def starting(self) -> int:
        """Number of replicas that do not process calls yet."""
        return max(0, self.target - self.running)

    @property
    def missing(self) -> bool:
        """Whether fewer than `minimum` replicas process calls."""
        return self.running < self.minimum

    @property
    def waits(self) -> bool:
        """Whether calls wait for this deployment's replicas, not only for the deployments that the replicas call."""
        return self.ongoing > self.running * self.wanted_ongoing and (self.busy or 0.0) >= SATURATED

    @property
    def busy_cores(self) -> float:
        """Cores that an additional replica needs: to start, and later if its workers are always running."""
        # The CPU time of a nearly idle replica does not depend on its calls.
        return max(START_CORES, self.cores / max(self.busy or 0.0, 0.1))

    def __str__(self) -> str:
        calls = self.ongoing / max(self.running, 1)
        busy = "not measured yet" if self.busy is None else f"{self.busy:.0%} busy"
        return f"{calls:.1f} calls per replica (target {self.wanted_ongoing:g}), {busy}"


@dataclass(frozen=True, slots=True)
class Node:
    """What is unused on one node.

    Attributes:
        idle_cores: cores that no process uses.
        free: resources that are not reserved in Ray.
    """

    idle_cores: float
    free: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Decision:
    """The number of replicas that a deployment should have, and why."""

    replicas: int
    cause: Cause
    reason: str


class _Room:
    """Keeps track of what planned replicas leave unused on each node."""

    def __init__(self, nodes: Sequence[Node], spare_cores: float) -> None:
        self._idle = [node.idle_cores - spare_cores for node in nodes]
        self._free = [dict(node.free) for node in nodes]

    def reservable(self, load: Load) -> list[int]:
        """Return the numbers of the nodes on which a replica can reserve what it needs."""

        def has_room(free: Mapping[str, float]) -> bool:
            return all(free.get(name, 0.0) >= amount - 1e-6 for name, amount in load.reserved.items())

        return [at for at, free in enumerate(self._free) if has_room(free)]

    def take(self, load: Load) -> bool:
        """Take room for one more replica on the idlest node that has enough; return whether there is such a node."""
        fitting = [at for at in self.reservable(load) if self._idle[at] >= load.busy_cores]
        if fitting:
            self._use(max(fitting, key=lambda at: self._idle[at]), load)
        return bool(fitting)

    def take_starting(self, load: Load) -> None:
        """Take room for a replica that is already starting, on the idlest node."""
        # If Ray has already reserved its resources, they count twice until it runs.
        if at := self.reservable(load) or [*range(len(self._idle))]:
            self._use(max(at, key=lambda node: self._idle[node]), load)

    def lacks(self, load: Load) -> str:
        """Say what is missing for one more replica."""
        if self.reservable(load):
            return f"no node has {load.busy_cores:.1f} idle cores for another replica"
        share = ", ".join(f"{amount:g} {name}" for name, amount in sorted(load.reserved.items()))
        return f"no node has {share} unreserved for another replica"

    def _use(self, at: int, load: Load) -> None:
        self._idle[at] -= load.busy_cores
        for name, amount in load.reserved.items():
            self._free[at][name] = self._free[at].get(name, 0.0) - amount


def decide(
    loads: Mapping[str, Load],
    nodes: Sequence[Node],
    spare_cores: float = 0.0,
    earlier: Mapping[str, Decision] | None = None,
) -> dict[str, Decision]:
    """Decide the number of replicas of each deployment.

    Args:
        loads: loads by the deployment's name.
        nodes: nodes of the cluster.
        spare_cores: cores of each node that stay idle.
        earlier: the last decisions. Deployments that were to get replicas because calls wait are considered first, so
            that the choice stays the same during their `upscale_delay_s`.
    """
    earlier = earlier or {}
    room = _Room(nodes, spare_cores)
    stuck = [name for name, load in loads.items() if load.missing and not room.reservable(load)]
    decisions = _make_room(loads, stuck, nodes) if stuck else {}
    for load in loads.values():
        for _ in range(load.starting):
            room.take_starting(load)

    growth = _add_where_calls_wait(loads, room, earlier, decisions)
    if growth:
        _add_companions(loads, room, growth, decisions)
    for name, load in loads.items():
        if name not in decisions:
            decisions[name] = _kept_or_reduced(load)
    return {name: decisions[name] for name in loads}


def _make_room(loads: Mapping[str, Load], stuck: Sequence[str], nodes: Sequence[Node]) -> dict[str, Decision]:
    """Remove replicas from deployments above their minimum, because the replicas of `stuck` fit on no node."""
    decisions: dict[str, Decision] = {}
    reason = f"no node has room for {', '.join(stuck)}"
    surplus = {name: load for name, load in loads.items() if load.target > load.minimum}
    for name, load in surplus.items():
        if load.starting:
            # The starting replicas would take the room that is made.
            decisions[name] = Decision(max(load.running, load.minimum), "making room", f"{load}; {reason}")
    wanted = {resource: amount for name in stuck for resource, amount in loads[name].reserved.items() if amount}
    short = {name for name, amount in wanted.items() if all(node.free.get(name, 0.0) < amount for node in nodes)}
    giving = {
        name: load.busy or 0.0
        for name, load in surplus.items()
        if load.running > load.minimum and any(load.reserved.get(resource) for resource in short or wanted)
    }
    if giving:
        name = min(giving, key=lambda name: giving[name])
        decisions[name] = Decision(loads[name].running - 1, "making room", f"{loads[name]}; {reason}")
    return decisions


def _add_where_calls_wait(
    loads: Mapping[str, Load], room: _Room, earlier: Mapping[str, Decision], decisions: dict[str, Decision]
) -> dict[str, float]:
    """Add decisions for deployments where calls wait; return the growth factor of those that get replicas."""

    def rank(name: str) -> tuple[bool, float]:
        load = loads[name]
        chosen = name in earlier and earlier[name].cause == "waiting"
        return not chosen, -load.ongoing / (load.running * load.wanted_ongoing)

    growth: dict[str, float] = {}
    waiting = [
        name
        for name, load in loads.items()
        if name not in decisions and load.running and load.waits and not load.starting
    ]
    for name in sorted(waiting, key=rank):
        load, added = loads[name], 0
        # Waiting calls show that replicas are missing, but not how many, so at most double the number at a time.
        wanted = min(math.ceil(load.ongoing / load.wanted_ongoing), 2 * load.running, load.maximum) - load.target
        while added < wanted and room.take(load):
            added += 1
        if added:
            growth[name] = (load.target + added) / load.running
            decisions[name] = Decision(load.target + added, "waiting", str(load))
        elif wanted > 0:
            decisions[name] = Decision(load.target, "no room", f"{load}; {room.lacks(load)}")
        else:
            decisions[name] = Decision(load.target, "maximum", f"{load}; max_replicas is {load.maximum}")
    return growth


def _add_companions(
    loads: Mapping[str, Load], room: _Room, growth: Mapping[str, float], decisions: dict[str, Decision]
) -> None:
    """Add decisions for deployments that could not process the calls of those that grow."""
    cause = max(growth, key=lambda name: growth[name])
    for name, load in loads.items():
        if name in decisions or load.starting or load.busy is None:
            continue
        expected, added = load.busy * load.running * growth[cause], 0
        # Batches grow with the number of calls, so a busy replica is saturated only if calls wait.
        enough = min(expected, load.ongoing * growth[cause] / (RELAXED * load.wanted_ongoing), load.maximum)
        while load.target + added < enough and room.take(load):
            added += 1
        if added:
            busy = expected / load.running
            reason = f"{load}; {busy:.0%} busy with the additional replicas of {cause}"
            decisions[name] = Decision(load.target + added, "companion", reason)


def _kept_or_reduced(load: Load) -> Decision:
    if load.starting:
        return Decision(load.target, "starting", f"{load}; {load.running} of {load.target} replicas are running")
    others = load.running - 1
    if load.busy is not None and others >= max(load.minimum, 1) and load.target == load.running:
        busy = load.busy * load.running / others
        if busy < RELAXED and load.ongoing < RELAXED * others * load.wanted_ongoing:
            return Decision(others, "relaxed", f"{load}; {busy:.0%} busy with one replica fewer")
    return Decision(load.target, "steady", str(load))
