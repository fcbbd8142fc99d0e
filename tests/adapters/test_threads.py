"""The threads of a process: those asked for, those of the environment, or the cores."""

from __future__ import annotations

import os

import joblib
import pytest
import torch

from adapters.errors import AdapterError
from adapters.threads import usable_cores, use_threads


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What torch is told, without its doing so: the other tests share its threads."""
    numbers: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", numbers.append)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return numbers


@pytest.mark.parametrize("variable", ["3", " 3 ", "3,2,1"])
def test_what_is_asked_for_comes_before_the_environment_and_that_before_the_cores(
    told: list[int], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setattr(joblib, "cpu_count", lambda only_physical_cores: 7)
    assert use_threads() == 7
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    assert use_threads() == 3
    assert use_threads(5) == 5
    assert told == [7, 3, 5]


def test_cores_are_no_more_than_the_process_may_use(told: list[int]) -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("variable", ["0", "two", "-1", "1.5", ",2"])
def test_a_variable_that_is_no_number_is_refused_by_name(
    told: list[int], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    with pytest.raises(AdapterError, match=r"OMP_NUM_THREADS: got .*; expected a whole number from 1 up"):
        use_threads()
    assert told == []
