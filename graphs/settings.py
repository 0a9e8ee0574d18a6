"""Every setting of the service, in two groups: what needs a restart, and what can change at run time.

`AppArgs` stands under `args` in configs/serve.yaml: any change of it restarts the replicas.
`Policy` stands under the ingress's `user_config` there: a change reaches running replicas.
Both refuse unknown keys. A setting with an environment variable takes the file's value first, then
the variable, then the default.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from graphs.batches import LARGEST_PHOTO
from imaging.decode import Limits

ROOT = Path(__file__).resolve().parents[1]

_HOST = re.compile(r"(?:(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?|\[(?P<ip>[0-9a-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?")


class StageArgs(BaseModel):
    """One stage: its network and each replica's share of the machine."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = Field(description="Name of a card in models/cards.")
    engine: Literal["onnx", "onnx-float32", "torch", "tensorflow"] = Field(
        "onnx",
        description="The runtime; the card names its original one. onnx takes 8-bit integers on CPUs where the card "
        "has them, onnx-float32 never does.",
    )
    place: Literal["own", "ingress"] = Field(
        "own",
        description="own: a deployment of its own, which scales by itself; ingress: inside the ingress's replicas, "
        "whose share of the machine grows by the stage's, for machines with few cores.",
    )
    cpus: float = Field(0.2, gt=0, description="CPUs a replica owns; a network runs on as many threads, rounded up.")
    workers: int = Field(
        1,
        ge=1,
        description="Calls that a replica works on at once, each in a thread of its own; others wait. "
        "Stages inside the ingress share its workers.",
    )
    gpus: float = Field(
        0.1, ge=0, le=1, description="Share of a GPU a replica owns, where the cluster has GPUs; 0 for never."
    )
    gpu_memory_mb: int = Field(
        2048, gt=0, description="Most that the network's arena takes of the GPU's memory, in MiB."
    )

    @model_validator(mode="after")
    def _gets_along_inside(self) -> "StageArgs":
        # TensorFlow and torch crash in one process.
        if self.place == "ingress" and not self.engine.startswith("onnx"):
            raise ValueError("a stage inside the ingress runs in onnx")
        return self


class DetectorArgs(StageArgs):
    """A detector stage."""

    options: dict[str, Any] = Field(
        default_factory=dict, description="Arguments of the detector's class in models/detectors, e.g. min_face."
    )


class _FromEnvironment(BaseSettings):
    # Serve logs what its builder raises: an error tells which setting is wrong, and never what it was set to.
    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class LimitArgs(_FromEnvironment):
    """What the service lets in."""

    max_image_size: int = Field(10 * 1024 * 1024, gt=0, le=LARGEST_PHOTO, description="Bytes of an encoded photo.")
    max_image_pixels: int = Field(50_000_000, gt=0, description="Width times height, as the photo's header states it.")
    max_image_dimension: int = Field(1024, ge=64, description="Longest side that a photo is scaled down to.")
    request_timeout: float = Field(30, gt=0, description="Seconds a request may take.")
    max_requests: int = Field(
        64, gt=0, description="Requests that a replica of the ingress works on at once; one more is refused."
    )
    max_faces: int = Field(10_000, gt=0, description="Ids that a database of POST /add_face may have.")
    cors_origins: str = Field(
        "*", description="Origins of the pages that may call /api/v1/, comma-separated; * for any, nothing for none."
    )

    @property
    def decode(self) -> Limits:
        """The decode gate's limits."""
        return Limits(self.max_image_size, self.max_image_pixels, self.max_image_dimension)

    @property
    def max_body(self) -> int:
        """Bytes of a request's body: two photos in base64 and room for the JSON around them.

        Base64 may be broken every 76 characters, by a line end that JSON writes in four.
        """
        return 2 * (self.max_image_size * 4 // 3 * 80 // 76) + 64 * 1024


class AddressArgs(_FromEnvironment):
    """Which photos are fetched by address; each variable begins with ``FETCH_``."""

    model_config = SettingsConfigDict(env_prefix="FETCH_")

    addresses: bool = Field(True, description="Whether any are.")
    allowed_hosts: str = Field(
        "",
        description="Where given, the only hosts that photos are fetched from, comma-separated; HOST means the ports "
        "80 and 443 of it, HOST:PORT another one.",
    )
    allowed_networks: str = Field(
        "",
        description="Networks that are let in though they are not public, on any port, comma-separated, "
        "e.g. 10.1.0.0/16.",
    )
    timeout: float = Field(5, gt=0, description="Seconds an address may take, from its name to its last byte.")
    max_redirects: int = Field(3, ge=0, description="Redirects that are followed.")

    @property
    def hosts(self) -> frozenset[tuple[str, int | None]]:
        """The allowed hosts, each with its port or without one."""
        return frozenset(map(_host, _entries(self.allowed_hosts)))

    @property
    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The allowed networks."""
        return tuple(map(ip_network, _entries(self.allowed_networks)))

    @field_validator("allowed_hosts")
    @classmethod
    def _names_hosts(cls, text: str) -> str:
        for entry in _entries(text):
            _host(entry)
        return text

    @field_validator("allowed_networks")
    @classmethod
    def _names_networks(cls, text: str) -> str:
        for entry in _entries(text):
            ip_network(entry)
        return text


def _entries(text: str) -> list[str]:
    # An empty entry stays one, and is refused: a list that lost its names must not mean that there is none.
    return [entry.strip() for entry in text.split(",")] if text.strip() else []


def _host(entry: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(entry.lower())
    if not found or not 0 < int(found["port"] or 1) < 65536:
        raise ValueError(f"{entry!r} is neither a host nor HOST:PORT; international names begin with xn-- here")
    return found["name"] or found["ip"], int(found["port"]) if found["port"] else None


class GalleryArgs(_FromEnvironment):
    """Where the gallery lies and how it is kept; each variable begins with ``GALLERY_``."""

    # An empty address would be the project's own folder.
    model_config = SettingsConfigDict(env_prefix="GALLERY_", env_ignore_empty=True)

    uri: str = Field(
        "data/gallery",
        description="A folder on the head node, below the project unless absolute, or an object store's address, "
        "e.g. s3://bucket/gallery.",
    )
    storage_options: dict[str, str] = Field(
        default_factory=dict,
        repr=False,
        description="Of the object store, as LanceDB has them; better in its own variables, for Ray's dashboard "
        "shows a configuration to whoever reaches it.",
    )
    exact_mb: int = Field(
        256,
        ge=0,
        description="MiB of embeddings that a reader keeps for exact search; larger ones use an index.",
    )
    index_rows: int = Field(120_000, gt=0, description="Faces of a collection from which on it gets a vector index.")
    optimise_s: float = Field(20, gt=0, description="Seconds between two mergers of small files.")
    clean_s: float = Field(3600, gt=0, description="Seconds between two clean-ups, which erase what was deleted.")
    writer_cpus: float = Field(0.1, gt=0, description="CPUs the writer owns.")
    reader_cpus: float = Field(0.1, gt=0, description="CPUs a reader owns.")
    reader_threads: int = Field(2, ge=1, description="Threads of an exact search, which lasts some milliseconds.")

    @field_validator("uri")
    @classmethod
    def _below_the_project(cls, uri: str) -> str:
        if not uri.strip() or "\0" in uri:
            raise ValueError("an empty address, or one with a zero byte")
        if "://" in uri and urlsplit(uri).password is not None:
            # LanceDB's errors quote the address, and the log has them.
            raise ValueError("an address with a password: credentials belong into the object store's own variables")
        return uri if "://" in uri else str(ROOT / uri)


KEYS_FILE = Path("data/keys.json")


class AccessArgs(_FromEnvironment):
    """Who may call, how often, and where it is noted."""

    require_keys: bool = Field(
        False, description="Whether a request needs an API key; a wrong key is refused either way."
    )
    keys_file: Path = Field(
        KEYS_FILE,
        description="What `facegraph keys` writes; below the project unless absolute, on each node with an ingress.",
    )
    audit_log: str = Field(
        "data/audit.jsonl", description="A file, below the project unless absolute; empty for no log."
    )
    rate_limit: float = Field(
        0,
        ge=0,
        allow_inf_nan=False,
        description="Requests a second that a key, or an address without one, may ask a replica of the ingress; 0 for "
        "any number.",
    )
    rate_burst: int = Field(20, gt=0, description="Requests that it may ask at once after a pause.")
    forwarded_hops: int = Field(
        0,
        ge=0,
        description="Proxies before the ingress that append to X-Forwarded-For, HAProxy of `make run` among them: the "
        "caller's address is that many entries from its end, and the connection's own where there are fewer.",
    )

    @field_validator("keys_file")
    @classmethod
    def _file_below_the_project(cls, path: Path) -> Path:
        # An empty variable is the default, as it is for `facegraph keys`.
        return ROOT / (KEYS_FILE if path == Path() else path)

    @field_validator("audit_log")
    @classmethod
    def _log_below_the_project(cls, text: str) -> str:
        return text and str(ROOT / text)


class DefaultArgs(BaseModel):
    """Default roles for requests to /v1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    detector: str = Field("mtcnn", description="Role of the detector.")


class AppArgs(BaseModel):
    """The arguments of `graphs.app.build`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto",
        description="auto: GPU shares where the cluster has GPUs, CPUs where it has none; cuda: GPUs or an error.",
    )
    models_dir: Path = Field(Path("data/models"), description="Where `facegraph models pull` put the models.")
    detectors: dict[str, DetectorArgs]
    liveness: dict[str, StageArgs]
    embedders: dict[str, StageArgs]
    defaults: DefaultArgs = Field(default_factory=DefaultArgs)
    limits: LimitArgs = Field(default_factory=LimitArgs)
    addresses: AddressArgs = Field(default_factory=AddressArgs)
    gallery: GalleryArgs = Field(default_factory=GalleryArgs)
    access: AccessArgs = Field(default_factory=AccessArgs)
    ingress_cpus: float = Field(
        0.2, gt=0, description="CPUs an ingress replica owns, without those of the stages inside it."
    )
    ingress_workers: int = Field(
        1, ge=1, description="Calls of the stages inside it that an ingress replica works on at once."
    )

    @field_validator("models_dir")
    @classmethod
    def _below_the_project(cls, path: Path) -> Path:
        return ROOT / path

    @field_validator("detectors", "liveness", "embedders")
    @classmethod
    def _has_the_role(cls, stages: dict[str, StageArgs], info: ValidationInfo) -> dict[str, StageArgs]:
        role = {"detectors": "mtcnn", "liveness": "crmnet", "embedders": "arcface"}[str(info.field_name)]
        if role not in stages:
            raise ValueError(f"/match needs a stage called {role} here")
        return stages

    @model_validator(mode="after")
    def _defaults_are_there(self) -> "AppArgs":
        if self.defaults.detector not in self.detectors:
            raise ValueError(
                f"defaults: no detector is called {self.defaults.detector}; there are {', '.join(self.detectors)}"
            )
        return self

    @property
    def cpus(self) -> float:
        """CPUs that one replica of each stage, of the ingress and of the gallery reserve."""
        stages = (*self.detectors.values(), *self.liveness.values(), *self.embedders.values())
        others = self.ingress_cpus + self.gallery.writer_cpus + self.gallery.reader_cpus
        return others + sum(stage.cpus for stage in stages)


class Policy(_FromEnvironment):
    """What counts as a match, as live and as a usable photo, and whether the older routes pad their embeddings."""

    similarity_threshold: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least cosine similarity of a match on /match, /compare, /mediapipe and /match_face of facenet, "
        "where a request names none; without it each contract's own: 0.6, and 0.7 for /match_face.",
    )
    arcface_threshold: float | None = Field(
        None, ge=0, le=1, description="The same on /match_face of arcface, whose contract has 0.75."
    )
    thresholds: dict[str, Annotated[float, Field(ge=-1, le=1)]] = Field(
        default_factory=dict,
        description="By an embedder's role, the least cosine similarity of a match in /v1 where neither the request "
        "nor the collection has one, in place of the card's: what `facegraph models calibrate` writes.",
    )
    liveness_threshold: float = Field(0.5, ge=0, le=1, description="Least live probability of a live face.")
    liveness_policy: Literal["report", "require"] = Field(
        "report", description="report: liveness stands beside the match; require: a spoof is never a match."
    )
    other_faces: float = Field(
        0.33,
        ge=0,
        le=1,
        description="Where a photo must show exactly one face, another one is ignored if its side is smaller than this "
        "share of the largest face's side; 0 ignores none.",
    )
    pad_embeddings: bool = Field(
        True,
        description="Whether embeddings of fewer than 512 numbers are padded with zeros where a contract documents "
        "512: /extract-embedding, /compare-faces and /api/v1.",
    )
    min_side: int = Field(224, gt=0, description="Least width and height of a photo in pixels.")
    min_brightness: float = Field(20, ge=0, le=255, description="Least mean grey value of a photo.")
    max_brightness: float = Field(240, ge=0, le=255, description="Greatest mean grey value of a photo.")
    min_contrast: float = Field(10, ge=0, le=255, description="Least standard deviation of a photo's grey values.")
    enrol_min_face: float = Field(30, ge=0, description="Least width and height of a face to enrol, in pixels.")
    enrol_max_cut: float = Field(0.3, ge=0, description="Most of its longer side that may lie outside the photo.")
    enrol_min_brightness: float = Field(40, ge=0, le=255, description="Least mean grey value of a face to enrol.")
    enrol_max_brightness: float = Field(220, ge=0, le=255, description="Greatest mean grey value of it.")
    enrol_min_contrast: float = Field(15, ge=0, le=255, description="Least standard deviation of its grey values.")
    enrol_min_sharpness: float = Field(
        10, ge=0, description="Least variance of its Laplacian at 112 pixels; of 217 real faces the least was 14."
    )
    enrol_max_turn: float = Field(0.7, ge=0, description="Furthest it looks aside: 0 ahead, more than 1 in profile.")

    def is_live(self, probability: float) -> bool:
        """Whether a face with this live probability is live: the one place that decides it."""
        return probability >= self.liveness_threshold

    def of(self, embedders: Collection[str]) -> "Policy":
        """This policy, for a service with these embedders' roles.

        Raises:
            ValueError: `thresholds` names another one.
        """
        if unknown := sorted(self.thresholds.keys() - set(embedders)):
            raise ValueError(
                f"thresholds: no embedder is called {', '.join(unknown)}; there are {', '.join(embedders)}"
            )
        return self
