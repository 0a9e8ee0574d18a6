"""Rate limits by caller, and the address of a caller."""

import pytest
from starlette.testclient import TestClient

from api.access import caller_address
from tests.api.keyed import KeyedService, accept, access_around

ADDRESS = "192.0.2.7"


def test_a_caller_over_the_rate_is_told_when_to_try_again(keyed: KeyedService) -> None:
    seconds = 0.0
    args = keyed.service.access.model_copy(update={"rate_limit": 0.4, "rate_burst": 2})
    client = TestClient(access_around(accept, args, lambda: seconds))
    first, second = keyed.key("read"), keyed.key("read")
    assert [client.get("/v1/models", headers=first).status_code for _ in range(3)] == [200, 200, 429]
    response = client.get("/v1/models", headers=first)
    assert response.headers["retry-after"] == "3"
    assert response.json()["error"] == {
        "code": "RATE_LIMITED",
        "message": "Too many requests",
        "details": {"retry_after": 3},
    }
    assert client.get("/v1/models", headers=second).status_code == 200
    assert client.get("/health").status_code == 200
    seconds = 2.5
    assert client.get("/v1/models", headers=first).status_code == 200


def test_callers_without_a_key_are_counted_by_address(keyed: KeyedService) -> None:
    args = keyed.service.access.model_copy(update={"rate_limit": 1.0, "rate_burst": 1, "require_keys": False})
    client = TestClient(access_around(accept, args))
    ends = ("192.0.2.1", "192.0.2.1", "invented, 192.0.2.1", "192.0.2.2")
    statuses = [client.get("/v1/models", headers={"X-Forwarded-For": end}).status_code for end in ends]
    assert statuses == [200, 429, 429, 200]


def test_callers_that_guess_keys_are_counted_by_address(keyed: KeyedService) -> None:
    args = keyed.service.access.model_copy(update={"rate_limit": 1.0, "rate_burst": 1})
    client = TestClient(access_around(accept, args))
    guesses = [client.get("/v1/models", headers={"X-API-Key": f"guess-{n}"}).status_code for n in range(3)]
    assert guesses == [401, 429, 429]
    assert client.get("/v1/models", headers=keyed.key("read")).status_code == 200


@pytest.mark.parametrize(
    ("lines", "hops", "address"),
    [
        ([], 1, "10.0.0.1"),
        (["192.0.2.7"], 0, "10.0.0.1"),
        (["1.2.3.4, 192.0.2.7"], 1, ADDRESS),
        (["1.2.3.4", "192.0.2.7"], 1, ADDRESS),
        (["1.2.3.4,192.0.2.7 , 10.9.9.9"], 2, ADDRESS),
        (["1.2.3.4, 192.0.2.7", "10.9.9.9"], 2, ADDRESS),
        (["192.0.2.7"], 2, "10.0.0.1"),
        (["2001:DB8::0:1"], 1, "2001:db8::1"),
        (["unknown"], 1, "10.0.0.1"),
        (["\xff" * 5000], 1, "10.0.0.1"),
    ],
)
def test_the_address_is_the_one_that_the_outermost_proxy_saw(lines: list[str], hops: int, address: str) -> None:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    assert caller_address({"headers": headers, "client": ("10.0.0.1", 5)}, hops) == address


def test_a_connection_without_a_peer_has_no_address() -> None:
    assert caller_address({"headers": [], "client": None}, 1) is None
