"""How the stages are, as whoever runs them tells it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from graphs.stages import Network
from telemetry.call_window import Calls

Kind = Literal["detector", "liveness", "embedder", "gallery", "ingress"]


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many replicas a deployment has, by what they do, and how many it is to have."""

    running: int = 0
    starting: int = 0
    stopping: int = 0
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How one stage is.

    Attributes:
        deployment: its name, e.g. ``detector-mtcnn``, also where it runs inside the ingress.
        role: what requests name it by; None of the gallery and the ingress.
        network: behind it; None of the same.
        ready: whether it answers, as far as is known: `deployments.readiness`.
        replicas: of the deployment that it runs in.
        calls: what this process saw of it.
    """

    deployment: str
    kind: Kind
    role: str | None
    network: Network | None
    ready: bool
    replicas: Replicas
    calls: Calls


Status = Callable[[], Awaitable[Sequence[StageStatus]]]
"""Tells of every stage; raises `Refused`: ``UNAVAILABLE`` where nobody knows how many replicas there are."""
