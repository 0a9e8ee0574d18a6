"""The plain service that the benchmark compares with."""

import base64
import io
from pathlib import Path

import httpx
import numpy as np
import PIL.Image

from load_tests.server import plain_served


def test_the_plain_service_compares_faces(tmp_path: Path, mindy: bytes, mindy_again: bytes, jerry: bytes) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(np.full((200, 200, 3), 128, np.uint8)).save(file, "PNG")

    def compare(first: bytes, second: bytes) -> httpx.Response:
        first64, second64 = (base64.b64encode(photo).decode() for photo in (first, second))
        return client.post("/compare", json={"image1_base64": first64, "image2_base64": second64})

    with (
        plain_served(1, tmp_path / "log", MIN_FACE="40") as server,
        httpx.Client(base_url=server.address, timeout=60) as client,
    ):
        assert compare(mindy, mindy_again).json()["similarity"] > 0.6
        assert compare(mindy, jerry).json()["similarity"] < 0.3
        assert compare(mindy, file.getvalue()).status_code == 400
