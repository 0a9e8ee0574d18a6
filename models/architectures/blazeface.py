"""BlazeFace, MediaPipe's face detector.

The export is the published network with the metadata that MediaPipe Tasks requires (the TensorFlow Lite metadata
schema, whose classes mediapipe ships as `metadata_schema_py_generated`). There is no `original`, because MediaPipe, the
original runtime, runs the export.
"""

from pathlib import Path

import flatbuffers

import models.detectors.mediapipe  # noqa: F401  loads mediapipe without TensorFlow, so it comes first
from models.card import Card

# isort: split
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata
from mediapipe.tasks.metadata import schema_py_generated as tflite

MODEL_IDENTIFIER = b"TFL3"
METADATA_IDENTIFIER = b"M001"
METADATA_NAME = "TFLITE_METADATA"
"""Name of the metadata entry of a TFLite file."""

PIXEL_MEAN = PIXEL_STD = 127.5
"""The network takes RGB values from -1 to 1: (value - mean) / std."""


def export(card: Card, folder: Path) -> None:
    """Add metadata to the network in `card.files[0]` and write it to `card.exports[0]`, both in `folder`.

    Raises:
        OSError: a file cannot be read or written.
    """
    model = tflite.ModelT.InitFromPackedBuf((folder / card.files[0].name).read_bytes())
    graph = model.subgraphs[0]
    outputs = [graph.tensors[index].name.decode() for index in graph.outputs]
    entry = tflite.MetadataT(name=METADATA_NAME, buffer=len(model.buffers))
    model.metadata = [*(model.metadata or []), entry]
    model.buffers.append(tflite.BufferT(data=_metadata(outputs)))
    (folder / card.exports[0]).write_bytes(_packed(model, MODEL_IDENTIFIER))


def _metadata(outputs: list[str]) -> bytes:
    """Return the metadata for an input of one RGB image and for the named outputs."""
    normalisation = metadata.ProcessUnitT(
        optionsType=metadata.ProcessUnitOptions.NormalizationOptions,
        options=metadata.NormalizationOptionsT(mean=[PIXEL_MEAN], std=[PIXEL_STD]),
    )
    content = metadata.ContentT(
        contentPropertiesType=metadata.ContentProperties.ImageProperties,
        contentProperties=metadata.ImagePropertiesT(colorSpace=metadata.ColorSpaceType.RGB),
    )
    subgraph = metadata.SubGraphMetadataT(
        inputTensorMetadata=[metadata.TensorMetadataT(name="image", content=content, processUnits=[normalisation])],
        outputTensorMetadata=[metadata.TensorMetadataT(name=name) for name in outputs],
    )
    return _packed(metadata.ModelMetadataT(subgraphMetadata=[subgraph]), METADATA_IDENTIFIER)


def _packed(table: tflite.ModelT | metadata.ModelMetadataT, identifier: bytes) -> bytes:
    """Serialise a table to a flatbuffer with a file identifier."""
    builder = flatbuffers.Builder()
    builder.Finish(table.Pack(builder), file_identifier=identifier)
    return bytes(builder.Output())
