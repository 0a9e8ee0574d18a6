"""The crops that an embedder was given, in answers."""

import asyncio
from collections.abc import Sequence

import pybase64
from pydantic import BaseModel, Field

from api.v1.examples import example
from api.v1.schemas import FaceAnswer
from imaging.encode import encode_png
from imaging.faces import Pixels


class Crop(BaseModel):
    """The pixels that the embedder was given of a face."""

    model_config = example(side=112, png="iVBORw0KGgo=")

    side: int = Field(description="Of the square, in pixels.")
    png: str = Field(description="A PNG file in base64.")


class CroppedFace(FaceAnswer):
    """A face that was embedded."""

    model_config = example(FaceAnswer, crop=Crop)

    crop: Crop | None = Field(description="null without crops=true.")


async def encoded(crops: Pixels | None, wanted: bool, count: int) -> Sequence[Crop | None]:
    """The answer's form of `count` crops, uint8 (n, side, side, 3) RGB; None for each unless they are `wanted`."""
    if crops is None or not wanted:
        return [None] * count
    # Off the event loop: about a millisecond each.
    return await asyncio.to_thread(lambda: [_encoded(crop) for crop in crops])


def _encoded(crop: Pixels) -> Crop:
    return Crop(side=len(crop), png=pybase64.b64encode(encode_png(crop)).decode())
