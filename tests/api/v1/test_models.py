"""GET /v1/models, over fake networks."""

from graphs.settings import Policy
from tests.api.v1 import Api

PLAIN = {
    "embedding_contract": None,
    "embedding_dimensions": None,
    "cosine_threshold": None,
    "threshold_source": None,
}


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
                "threshold_source": "card",
            },
            "facenet": {
                "model": "other-model",
                "title": "The other",
                "licence": "The other's licence",
                "embedding_contract": "contract-of-3",
                "embedding_dimensions": 3,
                "cosine_threshold": 0.5,
                "threshold_source": "card",
            },
        },
    }


def test_a_threshold_of_the_configuration_stands_in_the_cards_place() -> None:
    api = Api(policy=Policy(thresholds={"arcface": 0.95}))
    told = {role: each["cosine_threshold"] for role, each in api.get("/v1/models").json()["embedders"].items()}
    assert told == {"arcface": 0.95, "facenet": 0.5}
    assert api.get("/v1/models").json()["embedders"]["arcface"]["threshold_source"] == "configuration"
    assert api.get("/health").json()["networks"]["arcface"]["cosine_threshold"] == 0.95


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
