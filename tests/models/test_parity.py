"""Every export answers as its original runtime. There is one process per framework."""

import contextlib
import itertools
import subprocess
import sys
from collections import ChainMap, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from models.card import Card
from models.catalogue import card
from models.export import write_exports
from models.store import Store
from project.root import ROOT
from tests.conftest import pulled

TOLERANCE = 1e-3

SYNTHETIC = """
import sys
from pathlib import Path
import torch
from facenet_pytorch import InceptionResnetV1
torch.manual_seed(0)
network = InceptionResnetV1(pretrained=None, classify=True, num_classes=8)
torch.save(network.state_dict(), Path(sys.argv[1]) / "20180402-114759-vggface2.pt")
"""


def run_python(*arguments: str) -> str:
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def differences(*networks: tuple[str, Path]) -> dict[str, float]:
    arguments = itertools.chain(*((name, str(folder)) for name, folder in networks))
    lines = [line.split() for line in run_python("-m", "tests.models.parity", *arguments).splitlines()]
    return {words[1]: float(words[2]) for words in lines if words[0] == "difference"}


DETECTORS = ("mtcnn", "mtcnn-tensorflow", "mediapipe-full-range", "retinaface-mobilenet", "centerface")
LIVENESS = ("fr-liveness", "minifasnet", "minifasnet-celeba", "deep-tree")
NAMES = (*DETECTORS, *LIVENESS, "fr-pose", "fr-eyes", "mobilefacenet", "facenet", "fr-feature")


def runtime(entry: Card) -> str:
    """The framework to compare in. MediaPipe's files run in TensorFlow Lite."""
    return "tensorflow" if entry.framework == "mediapipe" else entry.framework


def test_exports_answer_as_their_originals(store: Store) -> None:
    folders: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for name in NAMES:
        # What cannot be pulled is left out.
        with contextlib.suppress(pytest.skip.Exception):
            folders[runtime(pulled(name))].append((name, store.folder(card(name))))
    # Two processes run at a time: most of it is importing.
    with ThreadPoolExecutor(2) as pool:
        found = ChainMap(*pool.map(lambda networks: differences(*networks), folders.values()))
    assert set(found) == {name for networks in folders.values() for name, _ in networks}
    assert {name: difference for name, difference in found.items() if difference > TOLERANCE} == {}


@pytest.mark.long
def test_the_512_d_torch_network_is_exported_from_made_up_weights(tmp_path: Path) -> None:
    run_python("-c", SYNTHETIC, str(tmp_path))
    write_exports(card("inception-resnet-v1"), tmp_path)
    assert differences(("inception-resnet-v1", tmp_path))["inception-resnet-v1"] <= TOLERANCE
