"""Photos in the fields of a JSON request."""

import asyncio
import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.images import from_base64, from_field
from api.settings import LimitArgs
from imaging.refused import Refused
from tests.fakes import FakeAddresses, service

PHOTO = bytes(range(256))
TEXT = base64.b64encode(PHOTO).decode()
MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "field",
    [
        TEXT,
        f"data:image/jpeg;base64,{TEXT}",
        f"data:image/svg+xml;base64,{TEXT}",
        f"DATA:Image/PNG;BASE64,{TEXT}",
        base64.encodebytes(PHOTO).decode(),
        f"data:image/png;base64,{TEXT[:76]}\r\n{TEXT[76:]}\r\n",
        f"data:image/jpeg;charset=utf-8;base64,{TEXT}",
        f'data:image/jpeg;name="a, b.jpg"; base64,{TEXT}',
        f"\ndata:;base64,{TEXT}",
        "data:image/png;base64," + quote(TEXT, safe=""),
        "data:image/png," + quote(PHOTO),
        "data:," + quote(PHOTO, safe="="),
        base64.urlsafe_b64encode(PHOTO).decode().rstrip("="),
    ],
    ids=[
        "bare",
        "data",
        "data with a plus",
        "capitals",
        "newlines",
        "data with CRLF",
        "a charset",
        "a quoted name",
        "no media type",
        "base64 in percents",
        "percents alone",
        "percents, no media type",
        "URL-safe, unpadded",
    ],
)
def test_base64_gives_the_photo(field: str) -> None:
    assert from_base64(field, MEGABYTE) == PHOTO


@given(st.binary(max_size=200), st.sampled_from(["", "data:image/webp;base64,"]), st.booleans())
def test_every_photo_survives(photo: bytes, prefix: str, wrapped: bool) -> None:
    encode = base64.encodebytes if wrapped else base64.b64encode
    assert from_base64(prefix + encode(photo).decode(), 200) == photo


@pytest.mark.parametrize(
    "field",
    [
        "not a photo!",
        "QUJDR",
        "QUJD=",
        "QUJD=QUJD",
        "Grüße",
        "\ud800",
        "file:///etc/passwd",
        "data:image/png;base64;name=a.jpg",
        f"data:image/png;name={'a' * 1001};base64,{TEXT}",
        "data:image/png;base64,QUJ!",
        f"data:image/png;base64,data:image/png;base64,{TEXT}",
    ],
)
def test_what_is_not_base64_is_refused(field: str) -> None:
    with pytest.raises(Refused) as caught:
        from_base64(field, MEGABYTE)
    assert caught.value.code == "INVALID_IMAGE"
    assert caught.value.message == "The image is neither an address nor base64"


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
@pytest.mark.parametrize("size", [297, 298, 299, 300])
def test_a_photo_of_the_greatest_size_is_let_in(prefix: str, size: int) -> None:
    assert from_base64(prefix + base64.b64encode(bytes(size)).decode(), size) == bytes(size)


def test_newlines_do_not_count_as_the_photos_bytes() -> None:
    assert from_base64(base64.encodebytes(bytes(3000)).decode(), 3000) == bytes(3000)


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_a_photo_that_is_too_large_is_refused(prefix: str) -> None:
    with pytest.raises(Refused) as caught:
        from_base64(prefix + base64.b64encode(bytes(303)).decode(), 300)
    assert caught.value.code == "IMAGE_TOO_LARGE"
    assert caught.value.message == "The image has more than the 300 bytes that are accepted"


def test_a_photo_in_percents_that_is_too_large_is_refused() -> None:
    assert from_base64("data:," + quote(bytes(300)), 300) == bytes(300)
    with pytest.raises(Refused) as caught:
        from_base64("data:," + quote(bytes(301)), 300)
    assert caught.value.code == "IMAGE_TOO_LARGE"


def test_the_size_is_found_before_anything_is_decoded() -> None:
    with pytest.raises(Refused) as caught:
        from_base64("!" * 1000, 300)
    assert caught.value.code == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize(
    "url", ["http://photos.example/a.jpg", "https://photos.example/", "HTTPS://Photos.example", "http://"]
)
def test_an_address_is_fetched(url: str) -> None:
    addresses = FakeAddresses({url: PHOTO})
    assert asyncio.run(from_field(url, service(addresses=addresses))) == PHOTO
    assert addresses.calls == [url]


def test_what_is_wrong_with_an_address_is_told() -> None:
    refused = Refused("DOWNLOAD_FAILED", "The address answered with status 404")
    with pytest.raises(Refused) as caught:
        asyncio.run(from_field("http://a", service(addresses=FakeAddresses({"http://a": refused}))))
    assert caught.value is refused


def test_a_field_that_holds_base64_is_not_fetched() -> None:
    addresses, small = FakeAddresses({}), LimitArgs(max_image_size=300)
    assert asyncio.run(from_field(TEXT, service(limits=small, addresses=addresses))) == PHOTO
    for field, code in (
        ("ftp://photos.example/a", "INVALID_IMAGE"),
        (" http://a", "INVALID_IMAGE"),
        ("A" * 408, "IMAGE_TOO_LARGE"),
    ):
        with pytest.raises(Refused) as caught:
            asyncio.run(from_field(field, service(limits=small, addresses=addresses)))
        assert caught.value.code == code
    assert addresses.calls == []


def test_addresses_are_not_fetched_where_they_are_off() -> None:
    with pytest.raises(Refused) as caught:
        asyncio.run(from_field("https://photos.example/a.jpg", service()))
    assert caught.value.code == "URL_NOT_ALLOWED"
    assert caught.value.message == "Addresses are not fetched by this service; send the photo as base64"
