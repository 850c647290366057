"""When a callee may be rung: the moments that follow from window and expiry, and where the list comes from."""

from __future__ import annotations

import math
from typing import Any

import pendulum
import pytest

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.rules import DialRules, read_do_not_call
from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError

ANY_DAY = CallWindow("09:00", "20:00", "Europe/Paris")


def paris(hour: int, minute: int = 0, day: int = 24) -> float:
    return pendulum.datetime(2026, 11, day, hour, minute, tz="Europe/Paris").timestamp()


def test_without_rules_a_phone_may_ring_at_any_time() -> None:
    rules = DialRules()

    assert (rules.earliest_ring(5.0), rules.latest_ring(5.0), rules.allow(5.0)) == (5.0, math.inf, True)


def test_inside_the_window_it_may_ring_until_the_closing() -> None:
    rules = DialRules(ANY_DAY)

    assert rules.earliest_ring(paris(10)) == paris(10)
    assert rules.latest_ring(paris(10)) == paris(20)
    assert rules.allow(paris(19, 59))


def test_outside_the_window_it_may_ring_from_the_opening_and_not_now() -> None:
    rules = DialRules(ANY_DAY)

    assert rules.earliest_ring(paris(21)) == paris(9, day=25)
    assert rules.latest_ring(paris(21)) == paris(21)
    assert not rules.allow(paris(20))


def test_a_call_that_would_hardly_ring_before_the_closing_waits_for_the_opening() -> None:
    rules = DialRules(ANY_DAY, expires_at=paris(12, day=25))

    assert rules.earliest_ring(paris(20) - 3) == paris(20) - 3
    assert rules.earliest_ring(paris(20) - 2) == paris(9, day=25)
    assert not rules.allow(paris(20) - 2)
    assert (rules.is_pointless(paris(12, day=25) - 3), rules.is_pointless(paris(12, day=25) - 2)) == (
        False,
        True,
    )


def test_an_expiry_comes_before_a_later_closing() -> None:
    rules = DialRules(ANY_DAY, expires_at=paris(12))

    assert rules.latest_ring(paris(10)) == paris(12)
    assert not rules.allow(paris(12))


def test_without_a_window_an_expiry_alone_counts() -> None:
    assert DialRules(expires_at=50.0).latest_ring(5.0) == 50.0


def test_a_window_that_never_opens_is_an_error() -> None:
    never = CallWindow("09:00", "10:00", "UTC", weekdays=["mon"], holidays=_mondays_of_two_years())

    with pytest.raises(ValueError, match="does not open within a year"):
        DialRules(never).earliest_ring(paris(10))


def test_hours_are_for_people() -> None:
    assert DialRules(ANY_DAY).hours == "09:00 to 20:00 in Europe/Paris"
    assert DialRules().hours == "at any time"


@pytest.mark.parametrize(
    "value",
    [["+15551230001"], "+1 555 123 0001", "['+15551230001']", "tel:+15551230001", "<sip:+15551230001@trunk>"],
)
def test_numbers_are_read_as_they_stand(value: Any) -> None:
    assert read_do_not_call(value).is_listed("+15551230001")


@pytest.mark.parametrize("value", ["06 12 34 56 78", "0033612345678, 0612345679", "sip:0612345678@trunk"])
def test_national_numbers_are_not_the_name_of_a_variable(value: str) -> None:
    assert read_do_not_call(value, default_country="FR").is_listed("+33612345678")


def test_digits_that_cannot_be_compared_are_not_looked_up_as_a_variable() -> None:
    with pytest.raises(ValueError, match="has decimals"):
        read_do_not_call("15005550006.0")


def test_no_list_lists_nobody() -> None:
    assert len(read_do_not_call(None)) == 0


def test_a_name_is_that_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_OPTED_OUT", '["+15551230001"]')

    assert read_do_not_call(" opted_out ").is_listed("+15551230001")


def test_a_variable_may_be_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_OPTED_OUT", "")

    assert len(read_do_not_call("opted_out")) == 0


def test_a_variable_that_is_not_there_calls_nobody() -> None:
    with pytest.raises(
        TwilioCallNotPlacedError, match=r"'not_made', which Airflow does not find, or .*Create the Variable"
    ):
        read_do_not_call("not_made")


@pytest.mark.parametrize("blank", ["", "  ", "None"])
def test_a_name_that_rendered_to_nothing_calls_nobody(blank: str) -> None:
    with pytest.raises(ValueError, match="do_not_call is empty text"):
        read_do_not_call(blank)


def _mondays_of_two_years() -> list[str]:
    first = pendulum.date(2026, 11, 2)
    return [first.add(weeks=week).isoformat() for week in range(104)]
