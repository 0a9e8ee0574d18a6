"""The bare pipelines, on the configured networks."""

from pathlib import Path

import pytest

from graphs.settings import AppArgs
from imaging.refused import Refused
from load_tests.bench.bare import BarePipeline
from load_tests.bench.measure import bare
from load_tests.routes import ROUTES, configured

pytestmark = pytest.mark.usefixtures("store")

DETECTOR_STEPS = {"decode", "detect", "crop", "measure", "detector-busy"}


def test_a_pipeline_tells_similarity_and_steps(mindy: bytes, mindy_again: bytes, jerry: bytes) -> None:
    pipeline = BarePipeline(configured(), ROUTES["match"])
    same, other = pipeline.compare((mindy, mindy_again)), pipeline.compare((mindy, jerry))
    assert same.similarity is not None
    assert other.similarity is not None
    assert same.similarity > 0.6
    assert other.similarity < 0.3
    steps = same.steps
    assert set(steps) == DETECTOR_STEPS | {"liveness-busy", "embedder-busy", "networks-busy", "compare", "total"}
    assert all(milliseconds > 0 for milliseconds in steps.values())
    assert steps["liveness-busy"] + steps["embedder-busy"] == pytest.approx(steps["networks-busy"])
    parts = steps["detector-busy"] + steps["networks-busy"] + steps["compare"]
    assert parts == pytest.approx(steps["total"])
    assert same.milliseconds == steps["total"]


def test_options_are_the_configurations(mindy: bytes) -> None:
    arguments = configured().model_dump()
    arguments["detectors"]["mtcnn"]["options"] = {"min_face": 100_000}
    pipeline = BarePipeline(AppArgs(**arguments), ROUTES["compare"])
    with pytest.raises(Refused, match="NO_FACE_DETECTED"):
        pipeline.compare((mindy, mindy))


def test_a_pipeline_is_measured_in_a_process_of_its_own(tmp_path: Path, mindy: bytes, mindy_again: bytes) -> None:
    pair = (tmp_path / "a", tmp_path / "b")
    for path, photo in zip(pair, (mindy, mindy_again), strict=True):
        path.write_bytes(photo)
    measured = bare("mediapipe", pair, processes=2, seconds=1)
    assert (measured.what, measured.route, measured.clients) == ("bare", "mediapipe", 2)
    assert measured.similarity > 0.6
    assert set(measured.steps) == DETECTOR_STEPS | {"embedder-busy", "networks-busy", "compare", "total"}
    assert measured.server_cpu > 0
    assert measured.client_cpu == 0
    assert measured.refused == measured.failed == 0
