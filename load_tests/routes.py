"""The routes that are measured: what they are asked, and which stages of the configuration answer them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from graphs.settings import ROOT, AppArgs
from imaging.faces import Wanted

CONFIG = ROOT / "configs" / "serve.yaml"


@dataclass(frozen=True)
class Route:
    """A route that compares two photos.

    Attributes:
        path: of its address.
        photos: the two fields of a request that hold the photos, in base64.
        similarity: the field of an answer that holds the cosine similarity.
        detector, liveness: roles of the stages behind it; None for no liveness.
        wanted: which faces of a photo it asks the detector for.
        embedders: roles of which the first that the configuration has is behind it.
    """

    path: str
    photos: tuple[str, str]
    similarity: str
    detector: str
    liveness: str | None
    wanted: Wanted
    embedders: tuple[str, ...]

    def body(self, pair: tuple[Path, Path]) -> bytes:
        """A request's body, with two encoded photos."""
        encoded = (base64.b64encode(path.read_bytes()).decode() for path in pair)
        return json.dumps(dict(zip(self.photos, encoded, strict=True))).encode()


_BASE64_PAIR = ("image1_base64", "image2_base64")
_FACENET = ("inception_resnet_v1", "facenet")

ROUTES: Mapping[str, Route] = {
    "match": Route("/match", ("image1", "image2"), "similarity_score", "mtcnn", "crmnet", "all", ("arcface",)),
    "compare": Route("/compare", _BASE64_PAIR, "similarity", "mtcnn", None, "largest", _FACENET),
    "mediapipe": Route("/mediapipe", _BASE64_PAIR, "similarity", "mediapipe", None, "largest", _FACENET),
}


def configured() -> AppArgs:
    """The arguments of the default configuration, which the service is started with."""
    config = yaml.safe_load(CONFIG.read_text("utf-8"))
    return AppArgs(**config["applications"][0]["args"])
