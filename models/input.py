"""Preprocessing of the crops that a network reads."""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from models.sources import Strict

LUMINANCE = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in a grey value (ITU-R BT.601)."""

Deviation = Annotated[float, Field(gt=0)]


class Input(Strict):
    """Preprocessing of crops: (pixel - mean) / std.

    Attributes:
        mean, std: one number for all channels, or one per channel.
        layout: order of the dimensions.
        colours: order of the channels. ``grey`` is a single channel of luminance.
    """

    mean: float | tuple[float, float, float]
    std: Deviation | tuple[Deviation, Deviation, Deviation]
    layout: Literal["nchw", "nhwc"]
    colours: Literal["rgb", "bgr", "grey"]

    def prepared(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Convert uint8 (n, size, size, 3) RGB crops to the network's input, float32 in this layout."""
        pixels = crops.astype(np.float32)
        if self.colours == "bgr":
            pixels = pixels[..., ::-1]
        if self.colours == "grey":
            pixels = pixels @ np.array(LUMINANCE, np.float32)[:, None]
        scaled = (pixels - np.asarray(self.mean, np.float32)) / np.asarray(self.std, np.float32)
        return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2) if self.layout == "nchw" else scaled)

    @field_validator("mean", "std", mode="wrap")
    @classmethod
    def _one_number_or_three(cls, stated: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return validate(stated)
        except ValidationError:
            above = " above 0" if info.field_name == "std" else ""
            raise ValueError(f"must be one number{above} for all channels, or a list of three") from None

    @model_validator(mode="after")
    def _a_number_for_each_channel(self) -> "Input":
        if self.colours == "grey" and not (isinstance(self.mean, float) and isinstance(self.std, float)):
            raise ValueError("mean, std: a grey input has one channel, so each must be one number")
        return self
