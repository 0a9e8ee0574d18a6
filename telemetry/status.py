"""The state of each stage, as reported by /v1/status."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from models.card import Card
from telemetry.call_window import CallStatistics


@dataclass(frozen=True, slots=True)
class Replicas:
    """Replicas of a deployment by state, and the target number set by autoscaling or the configuration."""

    running: int = 0
    starting: int = 0
    stopping: int = 0
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class Autoscaling:
    """The number of replicas that the application's autoscaling policy last decided on, and why."""

    replicas: int
    reason: str


@dataclass(frozen=True, slots=True)
class StageStatus:
    """The state of one stage.

    Attributes:
        deployment: name of the stage, e.g. ``detector-mtcnn``, even if the stage runs inside the ingress.
        kind: the task of its model, ``gallery`` or ``ingress``.
        ready: whether the stage responded at the last check of `deployments.readiness`.
        replicas: replicas of the deployment that the stage runs in.
        calls: recent calls of the stage from this process.
        role, card: the name that requests use, and the model's card; None for the gallery and the ingress.
        autoscaling: the last decision on the deployment that the stage runs in; None without the application's policy.
    """

    deployment: str
    kind: str
    ready: bool
    replicas: Replicas
    calls: CallStatistics
    role: str | None = None
    card: Card | None = None
    autoscaling: Autoscaling | None = None


Status = Callable[[], Awaitable[Sequence[StageStatus]]]
"""Returns the state of every stage; raises `RequestError` ``UNAVAILABLE`` if the numbers of replicas are unknown."""
