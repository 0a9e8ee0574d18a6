"""Load models into the runtime that the configuration chooses."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from models.card import Card
from models.catalogue import networks_of
from models.detection import Detector
from models.detectors.centerface import CenterFace
from models.detectors.mtcnn import Mtcnn
from models.detectors.retinaface import RetinaFace
from models.device import Device, Engine, OnnxEngine, is_onnx
from models.errors import ModelError
from models.onnx_session import OnnxNetwork
from models.originals import check_framework
from models.simulated import SimulatedDetector, SimulatedNetwork
from models.store import Store
from models.trial import check_answer

DETECTORS: Mapping[str, Callable[..., Detector]] = {
    "centerface": CenterFace,
    "mtcnn": Mtcnn,
    "mtcnn_tensorflow": Mtcnn,
    "retinaface": RetinaFace,
}
"""Detector classes by the architecture of the networks that they take as arguments. BlazeFace is loaded separately."""

RawNetwork = Callable[..., tuple[NDArray[Any], ...]]
"""Takes and returns arrays with one row per item, e.g. a photo, along the first axis."""

CropNetwork = Callable[..., NDArray[np.float32]]
"""Takes one array for each crop of the card, uint8 (n, size, size, 3) RGB, and returns float32 (n, *shape)."""


def load_network(card: Card, store: Store, engine: Engine, device: Device) -> CropNetwork:
    """Load a network that reads crops of faces, and run it once so that the first request is not slower than others.

    Raises:
        ModelError: the model has not been pulled, is damaged, does not run in `engine`, or does not fit its card.
    """
    if device.simulation is not None:
        return SimulatedNetwork(card.shape, device.simulation)
    members = load_members(card, store, engine, device)

    def network(*crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return card.face_task.reading(card.output, card.fusion, members(*crops))

    try:
        check_answer(card, network)
    except ModelError as error:
        raise ModelError(f"the model {card.name} cannot be used: {error}") from error
    return network


def load_members(card: Card, store: Store, engine: Engine, device: Device) -> CropNetwork:
    """Load the members of a fusion, or a single network as the only member.

    Returns:
        A function from the crops of `card` to the members' answers, float32 (n, members, *shape).

    Raises:
        ModelError: see `load_network`.
    """
    members = [(member.crops, _exported(member, store, engine, device)) for member in networks_of(card)]

    def answers(*crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        cut = dict(zip(card.crops, crops, strict=True))
        return np.stack([network(*(cut[spec] for spec in specs)) for specs, network in members], axis=1)

    return answers


def load_detector(
    card: Card,
    store: Store,
    engine: Engine,
    device: Device,
    options: dict[str, Any],
    batched: Callable[[RawNetwork], RawNetwork] = lambda network: network,
) -> Detector:
    """Load a detector, and run it once.

    Args:
        options: keyword arguments of the detector's class in `models.detectors`.
        batched: wraps each network of the detector, e.g. to combine concurrent calls into batches.

    Raises:
        ModelError: see `load_network`; or the detector does not have one of the options.
    """
    try:
        detector = _detector(card, store, engine, device, options, batched)
        # A photo of noise, because the later networks of a cascade would not run on a plain one.
        detector.detect(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8))
    except TypeError as error:
        raise ModelError(f"the detector {card.name} does not take these options: {error}") from error
    return detector


def _detector(
    card: Card,
    store: Store,
    engine: Engine,
    device: Device,
    options: dict[str, Any],
    batched: Callable[[RawNetwork], RawNetwork],
) -> Detector:
    if device.simulation is not None:
        network = SimulatedNetwork((), device.simulation)
        return SimulatedDetector(batched(lambda photos: (network(photos),)))
    if card.architecture == "blazeface":
        # Imported here, because importing MediaPipe takes a second.
        from models.detectors.mediapipe import BlazeFace

        if engine != "onnx" or device.kind != "cpu":
            raise ModelError(f"{card.name} runs in MediaPipe on the CPU: leave out its engine and set `gpus: 0`")
        return BlazeFace(store.exports(card)[0], **options)
    if card.architecture not in DETECTORS:
        raise ModelError(f"{card.name} is not a detector")
    networks: Iterable[RawNetwork] = (
        [OnnxNetwork(path, device, engine) for path in store.exports(card)]
        if is_onnx(engine)
        else _original(card, store, engine, device)
    )
    return DETECTORS[card.architecture](*map(batched, networks), **options)


def _exported(card: Card, store: Store, engine: Engine, device: Device) -> CropNetwork:
    """Load the network of one card."""
    if is_onnx(engine):
        integers = card.int8 if engine == "onnx" and device.kind == "cpu" else None
        name = integers or card.exports[0]
        exported = OnnxNetwork(next(path for path in store.exports(card) if path.name == name), device, engine)
        network = cast(CropNetwork, lambda *crops: exported(*crops)[0])
    else:
        network = cast(CropNetwork, _original(card, store, engine, device))
    # Some networks fail on an empty batch.
    none = np.zeros((0, *card.shape), dtype=np.float32)
    return lambda *crops: network(*crops) if len(crops[0]) else none


def _original(card: Card, store: Store, engine: Engine, device: Device) -> Any:
    """Load the network in its original runtime."""
    if card.framework != engine:
        known = dict.fromkeys((*get_args(OnnxEngine), card.framework))
        raise ModelError(f"{card.name} does not run in {engine}, only in {', '.join(known)}")
    check_framework(card, engine)
    folder = store.whole(card)
    return importlib.import_module(f"models.originals.{card.architecture}").original(card, folder, device)
