"""Settings of the gallery: its address, and credentials that nothing prints."""

import json
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from deployments.config import check_config
from deployments.errors import ConfigError
from gallery.location import Location
from gallery.settings import GalleryArgs
from project.root import ROOT
from tests.default_configuration import CONFIG

SECRET = "s3cret"


def test_an_address_is_an_object_store_or_a_folder_relative_to_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_URI", "")
    assert GalleryArgs().uri == str(ROOT / "data/gallery")
    for uri in ("/srv/gallery", "s3://bucket/gallery", "abfss://container@account.dfs.core.windows.net/gallery"):
        assert GalleryArgs(uri=uri).uri == uri
    for uri in ("", " ", "a\0b"):
        with pytest.raises(ValidationError, match="uri must not be empty or contain a null byte"):
            GalleryArgs(uri=uri)


@pytest.mark.parametrize(
    "gallery",
    [
        {"storage_options": {"aws_secret_access_key": [SECRET]}},
        {"aws_secret_access_key": SECRET},
        {"uri": f"s3://user:{SECRET}@bucket/gallery"},
    ],
)
def test_error_does_not_quote_the_value(gallery: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        GalleryArgs(**gallery)
    assert next(iter(gallery)) in str(caught.value)
    assert SECRET not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize("value", [SECRET, json.dumps({"aws_secret_access_key": [SECRET]}), json.dumps(SECRET)])
def test_error_of_a_configuration_does_not_quote_the_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GALLERY_STORAGE_OPTIONS", value)
    with pytest.raises(ConfigError, match=r"(?i)storage_options") as caught:
        check_config(yaml.safe_load(CONFIG.read_text("utf-8")))
    assert SECRET not in str(caught.value)


def test_storage_options_are_not_printed() -> None:
    args = GalleryArgs(storage_options={"aws_secret_access_key": SECRET})
    assert SECRET not in f"{args!r} {args} {Location('s3://bucket', args.storage_options)!r}"
