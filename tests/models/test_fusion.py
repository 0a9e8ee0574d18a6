"""Fusing logits: a weighted sum in which no member decides alone."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.fusion import LIMIT, Fusion, fused

LOGITS = st.floats(-1000, 1000, width=32)


def fusion(*weights: float) -> Fusion:
    return Fusion(members=("one", "two"), weights=weights, bias=0.5, fitted_on="nothing")


@given(first=LOGITS, second=LOGITS, weight=st.floats(0, 2), other=st.floats(0, 2))
def test_no_member_counts_for_more_than_its_limit(first: float, second: float, weight: float, other: float) -> None:
    (logit,) = fused(fusion(weight, other), np.array([[first, second]]))
    share = np.clip(first, -LIMIT, LIMIT) * weight
    assert abs(logit - share - 0.5) <= LIMIT * other + 1e-3


@given(st.lists(st.tuples(LOGITS, LOGITS), max_size=5))
def test_each_face_is_fused_by_itself(faces: list[tuple[float, float]]) -> None:
    logits = np.array(faces, dtype=np.float32).reshape(-1, 2)
    together = fused(fusion(1, 2), logits)
    assert together.shape == (len(faces),)
    assert together.dtype == np.float32
    alone = [fused(fusion(1, 2), face[None])[0] for face in logits]
    np.testing.assert_allclose(together, np.array(alone, dtype=np.float32), rtol=1e-6)
