"""Credentials of the object store among the settings: in no error, and in nothing that is printed."""

import json
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from deployments.config import check
from deployments.errors import ConfigError
from gallery.location import Location
from gallery.settings import GalleryArgs
from graphs.settings import AppArgs
from project.root import ROOT
from tests.graphs.test_settings import ARGS

SECRET = "s3cret"
GALLERY: list[dict[str, Any]] = [
    {"storage_options": {"aws_secret_access_key": [SECRET]}},
    {"storage_options": SECRET},
    {"aws_secret_access_key": SECRET},
    {"uri": f"s3://user:{SECRET}@bucket/gallery"},
]


@pytest.mark.parametrize("gallery", GALLERY)
def test_an_error_does_not_tell_what_was_set(gallery: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        AppArgs(**ARGS, gallery=gallery)
    assert "gallery" in str(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("value", [SECRET, json.dumps({"aws_secret_access_key": [SECRET]}), json.dumps(SECRET)])
def test_an_error_does_not_tell_a_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_STORAGE_OPTIONS", value)
    with pytest.raises(ValueError, match="storage_options") as caught:
        GalleryArgs()
    assert SECRET not in str(caught.value) + repr(caught.value)
    config = yaml.safe_load((ROOT / "configs" / "serve.yaml").read_text("utf-8"))
    with pytest.raises(ConfigError, match="storage_options") as shown:
        check(config)
    assert SECRET not in str(shown.value)


@pytest.mark.parametrize("uri", ["s3://bucket/gallery", "abfss://container@account.dfs.core.windows.net/gallery"])
def test_an_address_without_a_password_is_taken(uri: str) -> None:
    assert GalleryArgs(uri=uri).uri == uri


def test_nothing_printed_has_the_storage_options() -> None:
    options = {"aws_secret_access_key": SECRET}
    args = GalleryArgs(storage_options=options)
    assert args.storage_options == options
    printed = f"{args!r} {args} {AppArgs(**ARGS, gallery=args)!r} {Location('s3://bucket', options)!r}"
    assert SECRET not in printed
