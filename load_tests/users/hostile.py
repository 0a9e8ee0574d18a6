"""Clients that send broken photos and wrong JSON, and clients that hang up in the middle."""

import json
import socket
from urllib.parse import urlsplit

from locust import task

from load_tests.photos import Photo
from load_tests.users.service_user import CHANCE, ServiceUser

REFUSALS = (400, 404, 413, 422)
TIMEOUT_S = 10

FILE_ROUTES = {
    "/v1/detect": "photo",
    "/v1/embed": "photo",
    "/v1/collections/none/search": "photo",
    "/detect-face": "image",
    "/extract-embedding": "image",
    "/match_face": "file",
}
"""Routes that take a photo as a file, and the name of its form field."""

JSON_ROUTES = ("/match", "/compare", "/mediapipe", "/compare-faces", "/api/v1/extract-embedding", "/v1/compare")

WRONG_BODIES = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'{"image1": 1, "image2": {}}',
    b'{"image1": "%%%%", "image2": "%%%%"}',
    b'{"embedding1": [NaN], "embedding2": [1e999]}',
    b"\xff\xfe\x00",
    b"[" * 5000,
)

# The header of a PNG of 60,000 by 60,000 pixels.
_BOMB = bytes.fromhex("89504e470d0a1a0a0000000d494844520000ea600000ea600802000000")


class HostileUser(ServiceUser):
    """Expects every answer to be a refusal in the contract's form."""

    weight = 4
    only_by_name = True

    @task
    def send_broken_photo(self) -> None:
        path, field = CHANCE.choice(list(FILE_ROUTES.items()))
        files = {field: ("photo.jpg", CHANCE.choice(broken(self.photo())), "image/jpeg")}
        self.ask("POST", path, name=f"broken photo: {path}", expected=REFUSALS, files=files)

    @task
    def send_wrong_json(self) -> None:
        path, body = CHANCE.choice(JSON_ROUTES), CHANCE.choice(WRONG_BODIES)
        headers = {"Content-Type": "application/json"}
        self.ask("POST", path, name=f"wrong JSON: {path}", expected=REFUSALS, data=body, headers=headers)

    @task
    def hang_up(self) -> None:
        """Leave halfway through the request, or before its answer."""
        first, second = self.pair()
        body = json.dumps({"image1": first.base64, "image2": second.base64}).encode()
        head = f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        sent = f"{head}\r\n\r\n".encode() + body[: CHANCE.choice((0, len(body) // 2, len(body)))]
        address = urlsplit(str(self.host))
        problem: Exception | None = None
        try:
            with socket.create_connection((address.hostname, address.port or 80), TIMEOUT_S) as connection:
                connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            # The service may hang up first.
            pass
        except OSError as error:
            problem = error
        self.environment.events.request.fire(
            request_type="POST",
            name="hung up: /match",
            response_time=None,
            response_length=0,
            exception=problem,
            context={},
        )


def broken(photo: Photo) -> list[bytes]:
    """Files that are no photos: empty, noise, a photo's beginning, a decompression bomb, and another format."""
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    return [b"", CHANCE.randbytes(2000), photo.data[: len(photo.data) // 20], _BOMB, svg]
