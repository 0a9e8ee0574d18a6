"""Photos in the fields of a JSON request: base64, data URLs and other URLs."""

import base64
import string
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.images import from_base64, from_field
from api.settings import LimitArgs
from project.request_error import RequestError
from tests.fakes import FakeDownloads, service

PHOTO = bytes(range(256))
TEXT = base64.b64encode(PHOTO).decode()
MEGABYTE = 1_000_000

BASE64 = st.text(string.ascii_letters + string.digits + "+/=-_\r\n ", max_size=60)
TOKENS = st.text(string.ascii_letters + string.digits + "!#$&'*+-.^_`{|}~", min_size=1, max_size=12)
QUOTED = st.text(string.ascii_letters + " ,;:=/%", max_size=12).map('"{}"'.format)
PARAMETERS = st.lists(st.builds("; {}={}".format, TOKENS, TOKENS | QUOTED), max_size=3).map("".join)
MEDIA_TYPES = st.builds(str.__add__, st.just("") | st.builds("{}/{}".format, TOKENS, TOKENS), PARAMETERS)
"""Media types of data URLs (RFC 2397)."""
PREFIXES = st.sampled_from(["", "", ";", "data:image/png;base64"]) | st.builds("data:{};base64,".format, MEDIA_TYPES)
# Without a comma, which would end a media type that is not base64.
FIELDS = st.builds(str.__add__, PREFIXES, BASE64 | st.text(st.characters(exclude_characters=","), max_size=20))
brief = settings(max_examples=150)


def taken(field: str, most: int) -> bytes | str:
    """The photo, or the code of its refusal."""
    try:
        return from_base64(field, most)
    except RequestError as refused:
        return refused.code


@pytest.mark.parametrize(
    "field",
    [
        *("QUJDR", "QUJD=", "QUJD=QUJD", "Grüße", "\ud800", "file:///etc/passwd"),
        *(f"data:image/png;base64,{text}" for text in ("QUJ!", "QUJD%", "QUJD%\r", f"data:image/png;base64,{TEXT}")),
        "data:image/png;base64;name=a.jpg",
        f"data:image/png;name={'a' * 1001};base64,{TEXT}",
    ],
)
def test_text_that_is_not_base64_is_refused(field: str) -> None:
    assert taken(field, MEGABYTE) == "INVALID_IMAGE"


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_a_photo_may_have_the_greatest_size_and_no_more(prefix: str) -> None:
    for size in (297, 298, 299, 300):
        assert from_base64(prefix + base64.b64encode(bytes(size)).decode(), size) == bytes(size)
    assert from_base64(prefix + base64.encodebytes(bytes(300)).decode(), 300) == bytes(300)
    # The size is checked before anything is decoded.
    for text in (base64.b64encode(bytes(303)).decode(), "!" * 1000):
        with pytest.raises(RequestError, match="IMAGE_TOO_LARGE: The image exceeds the limit of 300 bytes"):
            from_base64(prefix + text, 300)


def test_a_percent_encoded_photo_may_have_the_greatest_size_and_no_more() -> None:
    assert from_base64("data:," + quote(bytes(300)), 300) == bytes(300)
    assert taken("data:," + quote(bytes(301)), 300) == "IMAGE_TOO_LARGE"


@pytest.mark.parametrize("url", ["http://photos.example/a.jpg", "HTTPS://Photos.example", "http://"])
async def test_an_address_is_fetched(url: str) -> None:
    assert await from_field(url, service(downloads=FakeDownloads({url: PHOTO}))) == PHOTO


async def test_a_field_is_base64_unless_it_begins_like_an_address() -> None:
    made = service(limits=LimitArgs(max_image_size=300))
    assert await from_field(TEXT, made) == PHOTO
    neither = "INVALID_IMAGE: The image is neither a URL nor valid base64"
    for field, code in (("ftp://a", neither), (" http://a", neither), ("A" * 408, "IMAGE_TOO_LARGE")):
        with pytest.raises(RequestError, match=code):
            await from_field(field, made)


@brief
@given(FIELDS, st.integers(0, 40))
def test_a_text_is_base64_of_the_photo_or_refused(field: str, most: int) -> None:
    photo = taken(field, most)
    if isinstance(photo, str):
        assert photo in ("INVALID_IMAGE", "IMAGE_TOO_LARGE")
        return
    # The check allows for two bytes of padding: without padding, two more bytes pass. The decode gate counts again.
    assert len(photo) <= most + 2
    text = "".join(unquote(field.rpartition(",")[2]).split()).replace("-", "+").replace("_", "/")
    # The unused bits of the last character may have any value.
    assert base64.b64encode(photo).decode().rstrip("=")[:-1] == text.rstrip("=")[:-1]


@brief
@given(st.binary(max_size=60), MEDIA_TYPES, st.sampled_from(["data", "DATA", "Data"]), st.data())
def test_a_data_url_gives_its_photo(photo: bytes, media_type: str, scheme: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))(photo).decode()
    text = data.draw(st.sampled_from([text, text.rstrip("="), quote(text, safe="")]))
    for space in data.draw(st.lists(st.sampled_from(" \t\n\r"), max_size=3)):
        text = space + text + space
    marker = data.draw(st.sampled_from([";base64", ";BASE64", "; Base64 "]))
    scheme = data.draw(st.sampled_from(["", "\n"])) + scheme
    assert from_base64(f"{scheme}:{media_type}{marker},{text}", 60) == photo
    # Without base64, the photo is percent-encoded; any of its characters may be.
    plain = data.draw(st.sampled_from(["", "=", "=&?+/:;,"]))
    assert from_base64(f"{scheme}:{media_type},{quote(photo, safe=plain)}", 60) == photo


@brief
@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_character_outside_base64_is_refused_anywhere(photo: bytes, data: st.DataObject) -> None:
    text = base64.b64encode(photo).decode()
    place = data.draw(st.integers(0, len(text)))
    alphabet = string.ascii_letters + string.digits + "+/=-_\t\n\f\r "
    stray = data.draw(st.characters().filter(lambda character: character not in alphabet))
    assert taken(text[:place] + stray + text[place:], 1000) == "INVALID_IMAGE"
