"""Where TensorFlow runs a network."""

import tensorflow

from models.device import Device


def place(device: Device) -> str:
    """TensorFlow's name of `device`, whose memory is then taken as it is needed."""
    if device.kind == "cpu":
        return "/CPU:0"
    for gpu in tensorflow.config.list_physical_devices("GPU"):
        # TensorFlow otherwise takes all of the GPU's memory at its first operation.
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    return "/GPU:0"
