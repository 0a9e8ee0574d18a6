"""BlazeFace: the face detector of MediaPipe, which runs the exported file itself.

The export is the published network, untouched, with the metadata that MediaPipe Tasks asks for (the
TensorFlow Lite metadata schema, whose classes mediapipe ships as `metadata_schema_py_generated`).
There is no `original`: the exported file runs in its original runtime.
"""

from pathlib import Path

import flatbuffers

import models.detectors.mediapipe  # noqa: F401  loads mediapipe without TensorFlow, so before the next ones
from models.card import Card

# isort: split
from mediapipe.tasks.metadata import metadata_schema_py_generated as metadata
from mediapipe.tasks.metadata import schema_py_generated as tflite

MODEL_IDENTIFIER = b"TFL3"
METADATA_IDENTIFIER = b"M001"
METADATA_NAME = "TFLITE_METADATA"
"""The entry of a TFLite file under which readers look for its metadata."""

PIXEL_MEAN = PIXEL_STD = 127.5
"""The network takes RGB values from -1 to 1: (value - mean) / standard deviation."""


def export(card: Card, folder: Path) -> None:
    """Write `card.exports[0]`, the network of `card.files[0]` with its metadata, into `folder`.

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
    """Metadata of one RGB image as input and of the named outputs."""
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
    """A table of the generated classes as a flatbuffer with the file identifier."""
    builder = flatbuffers.Builder()
    builder.Finish(table.Pack(builder), file_identifier=identifier)
    return bytes(builder.Output())
