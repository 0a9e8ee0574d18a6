"""The real API over fake networks, and apps that record or interrupt it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from starlette.types import ASGIApp, Receive, Scope, Send

from api.app import create_app
from api.photo_downloads import PhotoDownloads
from api.settings import LimitArgs
from graphs.stages import DetectionRequest, FaceCrops
from imaging.decode import decode
from imaging.faces import Detection, Face, Photo
from imaging.quality import Quality
from tests.fakes import AHEAD, detector, embedder, liveness, service, stages_of


async def detect(question: DetectionRequest) -> Detection:
    """Find one good face in each photo. Other bytes are refused."""
    sizes = [decode(photo, LimitArgs().decode).pixels.shape for photo in question.photos]
    face, clear = Face((30, 30, 110, 120), 0.99, AHEAD), Quality(120, 50, 100)
    found = tuple(Photo(width, height, clear, (face,), 1, (clear,), 0.001) for height, width, _ in sizes)
    return Detection(
        found, {spec: np.zeros((len(found), spec.size, spec.size, 3), np.uint8) for spec in question.crops}
    )


async def embed(crops: FaceCrops) -> NDArray[np.float32]:
    return np.tile(np.array([0.6, 0.8], np.float32), (len(crops[0]), 1))


async def score(crops: FaceCrops) -> NDArray[np.float32]:
    return np.full(len(crops[0]), 0.9, np.float32)


def app(downloads: PhotoDownloads | None = None) -> ASGIApp:
    """The whole app, with every role of the default configuration and an empty gallery."""
    detectors = [detector(detect, role=role) for role in ("mtcnn", "mediapipe")]
    embedders = [embedder(embed, role, role, contract=f"contract-of-{role}") for role in ("arcface", "facenet")]
    return create_app(service(stages_of(*detectors, liveness(score), *embedders), downloads=downloads))


class Recorder:
    """An ASGI app that records the requests to `app`: the method of each, and the path of its route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.asked: list[tuple[str, str]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
        self.asked.append((scope["method"].lower(), scope["route"].path_format))


def interrupted(app: ASGIApp, meant: Callable[[Scope], bool], *answers: ASGIApp) -> ASGIApp:
    """Answer the first requests that `meant` selects with `answers`, in turn, and pass all others to `app`."""
    left = list(answers)

    async def interrupt(scope: Scope, receive: Receive, send: Send) -> None:
        await (left.pop(0) if left and meant(scope) else app)(scope, receive, send)

    return interrupt


def posts(scope: Scope) -> bool:
    return bool(scope["method"] == "POST")
