"""Requests of AWS clients: who may call which operation, and the form of errors."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from access.key_encryption import KeyCipher
from api.contracts.rekognition.aws_errors import AWS_ERRORS
from api.contracts.rekognition.operations import OPERATIONS
from tests.api.conftest import KeyedService
from tests.api.rekognition.aws_client import MODEL, AwsClient, image, refusal

MakeClient = Callable[..., AwsClient]
PHOTO = {"Image": image("anna")}


def test_every_operation_has_members_of_the_services_model_and_requires_the_same() -> None:
    for name, operation in OPERATIONS.items():
        shape = MODEL.operation_model(name).input_shape
        required = {field.alias for field in operation.request.model_fields.values() if field.is_required()}
        assert required == set(shape.required_members), name
        assert {field.alias for field in operation.request.model_fields.values()} <= set(shape.members), name


def test_clients_know_every_error_of_an_operation() -> None:
    modelled = {shape.name for shape in MODEL.error_shapes}
    common = {"MissingAuthenticationTokenException", "IncompleteSignatureException", "InvalidSignatureException"}
    common |= {"UnrecognizedClientException", "UnknownOperationException", "SerializationException"}
    assert {code for code, _ in AWS_ERRORS.values()} <= modelled | common | {
        "RequestTimeoutException",
        "ServiceUnavailable",
    }


def test_an_error_has_the_form_of_aws(aws: AwsClient) -> None:
    response = aws.post("DetectFaces", Image={})
    request_id = response.headers["x-amzn-requestid"]
    message = "Image.Bytes: the photo is missing"
    code = "InvalidParameterException"
    assert response.json() == {"__type": code, "Code": code, "Message": message, "Logref": request_id}
    assert response.status_code == 400


def test_an_invalid_body_is_refused(aws: AwsClient) -> None:
    for body in (b"", b"{", b"\xff", b'{"Image": ', b"[]", b'{"Image": "anna"}', b'{"Image": {"Bytes": 1}}'):
        assert refusal(aws.send(aws.signed("DetectFaces", body)))[0] == "SerializationException"
    assert aws.refusal("DetectFaces") == ("InvalidParameterException", "Image: Field required")
    compared = {"SourceImage": image("anna"), "TargetImage": {}}
    assert aws.refusal("CompareFaces", **compared)[1] == "TargetImage.Bytes: the photo is missing"
    assert aws.refusal("DetectFaces", Image=image("anna"), Attributes=["HAT"])[0] == "InvalidParameterException"


def test_a_body_of_another_type_is_refused_unread(aws: AwsClient) -> None:
    for kind in ("multipart/form-data", "text/plain", ""):
        request = aws.signed("DetectFaces", b"{}", {"Content-Type": kind})
        assert refusal(aws.send(request))[0] == "SerializationException"


def test_an_unknown_operation_is_refused(aws: AwsClient) -> None:
    for operation in ("DetectLabels", "", "x" * 1000):
        assert aws.refusal(operation)[0] == "UnknownOperationException"
    other = aws.signed("DetectFaces", b"{}", {"X-Amz-Target": "DynamoDB_20120810.ListTables"})
    code, message = refusal(aws.send(other))
    assert (code, "X-Amz-Target" in message) == ("UnknownOperationException", True)


def test_a_request_needs_a_signature_by_a_known_key(make_client: MakeClient, tmp_path: Path) -> None:
    aws, body = make_client(), json.dumps(PHOTO).encode()
    request = aws.signed("DetectFaces", body)
    request.data = body + b" "
    assert refusal(aws.send(request))[0] == "InvalidSignatureException"
    unsigned = {"X-Amz-Target": "RekognitionService.DetectFaces", "Content-Type": "application/x-amz-json-1.1"}
    assert refusal(aws.keyed.ask("POST", "/", unsigned))[0] == "MissingAuthenticationTokenException"
    temporary = aws.signed("DetectFaces", body, {"X-Amz-Security-Token": "token"})
    code, message = refusal(aws.send(temporary))
    assert (code, "session token" in message) == ("UnrecognizedClientException", True)
    # An ordinary key cannot sign: it is not stored.
    bearer = aws.keyed.key()["Authorization"].removeprefix("Bearer ")
    aws.credentials.access_key = f"FGAK{bearer.split('_')[1].upper()}"
    aws.credentials.secret_key = bearer
    assert aws.refusal("DetectFaces", **PHOTO)[0] == "UnrecognizedClientException"


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_is_for_its_scope_and_no_other(name: str, make_client: MakeClient) -> None:
    scope = OPERATIONS[name].need.scope
    others = make_client(*({"read", "enrol", "delete", "admin"} - {scope}))
    assert others.refusal(name) == ("AccessDeniedException", f"The access key does not have the scope {scope}")
    alone = make_client(scope).post(name)
    assert alone.status_code == 200 or refusal(alone)[0] == "InvalidParameterException"


def test_valid_and_invalid_signatures_count_towards_separate_rates(
    make_keyed: Callable[..., KeyedService], operator_key: Path
) -> None:
    keyed = make_keyed(rekognition_key_file=str(operator_key), rate_limit=0.001, rate_burst=1)
    aws = AwsClient(keyed, KeyCipher(operator_key))
    forged = AwsClient(keyed, KeyCipher(operator_key))
    forged.credentials.access_key, valid = aws.credentials.access_key, forged.credentials.access_key
    assert forged.refusal("DetectFaces", **PHOTO)[0] == "InvalidSignatureException"
    assert forged.refusal("DetectFaces", **PHOTO)[0] == "ProvisionedThroughputExceededException"
    aws.call("DetectFaces", **PHOTO)
    response = aws.post("DetectFaces", **PHOTO)
    assert refusal(response)[0] == "ProvisionedThroughputExceededException"
    assert int(response.headers["retry-after"]) > 900
    forged.credentials.access_key = valid
    forged.call("DetectFaces", **PHOTO)


def test_without_an_operators_key_the_api_is_off(keyed: KeyedService) -> None:
    response = keyed.ask("POST", "/", {"X-Amz-Target": "RekognitionService.DetectFaces"})
    assert (response.status_code, response.json()["__type"]) == (405, "UnknownOperationException")
    assert keyed.ask("POST", "/").status_code == 405
    assert keyed.ask("GET", "/", {"X-Amz-Target": "RekognitionService.DetectFaces"}).json()["status"] == "healthy"
