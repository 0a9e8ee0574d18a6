"""The real API over fake networks."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from starlette.types import ASGIApp, Receive, Scope, Send

from api.addresses import Addresses
from api.app import create_app
from api.settings import LimitArgs
from graphs.stages import DetectionRequest, FaceCrops
from imaging.decode import decode
from imaging.faces import Detection, Face, Photo
from imaging.quality import Quality
from tests.fakes import AHEAD, detector, embedder, liveness, service, stages_of
from tests.local_gallery import LocalGallery


async def detect(question: DetectionRequest) -> Detection:
    """One good face on each photo, which has to be a photo."""
    sizes = [decode(photo, LimitArgs().decode).pixels.shape for photo in question.photos]
    face, clear = Face((30, 30, 110, 120), 0.99, AHEAD), Quality(120, 50, 100)
    found = [Photo(width, height, clear, (face,), 1, (clear,), 0.001) for height, width, _ in sizes]
    return Detection(
        tuple(found), {spec: np.zeros((len(found), spec.size, spec.size, 3), np.uint8) for spec in question.crops}
    )


async def score(crops: FaceCrops) -> NDArray[np.float32]:
    return np.full(len(crops[0]), 0.9, np.float32)


async def embed(crops: FaceCrops) -> NDArray[np.float32]:
    return np.tile(np.array([0.6, 0.8], np.float32), (len(crops[0]), 1))


def app(addresses: Addresses | None = None) -> ASGIApp:
    """The whole app, with every role of the default configuration and an empty gallery."""
    stages = stages_of(
        *(detector(detect, role=role) for role in ("mtcnn", "mediapipe")),
        liveness(score),
        *(embedder(embed, role, role, contract=f"contract-of-{role}") for role in ("arcface", "facenet")),
        gallery=LocalGallery(),
    )
    return create_app(service(stages, addresses=addresses))


class Recorder:
    """An ASGI app that keeps what `app` was asked: each request's method, and its route's path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        self.asked.append((scope["method"].lower(), scope["route"].path_format))


class Interrupted:
    """An ASGI app that gives the first requests that `meant` picks the `answers`, in turn, and any other to `app`."""

    def __init__(self, app: ASGIApp, meant: Callable[[Scope], bool], *answers: ASGIApp) -> None:
        self._app = app
        self._meant = meant
        self._answers = list(answers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        interrupts = self._answers and self._meant(scope)
        await (self._answers.pop(0) if interrupts else self._app)(scope, receive, send)


def posts(scope: Scope) -> bool:
    return bool(scope["method"] == "POST")
