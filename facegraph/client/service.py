"""The service itself: its models, its stages and its health."""

from dataclasses import dataclass
from functools import partial

from facegraph.client.api_call import ApiCall, api_path
from facegraph.client.decoding import decode


@dataclass(frozen=True, kw_only=True)
class Network:
    """The model behind a role. The last four fields are None unless it is an embedder.

    `cosine_threshold` applies if neither the request nor the collection sets one. `threshold_source` is where it was
    set: configuration or card.
    """

    model: str
    title: str
    licence: str
    embedding_contract: str | None = None
    embedding_dimensions: int | None = None
    cosine_threshold: float | None = None
    threshold_source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """The roles that are used unless a request names others; None if no model has the task."""

    detector: str
    liveness: str | None = None
    embedder: str | None = None
    pose: str | None = None
    eyes: str | None = None


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Every model by its role, the name used in requests, and attribute models by their attribute."""

    detectors: dict[str, Network]
    liveness: dict[str, Network]
    embedders: dict[str, Network]
    attributes: dict[str, Network]
    defaults: Defaults


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """Number of a stage's replicas in each state, and the target number."""

    running: int
    starting: int
    stopping: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class Autoscaling:
    """The number of replicas that the service's autoscaling policy wants, and why."""

    replicas: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Calls to a stage from the ingress replica that responded.

    Attributes:
        ongoing: in progress.
        recent: completed in the last `Status.since_s` seconds.
        p50_ms, p95_ms: percentiles of the recent calls' durations.
    """

    ongoing: int
    recent: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A deployment of the service. `kind` is the task of its model, gallery or ingress.

    `role`, `model`, `title` and `licence` are None for the gallery and the ingress, which have no model.
    `autoscaling` is None if the number of replicas is fixed or Ray Serve's default policy decides.
    """

    deployment: str
    kind: str
    role: str | None
    model: str | None
    title: str | None
    licence: str | None
    ready: bool
    replicas: Replicas
    autoscaling: Autoscaling | None = None
    calls: Calls


@dataclass(frozen=True, kw_only=True)
class Index:
    """The collections of one model that are too large for exact search.

    Attributes:
        collections, faces: number of these collections, and of their faces.
        unindexed: number of faces that are not in an index yet.
        recall: lowest recall of these collections: the share of searches that find the nearest face; None if it has not
            been measured yet.
    """

    model: str
    collections: int
    faces: int
    unindexed: int
    recall: float | None


@dataclass(frozen=True, kw_only=True)
class Status:
    """All stages and indexes, the names of damaged collections, and the seconds that `Calls.recent` covers."""

    stages: tuple[Stage, ...]
    since_s: int
    unreadable_collections: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Health:
    """Whether the stages and the gallery are ready.

    Attributes:
        status: healthy if all are ready and no collection is damaged, unhealthy if no stage is ready, otherwise
            degraded.
        version: version of the service.
        models: by role, whether its stage is ready.
        database_connected: whether the gallery is ready.
        unreadable_collections: number of damaged collections.
    """

    status: str
    version: str
    models: dict[str, bool]
    database_connected: bool
    unreadable_collections: int = 0


def models() -> ApiCall[Networks]:
    """List the models that requests can choose, by role."""
    return ApiCall(method="GET", path=api_path("models"), decode=partial(decode, Networks))


def status() -> ApiCall[Status]:
    """Report each stage's model, replicas and calls."""
    return ApiCall(method="GET", path=api_path("status"), decode=partial(decode, Status))


def health() -> ApiCall[Health]:
    """Report whether every stage responds. A stage that does not is not an error here."""
    return ApiCall(method="GET", path="/health", decode=partial(decode, Health), also_success=frozenset({503}))
