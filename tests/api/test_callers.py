"""Rate limits by caller, and the address of a caller."""

from collections.abc import Callable

import pytest

from api.access import caller_address
from tests.api.keyed import KeyedService

ADDRESS = "192.0.2.7"
MODELS = ("GET", "/v1/models")


def test_a_caller_over_the_rate_is_told_when_to_try_again(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(rate_limit=0.001, rate_burst=2)
    first, second = keyed.key("read"), keyed.key("read")
    assert [keyed.ask(*MODELS, first).status_code for _ in range(2)] == [200, 200]
    response = keyed.ask(*MODELS, first)
    wait = int(response.headers["retry-after"])
    assert (response.status_code, 900 < wait <= 1000) == (429, True)
    error = {"code": "RATE_LIMITED", "message": "Too many requests", "details": {"retry_after": wait}}
    assert response.json()["error"] == error
    assert keyed.ask(*MODELS, second).status_code == keyed.ask("GET", "/health").status_code == 200


def test_callers_without_a_key_are_counted_by_address(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(rate_limit=0.001, rate_burst=1, require_keys=False)
    ends = ("192.0.2.1", "192.0.2.1", "invented, 192.0.2.1", "192.0.2.2")
    assert [keyed.ask(*MODELS, {"X-Forwarded-For": end}).status_code for end in ends] == [200, 429, 429, 200]


def test_callers_that_guess_keys_are_counted_by_address(make_keyed: Callable[..., KeyedService]) -> None:
    keyed = make_keyed(rate_limit=0.001, rate_burst=1)
    assert [keyed.ask(*MODELS, {"X-API-Key": f"guess-{n}"}).status_code for n in range(3)] == [401, 429, 429]
    assert keyed.ask(*MODELS, keyed.key("read")).status_code == 200


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
