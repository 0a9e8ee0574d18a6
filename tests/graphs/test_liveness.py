"""Judging whether a face is live, and refusing spoofs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.liveness import LivenessPolicy, LivenessRule, LivenessVerdict
from graphs.policy import Policy
from telemetry.request_record import recording

SCORES = st.floats(0, 1)


@given(score=SCORES, threshold=SCORES)
def test_a_face_is_live_from_the_threshold_on_and_each_verdict_is_counted(score: float, threshold: float) -> None:
    with recording(0.0) as recorder:
        rule = Policy(liveness_threshold=threshold).liveness("report")
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
