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
        rekognition.create_collection(CollectionId=name)
    with refused(known.ResourceAlreadyExistsException):
        rekognition.create_collection(CollectionId="one")
    pages = list(rekognition.get_paginator("list_collections").paginate(PaginationConfig={"PageSize": 2}))
    assert [page["CollectionIds"] for page in pages] == [["one", "three"], ["two"]]
    described = rekognition.describe_collection(CollectionId="one")
    assert abs((datetime.now(UTC) - described["CreationTimestamp"]).total_seconds()) < 60
    rekognition.delete_collection(CollectionId="two")
    with refused(known.ResourceNotFoundException):
        rekognition.describe_collection(CollectionId="two")
    with refused(known.InvalidPaginationTokenException):
        rekognition.list_collections(NextToken="?")


def faces(rekognition: Any, known: Any) -> None:
    ids = []
    for words in (b"anna", b"anne", b"carl"):
        indexed = rekognition.index_faces(CollectionId="one", Image={"Bytes": words}, ExternalImageId="first.jpg")
        ids += [record["Face"]["FaceId"] for record in indexed["FaceRecords"]]
    pages = rekognition.get_paginator("list_faces").paginate(CollectionId="one", PaginationConfig={"PageSize": 2})
    assert [face["FaceId"] for page in pages for face in page["Faces"]] == sorted(ids)
    found = rekognition.search_faces(CollectionId="one", FaceId=ids[0])["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in found] == [ids[1]]
    found = rekognition.search_faces_by_image(CollectionId="one", Image={"Bytes": b"anna"})["FaceMatches"]
    assert [match["Face"]["FaceId"] for match in found] == ids[:2]
    assert rekognition.delete_faces(CollectionId="one", FaceIds=[ids[2], UNKNOWN])["DeletedFaces"] == [ids[2]]
    with refused(known.ResourceNotFoundException):
        rekognition.search_faces(CollectionId="one", FaceId=UNKNOWN)
    with refused(known.InvalidParameterException):
        rekognition.search_faces_by_image(CollectionId="one", Image={"Bytes": b"faceless"})


def users(rekognition: Any, known: Any) -> None:
    face_ids = [face["FaceId"] for face in rekognition.list_faces(CollectionId="one")["Faces"]]
    user = {"CollectionId": "one", "UserId": "ada"}
    rekognition.create_user(**user)
    with refused(known.ConflictException):
        rekognition.create_user(**user)
    associated = rekognition.associate_faces(**user, FaceIds=face_ids)["AssociatedFaces"]
    assert associated == [{"FaceId": face_id} for face_id in face_ids]
    pages = list(rekognition.get_paginator("list_users").paginate(CollectionId="one", PaginationConfig={"PageSize": 1}))
    assert [page["Users"] for page in pages] == [[{"UserId": "ada", "UserStatus": "ACTIVE"}]]
    for found in (
        rekognition.search_users(CollectionId="one", FaceId=face_ids[0]),
        rekognition.search_users_by_image(CollectionId="one", Image={"Bytes": b"anne"}),
    ):
        assert [match["User"]["UserId"] for match in found["UserMatches"]] == ["ada"]
    taken = rekognition.disassociate_faces(**user, FaceIds=face_ids[:1])
    assert taken["DisassociatedFaces"] == associated[:1]
    rekognition.delete_user(**user)
    with refused(known.ResourceNotFoundException):
        rekognition.delete_user(**user)


def photos(rekognition: Any, known: Any) -> None:
    [face] = rekognition.detect_faces(Image={"Bytes": b"anna"}, Attributes=["ALL"])["FaceDetails"]
    assert face["Confidence"] > 90
    compared = rekognition.compare_faces(SourceImage={"Bytes": b"anna"}, TargetImage={"Bytes": b"bob anne"})
    assert len(compared["FaceMatches"]) == len(compared["UnmatchedFaces"]) == 1
    with refused(known.InvalidImageFormatException):
        rekognition.detect_faces(Image={"Bytes": b"broken"})
    with refused(known.InvalidS3ObjectException):
        rekognition.detect_faces(Image={"S3Object": {"Bucket": "photos", "Name": "anna.jpg"}})
    with refused(known.ImageTooLargeException):
        rekognition.detect_faces(Image={"Bytes": b"x" * 11 * 2**20})


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
