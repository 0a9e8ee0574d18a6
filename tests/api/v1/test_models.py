"""GET /v1/models, over fake networks."""

from dataclasses import replace
from typing import Any

from starlette.testclient import TestClient

from api.app import create_app
from graphs.policy import Policy
from tests.api.v1 import Api
from tests.fakes import changed, service, with_stages

PLAIN = {
    "embedding_contract": None,
    "embedding_dimensions": None,
    "cosine_threshold": None,
    "threshold_source": None,
}


def network(name: str, **more: Any) -> dict[str, Any]:
    """A listed network."""
    return {"model": f"{name}-model", "title": f"The {name}", "licence": f"The {name}'s licence", **PLAIN, **more}


def test_every_network_is_listed_by_its_role() -> None:
    response = Api().get("/v1/models")
    assert response.status_code == 200
    first = {"embedding_contract": "contract", "embedding_dimensions": 2, "cosine_threshold": 0.4}
    second = {"embedding_contract": "contract-of-3", "embedding_dimensions": 3, "cosine_threshold": 0.5}
    assert response.json() == {
        "detectors": {"mtcnn": network("detector")},
        "liveness": {"crmnet": network("liveness")},
        "embedders": {
            "arcface": network("embedder", **first, threshold_source="card"),
            "facenet": network("other", **second, threshold_source="card"),
        },
        "attributes": {},
        "defaults": {"detector": "mtcnn", "liveness": "crmnet", "embedder": "arcface", "pose": None, "eyes": None},
    }


def test_a_threshold_of_the_configuration_stands_in_the_cards_place() -> None:
    api = Api(policy=Policy(thresholds={"arcface": 0.95}))
    told = {role: each["cosine_threshold"] for role, each in api.get("/v1/models").json()["embedders"].items()}
    assert told == {"arcface": 0.95, "facenet": 0.5}
    assert api.get("/v1/models").json()["embedders"]["arcface"]["threshold_source"] == "configuration"
    assert api.get("/health").json()["networks"]["arcface"]["cosine_threshold"] == 0.95


def test_the_default_detector_is_used_unless_a_request_names_one() -> None:
    api = Api()
    other = changed(api.stages.detectors["mtcnn"], role="retinaface", name="other-detector-model")
    stages = with_stages(api.stages, other)
    stages = replace(stages, defaults={**stages.defaults, "detector": "retinaface"})
    app = TestClient(create_app(service(stages)))
    assert app.get("/v1/models").json()["defaults"]["detector"] == "retinaface"
    photo = {"photo": b"anna"}
    assert app.post("/v1/detect", files=photo).json()["models"]["detector"] == "other-detector-model"
    named = app.post("/v1/detect", files=photo, params={"detector": "mtcnn"}).json()
    assert named["models"]["detector"] == "detector-model"
