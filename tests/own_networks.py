"""Two made-up networks of a user's own, each a card and an ONNX file."""

import hashlib
from pathlib import Path

import numpy as np

from tests.models.graphs import written

NAMES = ("own-embedder", "own-liveness")
CARD = """title = "Made up"
task = "{task}"
architecture = "onnx_file"
framework = "onnx"
licence = "MIT"
preprocessing_version = "1"
exports = ["{name}.made.onnx"]
crops = [{{ size = 32, fit = "box" }}]
input = {{ mean = 0.0, std = 255.0, layout = "nchw", colours = "rgb" }}
output = {{ {output} }}
files = [{{ name = "{name}.onnx", sha256 = "{sha256}" }}]
thresholds = [{{ metric = "{metric}", value = 0.5, measured_on = "nothing" }}]
"""


def write(folder: Path) -> None:
    """Write own-embedder, an embedder of 64 numbers, and own-liveness, for which every face is live."""
    random = np.random.default_rng(0)
    networks = {
        "own-embedder": (random.normal(size=(3, 64)), "embedder", "size = 64", "cosine"),
        "own-liveness": (np.array([[9.0, -9.0]] * 3), "liveness", "live_class = 0", "live"),
    }
    folder.mkdir(exist_ok=True)
    for name, (matrix, task, output, metric) in networks.items():
        content = colour_network(matrix.astype(np.float32), 32)
        sha256 = hashlib.sha256(content).hexdigest()
        (folder / f"{name}.onnx").write_bytes(content)
        text = CARD.format(name=name, task=task, output=output, metric=metric, sha256=sha256)
        (folder / f"{name}.toml").write_text(text, "utf-8")


def colour_network(matrix: np.ndarray, side: int) -> bytes:
    """A network that returns the mean colour of a crop, from 0 to 1, times `matrix`, float32 (3, size)."""
    graph = f"""own (float[1, 3, {side}, {side}] pixels) => (float[1, {matrix.shape[1]}] numbers) {{
        means = GlobalAveragePool (pixels)
        colour = Flatten (means)
        numbers = MatMul (colour, matrix)
    }}"""
    return bytes(written(graph, 17, matrix=matrix).SerializeToString())
