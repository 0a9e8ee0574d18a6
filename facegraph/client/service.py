"""The service itself: its networks, its stages, and whether they answer."""

from dataclasses import dataclass
from functools import partial

from facegraph.client.call import Call, path_of
from facegraph.client.decoding import decode


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network behind a role; the last four are an embedder's.

    `cosine_threshold` decides where neither the request nor the collection has one, and `threshold_source` says
    whether it is the configuration's or the card's.
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
    """Default roles for requests."""

    detector: str


@dataclass(frozen=True, kw_only=True)
class Networks:
    """Every network by its role, which is what requests name."""

    detectors: dict[str, Network]
    liveness: dict[str, Network]
    embedders: dict[str, Network]
    defaults: Defaults


@dataclass(frozen=True, kw_only=True)
class Replicas:
    """How many replicas a stage has, by what they are doing."""

    running: int
    starting: int
    stopping: int
    wanted: int


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Calls of a stage that the answering ingress made: under way, and ended in the last `Status.since_s` seconds.

    `p50_ms` and `p95_ms` are how long half, and 95 of 100, of these took at most, in milliseconds.
    """

    ongoing: int
    recent: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A deployment of the service; `kind` is detector, liveness, embedder, gallery or ingress.

    The last two have no network: `role`, `model`, `title` and `licence` are None.
    """

    deployment: str
    kind: str
    role: str | None
    model: str | None
    title: str | None
    licence: str | None
    ready: bool
    replicas: Replicas
    calls: Calls


@dataclass(frozen=True, kw_only=True)
class Status:
    """Every stage, how far back `Calls.recent` reaches, and the damaged collections."""

    stages: tuple[Stage, ...]
    since_s: int
    unreadable_collections: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Health:
    """Whether the stages answer: healthy if all do, degraded if some do, unhealthy if none does.

    `models` has the verdict by role, `database_connected` is the gallery's, and `unreadable_collections` is how many
    collections are damaged.
    """

    status: str
    version: str
    models: dict[str, bool]
    database_connected: bool
    unreadable_collections: int = 0


def models() -> Call[Networks]:
    """List the networks that a request can choose, by their roles."""
    return Call(method="GET", path=path_of("models"), decode=partial(decode, Networks))


def status() -> Call[Status]:
    """Tell every stage's replicas, calls and network."""
    return Call(method="GET", path=path_of("status"), decode=partial(decode, Status))


def health() -> Call[Health]:
    """Report whether every stage answers; one that does not is not an error here."""
    return Call(method="GET", path="/health", decode=partial(decode, Health), answers=frozenset({503}))
