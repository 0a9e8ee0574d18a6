"""Crops of faces in responses."""

import asyncio
from collections.abc import Sequence

import pybase64
from pydantic import BaseModel, Field

from api.v1.examples import example
from api.v1.schemas import FaceAnswer
from imaging.encode import encode_png
from imaging.faces import Pixels


class Crop(BaseModel):
    """The pixels of a face that were embedded."""

    model_config = example(side=112, png="iVBORw0KGgo=")

    side: int = Field(description="Width and height in pixels.")
    png: str = Field(description="PNG file in base64.")


class CroppedFace(FaceAnswer):
    """A face that was embedded."""

    model_config = example(FaceAnswer, crop=Crop)

    crop: Crop | None = Field(description="null unless crops=true.")


async def encoded(crops: Pixels | None, wanted: bool, count: int) -> Sequence[Crop | None]:
    """Encode `count` crops, uint8 (count, side, side, 3) RGB; returns None for each unless they are `wanted`."""
    if crops is None or not wanted:
        return [None] * count
    # In a thread, because each takes about a millisecond.
    return await asyncio.to_thread(lambda: [_encoded(crop) for crop in crops])


def _encoded(crop: Pixels) -> Crop:
    return Crop(side=len(crop), png=pybase64.b64encode(encode_png(crop)).decode())
