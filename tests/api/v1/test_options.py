"""Options and JSON fields of /v1: an invalid one is refused by name, before a network is asked."""

import json
from math import nan
from typing import Any

import pytest

from tests.api.v1 import STAFF, Api, message, refusal, staff
from tests.fakes import client, without

FILES = {
    "/v1/detect": ("photo",),
    "/v1/embed": ("photo",),
    "/v1/verify": ("photo1", "photo2"),
    "/v1/verify/many": ("reference", "photo"),
    f"{STAFF}/search": ("photo",),
    f"{STAFF}/verify": ("photo",),
    f"{STAFF}/faces": ("photo",),
}


def post(api: Api, path: str, **options: Any) -> Any:
    files = dict.fromkeys(FILES[path], b"anna")
    data = {"subject": "anna"} if path in (f"{STAFF}/faces", f"{STAFF}/verify") else None
    return api.client.post(path, files=files, data=data, params=options)


@pytest.mark.parametrize(
    ("path", "option", "values"),
    [
        ("/v1/detect", "max_faces", [0, 101, "1_0", " 5", "\uff11", "0x10", "1e1", "5.0", "", "9" * 5000]),
        ("/v1/embed", "crops", ["1", "on", "yes", "true ", ""]),
        ("/v1/verify", "threshold", [2.01, -1.01, "nan", "inf"]),
        (f"{STAFF}/search", "threshold", [1.01, -1.01, "nan", "1_0", " 0.5", "true", "0x1"]),
        (f"{STAFF}/search", "min_margin", [2.01, -0.01, "nan"]),
    ],
)
def test_an_invalid_option_is_refused_by_name(api: Api, path: str, option: str, values: list[Any]) -> None:
    for value in values:
        response = post(api, path, **{option: value})
        assert refusal(response) == (400, "INVALID_REQUEST")
        assert option in message(response)
    assert api.people.detected == []


@pytest.mark.parametrize(("metric", "threshold"), [("cosine", 1.01), ("euclidean", -0.01)])
def test_a_threshold_that_decides_every_comparison_is_refused_by_name(api: Api, metric: str, threshold: float) -> None:
    options = {"metric": metric, "threshold": threshold}
    pair = {"embedding1": PROBE, "embedding2": PROBE}
    for response in (post(api, "/v1/verify", **options), api.post("/v1/compare", {**pair, **options})):
        assert refusal(response) == (400, "INVALID_REQUEST")
        assert message(response).endswith(f"for metric={metric}")


@pytest.mark.parametrize(
    ("option", "values"),
    [("max_faces", [1, 7, 100]), ("threshold", ["-0.5", "1", "0", "1e-05"]), ("crops", ["true", "True", "FALSE"])],
)
def test_numbers_are_written_as_json_has_them_and_booleans_as_words(api: Api, option: str, values: list[Any]) -> None:
    assert all(post(api, f"{STAFF}/search", **{option: value}).is_success for value in values)


PROBE = {"contract": "contract", "values": [1, 0]}
BODIES: dict[str, dict[str, Any]] = {
    "/v1/compare": {"embedding1": PROBE, "embedding2": PROBE},
    STAFF: {},
    f"{STAFF}/search/embedding": {"embedding": PROBE},
    f"{STAFF}/embeddings": {"contract": "contract", "embeddings": [{"subject": "a", "values": [1, 0]}]},
}


@pytest.mark.parametrize(
    ("path", "field", "value", "named"),
    [
        ("/v1/compare", "embedding1", {**PROBE, "values": [nan, 1]}, "embedding1.values"),
        ("/v1/compare", "threshold", nan, "threshold"),
        (STAFF, "threshold", nan, "threshold"),
        *((f"{STAFF}/search/embedding", "threshold", value, "threshold") for value in (False, "0.4")),
        *((f"{STAFF}/search/embedding", "top_k", value, "top_k") for value in (True, "5")),
        (f"{STAFF}/embeddings", "embeddings", [{"subject": "a", "values": [nan, 1]}], "embeddings.0.values"),
    ],
)
def test_an_invalid_field_of_json_is_refused_by_name(path: str, field: str, value: Any, named: str) -> None:
    api, method, headers = staff(), "PUT" if path == STAFF else "POST", {"content-type": "application/json"}
    assert api.client.request(method, path, json=BODIES[path]).is_success
    response = api.client.request(method, path, content=json.dumps({**BODIES[path], field: value}), headers=headers)
    assert refusal(response) == (400, "INVALID_REQUEST")
    assert named in message(response)


@pytest.mark.parametrize("path", FILES)
def test_an_unknown_role_is_refused_with_the_known_ones(path: str) -> None:
    kinds = {"detector": "mtcnn"}
    if path in ("/v1/embed", "/v1/verify", "/v1/verify/many"):
        kinds["embedder"] = "arcface, facenet"
    for kind, known in kinds.items():
        response = post(staff(), path, **{kind: "nobody"})
        assert refusal(response) == (422, f"UNKNOWN_{kind.upper()}")
        assert message(response) == f"Unknown {kind} nobody; available: {known}"


@pytest.mark.parametrize("path", FILES)
def test_liveness_needs_a_liveness_network(api: Api, path: str) -> None:
    api.enrol("anna", "anna")
    api.client = client(without(api.stages, "liveness"))
    assert refusal(post(api, path, liveness="report")) == (422, "UNKNOWN_LIVENESS")
    assert post(api, path, liveness="off").is_success
