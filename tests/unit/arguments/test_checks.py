"""What operators refuse when a DAG is parsed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_twiliocall.arguments.checks import (
    check_duration,
    check_max_dials,
    read_redial_on,
    read_seconds,
)


@pytest.mark.parametrize("value", [1, 0.5, timedelta(seconds=1)])
def test_a_length_of_time_passes(value: Any) -> None:
    check_duration("pause", value)


@pytest.mark.parametrize("value", [0, -1, timedelta(seconds=-1), float("inf")])
def test_no_time_at_all_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^pause=.* has to be more than 0 seconds$"):
        check_duration("pause", value)


def test_no_time_at_all_passes_where_it_means_something() -> None:
    check_duration("pause", 0, or_zero=True)


@pytest.mark.parametrize(
    ("given", "read"),
    [("busy", ["busy"]), ({"no-answer", "busy"}, ["busy", "no-answer"]), (["voicemail"], ["voicemail"])],
)
def test_endings_are_read_in_one_order(given: Any, read: list[str]) -> None:
    assert read_redial_on(given) == read


@pytest.mark.parametrize("given", [[], None, "bussy", ["busy", "completed"], 5])
def test_what_is_no_ending_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="give some of busy, no-answer, failed, voicemail"):
        read_redial_on(given)


@pytest.mark.parametrize("given", [1, 3, 50])
def test_a_number_of_dials_passes(given: int) -> None:
    check_max_dials(given, waits=True)


@pytest.mark.parametrize("given", [0, -1, 51, True, "3", None])
def test_more_dials_than_anybody_should_be_rung_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="give 1 or more, at most 50"):
        check_max_dials(given, waits=True)


@pytest.mark.parametrize("value", [90, 90.0, "90", timedelta(minutes=1.5)])
def test_seconds_and_timedeltas_are_read(value: Any) -> None:
    assert read_seconds("pause", value) == 90.0


@pytest.mark.parametrize("value", ["soon", None, True, [90], float("nan")])
def test_what_is_no_length_of_time_is_named(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^pause=.* is neither a number of seconds nor a timedelta$"):
        read_seconds("pause", value)
