"""Select the device on which TensorFlow runs a network."""

import tensorflow

from models.device import Device


def tensorflow_device(device: Device) -> str:
    """TensorFlow's name of `device`. GPU memory is allocated as needed."""
    if device.kind == "cpu":
        return "/CPU:0"
    for gpu in tensorflow.config.list_physical_devices("GPU"):
        # By default TensorFlow allocates all GPU memory at its first operation.
        tensorflow.config.experimental.set_memory_growth(gpu, True)
    return "/GPU:0"
