"""Whatever stands in a Serve configuration, it is checked or refused, and nothing is dropped in silence."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deployments.config import check
from deployments.errors import ConfigError
from graphs.settings import AppArgs
from project.root import ROOT

WHOLE = yaml.safe_load((ROOT / "configs" / "serve.yaml").read_text("utf-8"))
# What Ray's own schemas keep as it is: it goes to others, who say what they know of it.
FREE = ("runtime_env", "options", "storage_options", "logging_config", "custom_resources")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
brief = settings(max_examples=60)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every table and list of a configuration, and to everything in them."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


TABLES = [path for path in places(WHOLE) if isinstance(at(WHOLE, path), dict) and not set(path) & set(FREE)]
# Roles are the configuration's own names.
TABLES = [path for path in TABLES if path[-1:] not in {("stages",), ("defaults",)}]


@brief
@given(path=st.sampled_from(TABLES), key=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6))
def test_a_key_that_nobody_knows_is_refused_by_name(path: tuple[Any, ...], key: str) -> None:
    config = copy.deepcopy(WHOLE)
    # Of a name that Ray knows, though this configuration does not have it, the value may be right.
    key = f"zz{key}"
    assume(key not in at(config, path))
    at(config, path)[key] = None
    with pytest.raises(ConfigError) as caught:
        check(config)
    assert key in str(caught.value)


@brief
@given(path=st.sampled_from([path for path in places(WHOLE) if path]), value=JSON)
def test_any_value_anywhere_is_taken_or_refused(path: tuple[Any, ...], value: Any) -> None:
    config = copy.deepcopy(WHOLE)
    at(config, path[:-1])[path[-1]] = value
    try:
        checked = check(config)
    except ConfigError:
        return
    assert all(isinstance(args, AppArgs) for args in checked)
    assert len(checked) == len(config["applications"])


@pytest.mark.parametrize("entry", [None, 1, "ingress", [], True])
def test_a_deployment_that_is_no_table_is_refused(entry: Any) -> None:
    config = copy.deepcopy(WHOLE)
    config["applications"][0]["deployments"].append(entry)
    with pytest.raises(ConfigError, match="an entry of deployments is no table"):
        check(config)


@brief
@given(config=JSON)
def test_what_is_no_configuration_at_all_is_refused(config: Any) -> None:
    with pytest.raises(ConfigError):
        check(config)
