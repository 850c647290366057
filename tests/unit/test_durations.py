"""Lengths of time as authors give them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_twiliocall.durations import read_seconds


@pytest.mark.parametrize("value", [90, 90.0, "90", timedelta(minutes=1.5)])
def test_seconds_and_timedeltas_are_read(value: Any) -> None:
    assert read_seconds("pause", value) == 90.0


@pytest.mark.parametrize("value", ["soon", None, True, [90], float("nan")])
def test_what_is_no_length_of_time_is_named(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^pause=.* is neither a number of seconds nor a timedelta$"):
        read_seconds("pause", value)
