"""Networks that come as ONNX files with a batch of one: their exports take any number of faces."""

import numpy as np
import pytest

from models.device import Device
from models.onnx_session import OnnxNetwork
from models.store import Store
from tests.conftest import pulled


@pytest.mark.parametrize("name", ["fr-liveness", "fr-feature", "minifasnet-celeba"])
def test_a_face_gets_the_same_answer_alone_and_among_others(store: Store, name: str) -> None:
    entry = pulled(name)
    network = OnnxNetwork(store.exports(entry)[0], Device())
    size = entry.crops[0].size
    crops = np.random.default_rng(0).integers(0, 256, (5, size, size, 3), dtype=np.uint8)
    alone = np.concatenate([network(crop[None])[0] for crop in crops])
    for count in (1, 2, 5):
        (together,) = network(crops[:count])
        assert together.dtype == np.float32
        np.testing.assert_allclose(together, alone[:count], rtol=1e-4, atol=1e-5)
    assert np.ptp(alone, axis=0).max() > 1e-3
