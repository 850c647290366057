"""A phone rings only by the clock on the callee's wall: openings, closings, changed clocks."""

from __future__ import annotations

import copy
import datetime as dt
import json
import pickle
from typing import Any
from zoneinfo import ZoneInfo

import pendulum
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.callees.zones import zones_of
from tests.unit.examples import reproducible

PARIS = "Europe/Paris"
ARGUMENTS = {"start": "09:00", "end": "20:00", "timezone": PARIS}
PAST_MIDNIGHT = CallWindow("22:00", "02:00", PARIS)

times = st.times().map(lambda clock: clock.replace(microsecond=0))
zones = st.sampled_from(
    [PARIS, "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
)


def window(**changes: Any) -> CallWindow:
    return CallWindow(**(ARGUMENTS | changes))


def at(text: str, zone: str = PARIS) -> pendulum.DateTime:
    """2026-07-01 is a Wednesday. An offset in the text tells the two turns of an hour that comes twice apart."""
    moment = pendulum.parse(text, tz=zone)
    assert isinstance(moment, pendulum.DateTime)
    return moment


def shown(moment: pendulum.DateTime) -> str:
    return moment.format("YYYY-MM-DD HH:mm Z")


# Open or closed


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-07-01 08:59:59.999999", False),
        ("2026-07-01 09:00", True),
        ("2026-07-01 19:59:59.999999", True),
        ("2026-07-01 20:00", False),
    ],
)
def test_the_first_moment_belongs_to_the_window_and_the_last_does_not(moment: str, is_open: bool) -> None:
    assert window().is_open(at(moment)) is is_open


def test_the_callees_clock_counts_and_not_ours() -> None:
    noon_in_utc = dt.datetime(2026, 7, 1, 12, tzinfo=dt.timezone.utc)
    assert window().is_open(noon_in_utc)
    assert not window(timezone="America/Los_Angeles").is_open(noon_in_utc)
    assert not window(timezone="Asia/Tokyo").is_open(noon_in_utc)
    assert window().is_open(noon_in_utc.astimezone(ZoneInfo("Asia/Tokyo")))


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has no time zone.*give an aware datetime"):
        window().is_open(dt.datetime(2026, 7, 1, 12))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-07-01 21:59", False),
        ("2026-07-01 22:00", True),
        ("2026-07-02 00:00", True),
        ("2026-07-02 01:59", True),
        ("2026-07-02 02:00", False),
    ],
)
def test_a_window_whose_end_comes_first_lasts_past_midnight(moment: str, is_open: bool) -> None:
    assert PAST_MIDNIGHT.is_open(at(moment)) is is_open


def test_an_end_at_midnight_is_the_end_of_the_day() -> None:
    evening = CallWindow("18:00", "00:00", PARIS, weekdays="wed")
    assert evening.is_open(at("2026-07-01 23:59:59"))
    assert not evening.is_open(at("2026-07-02 00:00"))
    assert not evening.is_open(at("2026-07-01 00:00"))


def test_weekdays_are_those_on_which_the_window_opens() -> None:
    fridays = CallWindow("22:00", "02:00", PARIS, weekdays=["friday"])
    assert fridays.is_open(at("2026-07-03 23:00"))
    assert fridays.is_open(at("2026-07-04 01:00"))
    assert not fridays.is_open(at("2026-07-03 01:00"))
    assert not fridays.is_open(at("2026-07-04 23:00"))


def test_a_window_does_not_open_on_a_holiday_but_may_last_into_one() -> None:
    past_midnight = CallWindow("22:00", "02:00", PARIS, holidays=["2026-12-25"])
    assert past_midnight.is_open(at("2026-12-25 01:00"))
    assert not past_midnight.is_open(at("2026-12-25 23:00"))
    assert not past_midnight.is_open(at("2026-12-26 01:00"))


def test_a_window_from_midnight_to_24_00_is_the_whole_day() -> None:
    working_days = CallWindow("00:00", "24:00", PARIS, weekdays="mon-fri")
    assert working_days.is_open(at("2026-07-03 00:00"))
    assert working_days.is_open(at("2026-07-03 23:59:59"))
    assert not working_days.is_open(at("2026-07-04 00:00"))
    assert shown(working_days.closes_after(at("2026-06-29 12:00"))) == "2026-07-04 00:00 +02:00"
    assert shown(working_days.opens_after(at("2026-07-04 12:00"))) == "2026-07-06 00:00 +02:00"


def test_a_window_of_all_hours_of_all_days_does_not_close() -> None:
    always = CallWindow("00:00", "24:00", PARIS)
    assert always.is_open(at("2026-07-04 00:00"))
    assert always.closes_after(at("2026-07-04 12:00")) is None
    assert eval(repr(always)) == CallWindow.from_value(always.to_dict()) == always


def test_whole_days_are_not_written_with_two_midnights() -> None:
    with pytest.raises(ValueError, match="give two different times, or 00:00 and 24:00 for whole days"):
        CallWindow("00:00", "00:00", PARIS)


def test_a_window_does_not_open_on_the_public_holidays_of_a_country_in_any_year() -> None:
    french = window(holidays="FR")
    assert not french.is_open(at("2026-07-14 12:00"))
    assert not french.is_open(at("2031-07-14 12:00"))
    assert window().is_open(at("2026-07-14 12:00"))
    assert shown(french.opens_after(at("2026-07-13 21:00"))) == "2026-07-15 09:00 +02:00"


def test_holidays_of_a_part_of_a_country_and_dates_go_together() -> None:
    bavarian = CallWindow("09:00", "20:00", "Europe/Berlin", holidays=["DE-BY", "2026-12-24"])
    # Epiphany is a holiday in Bavaria, and none in most of Germany.
    assert not bavarian.is_open(at("2026-01-06 12:00", "Europe/Berlin"))
    assert not bavarian.is_open(at("2026-12-24 12:00", "Europe/Berlin"))
    assert window(holidays="DE").is_open(at("2026-01-06 12:00"))


def test_a_country_is_kept_as_it_was_given_and_not_as_its_dates() -> None:
    assert window(holidays="fr").to_dict()["holidays"] == ["FR"]
    assert CallWindow.from_value(str(window(holidays="FR"))) == window(holidays="FR")


# The callee's own zones

# The library names two zones for a Spanish mobile, and sixteen for a Russian one.
SPANISH, RUSSIAN = "+34612345678", "+79161234567"
BY_NUMBER = CallWindow("09:00", "20:00", "callee")


def test_a_callee_of_one_zone_has_its_hours() -> None:
    assert BY_NUMBER.for_callee("+33612345678").opens_after(at("2026-07-01 08:00")) == at("2026-07-01 09:00")
    assert BY_NUMBER.for_callee("+33612345678").hours == "09:00 to 20:00 in Europe/Paris"


def test_a_callee_of_several_zones_is_called_while_it_is_open_in_all_of_them() -> None:
    spain = BY_NUMBER.for_callee(SPANISH)
    # In the Canary Islands it is an hour earlier.
    assert not spain.is_open(at("2026-07-01 09:59", "Europe/Madrid"))
    assert spain.is_open(at("2026-07-01 10:00", "Europe/Madrid"))
    assert spain.is_open(at("2026-07-01 19:59", "Europe/Madrid"))
    assert not spain.is_open(at("2026-07-01 20:00", "Europe/Madrid"))
    assert spain.opens_after(at("2026-07-01 08:00")) == at("2026-07-01 10:00", "Europe/Madrid")
    assert spain.closes_after(at("2026-07-01 08:00")) == at("2026-07-01 20:00", "Europe/Madrid")
    assert spain.hours == "09:00 to 20:00 in all of Atlantic/Canary and Europe/Madrid"


def test_zones_that_are_never_open_together_are_said_with_the_fix() -> None:
    with pytest.raises(
        ValueError,
        match=r"the call window 09:00 to 12:00 is never open in all of the 16 time zones of \+7\*{7}4567 \("
        r"Asia/Almaty, .* and 11 more\) in the next 31 days: give it the callee's timezone",
    ):
        CallWindow("09:00", "12:00", "callee").for_callee(RUSSIAN).opens_after(at("2026-07-01"))


def test_an_opening_that_only_a_change_of_clocks_brings_months_ahead_is_none() -> None:
    # From American Samoa to Guam: in winter half an hour of the day is left.
    freephone = BY_NUMBER.for_callee("+18005551234")
    assert freephone.opens_after(at("2026-01-01", "UTC")) < at("2026-01-02", "UTC")
    with pytest.raises(ValueError, match="is never open in all of the 42 time zones"):
        freephone.opens_after(at("2026-07-01", "UTC"))


def test_a_callee_without_a_known_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone is known for it: name the callee's"):
        BY_NUMBER.for_callee("client:ann")


def test_a_named_zone_is_everybodys() -> None:
    assert window().for_callee("client:ann") is not None
    assert window().for_callee("+81312345678") == window()


def test_a_window_that_does_not_know_its_callee_says_so() -> None:
    assert BY_NUMBER.hours == "09:00 to 20:00 in the callee's time zone"
    with pytest.raises(ValueError, match=r"use its for_callee\(number\)"):
        BY_NUMBER.is_open(at("2026-07-01"))


def test_an_unknown_country_is_said_once_somebody_is_to_be_called() -> None:
    with pytest.raises(ValueError, match="holidays='XX' is not a country"):
        window(holidays="XX").for_callee("+33612345678")


def test_a_window_of_the_callees_is_stored_as_it_was_given() -> None:
    assert BY_NUMBER.for_callee(SPANISH).to_dict() == BY_NUMBER.to_dict()
    assert BY_NUMBER.to_dict()["timezone"] == "callee"
    assert CallWindow.from_value(str(BY_NUMBER)) == BY_NUMBER


@reproducible(examples=60)
@given(
    times,
    times,
    # Of 2, 3 and 8 zones; Lord Howe changes its clock by half an hour, and Canberra's neighbours never do.
    st.sampled_from([SPANISH, "+351912345678", "+61412345678", "+447911123456", "+5491112345678"]),
    st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)),
)
@example(dt.time(1, 30), dt.time(3, 30), SPANISH, dt.datetime(2026, 3, 28, 23, 0))
@example(dt.time(1, 30), dt.time(2, 30), SPANISH, dt.datetime(2026, 10, 24, 23, 0))
@example(dt.time(22, 0), dt.time(6, 0), "+61412345678", dt.datetime(2026, 4, 4, 12, 0))
def test_the_window_is_open_when_it_is_open_in_every_zone_of_the_callee(
    start: dt.time, end: dt.time, to: str, moment: dt.datetime
) -> None:
    end = end if end != start else start.replace(hour=(start.hour + 1) % 24)
    bound = CallWindow(start, end, "callee").for_callee(to)
    in_each = [CallWindow(start, end, zone) for zone in zones_of(to)]
    now = moment.replace(tzinfo=dt.timezone.utc)
    try:
        opening = bound.opens_after(now).timestamp()
        closing = bound.closes_after(now).timestamp()
    except ValueError:
        opening = closing = now.timestamp() + 3 * 86400
    inside = [*_between(opening, closing), closing]
    for second in [*_between(now.timestamp(), opening), *inside]:
        tried = pendulum.from_timestamp(second)
        assert bound.is_open(tried) == all(each.is_open(tried) for each in in_each)
        assert bound.is_open(tried) == (opening <= second < closing)


# The next opening and closing


@pytest.mark.parametrize(
    ("moment", "opens", "closes"),
    [
        ("2026-07-01 08:00", "2026-07-01 09:00 +02:00", "2026-07-01 20:00 +02:00"),
        ("2026-07-01 09:00", "2026-07-01 09:00 +02:00", "2026-07-01 20:00 +02:00"),
        ("2026-07-01 12:34", "2026-07-01 12:34 +02:00", "2026-07-01 20:00 +02:00"),
        ("2026-07-01 20:00", "2026-07-02 09:00 +02:00", "2026-07-02 20:00 +02:00"),
        ("2026-07-03 21:00", "2026-07-06 09:00 +02:00", "2026-07-06 20:00 +02:00"),
        ("2026-12-24 20:00", "2026-12-28 09:00 +01:00", "2026-12-28 20:00 +01:00"),
    ],
)
def test_a_closed_window_opens_next_and_then_closes(moment: str, opens: str, closes: str) -> None:
    working_days = window(weekdays="mon,tue,wed,thu,fri", holidays=["2026-12-25"])
    assert shown(working_days.opens_after(at(moment))) == opens
    assert shown(working_days.closes_after(at(moment))) == closes


def test_a_window_past_midnight_closes_on_the_next_day() -> None:
    assert shown(PAST_MIDNIGHT.closes_after(at("2026-07-01 23:00"))) == "2026-07-02 02:00 +02:00"
    assert shown(PAST_MIDNIGHT.closes_after(at("2026-07-02 01:00"))) == "2026-07-02 02:00 +02:00"
    assert shown(PAST_MIDNIGHT.opens_after(at("2026-07-02 02:00"))) == "2026-07-02 22:00 +02:00"


def test_an_opening_is_told_in_the_callees_zone_whatever_zone_was_asked_in() -> None:
    opening = window(timezone="America/New_York").opens_after(dt.datetime(2026, 7, 1, tzinfo=dt.timezone.utc))
    assert isinstance(opening, pendulum.DateTime)
    assert opening.timezone_name == "America/New_York"
    assert shown(opening) == "2026-07-01 09:00 -04:00"


def test_holidays_that_leave_no_day_within_a_year_are_said() -> None:
    every_day = [dt.date(2026, 7, 1) + dt.timedelta(days=days) for days in range(400)]
    never = window(holidays=every_day)
    with pytest.raises(
        ValueError, match="does not open within a year from 2026-07-02: look at its 400 holidays"
    ):
        never.opens_after(at("2026-07-02"))
    with pytest.raises(ValueError, match="does not open within a year"):
        never.closes_after(at("2026-07-02"))


def test_a_window_that_opens_once_a_year_is_waited_for() -> None:
    others = [dt.date(2026, 7, 2) + dt.timedelta(days=days) for days in range(364)]
    assert shown(window(holidays=others).opens_after(at("2026-07-01 21:00"))) == "2027-07-01 09:00 +02:00"


# Clocks that are put forward (2026-03-29, 02:00 becomes 03:00) and back (2026-10-25, 03:00 becomes 02:00)


def test_a_start_that_is_skipped_opens_the_window_when_the_clock_jumps_over_it() -> None:
    skipped = CallWindow("02:30", "20:00", PARIS)
    assert shown(skipped.opens_after(at("2026-03-28 20:00"))) == "2026-03-29 03:00 +02:00"
    assert not skipped.is_open(at("2026-03-29 01:59:59"))


def test_an_end_that_is_skipped_closes_the_window_when_the_clock_jumps_over_it() -> None:
    skipped = CallWindow("22:00", "02:30", PARIS)
    assert shown(skipped.closes_after(at("2026-03-28 23:00"))) == "2026-03-29 03:00 +02:00"


def test_a_window_within_the_skipped_hour_does_not_open_that_night() -> None:
    skipped = CallWindow("02:15", "02:45", PARIS)
    assert shown(skipped.opens_after(at("2026-03-28 12:00"))) == "2026-03-30 02:15 +02:00"


def test_a_pause_within_the_skipped_hour_closes_nothing_that_night() -> None:
    pausing = CallWindow("02:45", "02:15", PARIS)
    assert shown(pausing.closes_after(at("2026-03-28 12:00"))) == "2026-03-30 02:15 +02:00"


def test_a_start_that_comes_twice_opens_the_window_each_time_the_clock_shows_it() -> None:
    twice = CallWindow("02:30", "20:00", PARIS)
    assert shown(twice.opens_after(at("2026-10-25 00:00"))) == "2026-10-25 02:30 +02:00"
    assert shown(twice.closes_after(at("2026-10-25 02:45+02:00"))) == "2026-10-25 02:00 +01:00"
    assert not twice.is_open(at("2026-10-25 02:15+01:00"))
    assert shown(twice.opens_after(at("2026-10-25 02:15+01:00"))) == "2026-10-25 02:30 +01:00"


def test_an_end_that_comes_twice_closes_the_window_each_time_the_clock_shows_it() -> None:
    twice = CallWindow("22:00", "02:30", PARIS)
    assert shown(twice.closes_after(at("2026-10-24 23:00"))) == "2026-10-25 02:30 +02:00"
    assert shown(twice.opens_after(at("2026-10-25 02:45+02:00"))) == "2026-10-25 02:00 +01:00"
    assert shown(twice.closes_after(at("2026-10-25 02:15+01:00"))) == "2026-10-25 02:30 +01:00"


def test_a_window_within_the_hour_that_comes_twice_opens_twice() -> None:
    twice = CallWindow("02:15", "02:45", PARIS)
    assert shown(twice.opens_after(at("2026-10-25 02:45+02:00"))) == "2026-10-25 02:15 +01:00"
    assert shown(twice.closes_after(at("2026-10-25 02:45+02:00"))) == "2026-10-25 02:45 +01:00"


def test_a_day_on_which_the_clock_changes_keeps_its_hours_by_the_clock() -> None:
    assert shown(window().opens_after(at("2026-03-29 00:00"))) == "2026-03-29 09:00 +02:00"
    assert shown(window().opens_after(at("2026-10-25 00:00"))) == "2026-10-25 09:00 +01:00"


def test_a_midnight_that_is_skipped_opens_at_the_first_moment_of_the_day() -> None:
    # In Cairo 2026-04-24 begins at 01:00.
    cairo = CallWindow("00:30", "06:00", "Africa/Cairo")
    assert shown(cairo.opens_after(at("2026-04-23 12:00", "Africa/Cairo"))) == "2026-04-24 01:00 +03:00"


def test_a_day_that_a_country_has_skipped_is_no_day_to_open_on() -> None:
    # Samoa went from 2011-12-29 straight to 2011-12-31.
    samoa = window(timezone="Pacific/Apia")
    assert shown(samoa.opens_after(at("2011-12-29 21:00", "Pacific/Apia"))) == "2011-12-31 09:00 +14:00"


@reproducible(examples=200)
@given(times, times, zones, st.datetimes(dt.datetime(2026, 1, 1), dt.datetime(2027, 1, 1)))
@example(dt.time(2, 15), dt.time(2, 45), PARIS, dt.datetime(2026, 10, 25, 0, 45))
@example(dt.time(2, 45), dt.time(2, 15), PARIS, dt.datetime(2026, 10, 25, 0, 45))
@example(dt.time(1, 45), dt.time(1, 40), "Australia/Lord_Howe", dt.datetime(2026, 4, 4, 14, 50))
def test_the_window_is_shut_until_it_opens_and_open_until_it_closes(
    start: dt.time, end: dt.time, zone: str, moment: dt.datetime
) -> None:
    some = CallWindow(start, end if end != start else start.replace(hour=(start.hour + 1) % 24), zone)
    now = moment.replace(tzinfo=dt.timezone.utc)
    opening, closing = some.opens_after(now).timestamp(), some.closes_after(now).timestamp()
    assert now.timestamp() <= opening < closing
    assert [
        some.is_open(pendulum.from_timestamp(second)) for second in _between(now.timestamp(), opening)
    ] == [False] * len(_between(now.timestamp(), opening))
    assert all(some.is_open(pendulum.from_timestamp(second)) for second in _between(opening, closing))
    assert not some.is_open(pendulum.from_timestamp(closing))


def _between(first: float, end: float) -> list[float]:
    """Some moments from the first one to shortly before the end, which is not one of them."""
    steps = [first + (end - first) * part / 60 for part in range(60)]
    return [*steps, end - 0.001] if end - first > 0.001 else []


# To and from what Airflow stores

FULL = window(weekdays="mon,sat", holidays=["2026-12-25"])


@pytest.mark.parametrize(
    "value",
    [
        FULL,
        FULL.to_dict(),
        FULL.serialize(),
        json.dumps(FULL.to_dict()),
        str(FULL.to_dict()),
        str(FULL),
        f"\n {FULL} ",
        copy.deepcopy(FULL),
        pickle.loads(pickle.dumps(FULL)),
        CallWindow.deserialize(json.loads(json.dumps(FULL.serialize())), CallWindow.__version__),
        eval(repr(FULL)),
    ],
)
def test_a_window_comes_back_from_whatever_it_was_turned_into(value: Any) -> None:
    assert CallWindow.from_value(value) == FULL
    assert hash(CallWindow.from_value(value)) == hash(FULL)


def test_a_window_as_a_dict_is_what_json_knows() -> None:
    assert FULL.to_dict() == {
        "start": "09:00",
        "end": "20:00",
        "timezone": "Europe/Paris",
        "weekdays": ["monday", "saturday"],
        "holidays": ["2026-12-25"],
    }
    assert window(start="09:00:30").to_dict()["start"] == "09:00:30"


def test_a_window_is_told_to_people_in_few_words() -> None:
    assert FULL.hours == "09:00 to 20:00 in Europe/Paris"


def test_a_window_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FULL.end = dt.time(23)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "the call window is None: give a CallWindow, or a dict such as"),
        ("", "the call window is ''"),
        ("None", "the call window is 'None'"),
        ("09:00-20:00", "the call window is '09:00-20:00'"),
        ("[" * 100_000, "the call window is"),
        (["09:00", "20:00"], "give a CallWindow, or a dict"),
        (
            {**ARGUMENTS, "tz": PARIS, "days": 1},
            "the call window has no tz, days: it has start, end, timezone",
        ),
        (
            {"start": "09:00"},
            "the call window lacks end and timezone: give start, end and the callee's timezone",
        ),
        ({**ARGUMENTS, "timezone": "Mars/Olympus"}, "timezone='Mars/Olympus' is not a time zone"),
    ],
)
def test_a_value_that_is_no_window_is_refused_with_the_fix(value: Any, problem: str) -> None:
    with pytest.raises(ValueError) as refused:
        CallWindow.from_value(value)
    assert problem in str(refused.value)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "value",
    [
        None,
        FULL,
        ARGUMENTS,
        json.dumps(ARGUMENTS),
        {**ARGUMENTS, "timezone": "{{ params.zone }}"},
        {**ARGUMENTS, "holidays": ["{% if true %}2026-12-25{% endif %}"]},
        "{{ ti.xcom_pull('contacts').window }}",
    ],
)
def test_at_parse_time_a_literal_that_is_right_and_a_template_pass(value: Any) -> None:
    CallWindow.check_literal(value)


def test_at_parse_time_what_another_task_returns_passes() -> None:
    class OfAnotherTask:
        def resolve(self, context: object) -> None: ...

    CallWindow.check_literal(OfAnotherTask())
    CallWindow.check_literal({**ARGUMENTS, "timezone": OfAnotherTask()})


@pytest.mark.parametrize(
    "value", [{**ARGUMENTS, "timezone": "Europe/Pari"}, "", "{}", 5, {**ARGUMENTS, "end": "09:00"}]
)
def test_at_parse_time_a_literal_that_is_wrong_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="the call window"):
        CallWindow.check_literal(value)
