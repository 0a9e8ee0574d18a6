"""Stages, stores and logs that stand in for the real ones: what they answer is given, what they are asked is kept."""

import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient

from api.addresses import Addresses
from api.app import create_app
from api.service import Service
from gallery.reader import Reader
from gallery.tables import Place
from gallery.writer import Writer
from graphs.settings import AddressArgs, LimitArgs, Policy
from graphs.stages import Detect, DetectorStage, EmbedderStage, Gallery, LivenessStage, Network, Stages
from imaging.crops import CropSpec
from imaging.faces import Detection, Face, Photo, Pixels
from imaging.quality import Quality
from imaging.refused import Refused
from models.catalogue import card
from models.store import Store

LIVENESS_CROP = CropSpec(6, "box", 1.15)
EMBEDDER_CROP = CropSpec(4, "aligned")


def photo(
    width: int = 640,
    height: int = 480,
    brightness: float = 120,
    contrast: float = 50,
    faces: Sequence[float] = (0.99,),
    seconds: float = 0.125,
) -> Photo:
    """A good photo of one face unless told otherwise; `faces` are their scores."""
    found = tuple(Face((10, 10, 110, 110), score, np.zeros((5, 2), np.float32)) for score in faces)
    return Photo(
        width,
        height,
        Quality(brightness, contrast, sharpness=100),
        found,
        (Quality(brightness, contrast, 100),) * len(found),
        seconds,
    )


def crops_of(face: int, spec: CropSpec) -> Pixels:
    """The one crop that `FakeDetector` cuts of the request's face number `face`, and of no other face or spec."""
    return np.full((spec.size, spec.size, 3), 16 * face + spec.size, np.uint8)


class FakeDetector:
    """Finds `photos`, whatever it is shown."""

    def __init__(self, *photos: Photo | Refused) -> None:
        self.photos = photos
        self.calls: list[tuple[list[bytes], list[CropSpec]]] = []

    async def __call__(self, photos: Sequence[bytes], crops: Sequence[CropSpec], whole: bool) -> Detection:
        self.calls.append((list(photos), list(crops)))
        faces = sum(len(found.faces) for found in self.photos if isinstance(found, Photo))
        cut = {spec: np.stack([crops_of(face, spec) for face in range(faces)]) for spec in crops if faces}
        return Detection(self.photos, cut)


class FakeNetwork:
    """Answers `answer`, or raises it."""

    def __init__(self, answer: Sequence[Any] | Exception) -> None:
        self.answer = answer
        self.calls: list[list[Pixels]] = []

    async def __call__(self, *crops: Pixels) -> NDArray[np.float32]:
        self.calls.append(list(crops))
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.array(self.answer, np.float32)


class FakeAddresses(Addresses):
    """Has `photos` by address; an exception among them is raised."""

    def __init__(self, photos: Mapping[str, bytes | Exception]) -> None:
        super().__init__(AddressArgs(addresses=False), 0)
        self.photos = photos
        self.calls: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.calls.append(url)
        found = self.photos[url]
        if isinstance(found, Exception):
            raise found
        return found


async def is_ready() -> bool:
    return True


async def is_not_ready() -> bool:
    return False


def unit(cosine: float) -> list[list[float]]:
    """Two embeddings of length 1 that are `cosine` alike."""
    return [[1.0, 0.0], [cosine, (1 - cosine**2) ** 0.5]]


class LocalGallery:
    """A real gallery without Ray, in a folder of its own unless it is given one."""

    def __init__(self, folder: Path | None = None) -> None:
        self._temporary = tempfile.TemporaryDirectory() if folder is None else None
        self.place = Place(str(folder or (self._temporary and self._temporary.name)))
        self._reader = Reader(self.place, exact_mb=64)
        self._writer: Writer | None = None

    async def ready(self) -> bool:
        return True

    def __getattr__(self, method: str) -> Any:
        async def call(*args: Any, **options: Any) -> Any:
            if self._writer is None:
                self._writer = await Writer.open(self.place)
            one = self._reader if hasattr(Reader, method) else self._writer
            return await getattr(one, method)(*args, **options)

        return call


def stages(
    detect: Detect | None = None,
    score: FakeNetwork | None = None,
    embed: FakeNetwork | None = None,
    gallery: LocalGallery | None = None,
) -> Stages:
    """The three stages of POST /match; by default two good photos of two live faces, 0.8 alike."""
    return Stages(
        detectors={"mtcnn": DetectorStage(network("detector"), is_ready, detect or FakeDetector(photo(), photo()))},
        liveness={
            "crmnet": LivenessStage(
                network("liveness"), is_ready, (LIVENESS_CROP,), score or FakeNetwork([0.9375, 0.875])
            )
        },
        embedders={
            "arcface": EmbedderStage(
                network("embedder"), is_ready, (EMBEDDER_CROP,), 2, "contract", 0.4, embed or FakeNetwork(unit(0.8))
            )
        },
        gallery=cast(Gallery, gallery or LocalGallery()),
    )


def network(name: str) -> Network:
    """The network behind a fake stage."""
    return Network(f"{name}-model", f"The {name}", f"The {name}'s licence")


def service(
    of: Stages | None = None,
    limits: LimitArgs | None = None,
    policy: Policy | None = None,
    addresses: Addresses | None = None,
) -> Service:
    """A service over fake stages, which fetches nothing unless it is given the `addresses` for it."""
    nowhere = Addresses(AddressArgs(addresses=False), 0)
    return Service(of or stages(), limits or LimitArgs(), policy or Policy(), addresses or nowhere)


def client(
    of: Stages | None = None,
    limits: LimitArgs | None = None,
    policy: Policy | None = None,
    addresses: Addresses | None = None,
) -> TestClient:
    """A client of the whole app over such a service."""
    return TestClient(create_app(service(of, limits, policy, addresses)))


def deployment_of(application: Any) -> Any:
    """The deployment behind a bound application, which stands for its handle until it is deployed."""
    return application._bound_deployment


def pull(root: Path, *names: str) -> Path:
    """Make `root` a store that has the cards `names`, with exports of no use."""
    store = Store(root)
    for entry in map(card, names):
        store.folder(entry).mkdir(parents=True)
        for export in entry.exports:
            (store.folder(entry) / export).write_bytes(b"no network")
        store.finish(entry)
    return root


@contextmanager
def serve_log() -> Iterator[list[logging.LogRecord]]:
    """What the service logs meanwhile; pytest's caplog does not see it once Ray is imported."""
    records: list[logging.LogRecord] = []

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    logger, keeper = logging.getLogger("ray.serve"), Keeper()
    logger.addHandler(keeper)
    try:
        yield records
    finally:
        logger.removeHandler(keeper)
