"""Options of requests with photos: an invalid one is refused by name, before a network is asked."""

from typing import Any

import pytest

from tests.api.v1 import STAFF, Api, message, refusal, staff
from tests.fakes import client, without

FILES = {
    "/v1/detect": ("photo",),
    "/v1/embed": ("photo",),
    "/v1/verify": ("photo1", "photo2"),
    f"{STAFF}/search": ("photo",),
    f"{STAFF}/faces": ("photo",),
}


def post(api: Api, path: str, **options: Any) -> Any:
    files = dict.fromkeys(FILES[path], b"anna")
    data = {"subject": "anna"} if path.endswith("/faces") else None
    return api.client.post(path, files=files, data=data, params=options)


@pytest.mark.parametrize(
    ("path", "option", "values"),
    [
        ("/v1/detect", "liveness", ["maybe"]),
        ("/v1/detect", "max_faces", [0, 101, "many"]),
        # There is no embedder whose crops could be answered.
        ("/v1/detect", "crops", [True]),
        ("/v1/embed", "Embedder", ["arcface"]),
        ("/v1/embed", "crops", ["1", "on", ""]),
        ("/v1/verify", "faces", ["best"]),
        ("/v1/verify", "metric", ["manhattan"]),
        ("/v1/verify", "threshold", [2.01, -1.01, "nan", "inf"]),
        (f"{STAFF}/search", "top_k", [0, 101, "all"]),
        (f"{STAFF}/search", "threshold", [1.01, -1.01, "nan"]),
        (f"{STAFF}/search", "max_faces", [0]),
        (f"{STAFF}/search", "embedder", ["arcface"]),
        (f"{STAFF}/faces", "quality", ["good"]),
        (f"{STAFF}/faces", "faces", ["best"]),
        (f"{STAFF}/faces", "replace", ["perhaps"]),
    ],
)
def test_an_invalid_option_is_refused_by_name(path: str, option: str, values: list[Any]) -> None:
    api = staff()
    for value in values:
        response = post(api, path, **{option: value})
        assert refusal(response) == (400, "INVALID_REQUEST")
        assert option in message(response)
    assert api.people.detected == []


@pytest.mark.parametrize("path", FILES)
def test_an_unknown_role_is_refused_with_the_known_ones(path: str) -> None:
    kinds = {"detector": "mtcnn"}
    if path in ("/v1/embed", "/v1/verify"):
        kinds["embedder"] = "arcface, facenet"
    for kind, known in kinds.items():
        response = post(staff(), path, **{kind: "nobody"})
        assert refusal(response) == (422, f"UNKNOWN_{kind.upper()}")
        assert message(response) == f"There is no {kind} called nobody; there are {known}"


@pytest.mark.parametrize("path", FILES)
def test_liveness_needs_a_liveness_network(path: str) -> None:
    api = staff()
    api.client = client(without(api.stages, "liveness"))
    assert refusal(post(api, path, liveness="report")) == (422, "UNKNOWN_LIVENESS")
    assert post(api, path, liveness="off").is_success


@pytest.mark.parametrize("path", FILES)
def test_a_photo_that_is_missing_or_text_is_refused_by_name(path: str) -> None:
    for sent in ({}, {"data": {"subject": "anna"} | dict.fromkeys(FILES[path], "text")}):
        response = staff().client.post(path, **sent)
        assert refusal(response) == (400, "INVALID_REQUEST")
        assert any(name in message(response) for name in (*FILES[path], "subject"))
