"""A program for Amazon Rekognition, written from its documentation without regard to this service. Photos are words.

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


def faces(rekognition: Any, known: Any) -> None:
    ids = []
    for words in (b"anna", b"carl"):
        indexed = rekognition.index_faces(CollectionId="one", Image={"Bytes": words}, ExternalImageId="first.jpg")
        ids += [record["Face"]["FaceId"] for record in indexed["FaceRecords"]]
    # boto3 adds a ClientRequestToken.
    rekognition.create_user(CollectionId="one", UserId="ada")
    associated = rekognition.associate_faces(CollectionId="one", UserId="ada", FaceIds=ids[:1])["AssociatedFaces"]
    assert associated == [{"FaceId": ids[0]}]
    found = rekognition.search_users_by_image(CollectionId="one", Image={"Bytes": b"anne"})["UserMatches"]
    assert [match["User"]["UserId"] for match in found] == ["ada"]
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
    for part in (collections, faces, access):
        part(made, made.exceptions)
