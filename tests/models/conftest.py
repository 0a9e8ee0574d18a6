"""Fixtures for the tests of the models."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from imaging.decode import Limits
from imaging.faces import Face, Photo
from models.detection import Detector, PhotoDetector
from models.device import Device
from models.engines import load_detector
from models.store import Store
from tests.conftest import pulled
from tests.models.site import Site, served
from tests.photos import PEOPLE


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as site:
        yield site


@pytest.fixture
def new_store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "models")


@dataclass(frozen=True)
class Loaded:
    name: str
    detector: Detector

    def look(self, path: Path) -> tuple[Face, ...]:
        """Find the faces in a photo as the service does."""
        (answer,) = PhotoDetector(self.detector, Limits())([path.read_bytes()], []).photos
        assert isinstance(answer, Photo)
        return answer.faces


@pytest.fixture(scope="module", params=["mtcnn", "mediapipe-full-range", "retinaface-mobilenet", "centerface"])
def loaded(request: pytest.FixtureRequest, store: Store) -> Iterator[Loaded]:
    detector = load_detector(pulled(request.param), store, "onnx", Device(), {})
    yield Loaded(request.param, detector)
    detector.close()


def portraits(folder: Path, each: int) -> list[Path]:
    return [path for person in PEOPLE for path in sorted((folder / person).glob("*.jpg"))[:each]]
