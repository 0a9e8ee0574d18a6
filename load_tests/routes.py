"""The routes that compare two photos, as the measurements send requests to them."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from load_tests.service import RESULTS


@dataclass(frozen=True)
class Route:
    """A route's path, and the fields of a request that hold the two photos in base64."""

    path: str
    photos: tuple[str, str] = ("image1_base64", "image2_base64")

    def body(self, pair: tuple[Path, Path]) -> bytes:
        """A request's JSON with two encoded photos."""
        encoded = (base64.b64encode(path.read_bytes()).decode() for path in pair)
        return json.dumps(dict(zip(self.photos, encoded, strict=True))).encode()

    def options(self, pair: tuple[Path, Path]) -> list[str]:
        """Options of the locustfile with which `FixedRequestUser` posts two photos to this route."""
        file = RESULTS / f"body-{self.path.strip('/')}.json"
        file.write_bytes(self.body(pair))
        return ["--fixed-path", self.path, "--fixed-body", str(file)]


ROUTES: Mapping[str, Route] = {
    "match": Route("/match", ("image1", "image2")),
    "compare": Route("/compare"),
    "mediapipe": Route("/mediapipe"),
}
