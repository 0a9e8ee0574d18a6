"""The examples of AWS's documentation, from botocore: each succeeds, and its answer has every member of the example."""

from typing import Any

from botocore.session import get_session

from tests.api.rekognition.aws_client import AwsClient, image
from tests.fakes import People, with_stages

EXAMPLES = get_session().get_component("data_loader").load_service_model("rekognition", "examples-1")["examples"]
ORDER = (
    *("CreateCollection", "IndexFaces", "ListCollections", "ListFaces", "SearchFaces", "SearchFacesByImage"),
    *("DetectFaces", "CompareFaces", "DeleteFaces", "DeleteCollection"),
)


def missing(example: Any, answer: Any) -> set[str]:
    """Members of an example's answer that another answer lacks."""
    if isinstance(example, list):
        return missing(example[0], answer[0]) if example else set()
    if not isinstance(example, dict):
        return set()
    found = [missing(example[name], answer[name]) for name in example if name in answer]
    return set(example).difference(answer).union(*found)


def test_the_examples_run_with_photos_as_bytes(aws: AwsClient) -> None:
    people = People()
    aws.keyed.service.stages = with_stages(people.stages(), *people.attributes())
    face = ""
    for operation in ORDER:
        [example] = EXAMPLES[operation]
        real: dict[str, Any] = {"Image": image("anna"), "SourceImage": image("anna"), "TargetImage": image("anna")}
        real |= {"FaceId": face, "FaceIds": [face]}
        members = {name: real.get(name, value) for name, value in example["input"].items()}
        answer = aws.call(operation, **members)
        assert missing(example["output"], answer) <= {"OrientationCorrection"}, operation
        if operation == "IndexFaces":
            face = answer["FaceRecords"][0]["Face"]["FaceId"]
            aws.call(operation, **members | {"Image": image("anne")})
