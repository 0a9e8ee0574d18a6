"""The faces that can be among the nearest, by their codes."""

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gallery.search.code_scan
from gallery.search import vnni_kernel
from gallery.search.code_scan import candidates
from gallery.search.quantisation import CodedFaces, most_apart, quantised
from tests.gallery.sample_gallery import Vector, vectors


def unit(made: Vector) -> Vector:
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


@given(st.integers(0, 99), st.sampled_from([2, 16, 192, 512]), st.sampled_from([1, 3, 9]))
def test_scores_of_codes_differ_from_cosines_by_at_most_the_bound(seed: int, size: int, power: int) -> None:
    """A high power makes some numbers of an embedding much larger than the others."""
    faces, probes = (unit(vectors(50, seed + shift, size) ** power) for shift in (0, 100))
    (codes, scales, errors), (others, scales_of_others, errors_of_others) = quantised(faces), quantised(probes)
    scores = (codes * scales[:, None]) @ (others * scales_of_others[:, None]).T
    assert np.all(np.abs(scores - faces @ probes.T) <= most_apart(float(errors.max()), errors_of_others))


@pytest.mark.parametrize(
    ("setting", "value"), [("ENABLE_AVX", 0), ("DISABLE_JIT", 1), ("CPU_NAME", "generic"), ("CPU_FEATURES", "+sse2")]
)
def test_vnni_is_not_used_if_numba_compiles_for_another_processor(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: object
) -> None:
    monkeypatch.setattr(numba.config, setting, value)
    assert not vnni_kernel.is_supported.__wrapped__(192)


@pytest.mark.parametrize("vnni", [True, False])
@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("size", [16, 318, 320])
@pytest.mark.parametrize(
    ("rows", "probes", "nearest"), [(1, 1, 1), (1, 9, 1), (700, 1, 4), (3000, 4, 20), (3000, 9, 2000), (700, 17, 4)]
)
def test_the_nearest_faces_are_among_the_candidates(
    monkeypatch: pytest.MonkeyPatch, vnni: bool, count: int, rows: int, probes: int, nearest: int, size: int
) -> None:
    """With the loop for processors with VNNI, if this is one, and with NumKong."""
    if not vnni:
        monkeypatch.setattr(vnni_kernel, "is_supported", lambda _size: False)
    monkeypatch.setattr(gallery.search.code_scan, "FIRST_ROWS", 100)
    monkeypatch.setattr(gallery.search.code_scan, "PRODUCTS", 1500)
    faces, asked = vectors(rows, 1, size), vectors(probes, 2, size)
    faces[-count:] = asked[0]
    codes, scales, _ = quantised(faces)
    coded = CodedFaces(codes, scales)
    others, scales_of_others, _ = quantised(asked)
    margins = np.full(probes, 0.1, np.float32)
    scores = (codes * scales[:, None]) @ (others * scales_of_others[:, None]).T
    found = candidates(coded, others, scales_of_others, nearest, margins, threads=2)
    for column, (chosen, found_scores) in zip(scores.T, found, strict=True):
        lowest = np.sort(column)[-nearest] - 0.1 if nearest < rows else -np.inf
        assert found_scores == pytest.approx(-np.sort(-column[column >= lowest]), abs=1e-5)
        assert found_scores == pytest.approx(column[chosen], abs=1e-5)
        assert len(set(chosen.tolist())) == len(chosen)
