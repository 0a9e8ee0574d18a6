"""DetectFaces and CompareFaces."""

from typing import Any

import pytest

from tests.api.rekognition.aws_client import AwsClient, image
from tests.fakes import People, with_stages


def compare(aws: AwsClient, source: str, target: str, **members: Any) -> Any:
    return aws.call("CompareFaces", SourceImage=image(source), TargetImage=image(target), **members)


def test_faces_are_described_as_fractions_of_the_photo(aws: AwsClient) -> None:
    # The photo has 640 x 480 pixels, the face's box is 30, 30, 110, 120.
    [face] = aws.call("DetectFaces", Image=image("anna"))["FaceDetails"]
    assert face["BoundingBox"] == pytest.approx(
        {"Left": 30 / 640, "Top": 30 / 480, "Width": 80 / 640, "Height": 90 / 480}
    )
    assert face["Confidence"] == pytest.approx(99)
    assert face["Landmarks"][0] == pytest.approx({"Type": "eyeLeft", "X": 40 / 640, "Y": 50 / 480})
    assert [each["Type"] for each in face["Landmarks"]] == ["eyeLeft", "eyeRight", "nose", "mouthLeft", "mouthRight"]
    assert face["Quality"] == pytest.approx({"Brightness": 120 / 2.55, "Sharpness": 50})
    assert aws.call("DetectFaces", Image=image("faceless")) == {"FaceDetails": []}
    assert len(aws.call("DetectFaces", Image=image("anna bob carl"))["FaceDetails"]) == 3


def test_attributes_without_a_stage_are_left_out_or_refused_by_name(aws: AwsClient) -> None:
    [face] = aws.call("DetectFaces", Image=image("anna"), Attributes=["ALL"])["FaceDetails"]
    assert face.keys() == {"BoundingBox", "Confidence", "Landmarks", "Quality"}
    for name in ("EYES_OPEN", "AGE_RANGE"):
        code, message = aws.refusal("DetectFaces", Image=image("anna"), Attributes=["DEFAULT", name])
        assert (code, name in message) == ("InvalidParameterException", True)


def test_attributes_with_a_stage_are_returned(aws: AwsClient) -> None:
    people = People()
    aws.keyed.service.stages = with_stages(people.stages(), *people.attributes())
    [face] = aws.call("DetectFaces", Image=image("anna-turned"))["FaceDetails"]
    assert face["Pose"] == pytest.approx({"Yaw": -45, "Pitch": 0, "Roll": 0}, abs=1e-3)
    assert "EyesOpen" not in face
    for attributes in (["EYES_OPEN"], ["ALL"], ["ALL", "DEFAULT"]):
        [face] = aws.call("DetectFaces", Image=image("anna-shut"), Attributes=attributes)["FaceDetails"]
        assert face["EyesOpen"] == {"Value": False, "Confidence": 87.5}
        assert "Pose" in face


def test_a_photo_that_cannot_be_used_is_refused_with_its_own_code(aws: AwsClient) -> None:
    cases: dict[str, list[Any]] = {
        "InvalidImageFormatException": [image("broken"), {"Bytes": "é"}],
        "InvalidS3ObjectException": [{"S3Object": {"Bucket": "photos", "Name": "anna.jpg"}}],
        "InvalidParameterException": [{}, {"Bytes": ""}],
        "ImageTooLargeException": [{"Bytes": "A" * (11 * 2**20 * 4 // 3)}, {"Bytes": "A" * 30 * 2**20}],
    }
    for code, photos in cases.items():
        for photo in photos:
            assert aws.refusal("DetectFaces", Image=photo)[0] == code
    for source, target, name in (("broken", "anna", "SourceImage"), ("anna", "broken", "TargetImage")):
        refused = aws.refusal("CompareFaces", SourceImage=image(source), TargetImage=image(target))
        assert refused == ("InvalidImageFormatException", f"{name}: The image is damaged")


def test_the_largest_face_is_compared_with_each_face_of_the_other_photo(aws: AwsClient) -> None:
    found = compare(aws, "bob anna-large", "bob anne carl anna")
    similarities = [match["Similarity"] for match in found["FaceMatches"]]
    assert similarities[0] == 100
    assert 80 < similarities[1] < 100
    assert len(found["UnmatchedFaces"]) == 2
    assert found["SourceImageFace"]["BoundingBox"]["Width"] == 200 / 640
    assert found["FaceMatches"][0]["Face"].keys() == {"BoundingBox", "Confidence", "Landmarks", "Quality"}


def test_the_threshold_decides_what_is_a_match(aws: AwsClient) -> None:
    for threshold, matches in ((0, 2), (80, 1), (100, 0)):
        assert len(compare(aws, "anna", "anne bob", SimilarityThreshold=threshold)["FaceMatches"]) == matches
    refused = aws.refusal("CompareFaces", SourceImage=image("a"), TargetImage=image("b"), SimilarityThreshold=101)
    assert refused[0] == "InvalidParameterException"


def test_the_quality_filter_leaves_out_poor_faces(aws: AwsClient) -> None:
    assert len(compare(aws, "anna", "anna-dark anne")["FaceMatches"]) == 2
    found = compare(aws, "bob-large-dark anna", "anna-dark anne", QualityFilter="AUTO")
    assert len(found["FaceMatches"]) == 1
    assert found["UnmatchedFaces"] == []
    for source, target, name in (("faceless", "anna", "SourceImage"), ("anna", "faceless", "TargetImage")):
        code, message = aws.refusal("CompareFaces", SourceImage=image(source), TargetImage=image(target))
        assert (code, message.startswith(name)) == ("InvalidParameterException", True)
