"""Collections, and the faces in them."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.api.rekognition.aws_client import MODEL, UNKNOWN, AwsClient, image
from tests.fakes import changed, with_stages

STAFF = {"CollectionId": "staff"}


@pytest.fixture
def staff(aws: AwsClient) -> AwsClient:
    """A client of a service with the empty collection staff."""
    aws.call("CreateCollection", **STAFF)
    return aws


def index(aws: AwsClient, words: str, **members: Any) -> list[str]:
    """Add the faces of a photo, and return their ids."""
    answer = aws.call("IndexFaces", **STAFF, Image=image(words), **members)
    return [record["Face"]["FaceId"] for record in answer["FaceRecords"]]


def listed(aws: AwsClient, **members: Any) -> list[Any]:
    faces: list[Any] = aws.call("ListFaces", **STAFF, **members)["Faces"]
    return faces


def found(aws: AwsClient, operation: str, **members: Any) -> list[str]:
    """Ids of the faces that a search finds, best first."""
    return [match["Face"]["FaceId"] for match in aws.call(operation, **STAFF, **members)["FaceMatches"]]


def pages(aws: AwsClient, operation: str, key: str, **members: Any) -> list[list[Any]]:
    """All pages of a list."""
    read, token = list[list[Any]](), dict[str, str]()
    while True:
        answer = aws.call(operation, **members, **token)
        read.append(answer[key])
        if "NextToken" not in answer:
            return read
        token = {"NextToken": answer["NextToken"]}


def test_a_collection_is_created_described_and_deleted(aws: AwsClient) -> None:
    made = aws.call("CreateCollection", **STAFF)
    assert made["StatusCode"] == 200
    assert aws.refusal("CreateCollection", **STAFF)[0] == "ResourceAlreadyExistsException"
    index(aws, "anna bob")
    described = aws.call("DescribeCollection", **STAFF)
    assert (described["FaceCount"], described["UserCount"]) == (2, 0)
    assert described["FaceModelVersion"] == made["FaceModelVersion"] == "embedder-model-contract"
    assert described["CollectionARN"] == f"arn:{made['CollectionArn']}"
    assert aws.call("DeleteCollection", **STAFF) == {"StatusCode": 200}
    for operation in ("DescribeCollection", "DeleteCollection", "ListFaces"):
        assert aws.refusal(operation, **STAFF)[0] == "ResourceNotFoundException"
    for members in ({"CollectionId": "a b"}, {"CollectionId": ""}, {**STAFF, "Tags": {"a": "b"}}):
        assert aws.refusal("CreateCollection", **members)[0] == "InvalidParameterException"


def test_collections_are_listed_in_pages_and_only_those_of_the_key(
    aws: AwsClient, make_client: Callable[..., AwsClient]
) -> None:
    names = [f"room-{number}" for number in range(5)]
    for name in names:
        aws.call("CreateCollection", CollectionId=name)
    assert pages(aws, "ListCollections", "CollectionIds", MaxResults=2) == [names[:2], names[2:4], names[4:]]
    assert pages(aws, "ListCollections", "CollectionIds") == [names]
    bound = make_client(collections=("room-3", "other"))
    assert pages(bound, "ListCollections", "CollectionIds") == [["room-3"]]
    assert bound.refusal("DescribeCollection", CollectionId="room-1")[0] == "AccessDeniedException"
    assert bound.call("DescribeCollection", CollectionId="room-3")["FaceCount"] == 0
    for token in ("?", "é", "/w=="):
        assert aws.refusal("ListCollections", NextToken=token)[0] == "InvalidPaginationTokenException"


def test_faces_are_indexed_largest_first_and_once_per_photo_and_external_id(staff: AwsClient) -> None:
    answer = staff.call("IndexFaces", **STAFF, Image=image("anna bob-large"), ExternalImageId="a.jpg")
    first, second = (record["Face"] for record in answer["FaceRecords"])
    assert first["BoundingBox"]["Width"] > second["BoundingBox"]["Width"]
    assert first["ImageId"] == second["ImageId"]
    assert first["ExternalImageId"] == "a.jpg"
    assert answer["FaceRecords"][0]["FaceDetail"]["BoundingBox"] == first["BoundingBox"]
    assert {face["FaceId"]: face for face in listed(staff)} == {face["FaceId"]: face for face in (first, second)}
    again = index(staff, "anna bob-large", ExternalImageId="a.jpg")
    assert again == [first["FaceId"], second["FaceId"]]
    assert not set(index(staff, "anna bob-large", ExternalImageId="b.jpg")) & set(again)
    assert len(listed(staff)) == 4
    assert staff.call("IndexFaces", **STAFF, Image=image("faceless"))["FaceRecords"] == []
    code, _ = staff.refusal("IndexFaces", **STAFF, Image=image("anna"), ExternalImageId="a b")
    assert code == "InvalidParameterException"


def test_faces_that_are_not_indexed_are_returned_with_the_reasons(staff: AwsClient) -> None:
    photo = image("anna-large bob-dark carl-small anne-aside dora-cut dora")
    answer = staff.call("IndexFaces", **STAFF, Image=photo, MaxFaces=1)
    assert len(answer["FaceRecords"]) == 1
    reasons = [reason for face in answer["UnindexedFaces"] for reason in face["Reasons"]]
    model = MODEL.shape_for("Reason").enum
    assert set(reasons) <= set(model)
    assert sorted(reasons) == sorted(
        ["LOW_BRIGHTNESS", "SMALL_BOUNDING_BOX", "EXTREME_POSE", "LOW_FACE_QUALITY", "EXCEEDS_MAX_FACES"]
    )
    assert len(index(staff, "anna-dark bob-small", QualityFilter="NONE")) == 2


def test_faces_are_listed_in_pages_and_by_id(staff: AwsClient) -> None:
    ids = sorted(index(staff, "anna bob carl", ExternalImageId="three.jpg"))
    read = pages(staff, "ListFaces", "Faces", **STAFF, MaxResults=2)
    assert [[face["FaceId"] for face in page] for page in read] == [ids[:2], ids[2:]]
    [face] = listed(staff, FaceIds=[ids[1]])
    assert (face["FaceId"], face["ExternalImageId"]) == (ids[1], "three.jpg")
    for token in ("YQ==", "JyBPUiAnMSc9JzE="):
        assert staff.refusal("ListFaces", **STAFF, NextToken=token)[0] == "InvalidPaginationTokenException"
    assert staff.refusal("ListFaces", **STAFF, FaceIds=["'"])[0] == "InvalidParameterException"


def test_faces_are_deleted_unless_they_belong_to_a_user(staff: AwsClient) -> None:
    one, two = index(staff, "anna bob")
    form: dict[str, Any] = {"data": {"subject": "carl"}, "files": {"photo": ("carl.jpg", b"carl")}}
    [enrolled] = staff.v1("POST", "/collections/staff/faces", **form).json()["photos"]
    [face] = listed(staff, UserId="carl")
    assert face.keys() == {"FaceId", "UserId", "ExternalImageId", "IndexFacesModelVersion"}
    assert (face["UserId"], face["ExternalImageId"]) == ("carl", "carl.jpg")
    user_face = face["FaceId"]
    assert user_face.replace("-", "") == enrolled["face_id"]
    answer = staff.call("DeleteFaces", **STAFF, FaceIds=[one, one, user_face, UNKNOWN])
    assert answer["DeletedFaces"] == [one]
    assert answer["UnsuccessfulFaceDeletions"] == [
        {"FaceId": user_face, "UserId": "carl", "Reasons": ["ASSOCIATED_TO_AN_EXISTING_USER"]},
        {"FaceId": UNKNOWN, "Reasons": ["FACE_NOT_FOUND"]},
    ]
    assert {face["FaceId"] for face in listed(staff)} == {two, user_face}
    assert staff.call("DescribeCollection", **STAFF)["UserCount"] == 1


def test_a_search_finds_the_faces_that_resemble_a_face_of_the_collection(staff: AwsClient) -> None:
    [anna], [anne], _ = index(staff, "anna"), index(staff, "anne"), index(staff, "bob")
    assert found(staff, "SearchFaces", FaceId=anna) == [anne]
    assert len(found(staff, "SearchFaces", FaceId=anna, FaceMatchThreshold=0)) == 2
    assert found(staff, "SearchFaces", FaceId=anna, FaceMatchThreshold=0, MaxFaces=1) == [anne]
    assert staff.refusal("SearchFaces", **STAFF, FaceId=UNKNOWN)[0] == "ResourceNotFoundException"


def test_a_search_by_photo_is_for_its_largest_face(staff: AwsClient) -> None:
    [anna], _ = index(staff, "anna"), index(staff, "bob")
    answer = staff.call("SearchFacesByImage", **STAFF, Image=image("bob anna-large"), FaceMatchThreshold=99)
    [match] = answer["FaceMatches"]
    assert (match["Face"]["FaceId"], match["Similarity"]) == (anna, 100)
    assert answer["SearchedFaceBoundingBox"]["Width"] == 200 / 640
    assert found(staff, "SearchFacesByImage", Image=image("carl")) == []
    for words, members in (("faceless", {}), ("anna-dark", {"QualityFilter": "HIGH"})):
        code, _ = staff.refusal("SearchFacesByImage", **STAFF, Image=image(words), **members)
        assert code == "InvalidParameterException"


def test_changes_and_searches_are_in_the_audit_log(staff: AwsClient) -> None:
    [face] = index(staff, "anna")
    staff.call("SearchFaces", **STAFF, FaceId=face)
    staff.call("DeleteFaces", **STAFF, FaceIds=[face])
    entries = staff.keyed.entries()
    assert [(entry["route"], entry["action"], entry["collection"], entry["status"]) for entry in entries] == [
        ("POST / CreateCollection", "change_collection", "staff", 200),
        ("POST / IndexFaces", "enrol", "staff", 200),
        ("POST / SearchFaces", "search", "staff", 200),
        ("POST / DeleteFaces", "delete", "staff", 200),
    ]
    raw = face.replace("-", "")
    assert [entry["faces"] for entry in entries[1:]] == [[raw]] * 3


def test_a_model_that_was_replaced_or_not_measured_states_no_similarities(staff: AwsClient) -> None:
    [face] = index(staff, "anna")
    staff.call("CreateUser", **STAFF, UserId="ada")
    one, photo, stages = {"FaceId": face}, {"Image": image("anna")}, staff.keyed.service.stages
    both: dict[str, Any] = {"SearchFaces": one, "SearchFacesByImage": photo, "SearchUsers": one}
    both |= {"SearchUsersByImage": photo, "AssociateFaces": {"UserId": "ada", "FaceIds": [face]}}
    pair = {"SourceImage": image("anna"), "TargetImage": image("anne")}
    cases: tuple[tuple[dict[str, Any], dict[str, Any]], ...] = (
        ({"contract": "another"}, both | {"IndexFaces": photo}),
        ({"similarity": None}, both | {"CompareFaces": pair}),
    )
    for change, operations in cases:
        staff.keyed.service.stages = with_stages(stages, changed(stages.networks["arcface"], **change))
        for operation, members in operations.items():
            code, message = staff.refusal(operation, **STAFF, **members)
            assert (code, "embedder-model" in message) == ("ResourceNotReadyException", True)
    assert index(staff, "anna") == [each["FaceId"] for each in listed(staff)] == [face]
