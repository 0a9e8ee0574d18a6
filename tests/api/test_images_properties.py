"""What holds for any text in a field that is to hold a photo."""

import base64
import string
from urllib.parse import quote, unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.images import from_base64
from imaging.refused import Refused

BASE64 = st.text(string.ascii_letters + string.digits + "+/=-_\r\n ", max_size=60)
TOKENS = st.text(string.ascii_letters + string.digits + "!#$&'*+-.^_`{|}~", min_size=1, max_size=12)
QUOTED = st.text(string.ascii_letters + " ,;:=/%", max_size=12).map('"{}"'.format)
PARAMETERS = st.lists(st.builds("; {}={}".format, TOKENS, TOKENS | QUOTED), max_size=3).map("".join)
MEDIA_TYPES = st.builds(str.__add__, st.just("") | st.builds("{}/{}".format, TOKENS, TOKENS), PARAMETERS)
"""Of data URLs (RFC 2397)."""
PREFIXES = st.sampled_from(["", "", ";", "data:image/png;base64"]) | st.builds("data:{};base64,".format, MEDIA_TYPES)
FIELDS = st.builds(str.__add__, PREFIXES, BASE64 | st.text(max_size=20))
brief = settings(max_examples=150)


def taken(field: str, most: int) -> bytes | Refused:
    try:
        return from_base64(field, most)
    except Refused as refused:
        return refused


@brief
@given(FIELDS, st.integers(0, 40))
def test_a_text_is_base64_of_the_photo_or_refused(field: str, most: int) -> None:
    photo = taken(field, most)
    if isinstance(photo, Refused):
        assert photo.code in ("INVALID_IMAGE", "IMAGE_TOO_LARGE")
        return
    # Two more may come through where padding hides how many there are; the decode gate counts again.
    assert len(photo) <= most + 2
    text = "".join(unquote(field.rpartition(",")[2]).split()).replace("-", "+").replace("_", "/")
    # The bits that padding leaves over may be anything.
    assert base64.b64encode(photo).decode().rstrip("=")[:-1] == text.rstrip("=")[:-1]


@brief
@given(st.binary(max_size=60), MEDIA_TYPES, st.sampled_from(["data", "DATA", "Data"]), st.data())
def test_a_data_url_gives_its_photo(photo: bytes, media_type: str, scheme: str, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]))(photo).decode()
    text = data.draw(st.sampled_from([text, text.rstrip("="), quote(text, safe="")]))
    for space in data.draw(st.lists(st.sampled_from(" \t\n\r"), max_size=3)):
        text = space + text + space
    marker = data.draw(st.sampled_from([";base64", ";BASE64", "; Base64 "]))
    assert from_base64(f"{scheme}:{media_type}{marker},{text}", 60) == photo
    # Any character may be written in percents, and a photo without base64 is nothing but such.
    plain = data.draw(st.sampled_from(["", "=", "=&?+/:;,"]))
    assert from_base64(f"{scheme}:{media_type},{quote(photo, safe=plain)}", 60) == photo


@brief
@given(st.binary(min_size=1, max_size=60), st.data())
def test_a_character_that_is_none_of_base64_is_refused_wherever_it_stands(photo: bytes, data: st.DataObject) -> None:
    text = base64.b64encode(photo).decode()
    place = data.draw(st.integers(0, len(text)))
    alphabet = string.ascii_letters + string.digits + "+/=-_\t\n\f\r "
    stray = data.draw(st.characters().filter(lambda character: character not in alphabet))
    with pytest.raises(Refused) as caught:
        from_base64(text[:place] + stray + text[place:], 1000)
    assert caught.value.code == "INVALID_IMAGE"


@brief
@given(st.binary(max_size=60), st.integers(0, 60))
def test_more_bytes_than_are_accepted_are_refused_and_as_many_are_not(photo: bytes, most: int) -> None:
    text = base64.b64encode(photo).decode()
    if len(photo) <= most:
        assert from_base64(text, most) == photo
    elif len(photo) > most + 2:
        with pytest.raises(Refused) as caught:
            from_base64(text, most)
        assert caught.value.code == "IMAGE_TOO_LARGE"
