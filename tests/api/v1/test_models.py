"""GET /v1/models, over fake networks."""

from dataclasses import replace
from typing import Any

from graphs.flow_settings import FlowSettings
from tests.api.v1 import Api
from tests.fakes import changed, client, with_stages

PLAIN = dict.fromkeys(("embedding_contract", "embedding_dimensions", "cosine_threshold", "threshold_source"))


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
    api = Api(settings=FlowSettings(thresholds={"arcface": 0.95}))
    told = {role: each["cosine_threshold"] for role, each in api.get("/v1/models").json()["embedders"].items()}
    assert told == {"arcface": 0.95, "facenet": 0.5}
    assert api.get("/v1/models").json()["embedders"]["arcface"]["threshold_source"] == "configuration"


def test_the_default_detector_is_used_unless_a_request_names_one() -> None:
    api = Api()
    other = changed(api.stages.detectors["mtcnn"], role="retinaface", name="other-detector-model")
    stages = with_stages(api.stages, other)
    api.client = client(replace(stages, defaults={**stages.defaults, "detector": "retinaface"}))
    assert api.get("/v1/models").json()["defaults"]["detector"] == "retinaface"
    for options, model in (({}, "other-detector-model"), ({"detector": "mtcnn"}, "detector-model")):
        assert api.send("/v1/detect", "anna", **options).json()["models"]["detector"] == model
