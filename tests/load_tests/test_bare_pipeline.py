"""The bare pipelines, on the networks of the default configuration."""

import pytest

from load_tests.bench.bare_pipeline import BarePipeline

pytestmark = pytest.mark.usefixtures("store")


def test_a_pipeline_tells_similarity_and_steps(mindy: bytes, mindy_again: bytes, jerry: bytes) -> None:
    pipeline = BarePipeline("/match")
    same, steps = pipeline.compare((mindy, mindy_again))
    other, _ = pipeline.compare((mindy, jerry))
    assert other < 0.3 < 0.6 < same
    assert steps["detector-busy"] + steps["networks-busy"] == pytest.approx(steps["total"])
    assert steps["liveness-busy"] + steps["embedder-busy"] == pytest.approx(steps["networks-busy"])
    assert {"decode", "detect", "crop", "measure"} < set(steps)
