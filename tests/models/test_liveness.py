"""The liveness networks have the error rates on their cards, on the photos they were measured on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from evaluation.answers import examine
from evaluation.fusion import counted
from evaluation.liveness import read_presentations
from evaluation.local_stages import face_stage, loaded_detector
from models.catalogue import card
from models.device import Device
from models.engines import load_network
from models.store import Store
from project.request_error import RequestError
from tests.conftest import pulled, shared

ROUNDING = 2
"""Number of photos so close to the threshold that another CPU may classify them differently."""


def probabilities(store: Store, names: Sequence[str], photos: Sequence[Path]) -> dict[str, NDArray[np.float64]]:
    """The live probability of each photo's prominent face by network; NaN for a photo without a face."""
    stages = [face_stage(pulled(name), load_network(card(name), store, "onnx", Device())) for name in names]
    with loaded_detector(card("mtcnn"), store) as detector:
        examined = examine(photos, detector, stages)
    faces = [not isinstance(each, RequestError) and each.asked and each.readings for each in examined]
    return {name: np.array([each[name][0] if each else np.nan for each in faces]) for name in names}


@pytest.mark.parametrize(
    "names",
    [
        ("fr-liveness", "crmnet-duo"),
        pytest.param(("crmnet-trio", "minifasnet", "minifasnet-celeba"), marks=pytest.mark.long),
    ],
)
def test_the_cards_state_their_errors(store: Store, names: tuple[str, ...]) -> None:
    presentations = read_presentations(shared("faces/liveness"))
    for name, live in probabilities(store, names, presentations.photos).items():
        stated, found = card(name).threshold("live"), ~np.isnan(live)
        kinds = [kind for kind, face in zip(presentations.kinds, found, strict=True) if face]
        bona_fide, attacks = counted(live[found] >= stated.value, kinds)
        assert stated.bona_fide
        assert bona_fide.photos == stated.bona_fide.photos
        assert abs(bona_fide.rejected - stated.bona_fide.rejected) <= ROUNDING
        assert [(each.kind, each.photos) for each in attacks] == [(each.kind, each.photos) for each in stated.attacks]
        for attack, other in zip(attacks, stated.attacks, strict=True):
            assert abs(attack.passed - other.passed) <= ROUNDING


@pytest.mark.long
def test_few_live_people_are_taken_for_spoofs(store: Store, sample_photos: Path) -> None:
    names = ("fr-liveness", "crmnet-duo", "crmnet-trio")
    for name, live in probabilities(store, names, sorted(sample_photos.glob("*/*.jpg"))).items():
        assert len(live) == 118
        assert np.count_nonzero(live < 0.5) <= 7, name
