"""The operations of the contract, by name."""

from collections.abc import Mapping
from typing import Any

from api.contracts.rekognition.associations import (
    AssociateFacesRequest,
    DisassociateFacesRequest,
    associate_faces,
    disassociate_faces,
)
from api.contracts.rekognition.compare_faces import CompareFacesRequest, compare_faces
from api.contracts.rekognition.detect_faces import DetectFacesRequest, detect_faces
from api.contracts.rekognition.face_collections import (
    CollectionRequest,
    CreateCollectionRequest,
    ListCollectionsRequest,
    create_collection,
    delete_collection,
    describe_collection,
    list_collections,
)
from api.contracts.rekognition.index_faces import IndexFacesRequest, index_faces
from api.contracts.rekognition.listed_faces import DeleteFacesRequest, ListFacesRequest, delete_faces, list_faces
from api.contracts.rekognition.operation import Operation
from api.contracts.rekognition.search_faces import (
    SearchFacesByImageRequest,
    SearchFacesRequest,
    search_faces,
    search_faces_by_image,
)
from api.contracts.rekognition.search_users import (
    SearchUsersByImageRequest,
    SearchUsersRequest,
    search_users,
    search_users_by_image,
)
from api.contracts.rekognition.users import (
    CreateUserRequest,
    DeleteUserRequest,
    ListUsersRequest,
    create_user,
    delete_user,
    list_users,
)
from api.scopes import Need

_READ, _SEARCH = Need("read"), Need("read", "search")
_ENROL, _DELETE = Need("enrol", "enrol"), Need("delete", "delete")

OPERATIONS: Mapping[str, Operation[Any]] = {
    "DetectFaces": Operation(DetectFacesRequest, _READ, detect_faces),
    "CompareFaces": Operation(CompareFacesRequest, _READ, compare_faces),
    "CreateCollection": Operation(CreateCollectionRequest, Need("admin", "change_collection"), create_collection),
    "ListCollections": Operation(ListCollectionsRequest, _READ, list_collections),
    "DescribeCollection": Operation(CollectionRequest, _READ, describe_collection),
    "DeleteCollection": Operation(CollectionRequest, Need("admin", "delete_collection"), delete_collection),
    "IndexFaces": Operation(IndexFacesRequest, _ENROL, index_faces),
    "ListFaces": Operation(ListFacesRequest, _READ, list_faces),
    "DeleteFaces": Operation(DeleteFacesRequest, _DELETE, delete_faces),
    "SearchFaces": Operation(SearchFacesRequest, _SEARCH, search_faces),
    "SearchFacesByImage": Operation(SearchFacesByImageRequest, _SEARCH, search_faces_by_image),
    "CreateUser": Operation(CreateUserRequest, _ENROL, create_user),
    "ListUsers": Operation(ListUsersRequest, _READ, list_users),
    "AssociateFaces": Operation(AssociateFacesRequest, _ENROL, associate_faces),
    "DisassociateFaces": Operation(DisassociateFacesRequest, _ENROL, disassociate_faces),
    "DeleteUser": Operation(DeleteUserRequest, _DELETE, delete_user),
    "SearchUsers": Operation(SearchUsersRequest, _SEARCH, search_users),
    "SearchUsersByImage": Operation(SearchUsersByImageRequest, _SEARCH, search_users_by_image),
}
