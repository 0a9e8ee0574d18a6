"""Which threshold decides, whether a face is live, and what follows if it is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.compare import distances
from graphs.flow_settings import FlowSettings
from graphs.liveness import LivenessPolicy, LivenessRule, LivenessVerdict
from graphs.thresholds import AppliedThreshold, euclidean, threshold_of
from telemetry.request_record import recording
from tests.fakes import direction, stages

EMBEDDER = stages().networks["arcface"]
CONFIGURED, OTHERS = FlowSettings(thresholds={"arcface": 0.7}), FlowSettings(thresholds={"facenet": 0.7})


@pytest.mark.parametrize(("settings", "default"), [(CONFIGURED, (0.7, "configuration")), (OTHERS, (0.4, "card"))])
def test_the_default_is_that_of_the_configuration_or_of_the_card(
    settings: FlowSettings, default: tuple[float, str]
) -> None:
    assert threshold_of(settings, EMBEDDER) == AppliedThreshold(*default)  # type: ignore[arg-type]
    assert threshold_of(settings, EMBEDDER, collection=0.0) == AppliedThreshold(0.0, "collection")
    assert threshold_of(settings, EMBEDDER, request=-1.0, collection=0.5) == AppliedThreshold(-1.0, "request")


@pytest.mark.parametrize(("settings", "default"), [(CONFIGURED, (0.7, "configuration")), (OTHERS, (0.4, "card"))])
def test_a_threshold_for_a_distance_comes_from_the_embedder_and_never_from_the_collection(
    settings: FlowSettings, default: tuple[float, str]
) -> None:
    found = threshold_of(settings, EMBEDDER, collection=0.9, metric="euclidean")
    assert found == AppliedThreshold(euclidean(default[0]), default[1])  # type: ignore[arg-type]
    assert threshold_of(settings, EMBEDDER, request=1.5, metric="euclidean") == AppliedThreshold(1.5, "request")


@given(st.floats(0, 180))
def test_the_conversion_of_a_cosine_is_the_distance_of_two_embeddings(angle: float) -> None:
    found = distances(np.array(direction(0)), np.array(direction(angle)))
    assert euclidean(found.cosine) == pytest.approx(found.euclidean, abs=1e-7)


@given(score=st.floats(0, 1), threshold=st.floats(0, 1))
def test_a_face_is_live_from_the_threshold_on_and_each_verdict_is_counted(score: float, threshold: float) -> None:
    with recording(0.0) as recorder:
        rule = FlowSettings(liveness_threshold=threshold).liveness("report")
        assert rule.judge(score) == LivenessVerdict(score >= threshold, score, threshold)
    assert recorder.outcomes == {("liveness", "live" if score >= threshold else "spoof"): 1}


@pytest.mark.parametrize(
    ("policy", "live", "refuses"),
    [
        ("require", [True, True], False),
        ("require", [True, False], True),
        ("require", [None], False),
        ("report", [False], False),
        ("off", [False], False),
    ],
)
def test_a_spoof_is_refused_only_if_liveness_is_required(
    policy: LivenessPolicy, live: list[bool | None], refuses: bool
) -> None:
    assert LivenessRule(policy, 0.5).refuses(*live) is refuses
