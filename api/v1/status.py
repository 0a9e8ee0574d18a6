"""GET /v1/status: the state of each stage."""

from fastapi import APIRouter
from pydantic import Field

from api.errors import ERRORS
from api.parameters import StrictRoute
from api.service import CurrentKey, CurrentService
from api.v1.examples import Answer, example
from telemetry.call_window import WINDOW_S
from telemetry.status import StageStatus

router = APIRouter(prefix="/v1", tags=["status"], responses=ERRORS, route_class=StrictRoute)


class ReplicasAnswer(Answer):
    """Number of replicas of a deployment by state."""

    model_config = example(running=1, starting=0, stopping=0, wanted=1)

    running: int
    starting: int
    stopping: int
    wanted: int = Field(description="Target number, set by the configuration or autoscaling.")


class CallsAnswer(Answer):
    """Recent calls to a stage from the ingress replica that handles this request."""

    model_config = example(ongoing=0, recent=120, p50_ms=12.3, p95_ms=20.1)

    ongoing: int = Field(description="Calls that have not finished, including queued calls.")
    recent: int = Field(description="Calls that finished in the last `since_s` seconds; at most 4,096.")
    p50_ms: float | None = Field(description="Median duration in milliseconds.")
    p95_ms: float | None = Field(description="95th percentile of the duration in milliseconds.")


class AutoscalingAnswer(Answer):
    """The last decision of the application's autoscaling policy on a deployment."""

    model_config = example(replicas=1, reason="steady: 0.4 calls per replica (target 8), 12% busy")

    replicas: int = Field(description="Number of replicas that the policy wants. Ray Serve applies it after a delay.")
    reason: str = Field(description="Reason and load behind the decision. The wording may change.")


class StageAnswer(Answer):
    """The state of one stage."""

    model_config = example(
        deployment="detector-mtcnn",
        kind="detector",
        role="mtcnn",
        model="mtcnn",
        title="MTCNN",
        licence="MIT",
        ready=True,
    )

    deployment: str = Field(description="Name of the deployment: `TASK-ROLE`, even for a stage inside the ingress.")
    kind: str = Field(description="The task of the stage's model; otherwise `gallery` or `ingress`.")
    role: str | None = Field(description="Name of the stage in requests; null for the gallery and the ingress.")
    model: str | None
    title: str | None
    licence: str | None
    ready: bool = Field(description="Whether the stage was ready at the last check of this ingress replica.")
    replicas: ReplicasAnswer = Field(
        description="Replicas of the stage, or of the ingress if the stage runs inside it."
    )
    autoscaling: AutoscalingAnswer | None = Field(
        description="Null if the number of replicas is fixed, or Ray Serve's default policy decides."
    )
    calls: CallsAnswer

    @classmethod
    def of(cls, stage: StageStatus) -> "StageAnswer":
        card, calls = stage.card, stage.calls
        return cls(
            deployment=stage.deployment,
            kind=stage.kind,
            role=stage.role,
            model=card and card.name,
            title=card and card.title,
            licence=card and card.licence,
            ready=stage.ready,
            replicas=stage.replicas,
            autoscaling=stage.autoscaling,
            calls=CallsAnswer(
                ongoing=calls.ongoing, recent=calls.recent, p50_ms=_ms(calls.p50_s), p95_ms=_ms(calls.p95_s)
            ),
        )


class IndexAnswer(Answer):
    """Collections of one model that are too large for exact search."""

    model_config = example(model="mobilefacenet", collections=1, faces=5_000_000, unindexed=2_000, recall=0.99)

    model: str
    collections: int
    faces: int
    unindexed: int = Field(description="Faces that are not in an index yet. Searches compare the probe with each.")
    recall: float | None = Field(
        description="Lowest recall of these collections: the share of searches that find the nearest face. A reader "
        "measures it every hour on a sample of enrolled faces; null before the first measurement."
    )


class StatusAnswer(Answer):
    """State of the models, the gallery's writer and reader, and the ingress."""

    model_config = example(unreadable_collections=[], since_s=WINDOW_S)

    stages: list[StageAnswer]
    unreadable_collections: list[str] = Field(
        description="Damaged collections. A key bound to specific collections sees only those."
    )
    indexes: list[IndexAnswer] = Field(description="Indexes of large collections, by model.")
    since_s: int = Field(description="Length of the window of `calls`, in seconds.")


@router.get("/status")
async def get_status(service: CurrentService, key: CurrentKey) -> StatusAnswer:
    """Report the replicas of each stage and its recent calls from this ingress replica.

    Fails with `UNAVAILABLE` while Ray Serve's controller does not respond.
    """
    return StatusAnswer(
        stages=[StageAnswer.of(stage) for stage in await service.status()],
        unreadable_collections=[
            name for name in service.stages.gallery.unreadable() if key is None or key.reaches(name)
        ],
        indexes=[IndexAnswer.model_validate(index) for index in service.stages.gallery.indexes()],
        since_s=WINDOW_S,
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 1)
