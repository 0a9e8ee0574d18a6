"""A small made-up card for tests that change one thing about it."""

import hashlib
from typing import Any

from models.card import Card

WEIGHTS = b"the weights of a network"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def fields(**changes: Any) -> dict[str, Any]:
    """The content of the card's TOML file, with `changes`."""
    source = {"kind": "https", "url": "https://nowhere.invalid/weights.bin"}
    return {
        "title": "A made-up embedder",
        "task": "embedder",
        "architecture": "made_up",
        "framework": "onnx",
        "licence": "MIT",
        "homepage": "https://nowhere.invalid",
        "files": [{"name": "weights.bin", "sha256": digest(WEIGHTS), "sources": [source]}],
        "exports": ["embedder.onnx"],
        "crops": [{"size": 112, "fit": "aligned"}],
        "output": {"size": 8},
        "preprocessing_version": "1",
        "thresholds": [{"metric": "cosine", "value": 0.4, "measured_on": "nothing"}],
    } | changes


def made_card(**changes: Any) -> Card:
    return Card.model_validate({"name": "made-up", **fields(**changes)})
