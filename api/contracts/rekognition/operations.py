"""The operations of the contract, by name."""

from collections.abc import Mapping
from typing import Any

from api.contracts.rekognition.associations import associate_faces, disassociate_faces
from api.contracts.rekognition.compare_faces import compare_faces
from api.contracts.rekognition.detect_faces import detect_faces
from api.contracts.rekognition.face_collections import (
    create_collection,
    delete_collection,
    describe_collection,
    list_collections,
)
from api.contracts.rekognition.index_faces import index_faces
from api.contracts.rekognition.listed_faces import delete_faces, list_faces
from api.contracts.rekognition.operation import Operation
from api.contracts.rekognition.search_faces import search_faces, search_faces_by_image
from api.contracts.rekognition.search_users import search_users, search_users_by_image
from api.contracts.rekognition.users import create_user, delete_user, list_users
from api.scopes import Need

_READ, _SEARCH = Need("read"), Need("read", "search")
_ENROL, _DELETE = Need("enrol", "enrol"), Need("delete", "delete")

OPERATIONS: Mapping[str, Operation[Any]] = {
    "DetectFaces": Operation(detect_faces, _READ),
    "CompareFaces": Operation(compare_faces, _READ),
    "CreateCollection": Operation(create_collection, Need("admin", "change_collection")),
    "ListCollections": Operation(list_collections, _READ),
    "DescribeCollection": Operation(describe_collection, _READ),
    "DeleteCollection": Operation(delete_collection, Need("admin", "delete_collection")),
    "IndexFaces": Operation(index_faces, _ENROL),
    "ListFaces": Operation(list_faces, _READ),
    "DeleteFaces": Operation(delete_faces, _DELETE),
    "SearchFaces": Operation(search_faces, _SEARCH),
    "SearchFacesByImage": Operation(search_faces_by_image, _SEARCH),
    "CreateUser": Operation(create_user, _ENROL),
    "ListUsers": Operation(list_users, _READ),
    "AssociateFaces": Operation(associate_faces, _ENROL),
    "DisassociateFaces": Operation(disassociate_faces, _ENROL),
    "DeleteUser": Operation(delete_user, _DELETE),
    "SearchUsers": Operation(search_users, _SEARCH),
    "SearchUsersByImage": Operation(search_users_by_image, _SEARCH),
}
