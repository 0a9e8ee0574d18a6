"""The clients of the replaced services, as their documents show them, against the real service.

httpx sends each example as its client would: the same requests as `curl -F`, `requests` and `axios`.
"""

import base64
import io

import PIL.Image


def text(photo: bytes) -> str:
    """A photo in base64."""
    return base64.b64encode(photo).decode()


def photo_without_face() -> bytes:
    """A photo without a face."""
    return _file(PIL.Image.linear_gradient("L").convert("RGB"))


def side_by_side(first: bytes, second: bytes) -> bytes:
    """One photo with the people of two photos."""
    images = [PIL.Image.open(io.BytesIO(photo)).convert("RGB") for photo in (first, second)]
    both = PIL.Image.new("RGB", (sum(image.width for image in images), max(image.height for image in images)))
    both.paste(images[0], (0, 0))
    both.paste(images[1], (images[0].width, 0))
    return _file(both)


def with_bystander(photo: bytes, other: bytes) -> bytes:
    """A photo with the people of another one at its right edge, at half their size."""
    image = PIL.Image.open(io.BytesIO(other)).convert("RGB")
    return side_by_side(photo, _file(image.resize((image.width // 2, image.height // 2))))


def _file(image: PIL.Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()
