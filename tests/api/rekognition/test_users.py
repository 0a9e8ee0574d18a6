"""Users, and the faces that are associated with them."""

from collections.abc import Callable
from typing import Any
from unittest.mock import AsyncMock

import pytest

from gallery.reading.reader import Reader
from gallery.records import Reassignment
from project.request_error import RequestError
from tests.api.rekognition.aws_client import UNKNOWN, AwsClient, image
from tests.api.rekognition.test_collections_of_faces import STAFF, index, listed, pages
from tests.fakes import serve_log


@pytest.fixture
def staff(aws: AwsClient) -> AwsClient:
    """A client of a service with the collection staff, with the users ada and bob."""
    aws.call("CreateCollection", **STAFF)
    for user in ("ada", "bob"):
        aws.call("CreateUser", **STAFF, UserId=user)
    return aws


def associate(aws: AwsClient, user: str, *ids: str, **members: Any) -> Any:
    return aws.call("AssociateFaces", **STAFF, UserId=user, FaceIds=list(ids), **members)


def users(aws: AwsClient) -> dict[str, str]:
    """All users with their statuses."""
    [page] = pages(aws, "ListUsers", "Users", **STAFF)
    return {user["UserId"]: user["UserStatus"] for user in page}


def matches(aws: AwsClient, operation: str, **members: Any) -> list[str]:
    """Ids of the users that a search finds, best first."""
    return [match["User"]["UserId"] for match in aws.call(operation, **STAFF, **members)["UserMatches"]]


def audited(aws: AwsClient) -> tuple[list[str], list[str]]:
    """The users and faces of the last line of the audit log."""
    entry = aws.keyed.entries()[-1]
    return entry["subjects"], entry["faces"]


def test_users_are_created_once_and_listed_in_pages(staff: AwsClient) -> None:
    staff.call("CreateUser", **STAFF, UserId="carl")
    again = staff.refusal("CreateUser", **STAFF, UserId="carl")
    assert again == ("ConflictException", "The collection already has a user with this UserId")
    for name in ("a b", "", "x" * 129, f"face:{'0' * 32}"):
        assert staff.refusal("CreateUser", **STAFF, UserId=name)[0] == "InvalidParameterException"
    index(staff, "anna dora")
    associate(staff, "ada", index(staff, "bob")[0])
    # This id resembles those that stand for faces without a user, which are not listed.
    staff.v1("POST", "/collections/staff/subjects/rename", json={"subject": "ada", "new": "face:ada"})
    read = pages(staff, "ListUsers", "Users", **STAFF, MaxResults=2)
    assert [[user["UserId"] for user in page] for page in read] == [["bob", "carl"], ["face:ada"]]
    assert users(staff) == {"bob": "CREATED", "carl": "CREATED", "face:ada": "ACTIVE"}
    assert staff.call("DescribeCollection", **STAFF)["UserCount"] == 3


def test_a_repeated_request_gets_the_same_answer_and_changes_nothing(staff: AwsClient) -> None:
    [anna], [bob] = index(staff, "anna"), index(staff, "bob")
    changes: list[tuple[str, dict[str, Any]]] = [
        ("CreateUser", {}),
        ("AssociateFaces", {"FaceIds": [anna, UNKNOWN]}),
        ("DisassociateFaces", {"FaceIds": [anna]}),
        ("DeleteUser", {}),
    ]
    answers = []
    for operation, members in changes:
        members |= {**STAFF, "UserId": "carl", "ClientRequestToken": "token"}
        answers.append((staff.call(operation, **members), audited(staff)))
    assert answers[1][0]["AssociatedFaces"] == answers[2][0]["DisassociatedFaces"] == [{"FaceId": anna}]
    assert answers[2][1] == (["carl"], [anna.replace("-", "")])
    for (operation, members), answer in zip(changes, answers, strict=True):
        assert (staff.call(operation, **members), audited(staff)) == answer
        other = {"FaceIds": [bob]} if "FaceIds" in members else {"UserId": "dora"}
        refused = staff.refusal(operation, **members | other)
        assert refused[0] == "IdempotentParameterMismatchException"
    assert users(staff) == {"ada": "CREATED", "bob": "CREATED"}


def test_a_token_belongs_to_its_key(make_client: Callable[..., AwsClient]) -> None:
    one, two = make_client(), make_client()
    one.call("CreateCollection", **STAFF)
    for client, user in ((one, "ada"), (two, "bob")):
        client.call("CreateUser", **STAFF, UserId=user, ClientRequestToken="token")
    assert list(users(one)) == ["ada", "bob"]


def test_a_change_succeeds_although_its_answer_cannot_be_kept(
    staff: AwsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = AsyncMock(side_effect=OSError(28, "No space left on device"))
    monkeypatch.setattr("gallery.writing.subject_changes.store_answer", failed)
    with serve_log() as log:
        staff.call("CreateUser", **STAFF, UserId="carl", ClientRequestToken="token")
    assert "carl" in users(staff)
    assert [record.levelname for record in log] == ["WARNING"]


def test_while_the_gallery_is_unavailable_no_earlier_answer_is_looked_up(
    staff: AwsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, earlier_answer = staff.keyed.service.stages.gallery, AsyncMock()
    monkeypatch.setattr(gallery, "create_subject", AsyncMock(side_effect=RequestError("UNAVAILABLE", "")))
    monkeypatch.setattr(gallery, "earlier_answer", earlier_answer)
    refused = staff.refusal("CreateUser", **STAFF, UserId="carl", ClientRequestToken="token")
    assert (refused[0], earlier_answer.await_count) == ("ServiceUnavailable", 0)


def test_associated_faces_belong_to_the_user_in_every_api(staff: AwsClient) -> None:
    [anna], [anne] = index(staff, "anna"), index(staff, "anne")
    answer = associate(staff, "ada", anna, anne, anna)
    assert answer == {
        "AssociatedFaces": [{"FaceId": anna}, {"FaceId": anne}],
        "UnsuccessfulFaceAssociations": [],
        "UserStatus": "ACTIVE",
    }
    assert {face["FaceId"] for face in listed(staff, UserId="ada")} == {anna, anne}
    searched = staff.v1("POST", "/collections/staff/search", files={"photo": b"anna"}).json()
    assert [each["subject"] for each in searched["faces"][0]["candidates"]] == ["ada"]
    # Indexing the photo again changes nothing, and the face is ignored when it is associated again.
    assert index(staff, "anna") == [anna]
    assert associate(staff, "ada", anna)["AssociatedFaces"] == []
    assert len(listed(staff)) == 2


def test_faces_that_cannot_be_associated_are_returned_with_the_reason(staff: AwsClient) -> None:
    [anna], [anne], [bob] = index(staff, "anna"), index(staff, "anne"), index(staff, "bob")
    associate(staff, "bob", bob)
    associate(staff, "ada", anna)
    [carl] = index(staff, "carl")
    answer = associate(staff, "ada", anne, bob, carl, UNKNOWN)
    assert answer["AssociatedFaces"] == [{"FaceId": anne}]
    assert answer["UnsuccessfulFaceAssociations"] == [
        {"FaceId": UNKNOWN, "Reasons": ["FACE_NOT_FOUND"]},
        {"FaceId": bob, "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"], "UserId": "bob"},
        {"FaceId": carl, "Reasons": ["LOW_MATCH_CONFIDENCE"]},
    ]
    assert associate(staff, "ada", carl, UserMatchThreshold=0)["AssociatedFaces"] == [{"FaceId": carl}]
    refused = staff.refusal("AssociateFaces", **STAFF, UserId="nobody", FaceIds=[anna])
    assert refused[0] == "ResourceNotFoundException"


def test_a_face_that_another_request_takes_meanwhile_is_returned_with_the_reason(
    staff: AwsClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    [anna], [anne] = index(staff, "anna"), index(staff, "anne")
    read = Reader.subject_and_faces

    async def taken(*args: Any) -> Any:
        monkeypatch.setattr(Reader, "subject_and_faces", read)
        answer = await read(*args)
        raw = anna.replace("-", "")
        moves = {raw: Reassignment(answer[1][raw][0], "bob")}
        await staff.keyed.service.stages.gallery.reassign_faces("staff", moves)
        return answer

    monkeypatch.setattr(Reader, "subject_and_faces", taken)
    answers = [associate(staff, "ada", anna, anne, ClientRequestToken="token") for _ in range(2)]
    assert answers[0]["AssociatedFaces"] == [{"FaceId": anne}]
    assert answers[0]["UnsuccessfulFaceAssociations"] == [
        {"FaceId": anna, "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"]}
    ]
    assert answers[1] == answers[0]


def test_disassociated_faces_stay_and_so_does_a_user_without_faces(staff: AwsClient) -> None:
    [anna], [bob] = index(staff, "anna"), index(staff, "bob")
    associate(staff, "ada", anna)
    associate(staff, "bob", bob)
    answer = staff.call("DisassociateFaces", **STAFF, UserId="ada", FaceIds=[anna, bob, UNKNOWN])
    assert answer == {
        "DisassociatedFaces": [{"FaceId": anna}],
        "UnsuccessfulFaceDisassociations": [
            {"FaceId": UNKNOWN, "Reasons": ["FACE_NOT_FOUND"]},
            {"FaceId": bob, "Reasons": ["ASSOCIATED_TO_A_DIFFERENT_USER"], "UserId": "bob"},
        ],
        "UserStatus": "CREATED",
    }
    again = staff.call("DisassociateFaces", **STAFF, UserId="ada", FaceIds=[anna])
    assert (again["DisassociatedFaces"], again["UnsuccessfulFaceDisassociations"]) == ([], [])
    assert users(staff) == {"ada": "CREATED", "bob": "ACTIVE"}
    assert [face.get("UserId") for face in listed(staff, FaceIds=[anna])] == [None]
    assert staff.call("DeleteFaces", **STAFF, FaceIds=[anna])["DeletedFaces"] == [anna]


def test_a_deleted_user_leaves_its_faces(staff: AwsClient) -> None:
    [anna] = index(staff, "anna")
    associate(staff, "ada", anna)
    for user in ("ada", "bob"):
        assert staff.call("DeleteUser", **STAFF, UserId=user) == {}
        assert staff.refusal("DeleteUser", **STAFF, UserId=user)[0] == "ResourceNotFoundException"
    assert (users(staff), [face["FaceId"] for face in listed(staff)]) == ({}, [anna])


def test_users_are_found_by_their_faces_and_by_photos(staff: AwsClient) -> None:
    [anna], [bob] = index(staff, "anna"), index(staff, "bob")
    [lone] = index(staff, "anne", ExternalImageId="no-user")
    associate(staff, "ada", anna)
    associate(staff, "bob", bob)
    assert matches(staff, "SearchUsers", FaceId=lone) == ["ada"]
    assert matches(staff, "SearchUsers", UserId="bob") == []
    assert matches(staff, "SearchUsers", UserId="bob", UserMatchThreshold=0) == ["ada"]
    assert matches(staff, "SearchUsersByImage", Image=image("anne")) == ["ada"]
    assert matches(staff, "SearchUsersByImage", Image=image("anna"), UserMatchThreshold=0, MaxUsers=1) == ["ada"]
    answer = staff.call("SearchUsersByImage", **STAFF, Image=image("carl-dark bob anna-large"), QualityFilter="AUTO")
    assert [match["User"]["UserId"] for match in answer["UserMatches"]] == ["ada"]
    assert [face["Reasons"] for face in answer["UnsearchedFaces"]] == [["LOW_BRIGHTNESS"], ["FACE_NOT_LARGEST"]]
    assert answer["SearchedFace"]["FaceDetail"]["BoundingBox"]["Width"] == 200 / 640
    answer = staff.call("SearchUsersByImage", **STAFF, Image=image("faceless"))
    assert (answer["UserMatches"], "SearchedFace" in answer) == ([], False)
    staff.call("CreateUser", **STAFF, UserId="carl")
    assert matches(staff, "SearchUsers", UserId="carl") == []
    for members in ({}, {"UserId": "ada", "FaceId": anna}):
        assert staff.refusal("SearchUsers", **STAFF, **members)[0] == "InvalidParameterException"
    for members in ({"UserId": "nobody"}, {"FaceId": UNKNOWN}):
        assert staff.refusal("SearchUsers", **STAFF, **members)[0] == "ResourceNotFoundException"


def test_all_users_that_match_are_found(staff: AwsClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.contracts.rekognition.search_users.FIRST_USERS", 1)
    for number in range(6):
        [face] = index(staff, f"anna-{number}")
        staff.call("CreateUser", **STAFF, UserId=f"user-{number}")
        associate(staff, f"user-{number}", face)
    assert len(matches(staff, "SearchUsers", UserId="user-0")) == 5
    assert len(matches(staff, "SearchUsers", UserId="user-0", MaxUsers=3)) == 3
    # The faces without a user are found before the user.
    for number in range(9):
        index(staff, f"dora-{number}")
    [dora] = index(staff, "dora")
    associate(staff, "ada", dora)
    assert matches(staff, "SearchUsersByImage", Image=image("dora"), MaxUsers=1) == ["ada"]
