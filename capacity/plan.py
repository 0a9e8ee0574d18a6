"""Find the replicas and nodes needed for a request rate."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from capacity.system import CapacityError, Mix, NodeSize, Place, StageModel, System

SPARE_CORES = 1.0
"""Cores of each node that replicas leave to HAProxy, Ray and Serve's controller."""
LARGEST_SHARE = 0.9
"""Part of a GPU that replicas may reserve."""
GPU_PARTS = 3
"""A replica needs at most 1 / `GPU_PARTS` of a GPU's time. With larger shares, half of a GPU could stay idle."""
STEP = 0.05
"""Reserved cores are rounded up to multiples of this."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Demand:
    """What a deployment has to do.

    Attributes:
        model: the deployment's times.
        gpu_share: share of a GPU that each replica reserves; 0 if it runs on cores.
        other_cores: cores that each replica reserves for the stages that run inside it.
        single: whether it can have only one replica.
    """

    model: StageModel
    gpu_share: float = 0.0
    other_cores: float = 0.0
    single: bool = False


@dataclass(frozen=True, slots=True)
class PlannedDeployment:
    """Replicas of a deployment.

    Attributes:
        cpus, gpus: what each replica reserves.
        cores_busy, gpus_busy: what each replica keeps busy on average.
    """

    replicas: int
    workers: int
    cpus: float
    gpus: float
    cores_busy: float
    gpus_busy: float

    @property
    def utilisation(self) -> float:
        """Busy share of a replica. Its Python code runs on one core at a time, and it has one GPU."""
        return max(self.cores_busy, self.gpus_busy)


@dataclass(frozen=True, slots=True)
class CapacityPlan:
    """Replicas, and the nodes that have room for them.

    Attributes:
        rate: requests per second that the plan was made for.
        system: for `capacity.simulate`.
    """

    rate: float
    deployments: Mapping[str, PlannedDeployment]
    system: System

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.system.nodes)

    @property
    def limits(self) -> dict[str, float]:
        """Requests per second that saturate each deployment, the busiest cores and the busiest GPU, lowest first."""
        busiest: dict[str, float] = {name: each.utilisation for name, each in self.deployments.items()}
        cores = [0.0] * len(self.system.nodes)
        gpus: dict[Place, float] = {}
        for name, places in self.system.places.items():
            planned = self.deployments[name]
            for place in places:
                cores[place.node] += planned.cores_busy
                if place.gpu is not None:
                    gpus[place] = gpus.get(place, 0.0) + planned.gpus_busy
        busiest["cores"] = max(busy / node.cores for busy, node in zip(cores, self.system.nodes, strict=True))
        busiest["gpus"] = max(gpus.values(), default=0.0)
        limits = {name: self.rate / busy for name, busy in busiest.items() if busy}
        return dict(sorted(limits.items(), key=lambda limit: limit[1]))


class _FreeNode:
    """What is left of a node while it is filled."""

    def __init__(self, size: NodeSize, utilisation: float) -> None:
        self._cpus = size.cores - SPARE_CORES
        self._shares, self._times = [LARGEST_SHARE] * size.gpus, [utilisation] * size.gpus

    def take(self, number: int, replica: PlannedDeployment) -> Place | None:
        """Reserve what a replica needs and return its place; None if it does not fit."""
        if replica.cpus > self._cpus + ROUNDING:
            return None
        if not replica.gpus:
            self._cpus -= replica.cpus
            return Place(number)
        for gpu, (share, time) in enumerate(zip(self._shares, self._times, strict=True)):
            if replica.gpus <= share + ROUNDING and replica.gpus_busy <= time + ROUNDING:
                self._cpus -= replica.cpus
                self._shares[gpu] -= replica.gpus
                self._times[gpu] -= replica.gpus_busy
                return Place(number, gpu)
        return None


def plan_capacity(
    demands: Mapping[str, Demand],
    mix: Mix,
    rate: float,
    node: NodeSize,
    *,
    utilisation: float = 0.7,
    background_cores: float = 0.0,
    variation: float = 0.0,
) -> CapacityPlan:
    """Return the fewest replicas that are at most `utilisation` busy at `rate`, packed into nodes.

    Calls that share a batch on a GPU need less of its time than this assumes.

    Args:
        demands: all deployments. Those that no route calls get one replica.
        rate: requests per second.
        node: cores and GPUs of each node.
        background_cores, variation: as in `capacity.service_times`.

    Raises:
        CapacityError: a node cannot hold a replica, or a single replica is not enough.
    """
    planned = {name: _planned(name, demand, mix, rate, utilisation) for name, demand in demands.items()}
    places, nodes = _packed(planned, node, utilisation)
    size = NodeSize(node.cores - background_cores, node.gpus)
    stages = {name: demand.model for name, demand in demands.items()}
    return CapacityPlan(rate, planned, System((size,) * nodes, stages, places, variation))


def _planned(name: str, demand: Demand, mix: Mix, rate: float, utilisation: float) -> PlannedDeployment:
    core = gpu = calls = 0.0
    for route, share in mix.items():
        for call in (call for step in route for call in step if call.stage == name):
            calls += rate * share
            core += rate * share * demand.model.core_seconds(call.items)
            gpu += rate * share * demand.model.gpu_seconds(call.items)
    replicas = max(1, math.ceil(max(core, gpu * GPU_PARTS) / utilisation - ROUNDING))
    if demand.single and replicas > 1:
        most = calls * utilisation / core
        raise CapacityError(
            f"{name} can have only one replica, which handles {most:.0f} calls per second, not {calls:.0f}"
        )
    reserved = math.ceil(core / replicas / utilisation / STEP - ROUNDING) * STEP
    cpus = round(max(reserved, STEP) + demand.other_cores, 2)
    return PlannedDeployment(replicas, demand.model.workers, cpus, demand.gpu_share, core / replicas, gpu / replicas)


def _packed(
    planned: Mapping[str, PlannedDeployment], size: NodeSize, utilisation: float
) -> tuple[dict[str, tuple[Place, ...]], int]:
    """Pack the replicas into nodes, first fit, the largest first. Return their places and the number of nodes."""
    places: dict[str, list[Place]] = {name: [] for name in planned}
    nodes = list[_FreeNode]()
    # Ties are sorted by name, so that the order of the configuration does not matter.
    for name, replica in sorted(
        planned.items(), key=lambda each: (-each[1].gpus_busy, -each[1].gpus, -each[1].cpus, each[0])
    ):
        for _ in range(replica.replicas):
            place = next(filter(None, (node.take(number, replica) for number, node in enumerate(nodes))), None)
            if place is None:
                nodes.append(_FreeNode(size, utilisation))
                place = nodes[-1].take(len(nodes) - 1, replica)
            if place is None:
                raise CapacityError(
                    f"a node with {size.cores:g} cpus and {size.gpus} gpus cannot hold a replica of {name}, which "
                    f"reserves {replica.cpus:g} cpus and {replica.gpus:g} gpus: {SPARE_CORES:g} cpu and "
                    f"{1 - LARGEST_SHARE:.0%} of each GPU are kept free"
                )
            places[name].append(place)
    return {name: tuple(each) for name, each in places.items()}, len(nodes)
