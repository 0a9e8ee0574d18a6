"""Fake stages, stores and logs. A test sets their answers and reads what they were asked."""

import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from starlette.testclient import TestClient

from api.app import create_app
from api.photo_downloads import PhotoDownloads
from api.service import Service
from api.settings import DownloadArgs, LimitArgs
from graphs.flow_settings import FlowSettings
from graphs.stages import DetectionRequest, FaceCrops, Stage, Stages
from imaging.crops import CropSpec
from imaging.faces import Detection, Face, Photo, Pixels
from imaging.pick import Pick
from imaging.quality import Quality
from models.card import Card
from models.catalogue import card as card_named
from models.catalogue import networks_of
from models.store import Store
from project.request_error import RequestError
from telemetry.call_window import CallWindow
from telemetry.status import Autoscaling, Replicas, StageStatus
from tests.local_gallery import LocalGallery
from tests.models.cards import fields as made_up

LIVENESS_CROP = CropSpec(6, "box", 1.15)
EMBEDDER_CROP = CropSpec(4, "aligned")

AHEAD = np.array([[40, 50], [80, 50], [60, 72], [45, 95], [75, 95]], np.float32)
"""Landmarks of a face that looks at the camera."""
ASIDE = np.array([[40, 50], [80, 50], [95, 72], [45, 95], [75, 95]], np.float32)
"""Landmarks of a face that looks aside."""
SCALE = {"midpoint": 0.33, "slope": 20, "fmr": (1e-3, 4e-4, 1e-4, 1e-5), "measured_on": "fakes"}
"""Similarities of fake embedders: 80 at a cosine of 0.4."""
ANGLES = {"anna": 0, "anne": 20, "bob": 90, "carl": 270, "dora": 180}
"""Directions of people's embeddings, in degrees. Anne resembles Anna; no other two people look alike."""


def photo(
    width: int = 640,
    height: int = 480,
    brightness: float = 120,
    contrast: float = 50,
    faces: Sequence[float] = (0.99,),
    seconds: float = 0.125,
) -> Photo:
    """A photo with one face per score in `faces`. The defaults pass every quality check."""
    found = tuple(Face((10, 10, 110, 110), score, np.zeros((5, 2), np.float32)) for score in faces)
    qualities = (Quality(brightness, contrast, 100),) * len(found)
    return Photo(width, height, Quality(brightness, contrast, sharpness=100), found, len(found), qualities, seconds)


def crops_of(face: int, spec: CropSpec) -> Pixels:
    """The crop of the face with this number; its three bytes are the colour."""
    return np.full((spec.size, spec.size, 3), list(face.to_bytes(3)), np.uint8)


def number_of(crop: Pixels) -> int:
    """The number of the face in a crop made by `crops_of`."""
    colour = crop[0, 0]
    assert (crop == colour).all()
    return int.from_bytes(colour.tobytes())


def detection(photos: Sequence[Photo | RequestError], question: DetectionRequest, first: int = 0) -> Detection:
    """The answer of a detector that found `photos`, whose faces are numbered from `first` on."""
    looks, numbers = list[Photo | RequestError](), list[int]()
    for found in photos:
        if isinstance(found, RequestError):
            looks.append(found)
            continue
        counted = question.pick.of(found.faces, found.width, found.height)
        places = [found.faces.index(face) for face in counted[: question.pick.cut]]
        numbers += [first + place for place in places]
        first += len(found.faces)
        faces = tuple(found.faces[place] for place in places)
        qualities = tuple(found.face_qualities[place] for place in places)
        looks.append(replace(found, faces=faces, face_qualities=qualities, found=len(counted)))
    cut = {spec: np.stack([crops_of(face, spec) for face in numbers]) for spec in question.crops if numbers}
    return Detection(tuple(looks), cut)


class FakeDetector:
    """Finds `photos`, whatever it is given, and returns the faces that the pick selects."""

    def __init__(self, *photos: Photo | RequestError) -> None:
        self.photos = photos
        self.calls: list[tuple[list[bytes], list[CropSpec]]] = []
        self.picks: list[Pick] = []

    async def __call__(self, question: DetectionRequest) -> Detection:
        self.calls.append((list(question.photos), list(question.crops)))
        self.picks.append(question.pick)
        return detection(self.photos, question)


class FakeNetwork:
    """Returns `answer`, or raises it."""

    def __init__(self, answer: Sequence[Any] | Exception) -> None:
        self.answer = answer
        self.calls: list[list[Pixels]] = []

    async def __call__(self, question: FaceCrops) -> NDArray[np.float32]:
        self.calls.append(list(question))
        if isinstance(self.answer, Exception):
            raise self.answer
        return np.array(self.answer, np.float32)


class FakeDownloads(PhotoDownloads):
    """Holds `photos` by URL. An exception among them is raised."""

    def __init__(self, photos: Mapping[str, bytes | Exception]) -> None:
        super().__init__(DownloadArgs(addresses=False), 0)
        self.photos = photos
        self.calls: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.calls.append(url)
        found = self.photos[url]
        if isinstance(found, Exception):
            raise found
        return found


def unit(cosine: float) -> list[list[float]]:
    """Two embeddings of length 1 whose cosine similarity is `cosine`."""
    return [[1.0, 0.0], [cosine, (1 - cosine**2) ** 0.5]]


def direction(degrees: float, size: int = 2) -> list[float]:
    """An embedding of length 1. The cosine similarity of two of them is that of the angle between them."""
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees)), *[0.0] * (size - 2)]


class FakeCard(Card):
    """A card whose embedding contract is given."""

    contract: str

    @property
    def embedding_contract(self) -> str:
        return self.contract


def fake_card(task: str, name: str, crops: Sequence[CropSpec] = (), contract: str = "contract", **changes: Any) -> Card:
    """The card of a fake stage's network."""
    metric = {"embedder": "cosine", "liveness": "live"}.get(task)
    thresholds = [{"metric": metric, "value": changes.pop("threshold", 0.5), "measured_on": "nothing"}]
    made = {"task": task, "crops": crops, "thresholds": thresholds if metric else [], "output": None, **changes}
    about = {"name": f"{name}-model", "title": f"The {name}", "licence": f"The {name}'s licence"}
    return FakeCard.model_validate({**made_up(**made), **about, "contract": contract})


@dataclass(frozen=True)
class FakeStage:
    """A stage that answers with `answer`."""

    role: str
    card: Card
    answer: Callable[[Any], Awaitable[Any]]
    is_ready: bool = True

    def ready(self) -> bool:
        return self.is_ready

    async def ask(self, question: Any) -> Any:
        return await self.answer(question)


def detector(detect: Any, name: str = "detector", role: str = "mtcnn") -> FakeStage:
    """A detector stage over a fake network."""
    return FakeStage(role, fake_card("detector", name), detect)


def liveness(score: Any) -> FakeStage:
    """A liveness stage over a fake network."""
    return FakeStage("crmnet", fake_card("liveness", "liveness", [LIVENESS_CROP]), score)


def embedder(
    embed: Any,
    name: str = "embedder",
    role: str = "arcface",
    *,
    crop: CropSpec = EMBEDDER_CROP,
    size: int = 2,
    contract: str = "contract",
    threshold: float = 0.4,
) -> FakeStage:
    """An embedder stage over a fake network."""
    card = fake_card("embedder", name, [crop], contract, output={"size": size}, threshold=threshold, similarity=SCALE)
    return FakeStage(role, card, embed)


def changed(
    stage: Stage[Any, Any], answer: Any = None, is_ready: bool = True, role: str = "", **card: Any
) -> FakeStage:
    """`stage` with another answer, readiness, role, or other fields of its card."""
    return FakeStage(role or stage.role, stage.card.model_copy(update=card), answer or stage.ask, is_ready)


def stages_of(*made: Stage[Any, Any], gallery: Any = None) -> Stages:
    """These stages; the first for each task is its default."""
    return Stages(
        detectors={stage.role: stage for stage in made if stage.card.task == "detector"},
        networks={stage.role: stage for stage in made if stage.card.task != "detector"},
        defaults={stage.card.task: stage.role for stage in reversed(made)},
        gallery=gallery or LocalGallery(),
    )


def with_stages(stages: Stages, *made: Stage[Any, Any]) -> Stages:
    """`stages` with others, which replace those of the same role."""
    return stages_of(*{stage.role: stage for stage in (*stages.all, *made)}.values(), gallery=stages.gallery)


def without(stages: Stages, *tasks: str) -> Stages:
    """`stages` without those for some tasks."""
    return stages_of(*(stage for stage in stages.all if stage.card.task not in tasks), gallery=stages.gallery)


def stages(
    detect: Any = None,
    score: FakeNetwork | None = None,
    embed: FakeNetwork | None = None,
    gallery: LocalGallery | None = None,
) -> Stages:
    """The three stages of POST /match. By default they find two good photos of live faces with similarity 0.8."""
    return stages_of(
        detector(detect or FakeDetector(photo(), photo())),
        liveness(score or FakeNetwork([0.9375, 0.875])),
        embedder(embed or FakeNetwork(unit(0.8))),
        gallery=gallery,
    )


class People:
    """Stages over photos that are words: ``b"anna bob-dark"`` shows Anna, and Bob in the dark.

    A word is a face: a name of `ANGLES`, then its features: ``dark``, ``small``, ``cut``, ``aside``, ``large``,
    ``spoof``, ``turned`` (as measured) or ``shut`` (its eyes). Any other suffix makes another photo of the same person.
    ``faceless`` is a photo without a face, ``broken`` a file that cannot be decoded.
    """

    def __init__(self) -> None:
        self.detected: list[list[str]] = []
        self.picks: list[Pick] = []
        self.scored: list[list[str]] = []
        self.embedded: list[list[str]] = []
        self._words: list[str] = []

    async def detect(self, question: DetectionRequest) -> Detection:
        self.detected.append([photo.decode() for photo in question.photos])
        self.picks.append(question.pick)
        first = len(self._words)
        return detection([self._photo(words) for words in self.detected[-1]], question, first)

    async def score(self, question: FaceCrops) -> NDArray[np.float32]:
        self.scored.append(self._read(question[0]))
        return np.array([0.125 if "-spoof" in word else 0.875 for word in self.scored[-1]], np.float32)

    async def pose(self, question: FaceCrops) -> NDArray[np.float32]:
        return np.array([(45 if "-turned" in word else 5, 0, 0) for word in self._read(question[0])], np.float32)

    async def eyes(self, question: FaceCrops) -> NDArray[np.float32]:
        return np.array([[0.125 if "-shut" in word else 0.875] * 2 for word in self._read(question[0])], np.float32)

    def attributes(self) -> list[FakeStage]:
        """Stages for the tasks pose and eyes."""
        eyes = [CropSpec(8, "left_eye"), CropSpec(8, "right_eye")]
        pixels = {"mean": 0.0, "std": 1.0, "layout": "nchw", "colours": "rgb"}
        card = fake_card("eyes", "eyes", eyes, architecture="onnx_file", input=pixels, output={"open_class": 0})
        pose = fake_card("pose", "pose", [CropSpec(8, "box")], output={"first": 0, "step": 1})
        return [FakeStage("pose", pose, self.pose), FakeStage("eyes", card, self.eyes)]

    def embed(self, size: int) -> Any:
        async def embed(question: FaceCrops) -> NDArray[np.float32]:
            self.embedded.append(self._read(question[0]))
            return np.array([direction(ANGLES[word.split("-")[0]], size) for word in self.embedded[-1]], np.float32)

        return embed

    def stages(self, gallery: LocalGallery | None = None) -> Stages:
        """The stages of POST /match, and a second embedder, facenet, whose embeddings have three numbers."""
        facenet = embedder(self.embed(3), "other", "facenet", size=3, contract="contract-of-3", threshold=0.5)
        return stages_of(detector(self.detect), liveness(self.score), embedder(self.embed(2)), facenet, gallery=gallery)

    def _read(self, crops: Pixels) -> list[str]:
        return [self._words[number_of(crop)] for crop in crops]

    def _photo(self, words: str) -> Photo | RequestError:
        if words == "broken":
            return RequestError("INVALID_IMAGE", "The image is damaged")
        shown = [word for word in words.split() if word != "faceless"]
        self._words += shown
        faces = tuple(self._face(word, number) for number, word in enumerate(shown))
        qualities = tuple(Quality(10 if "-dark" in word else 120, 50, 100) for word in shown)
        return Photo(640, 480, Quality(120, 50, 100), faces, len(faces), qualities, 0.125)

    def _face(self, word: str, number: int) -> Face:
        box = (30.0, 30.0, 110.0, 120.0)
        if "-small" in word:
            box = (30.0, 30.0, 50.0, 50.0)
        if "-cut" in word:
            box = (-50.0, 30.0, 50.0, 130.0)
        if "-large" in word:
            box = (30.0, 30.0, 230.0, 240.0)
        return Face(box, 0.99 - number / 100, ASIDE if "-aside" in word else AHEAD)


async def status() -> list[StageStatus]:
    """The status of the ingress and of a detector that was called once, for a quarter of a second."""
    calls = CallWindow(lambda: 1.0)
    calls.begin()
    calls.end(0.25, 0.5)
    card, decision = fake_card("detector", "detector"), Autoscaling(4, "waiting")
    return [
        StageStatus(
            "detector-mtcnn", "detector", True, Replicas(1, 2, 3, 4), calls.statistics, "mtcnn", card, decision
        ),
        StageStatus("ingress", "ingress", True, Replicas(running=1, wanted=1), CallWindow().statistics),
    ]


async def exposition() -> str:
    """The metrics of one counter."""
    return "# TYPE told_total counter\ntold_total 1\n"


def service(
    of: Stages | None = None,
    limits: LimitArgs | None = None,
    settings: FlowSettings | None = None,
    downloads: PhotoDownloads | None = None,
) -> Service:
    """A service over fake stages. It fetches no photos unless `downloads` is given."""
    nowhere = PhotoDownloads(DownloadArgs(addresses=False), 0)
    return Service(
        of or stages(), limits or LimitArgs(), settings or FlowSettings(), downloads or nowhere, status, exposition
    )


def client(*args: Any, **options: Any) -> httpx.Client:
    """A client of the whole app over such a `service`."""
    made: httpx.Client = TestClient(create_app(service(*args, **options)))
    return made


def deployment_of(application: Any) -> Any:
    """The deployment behind a bound application."""
    return application._bound_deployment


def pull(root: Path, *names: str) -> Path:
    """Fill the store `root` with the networks of the cards `names`. Their exports cannot be loaded."""
    store = Store(root)
    for entry in (network for name in names for network in networks_of(card_named(name))):
        store.folder(entry).mkdir(parents=True)
        for export in entry.exports:
            (store.folder(entry) / export).write_bytes(b"no network")
        store.finish(entry)
    return root


@contextmanager
def serve_log() -> Iterator[list[logging.LogRecord]]:
    """Collect what the service logs. Pytest's caplog does not see it once Ray is imported."""
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
