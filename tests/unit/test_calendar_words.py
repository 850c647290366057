"""The arguments of a call window are read as people write them, and refused with the fix where they are wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest

from airflow_provider_twiliocall.call_window import CallWindow

PARIS = "Europe/Paris"
ARGUMENTS = {"start": "09:00", "end": "20:00", "timezone": PARIS}


def window(**changes: Any) -> CallWindow:
    return CallWindow(**(ARGUMENTS | changes))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"end": "09:00"}, "start and end are both 09:00, which could mean always or never"),
        ({"start": "9"}, "start='9' is no time of day: write it as text with a colon, e.g. '09:00'"),
        ({"start": 540}, "start=540 is no time of day"),
        ({"start": None}, "start=None is no time of day"),
        ({"start": "25:00"}, "start='25:00' is no time of day: those are '00:00' to '23:59'"),
        ({"end": "24:00"}, "end='24:00' is written '00:00'"),
        ({"end": dt.time(20, tzinfo=dt.timezone.utc)}, "has a time zone of its own: leave it out"),
        (
            {"timezone": "Europe/Pariss"},
            "'Europe/Pariss' is not a time zone that is known here: did you mean Europe/Pari",
        ),
        ({"timezone": "europe/paris"}, "did you mean Europe/Paris?"),
        ({"timezone": "new york"}, "did you mean America/New_York?"),
        ({"timezone": "+02:00"}, "'+02:00' is not a time zone that is known here: give a name such as"),
        ({"timezone": pendulum.fixed_timezone(7200)}, "is not a time zone that is known here"),
        ({"timezone": "Europe"}, "'Europe' is not a time zone"),
        ({"timezone": "localtime"}, "'localtime' is not a time zone"),
        ({"timezone": "../../etc/passwd"}, "is not a time zone"),
        ({"timezone": "\x00"}, "is not a time zone"),
        ({"timezone": "\ud800"}, "is not a time zone"),
        ({"timezone": ""}, "'' names no time zone: give the callee's, e.g. 'Europe/Paris'; nobody is called"),
        ({"timezone": None}, "None names no time zone"),
        ({"timezone": "None"}, "'None' names no time zone"),
        (
            {"timezone": "{{ params.zone }}"},
            "is a template, which a CallWindow cannot render: give call_window a dict",
        ),
        ({"weekdays": []}, "weekdays=[] has no day, so the window never opens"),
        (
            {"weekdays": ["mon", "mo"]},
            "'mo' is no weekday: give names such as 'monday' or 'mon', or 1 (Monday)",
        ),
        ({"weekdays": "mon-fri"}, "'mon-fri' is no weekday"),
        (
            {"weekdays": [0]},
            "0 is no weekday: give names such as 'monday' or 'mon', or 1 (Monday) to 7 (Sunday)",
        ),
        ({"weekdays": [True]}, "True is no weekday"),
        ({"weekdays": 1.5}, "1.5 is no list of weekdays"),
        (
            {"holidays": ["25.12.2026"]},
            "'25.12.2026' is no date: write year, month and day, e.g. '2026-12-25'",
        ),
        ({"holidays": ["2026-02-30"]}, "'2026-02-30' is no date"),
        ({"holidays": [20261225]}, "20261225 is no date"),
        ({"holidays": 1.5}, "1.5 is no list of dates"),
    ],
)
def test_an_argument_that_is_wrong_is_named_with_the_fix(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        window(**changes)
    assert problem in str(refused.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ValueError, match=r"start=.*; end=.*; timezone=.*; weekdays=.*; holidays="):
        CallWindow("x", "y", "z", weekdays="w", holidays="h")


@pytest.mark.parametrize(
    "start", ["09:00", "9:00", " 09:00:00 ", dt.time(9), dt.time(9, 0, 0, 1), pendulum.time(9)]
)
def test_a_time_is_text_or_a_time(start: Any) -> None:
    assert window(start=start) == window()


@pytest.mark.parametrize("zone", [PARIS, " Europe/Paris\n", ZoneInfo(PARIS), pendulum.timezone(PARIS)])
def test_a_zone_is_its_name_or_a_zone_that_has_one(zone: Any) -> None:
    assert window(timezone=zone) == window()


@pytest.mark.parametrize(
    "weekdays",
    [
        ["monday", "sunday"],
        ("Sun", "MON"),
        {1, 7},
        ["1", "7"],
        "mon, sun",
        "mon sun",
        "['monday', 'sunday']",
        [pendulum.MONDAY, pendulum.SUNDAY],
    ],
)
def test_weekdays_are_names_or_numbers(weekdays: Any) -> None:
    assert window(weekdays=weekdays).weekdays == ("monday", "sunday")


def test_one_weekday_needs_no_list() -> None:
    assert window(weekdays="tuesday") == window(weekdays=2) == window(weekdays=["tues"])


@pytest.mark.parametrize(
    "holidays",
    [
        ["2026-12-25", "2026-12-26"],
        "2026-12-26, 2026-12-25",
        "['2026-12-25', '2026-12-26']",
        {dt.date(2026, 12, 26), dt.date(2026, 12, 25)},
        [pendulum.date(2026, 12, 25), "2026-12-26T00:00:00+00:00", "2026-12-26 00:00:00"],
        [dt.datetime(2026, 12, 25), pendulum.datetime(2026, 12, 26, 23, tz="Asia/Tokyo")],
        {dt.date(2026, 12, 25): "Noël", dt.date(2026, 12, 26): "Saint-Étienne"},
    ],
)
def test_holidays_are_dates_as_they_are_written(holidays: Any) -> None:
    assert window(holidays=holidays).holidays == (dt.date(2026, 12, 25), dt.date(2026, 12, 26))


def test_no_holidays_and_one_holiday_need_no_list() -> None:
    assert window(holidays=None) == window(holidays="") == window(holidays=[]) == window()
    assert window(holidays=dt.date(2026, 12, 25)) == window(holidays="2026-12-25")
