"""The arguments of a call window are read as people write them, and refused with the fix where they are wrong."""

from __future__ import annotations

import datetime as dt
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest

from airflow_provider_twiliocall.callees.call_window import CallWindow

PARIS = "Europe/Paris"
ARGUMENTS = {"start": "09:00", "end": "20:00", "timezone": PARIS}


def window(**changes: Any) -> CallWindow:
    return CallWindow(**(ARGUMENTS | changes))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"end": "09:00"}, "start and end are both 09:00, which could mean always or never"),
        ({"start": "9"}, "start='9' is not a time of day: write it as text with a colon, e.g. '09:00'"),
        ({"start": 540}, "start=540 is not a time of day"),
        ({"start": None}, "start=None is not a time of day"),
        ({"start": "25:00"}, "start='25:00' is not a time of day: those are '00:00' to '23:59'"),
        ({"start": "24:00"}, "start='24:00' is the midnight at the end of a day: as a start, write '00:00'"),
        ({"end": "24:01"}, "end='24:01' is not a time of day"),
        ({"end": dt.time(20, tzinfo=dt.timezone.utc)}, "has a time zone of its own: leave it out"),
        (
            {"timezone": "Europe/Pariss"},
            "'Europe/Pariss' is not a time zone known here: did you mean Europe/Pari",
        ),
        ({"timezone": "europe/paris"}, "did you mean Europe/Paris?"),
        ({"timezone": "new york"}, "did you mean America/New_York?"),
        ({"timezone": "+02:00"}, "'+02:00' is not a time zone known here: give a name such as"),
        ({"timezone": pendulum.fixed_timezone(7200)}, "is not a time zone known here"),
        ({"timezone": "UTC +02:00"}, "because an offset does not tell when the clocks change"),
        ({"timezone": "gmt2"}, "because an offset does not tell when the clocks change"),
        ({"timezone": "Etc/GMT+2"}, "'Etc/GMT+2' is UTC-2, because its sign is reversed: give a place"),
        ({"timezone": "Etc/GMT-12"}, "'Etc/GMT-12' is UTC+12"),
        ({"timezone": "Europe"}, "'Europe' is not a time zone"),
        ({"timezone": "Europe/Pari"}, "did you mean Europe/Paris"),
        ({"timezone": "America/NewYork"}, "did you mean America/New_York?"),
        ({"timezone": "Europe/New_York"}, "did you mean America/New_York?"),
        ({"timezone": "CEST"}, "did you mean Europe/Berlin or Europe/Paris?"),
        ({"timezone": "PST"}, "did you mean America/Los_Angeles?"),
        (
            {"timezone": "EST"},
            "'EST' has no summer time, so a phone in America/New_York would ring an hour off for half of the year",
        ),
        ({"timezone": "localtime"}, "'localtime' is not a time zone"),
        ({"timezone": "../../etc/passwd"}, "is not a time zone"),
        ({"timezone": "\x00"}, "is not a time zone"),
        ({"timezone": "\ud800"}, "is not a time zone"),
        (
            {"timezone": ""},
            "'' names no time zone: give the callee's, e.g. 'Europe/Paris'; without it nobody is",
        ),
        ({"timezone": None}, "None names no time zone"),
        ({"timezone": "None"}, "'None' names no time zone"),
        (
            {"timezone": "{{ params.zone }}"},
            "is a template, which a CallWindow cannot render: give call_window a dict",
        ),
        ({"weekdays": []}, "weekdays=[] has no day, so the window never opens"),
        (
            {"weekdays": ["mon", "mo"]},
            "'mo' is not a weekday: give names such as 'monday' or 'mon', or 1 (Monday)",
        ),
        (
            {"weekdays": "mon-fr"},
            "'mon-fr' is not a range of weekdays: write the first and the last one, such as",
        ),
        ({"weekdays": ["mon-"]}, "'mon-' is not a range of weekdays"),
        ({"weekdays": "mon-wed-fri"}, "is not a range of weekdays"),
        (
            {"weekdays": [0]},
            "0 is not a weekday: give names such as 'monday' or 'mon', or 1 (Monday) to 7 (Sunday)",
        ),
        ({"weekdays": [True]}, "True is not a weekday"),
        ({"weekdays": 1.5}, "1.5 is not a list of weekdays"),
        (
            {"holidays": ["25.12.2026"]},
            "'25.12.2026' is not a date: write year, month and day, e.g. '2026-12-25', or a country such as 'FR'",
        ),
        ({"holidays": ["2026-02-30"]}, "'2026-02-30' is not a date"),
        ({"holidays": [20261225]}, "20261225 is not a date"),
        ({"holidays": 1.5}, "1.5 is not a list of dates"),
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


@pytest.mark.parametrize(
    ("weekdays", "numbers"),
    [
        ("mon-fri", "12345"),
        ("monday:friday", "12345"),
        ("Mon \N{EN DASH} Fri", "12345"),
        ("mon to fri", "12345"),
        ("1-5", "12345"),
        (["mon-wed", "fri"], "1235"),
        ("mon-wed,fri", "1235"),
        ("['mon-wed', 'fri']", "1235"),
        ("sat-mon", "167"),
        ("fri - fri", "5"),
        ("sun-sat", "1234567"),
    ],
)
def test_a_range_of_weekdays_goes_from_the_first_to_the_last_one(weekdays: Any, numbers: str) -> None:
    assert window(weekdays=weekdays) == window(weekdays=list(numbers))


@pytest.mark.parametrize(
    "name", ["GMT+2", "GMT-5", "UTC+2", "UTC-03:30", "utc +2", "Etc/UTC+2", "Etc/GMT+99", "GMT +1"]
)
def test_for_an_offset_no_zone_is_suggested_but_a_place(name: str) -> None:
    with pytest.raises(ValueError, match=r"give (a place|a name).* such as 'Europe/Berlin'") as refused:
        window(timezone=name)
    assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize("name", ["UTC", "GMT", "Etc/UTC", "Etc/GMT+0", "Etc/GMT-0", "GMT0"])
def test_what_is_no_offset_from_utc_is_a_zone(name: str) -> None:
    assert window(timezone=name).timezone == name


@pytest.mark.parametrize("zone", ["Europe/Pari", "Asia/Tokio", "America/Sao Paolo", "Australia/Sidney"])
def test_only_zones_of_the_same_region_are_suggested(zone: str) -> None:
    with pytest.raises(ValueError, match="did you mean") as refused:
        window(timezone=zone)
    suggested = str(refused.value).rpartition("did you mean ")[2].rstrip("?").split(" or ")
    assert {name.split("/")[0] for name in suggested} == {zone.split("/")[0]}


@pytest.mark.parametrize("zone", ["callee", " Callee "])
def test_the_zone_may_be_the_callees(zone: str) -> None:
    assert window(timezone=zone).timezone == "callee"


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


@pytest.mark.parametrize(
    ("holidays", "read"),
    [
        ("FR", ("FR",)),
        ("us-ca", ("US-CA",)),
        ("US_CA", ("US-CA",)),
        ("2026-12-24, FR", (dt.date(2026, 12, 24), "FR")),
        (["DE-BY", dt.date(2026, 12, 24), "AT"], (dt.date(2026, 12, 24), "AT", "DE-BY")),
        ("['FR', '2026-12-24']", (dt.date(2026, 12, 24), "FR")),
    ],
)
def test_holidays_may_be_those_of_a_country(holidays: Any, read: tuple[dt.date | str, ...]) -> None:
    assert window(holidays=holidays).holidays == read


def test_an_end_of_24_00_is_the_midnight_at_the_end_of_the_day() -> None:
    assert window(end="24:00") == window(end="00:00") == window(end=" 24:00:00") == window(end=dt.time())
    assert window(end="00:00").to_dict()["end"] == "24:00"
