"""The live probability: of the logit of one network, or of a weighted sum in which no member decides alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from models.fusion import LIMIT, Fusion
from models.tasks.liveness import LIVENESS, LivenessOutput

LOGITS = arrays(np.float32, st.tuples(st.integers(0, 5), st.just(2)), elements=st.floats(-1000, 1000, width=32))
FUSION = Fusion(members=("one", "two"), weights=(0.5, 2), bias=0.5, fitted_on="nothing")


@pytest.mark.parametrize("fusion", [None, FUSION])
@given(logits=LOGITS)
def test_the_reading_is_the_logistic_function_of_the_shifted_logit(
    fusion: Fusion | None, logits: NDArray[np.float32]
) -> None:
    found = LIVENESS.reading(LivenessOutput(shift=0.25), fusion, logits)
    own, clipped = logits[:, 0].astype(np.float64), np.clip(logits, -LIMIT, LIMIT).astype(np.float64)
    logit = clipped @ (0.5, 2) + 0.5 if fusion else own
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, 1 / (1 + np.exp(np.clip(-0.25 - logit, None, 700))), atol=1e-5)
