"""An AWS client without a network: botocore signs its requests, and checks the answers by its model of the service."""

import base64
import json
from typing import Any

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.session import get_session
from botocore.validate import ParamValidator

from access.key_encryption import KeyCipher, access_key_id
from access.keys import SCOPES, Scope, create
from tests.api.conftest import KeyedService

UNKNOWN = "00000000-0000-0000-0000-000000000000"
"""A FaceId that no face has."""
MODEL = get_session().get_service_model("rekognition")


class AwsClient:
    """Calls operations of `keyed` with an access key of its own.

    Args:
        cipher: encrypts the key for the service.
        allowed: scopes of the key; every scope if none is named.
        collections: the key's collections.
    """

    def __init__(
        self, keyed: KeyedService, cipher: KeyCipher, *allowed: Scope, collections: tuple[str, ...] = ()
    ) -> None:
        key, text = create(keyed.file, "aws", allowed or SCOPES, collections, encrypt=cipher.encrypt)
        self.keyed, self.credentials = keyed, Credentials(access_key_id(key.id), text)

    def signed(self, operation: str, body: bytes, headers: dict[str, str] | None = None) -> AWSRequest:
        """A signed request with further signed `headers`."""
        target = {"X-Amz-Target": f"RekognitionService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        sent = {"Host": "testserver", **target, **(headers or {})}
        request = AWSRequest("POST", "http://testserver/", sent, body)
        SigV4Auth(self.credentials, "rekognition", "eu-west-1").add_auth(request)
        return request

    def send(self, request: AWSRequest) -> httpx.Response:
        return self.keyed.ask("POST", "/", dict(request.headers.items()), content=request.body)

    def post(self, operation: str, **members: Any) -> httpx.Response:
        return self.send(self.signed(operation, json.dumps(members).encode()))

    def call(self, operation: str, **members: Any) -> Any:
        """The answer, which must fit the service's model."""
        response = self.post(operation, **members)
        answer = response.json()
        assert response.status_code == 200, answer
        report = ParamValidator().validate(answer, MODEL.operation_model(operation).output_shape)
        assert not report.has_errors(), report.generate_report()
        return answer

    def v1(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """The response of /v1 to the same key."""
        headers = {"Authorization": f"Bearer {self.credentials.secret_key}"}
        return self.keyed.ask(method, f"/v1{path}", headers, **sent)

    def refusal(self, operation: str, **members: Any) -> tuple[str, str]:
        """AWS's code and the message of an error."""
        return refusal(self.post(operation, **members))


def refusal(response: httpx.Response) -> tuple[str, str]:
    """AWS's code and the message of an error."""
    answer = response.json()
    assert response.status_code >= 400, answer
    return answer["__type"], answer["Message"]


def image(words: str) -> dict[str, str]:
    """A photo of `tests.fakes.People`."""
    return {"Bytes": base64.b64encode(words.encode()).decode()}
