"""An index may want a user and a password, and an address may be signed: no error tells them."""

from pathlib import Path

import pytest

from models.downloads import Downloads
from models.errors import ModelError
from models.sources import PypiSource
from tests.models.cards import digest
from tests.models.site import Site

HASH = digest(b"weights")


@pytest.fixture
def downloads(tmp_path: Path) -> Downloads:
    return Downloads(tmp_path, lambda *_: None)


@pytest.mark.parametrize("listed", [True, False])
def test_an_index_password_is_in_no_error(
    listed: bool, site: Site, downloads: Downloads, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = site.url.removeprefix("http://")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:p@ssw0rd@{host}/simple")
    if listed:
        # The project's page is there, and its file is not.
        site.files["/simple/a/"] = b'<a href="../../a-1.0.tar.gz">a-1.0.tar.gz</a>'
    source = PypiSource(
        kind="pypi", package="a", version="1.0", archive="a-1.0.tar.gz", archive_sha256=HASH, member="weights.bin"
    )
    with pytest.raises(ModelError) as caught:
        downloads.pypi(source)
    assert "ssw0rd" not in str(caught.value)
    assert host in str(caught.value)


def test_an_address_signature_is_in_no_error(site: Site, downloads: Downloads) -> None:
    with pytest.raises(ModelError, match=r"weights\.bin .*404") as caught:
        downloads.https(site.source("/weights.bin?signature=s3cret"), HASH)
    assert "s3cret" not in str(caught.value)
