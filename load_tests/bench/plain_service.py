"""A minimal service to compare with: facenet-pytorch behind FastAPI, in PyTorch's eager mode.

MTCNN has the library's defaults, so it looks for faces of 20 pixels or more; facegraph's MTCNN looks for faces of 40
pixels or more. InceptionResnetV1's trained weights are in no package registry, so it has random weights, which take the
same time.
"""

import base64
import io

import PIL.Image
import torch
from facenet_pytorch import MTCNN, InceptionResnetV1
from fastapi import FastAPI, HTTPException

torch.set_num_threads(1)
mtcnn = MTCNN()
network = InceptionResnetV1(pretrained=None).eval()
app = FastAPI()


@app.post("/compare")
def compare(photos: dict[str, str]) -> dict[str, float]:
    """Return the cosine similarity of the largest faces of two photos in base64."""
    faces = [mtcnn(PIL.Image.open(io.BytesIO(base64.b64decode(photo))).convert("RGB")) for photo in photos.values()]
    if any(face is None for face in faces):
        raise HTTPException(400, "no face detected")
    with torch.inference_mode():
        first, second = network(torch.stack(faces))
    return {"similarity": float(first @ second)}
