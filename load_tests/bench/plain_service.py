"""The service that one writes in an afternoon: facenet-pytorch behind FastAPI, eagerly in torch.

`uvicorn load_tests.bench.plain_service:app --workers CORES`. It answers POST /compare with the similarity alone. MTCNN
has the library's defaults, so it looks for faces from 20 pixels on, where this service's detector looks from 40 on.
InceptionResnetV1's own weights are in no package registry, so it runs the weights of the card `facenet`, with 128
numbers instead of 512: the network costs the same, and the answers are real.
"""

import base64
import io

import PIL.Image
import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from fastapi import FastAPI, HTTPException

from models.architectures.facenet_keras import read, torch_state
from models.catalogue import card
from models.store import DEFAULT_STORE, Store


def facenet() -> InceptionResnetV1:
    """InceptionResnetV1 with the weights of the card `facenet`."""
    entry, network = card("facenet"), InceptionResnetV1(pretrained=None)
    network.last_linear = torch.nn.Linear(1792, 128, bias=False)
    network.last_bn = torch.nn.BatchNorm1d(128, eps=0.001)
    weights = torch_state(read(Store(DEFAULT_STORE).whole(entry) / entry.files[0].name))
    # Keras trains its batch normalisations without a gamma: those keep their initial values.
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, strict=False)
    return network.eval()


torch.set_num_threads(1)
mtcnn = MTCNN()
network = facenet()
app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    """Answer once the networks are loaded."""
    return {"status": "healthy"}


@app.post("/compare")
def compare(photos: dict[str, str]) -> dict[str, float]:
    """The cosine similarity of the largest faces of two photos in base64."""
    faces = torch.stack(list(map(face, photos.values())))
    with torch.inference_mode():
        first, second = network(faces)
    return {"similarity": float(first @ second)}


def face(photo: str) -> torch.Tensor:
    """The largest face of a photo in base64, (3, 160, 160), standardised as its network was trained."""
    found = mtcnn(PIL.Image.open(io.BytesIO(base64.b64decode(photo))).convert("RGB"))
    if found is None:
        raise HTTPException(400, "no face detected")
    standardised: torch.Tensor = (found - found.mean()) / found.std()
    return standardised
