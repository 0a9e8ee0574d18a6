"""Clients of the soak test: one sends hostile requests, the other runs the tasks of all other clients."""

import json
import socket
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from locust import task

from load_tests.photos import pair_json
from load_tests.users.older_contracts import CompareUser, DeepfaceUser, FaceDatabaseUser, FacesUser, MatchUser
from load_tests.users.service_user import CHANCE, ServiceUser
from load_tests.users.v1 import GalleryUser, OperatorUser, PhotosUser

REFUSALS = (400, 404, 413, 422)
FILE_ROUTES = dict.fromkeys(("/v1/detect", "/v1/embed", "/v1/collections/none/search"), "photo")
FILE_ROUTES |= {"/detect-face": "image", "/extract-embedding": "image", "/match_face": "file"}
"""Routes that take a photo as a file, and the name of its form field."""
JSON_ROUTES = ("/match", "/compare", "/mediapipe", "/compare-faces", "/api/v1/extract-embedding", "/v1/compare")
WRONG_FIELDS = (b'{"image1": "%%%%", "image2": {}}', b'{"embedding1": [NaN], "embedding2": [1e999]}')
WRONG_BODIES = (*WRONG_FIELDS, b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b"[" * 5000)

# The header of a PNG of 60,000 by 60,000 pixels, an unsupported format, and an empty file.
NO_PHOTOS = (bytes.fromhex("89504e470d0a1a0a0000000d494844520000ea600000ea600802000000"), b"<svg/>", b"")


class HostileUser(ServiceUser):
    """Sends damaged photos and invalid JSON, and disconnects early. Expects client errors in JSON."""

    weight = 4
    only_by_name = True

    @task
    def send_broken_photo(self) -> None:
        path, field = CHANCE.choice(list(FILE_ROUTES.items()))
        data = self.photo().file[1]
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
        """Disconnect halfway through the request, or before the response."""
        body = json.dumps(pair_json("/match", self.pair())).encode()
        head = f"POST /match HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        sent = f"{head}\r\n\r\n".encode() + body[: CHANCE.choice((0, len(body) // 2, len(body)))]
        address = urlsplit(str(self.host))
        server = (str(address.hostname), address.port or 80)
        # The service may disconnect first.
        with suppress(BrokenPipeError, ConnectionResetError), socket.create_connection(server, 10) as connection:
            connection.sendall(sent)
        request = {"request_type": "POST", "name": "hung up: /match", "response_time": None, "response_length": 0}
        self.environment.events.request.fire(**request, exception=None, context={})


OLDER: tuple[type[ServiceUser], ...] = (CompareUser, DeepfaceUser, FaceDatabaseUser, FacesUser, MatchUser)
ALL: tuple[type[ServiceUser], ...] = (*OLDER, GalleryUser, OperatorUser, PhotosUser, HostileUser)


class MixedUser(ServiceUser):
    """Holds one user of each class and runs one task at a time, choosing the classes in proportion to their weight."""

    only_by_name = True

    def on_start(self) -> None:
        for each in ALL:
            each.host = str(self.host)
        self._users = [each(self.environment) for each in ALL]
        for user in self._users:
            user.on_start()

    def on_stop(self) -> None:
        for user in self._users:
            user.on_stop()  # type: ignore[no-untyped-call]

    @task
    def run_a_task(self) -> None:
        [user] = CHANCE.choices(self._users, [user.weight for user in self._users])
        chosen: Any = CHANCE.choice(user.tasks)
        chosen(user)
