"""Crops of faces in responses."""

import asyncio
from collections.abc import Sequence

import pybase64
from pydantic import Field

from api.v1.examples import Answer, example
from api.v1.schemas import FaceAnswer
from imaging.encode import encode_png
from imaging.faces import Pixels


class Crop(Answer):
    """The pixels of a face that were embedded."""

    model_config = example(side=112, png="iVBORw0KGgo=")

    side: int = Field(description="Width and height in pixels.")
    png: str = Field(description="PNG file in base64.")


class CroppedFace(FaceAnswer):
    """A face that was embedded."""

    crop: Crop | None = Field(description="null unless crops=true.")


async def with_crops(faces: Sequence[FaceAnswer], crops: Pixels | None) -> list[CroppedFace]:
    """Add to each face its crop, given as uint8 (faces, side, side, 3) RGB; None for no crops."""
    encoded: Sequence[Crop | None] = [None] * len(faces)
    if crops is not None:
        # In a thread, because encoding a crop takes about a millisecond.
        encoded = await asyncio.to_thread(lambda: [_encoded(crop) for crop in crops])
    return [CroppedFace(**dict(face), crop=crop) for face, crop in zip(faces, encoded, strict=True)]


def _encoded(crop: Pixels) -> Crop:
    return Crop(side=len(crop), png=pybase64.b64encode(encode_png(crop)).decode())
