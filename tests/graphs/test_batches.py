"""Splitting a request into calls."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from deployments.transport import SWITCHES
from graphs.batches import BATCH_BYTES, BATCH_FACES, LARGEST_PHOTO, crop_bytes, split_by_size
from models.catalogue import cards

LIMIT = int(SWITCHES["RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH"])


@given(sizes=st.lists(st.integers(0, 20)), most=st.integers(1, 30))
def test_every_item_is_in_one_batch_in_order_and_none_could_take_the_next_item(sizes: list[int], most: int) -> None:
    parts = [sizes[batch] for batch in split_by_size(sizes, most)]
    assert [size for part in parts for size in part] == sizes
    assert all(part and (sum(part) <= most or len(part) == 1) for part in parts)
    assert all(sum(part) + following[0] > most for part, following in pairwise(parts))


def test_batches_fit_into_a_message_between_replicas() -> None:
    largest = max(crop_bytes(card.crops) for card in cards().values() if card.crops)
    assert max(BATCH_BYTES, LARGEST_PHOTO, BATCH_FACES * largest) < 0.9 * LIMIT
