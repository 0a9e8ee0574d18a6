"""The liveness networks have the error rates on their cards, on the photos they were measured on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.liveness import LIVE, read_presentations
from imaging.crops import CropSpec
from imaging.decode import Limits
from imaging.pick import PROMINENT
from models.card import Card
from models.catalogue import card
from models.detection import PhotoDetector
from models.device import Device
from models.engines import load_detector, load_network
from models.store import Store
from tests.conftest import pulled, shared_faces

LONG = ["crmnet-trio", "minifasnet", "minifasnet-celeba"]
NAMES = ["fr-liveness", "crmnet-duo", *(pytest.param(name, marks=pytest.mark.long) for name in LONG)]
SPECS = card("crmnet-trio").crops
"""Its members are all the others."""
ROUNDING = 2
"""Number of photos so close to the threshold that another CPU may classify them differently."""


@dataclass(frozen=True)
class Faces:
    """The crops of the prominent face of each photo with a face, and what the photo shows."""

    crops: dict[CropSpec, NDArray[np.uint8]]
    species: NDArray[np.str_]

    def live(self, entry: Card, store: Store) -> NDArray[np.bool_]:
        """Whether each face is live to a network."""
        network, crops = load_network(entry, store, "onnx", Device()), [self.crops[spec] for spec in entry.crops]
        parts = zip(*(np.array_split(crop, len(self.species) // 8) for crop in crops), strict=True)
        return np.concatenate([network(*part) for part in parts]) >= entry.threshold("live").value


def faces(store: Store, photos: list[Path], species: list[str]) -> Faces:
    detect = PhotoDetector(load_detector(card("mtcnn"), store, "onnx", Device(), {}), Limits())
    found = [detect.one(photo.read_bytes(), SPECS, PROMINENT) for photo in photos]
    crops = {spec: np.concatenate([each.crops[spec] for each in found]) for spec in SPECS}
    shown = [name for name, each in zip(species, found, strict=True) if len(each.crops[SPECS[0]])]
    return Faces(crops, np.array(shown))


@pytest.fixture(scope="module")
def presentations(store: Store) -> Faces:
    read_in = read_presentations(shared_faces("liveness"))
    return faces(store, list(read_in.photos), list(read_in.kinds))


@pytest.mark.parametrize("name", NAMES)
def test_the_card_states_its_errors(name: str, store: Store, presentations: Faces) -> None:
    entry = pulled(name)
    live, stated = presentations.live(entry, store), entry.threshold("live")
    assert stated.bona_fide
    genuine = live[presentations.species == LIVE]
    assert len(genuine) == stated.bona_fide.photos
    assert abs(int((~genuine).sum()) - stated.bona_fide.rejected) <= ROUNDING
    for attack in stated.attacks:
        passed = live[presentations.species == f"spoof/{attack.kind}"]
        assert len(passed) == attack.photos
        assert abs(int(passed.sum()) - attack.passed) <= ROUNDING


@pytest.mark.long
def test_few_live_people_are_taken_for_spoofs(store: Store, sample_photos: Path) -> None:
    photos = sorted(sample_photos.glob("*/*.jpg"))
    people = faces(store, photos, [LIVE] * len(photos))
    for name in ("fr-liveness", "crmnet-duo", "crmnet-trio"):
        live = people.live(pulled(name), store)
        assert len(live) == 118
        assert np.count_nonzero(~live) <= 7, name
