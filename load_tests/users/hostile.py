"""Clients that send broken photos and wrong JSON, and clients that hang up in the middle."""

import json
import socket
from urllib.parse import urlsplit

from locust import task

from load_tests.users.service_user import CHANCE, ServiceUser

REFUSALS = (400, 404, 413, 422)
V1_FILE_ROUTES = {"/v1/detect": "photo", "/v1/embed": "photo", "/v1/collections/none/search": "photo"}
FILE_ROUTES = {**V1_FILE_ROUTES, "/detect-face": "image", "/extract-embedding": "image", "/match_face": "file"}
"""Routes that take a photo as a file, and the name of its form field."""

JSON_ROUTES = ("/match", "/compare", "/mediapipe", "/compare-faces", "/api/v1/extract-embedding", "/v1/compare")
WRONG_FIELDS = (b'{"image1": "%%%%", "image2": {}}', b'{"embedding1": [NaN], "embedding2": [1e999]}')
WRONG_BODIES = (*WRONG_FIELDS, b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 5000)

# The header of a PNG of 60,000 by 60,000 pixels, another format, and nothing.
NO_PHOTOS = (bytes.fromhex("89504e470d0a1a0a0000000d494844520000ea600000ea600802000000"), b"<svg/>", b"")


class HostileUser(ServiceUser):
    """Expects every answer to be a refusal in the contract's form."""

    weight = 4
    only_by_name = True

    @task
    def send_broken_photo(self) -> None:
        path, field = CHANCE.choice(list(FILE_ROUTES.items()))
        data = self.photo().data
        content = CHANCE.choice((*NO_PHOTOS, data[: len(data) // 20], CHANCE.randbytes(2000)))
        files = {field: ("photo.jpg", content, "image/jpeg")}
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
        request = {"request_type": "POST", "name": "hung up: /match", "response_time": None, "response_length": 0}
        problem: Exception | None = None
        try:
            with socket.create_connection((address.hostname, address.port or 80), 10) as connection:
                connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            # The service may hang up first.
            pass
        except OSError as error:
            problem = error
        self.environment.events.request.fire(**request, exception=problem, context={})
