"""A program that knows Amazon Rekognition's documentation, and nothing of this service. Photos are words.

It runs in the environment of boto3: ``boto3_program.py ENDPOINT ACCESS_KEY SECRET_KEY``.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, access_key, secret_key = sys.argv[1:]
UNKNOWN = "00000000-0000-0000-0000-000000000000"


def client(secret: str = secret_key, **options: Any) -> Any:
    return boto3.client(
        "rekognition",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, **options),
    )


@contextmanager
def refused(error: Any, code: str = "") -> Iterator[None]:
    try:
        yield
    except error as raised:
        found = raised.response["Error"]["Code"]
    else:
        raise AssertionError(f"no {error.__name__} {code}")
    assert code in ("", found), found


def collections(rekognition: Any, known: Any) -> None:
    for name in ("one", "two", "three"):
        assert rekognition.create_collection(CollectionId=name)["StatusCode"] == 200
    with refused(known.ResourceAlreadyExistsException):
        rekognition.create_collection(CollectionId="one")
    pages = list(rekognition.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 2}))
    assert [page["CollectionIds"] for page in pages] == [["one", "three"], ["two"]]
    described = rekognition.describe_collection(CollectionId="one")
    assert (described["FaceCount"], described["UserCount"]) == (0, 0)
    assert abs((datetime.now(UTC) - described["CreationTimestamp"]).total_seconds()) < 60
    rekognition.delete_collection(CollectionId="two")
    with refused(known.ResourceNotFoundException):
        rekognition.describe_collection(CollectionId="two")
    with refused(known.InvalidPaginationTokenException):
        rekognition.list_collections(NextToken="?")


def faces(rekognition: Any, known: Any) -> None:
    indexed = rekognition.index_faces(
        CollectionId="one", Image={"Bytes": b"anna bob-large"}, ExternalImageId="first.jpg", MaxFaces=1
    )
    [bob] = [record["Face"] for record in indexed["FaceRecords"]]
    assert [face["Reasons"] for face in indexed["UnindexedFaces"]] == [["EXCEEDS_MAX_FACES"]]
    ids = [bob["FaceId"]]
    for words in (b"anna", b"anne", b"carl"):
        answer = rekognition.index_faces(CollectionId="one", Image={"Bytes": words}, DetectionAttributes=["ALL"])
        ids += [record["Face"]["FaceId"] for record in answer["FaceRecords"]]
    pages = rekognition.get_paginator("list_faces").paginate(CollectionId="one", PaginationConfig={"PageSize": 3})
    listed = [face for page in pages for face in page["Faces"]]
    assert [face["FaceId"] for face in listed] == sorted(ids)
    assert {face.get("ExternalImageId") for face in listed} == {"first.jpg", None}
    found = rekognition.search_faces(CollectionId="one", FaceId=ids[1])["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in found] == [ids[2]]
    found = rekognition.search_faces_by_image(
        CollectionId="one", Image={"Bytes": b"anna"}, FaceMatchThreshold=0, MaxFaces=3
    )
    similarities = [match["Similarity"] for match in found["FaceMatches"]]
    assert similarities == sorted(similarities, reverse=True)
    assert [match["Face"]["FaceId"] for match in found["FaceMatches"]][:2] == ids[1:3]
    deleted = rekognition.delete_faces(CollectionId="one", FaceIds=[ids[3], UNKNOWN])
    assert deleted["DeletedFaces"] == [ids[3]]
    assert [each["Reasons"] for each in deleted["UnsuccessfulFaceDeletions"]] == [["FACE_NOT_FOUND"]]
    with refused(known.ResourceNotFoundException):
        rekognition.search_faces(CollectionId="one", FaceId=UNKNOWN)
    with refused(known.InvalidParameterException):
        rekognition.search_faces_by_image(CollectionId="one", Image={"Bytes": b"nobody"})


def users(rekognition: Any, known: Any) -> None:
    face_ids = [face["FaceId"] for face in rekognition.list_faces(CollectionId="one")["Faces"]]
    rekognition.create_user(CollectionId="one", UserId="ada")
    with refused(known.ConflictException):
        rekognition.create_user(CollectionId="one", UserId="ada")
    associated = rekognition.associate_faces(CollectionId="one", UserId="ada", FaceIds=[*face_ids, UNKNOWN])
    assert (associated["UserStatus"], 0 < len(associated["AssociatedFaces"]) < len(face_ids)) == ("ACTIVE", True)
    reasons = [reason for each in associated["UnsuccessfulFaceAssociations"] for reason in each["Reasons"]]
    assert reasons == ["FACE_NOT_FOUND", "LOW_MATCH_CONFIDENCE"]
    face_id = associated["AssociatedFaces"][0]["FaceId"]
    pages = list(rekognition.get_paginator("list_users").paginate(CollectionId="one", PaginationConfig={"PageSize": 1}))
    assert [page["Users"] for page in pages] == [[{"UserId": "ada", "UserStatus": "ACTIVE"}]]
    found = rekognition.search_users(CollectionId="one", FaceId=face_id)["UserMatches"]
    assert [match["User"]["UserId"] for match in found] == ["ada"]
    found = rekognition.search_users_by_image(CollectionId="one", Image={"Bytes": b"anne"}, UserMatchThreshold=0)
    assert [match["User"]["UserId"] for match in found["UserMatches"]] == ["ada"]
    taken = rekognition.disassociate_faces(CollectionId="one", UserId="ada", FaceIds=[face_id])
    assert taken["DisassociatedFaces"] == [{"FaceId": face_id}]
    rekognition.delete_user(CollectionId="one", UserId="ada")
    with refused(known.ResourceNotFoundException):
        rekognition.delete_user(CollectionId="one", UserId="ada")
    assert len(rekognition.list_faces(CollectionId="one")["Faces"]) == len(face_ids)


def photos(rekognition: Any, known: Any) -> None:
    [face] = rekognition.detect_faces(Image={"Bytes": b"anna"}, Attributes=["ALL"])["FaceDetails"]
    assert 0 < face["BoundingBox"]["Width"] < 1
    assert face["Confidence"] > 90
    compared = rekognition.compare_faces(SourceImage={"Bytes": b"anna"}, TargetImage={"Bytes": b"bob anne"})
    assert len(compared["FaceMatches"]) == len(compared["UnmatchedFaces"]) == 1
    with refused(known.InvalidImageFormatException):
        rekognition.detect_faces(Image={"Bytes": b"broken"})
    with refused(known.InvalidS3ObjectException):
        rekognition.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": "anna.jpg"}})
    with refused(known.ImageTooLargeException):
        rekognition.detect_faces(Image={"Bytes": b"x" * 11 * 2**20})
    with refused(known.InvalidParameterException):
        rekognition.detect_faces(Image={"Bytes": b"anna"}, Attributes=["AGE_RANGE"])


def access(rekognition: Any, known: Any) -> None:
    with refused(known.AccessDeniedException):
        rekognition.create_collection(CollectionId="of-others")
    with refused(ClientError, "InvalidSignatureException"):
        client("another secret").list_collections()
    with refused(ClientError, "UnknownOperationException"):
        rekognition.detect_labels(Image={"Bytes": b"anna"})


if __name__ == "__main__":
    made = client()
    for part in (collections, faces, users, photos, access):
        part(made, made.exceptions)
