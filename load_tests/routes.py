"""The routes that are measured: what they are asked, and which stages of the configuration answer them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from graphs.policy import Policy
from graphs.settings import AppArgs
from imaging.pick import PROMINENT, Pick
from project.root import ROOT

CONFIG = ROOT / "configs" / "serve.yaml"


@dataclass(frozen=True)
class Route:
    """A route that compares two photos.

    Attributes:
        path: of its address.
        photos: the two fields of a request that hold the photos, in base64.
        similarity: the field of an answer that holds the cosine similarity.
        detector, liveness: roles of the stages behind it; None for no liveness.
        pick: which faces of a photo count.
        embedders: roles of which the first that the configuration has is behind it.
    """

    path: str
    photos: tuple[str, str]
    similarity: str
    detector: str
    liveness: str | None
    pick: Pick
    embedders: tuple[str, ...]

    def body(self, pair: tuple[Path, Path]) -> bytes:
        """A request's body, with two encoded photos."""
        encoded = (base64.b64encode(path.read_bytes()).decode() for path in pair)
        return json.dumps(dict(zip(self.photos, encoded, strict=True))).encode()


_BASE64_PAIR = ("image1_base64", "image2_base64")
ONE = Pick("one", Policy().other_faces)
_FACENET = ("inception_resnet_v1", "facenet")

ROUTES: Mapping[str, Route] = {
    "match": Route("/match", ("image1", "image2"), "similarity_score", "mtcnn", "crmnet", ONE, ("arcface",)),
    "compare": Route("/compare", _BASE64_PAIR, "similarity", "mtcnn", None, PROMINENT, _FACENET),
    "mediapipe": Route("/mediapipe", _BASE64_PAIR, "similarity", "mediapipe", None, PROMINENT, _FACENET),
}


def configured() -> AppArgs:
    """The arguments of the default configuration, which the service is started with."""
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    return AppArgs(**config["applications"][0]["args"])
