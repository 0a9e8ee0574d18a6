"""GET /v1/models, over fake networks."""

from tests.api.v1 import Api

PLAIN = {"embedding_contract": None, "embedding_dimensions": None, "cosine_threshold": None}


def test_every_network_stands_under_its_role() -> None:
    response = Api().get("/v1/models")
    assert response.status_code == 200
    assert response.json() == {
        "detectors": {
            "mtcnn": {"model": "detector-model", "title": "The detector", "licence": "The detector's licence", **PLAIN}
        },
        "liveness": {
            "crmnet": {"model": "liveness-model", "title": "The liveness", "licence": "The liveness's licence", **PLAIN}
        },
        "embedders": {
            "arcface": {
                "model": "embedder-model",
                "title": "The embedder",
                "licence": "The embedder's licence",
                "embedding_contract": "contract",
                "embedding_dimensions": 2,
                "cosine_threshold": 0.4,
            },
            "facenet": {
                "model": "other-model",
                "title": "The other",
                "licence": "The other's licence",
                "embedding_contract": "contract-of-3",
                "embedding_dimensions": 3,
                "cosine_threshold": 0.5,
            },
        },
    }


def test_what_it_names_can_be_asked_for() -> None:
    api = Api()
    known = api.get("/v1/models").json()
    for role, network in known["embedders"].items():
        for detector in known["detectors"]:
            answer = api.send("/v1/embed", "anna", embedder=role, detector=detector).json()
            [face] = answer["faces"]
            assert face["embedding"]["contract"] == network["embedding_contract"]
            assert len(face["embedding"]["values"]) == network["embedding_dimensions"]
            assert answer["models"]["embedder"] == network["model"]
