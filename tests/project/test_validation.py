"""The wording of validation problems."""

from math import nan
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from project.validation import main_problem, plain_message


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    inner: "_Table | None" = None
    numbers: tuple[int, ...] = Field((), max_length=1)
    share: float = Field(1, le=1)
    needed: int


def problem_of(table: Any) -> tuple[tuple[str | int, ...], str]:
    with pytest.raises(ValidationError) as caught:
        _Table.model_validate(table)
    problem = main_problem(caught.value)
    return problem["loc"], plain_message(problem)


def test_problems_are_worded_for_people_who_do_not_know_python() -> None:
    assert problem_of([]) == ((), "Input should be an object with named fields")
    assert problem_of({"needed": 1, "inner": 1}) == (("inner",), "Input should be an object with named fields")
    assert problem_of({"needed": 1, "numbers": 1}) == (("numbers",), "Input should be a list")
    assert problem_of({"needed": 1, "share": nan}) == (("share",), "Input should be a finite number")
    assert "after validation" not in problem_of({"needed": 1, "numbers": [1, 2]})[1]


def test_an_unknown_field_is_the_first_problem() -> None:
    assert problem_of({"neded": 1})[0] == ("neded",)
