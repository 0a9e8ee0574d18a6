"""Settings of the HTTP API."""

import base64
import json
from ipaddress import ip_network

import pytest
from pydantic import ValidationError

from api.settings import DownloadArgs, LimitArgs


def test_two_photos_in_wrapped_base64_fit_into_a_body() -> None:
    size = 1_000_000
    body = json.dumps(dict.fromkeys(["image1", "image2"], base64.encodebytes(bytes(size)).decode()))
    assert len(body) < LimitArgs(max_image_size=size).max_body


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("  ", set()),
        ("Photos.Example", {("photos.example", None)}),
        ("photos.example.", {("photos.example", None)}),
        (" a.example , a.example:8080,b_c:1", {("a.example", None), ("a.example", 8080), ("b_c", 1)}),
        ("127.0.0.1:65535, [::1]:80, [::1]", {("127.0.0.1", 65535), ("::1", 80), ("::1", None)}),
    ],
)
def test_hosts_are_listed_with_or_without_a_port(text: str, hosts: set[tuple[str, int | None]]) -> None:
    assert DownloadArgs(allowed_hosts=text).hosts == hosts


def test_networks_are_listed_and_a_single_address_is_one() -> None:
    assert DownloadArgs().networks == ()
    args = DownloadArgs(allowed_networks="10.0.0.0/8, 127.0.0.1,fd00::/8")
    assert args.networks == tuple(map(ip_network, ("10.0.0.0/8", "127.0.0.1/32", "fd00::/8")))


NO_HOSTS = ["", "https://a.example", "a.example/a", "*.example", "a:0", "a:65536", "a:", "::1", "bücher.example"]
NO_NETWORKS = ["", "10.0.0.1/8", "10.0.0.0/33", "intranet", "10.0.0.0-10.0.0.9"]


@pytest.mark.parametrize(
    ("name", "entry"),
    [*(("allowed_hosts", each) for each in NO_HOSTS), *(("allowed_networks", each) for each in NO_NETWORKS)],
)
def test_invalid_entry_is_quoted(name: str, entry: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DownloadArgs.model_validate({name: f"127.0.0.1,{entry}"})
    [problem] = caught.value.errors()
    assert problem["loc"] == (name,)
    assert entry in problem["msg"]
