"""The system as the model sees it: stages, their replicas, the nodes that they run on, and the calls of a request."""

from collections.abc import Mapping
from dataclasses import dataclass


class CapacityError(ValueError):
    """A plan is not possible. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Work:
    """Time of one batch, in seconds: `call`, and `item` for each of its photos or faces."""

    call: float = 0.0
    item: float = 0.0

    def of(self, items: float) -> float:
        """Return the seconds of a batch."""
        return self.call + self.item * items


@dataclass(frozen=True, slots=True)
class StageModel:
    """A stage, or the ingress, which runs no model.

    Attributes:
        hop: latency of a call in seconds, without work on a core.
        loop: core seconds per call for transfer and serialisation in the replica's event loop, which handles one call
            at a time.
        core: work of a worker on a core.
        gpu: work on the GPU that follows; None on a CPU.
        workers: concurrent calls per replica.
        largest: maximum number of items in a batch.
        decodes: whether this is a detector, whose workers take one photo each, and share one thread for the GPU.
    """

    hop: float = 0.0
    loop: float = 0.0
    core: Work = Work()
    gpu: Work | None = None
    workers: int = 1
    largest: int = 1
    decodes: bool = False

    def parts(self, items: int) -> list[int]:
        """Split a call into the parts that workers run separately, and return the number of items in each."""
        size = 1 if self.decodes else self.largest
        return [min(size, items - start) for start in range(0, items, size)]

    def core_seconds(self, items: int) -> float:
        """Return the core time of a call with `items` items that does not share a batch."""
        return self.loop + sum(map(self.core.of, self.parts(items)))

    def gpu_seconds(self, items: int) -> float:
        """Return the GPU time of a call with `items` items that does not share a batch."""
        return sum(map(self.gpu.of, self.parts(items))) if self.gpu else 0.0


@dataclass(frozen=True, slots=True)
class RouteCall:
    """A call of a stage with `items` photos or faces."""

    stage: str
    items: int


Route = tuple[tuple[RouteCall, ...], ...]
"""The steps of a request, one after the other. The calls of a step run concurrently."""

Mix = Mapping[Route, float]
"""The share of each route in all requests."""


@dataclass(frozen=True, slots=True)
class NodeSize:
    """Number of a node's cores, which may be a fraction, and of its GPUs."""

    cores: float
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a replica runs: index of the node, and of the GPU in it if the stage uses one."""

    node: int
    gpu: int | None = None


@dataclass(frozen=True, slots=True)
class System:
    """Nodes, and the replicas of the stages on them.

    Attributes:
        nodes: sizes without the cores that Ray and other programs keep busy.
        places: one for each replica, by stage.
        variation: standard deviation of the times on a core, relative to their mean. Those on a GPU do not vary.
    """

    nodes: tuple[NodeSize, ...]
    stages: Mapping[str, StageModel]
    places: Mapping[str, tuple[Place, ...]]
    variation: float = 0.0
