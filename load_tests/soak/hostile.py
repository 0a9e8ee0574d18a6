"""Clients that send what no service wants, and clients that leave in the middle."""

import json
import socket
from urllib.parse import urlsplit

from locust import task

from load_tests.photos import Photo
from load_tests.users.service_user import CHANCE, ServiceUser

REFUSALS = (400, 404, 413, 422)
TIMEOUT_S = 10
BROKEN = "broken photo: "
WRONG = "wrong JSON: "
HUNG_UP = "hung up: "

FILE_ROUTES = {
    "/v1/detect": "photo",
    "/v1/embed": "photo",
    "/v1/collections/none/search": "photo",
    "/detect-face": "image",
    "/extract-embedding": "image",
    "/match_face": "file",
}
"""Routes that take a photo as a file, and the field that it stands in."""

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

HEAD = "POST /match HTTP/1.1\r\nHost: service\r\nContent-Type: application/json\r\n"

# The head of a PNG that says 60,000 by 60,000 pixels.
_BOMB = bytes.fromhex("89504e470d0a1a0a0000000d494844520000ea600000ea600802000000")


class HostileUser(ServiceUser):
    """Every answer to it has to be a refusal in the contract's form."""

    weight = 4

    @task(3)
    def send_broken_photo(self) -> None:
        path, field = CHANCE.choice(list(FILE_ROUTES.items()))
        data = CHANCE.choice(broken(self.photo()))
        files = {field: ("photo.jpg", data, "image/jpeg")}
        self.ask("POST", path, name=BROKEN + path, expected=REFUSALS, files=files)

    @task(3)
    def send_wrong_json(self) -> None:
        path = CHANCE.choice(JSON_ROUTES)
        headers = {"Content-Type": "application/json"}
        body = CHANCE.choice(WRONG_BODIES)
        self.ask("POST", path, name=WRONG + path, expected=REFUSALS, data=body, headers=headers)

    @task(3)
    def hang_up(self) -> None:
        """Leave halfway through the request, or before the answer to it."""
        first, second = self.pair()
        body = json.dumps({"image1": first.base64, "image2": second.base64}).encode()
        head = (
            f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        sent = head.encode() + body[: CHANCE.choice((0, len(body) // 2, len(body)))]
        address = urlsplit(str(self.host))
        problem: Exception | None = None
        try:
            with socket.create_connection((address.hostname, address.port or 80), TIMEOUT_S) as connection:
                connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            # The service hung up first, as it may.
            pass
        except OSError as error:
            problem = error
        self.environment.events.request.fire(
            request_type="POST",
            name=f"{HUNG_UP}/match",
            response_time=None,
            response_length=0,
            exception=problem,
            context={},
        )


def broken(photo: Photo) -> list[bytes]:
    """What may be taken for a photo and is none: nothing, noise, the beginning of one, a bomb, and another format."""
    return [
        b"",
        CHANCE.randbytes(2000),
        photo.data[: len(photo.data) // 20],
        _BOMB,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    ]
