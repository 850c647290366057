"""The storm rule, decided on lists of calls that are made up here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from airflow_provider_twiliocall.notifications import cooldown as storm_rule
from airflow_provider_twiliocall.notifications.cooldown import Cooldown, covers, random_wait
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.errors import TwilioRejectedError, TwilioUnreachableError
from airflow_provider_twiliocall.twilio.recent_calls import PAGE_SIZE

NOT_STARTED = {CallStatus.QUEUED, CallStatus.CANCELED}
TO, FROM = "+15551230001", "+15005559000"
# Of the test that runs: many others may have run since this file was read.
now = time.time()


def sid(number: int) -> str:
    return f"CA{number:032x}"


def call(number: int, status: str = "queued", *, age: float = 1.0, **fields: Any) -> Call:
    created = format_datetime(datetime.fromtimestamp(now - age, timezone.utc))
    body = {"sid": sid(number), "status": status, "date_created": created, "direction": "outbound-api"}
    return Call.model_validate(body | fields)


class Twilio:
    """As much of a client as the rule uses. Each request sees the next list; the last one stays."""

    def __init__(self, *lists: list[Call] | Exception, clock_offset: float | None = 0.0) -> None:
        self.lists = list(lists)
        self.clock_offset = clock_offset
        self.canceled: list[str] = []
        self.asked: list[list[str]] = []
        self.gone: set[str] = set()
        self.read = 0
        self.fault: Exception | None = None

    def list_calls(self, **filters: Any) -> Iterator[Call]:
        assert (filters["to"], filters["from_"]) == (TO, FROM)
        calls = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        self.asked.append(sorted(filters.keys() - {"to", "from_", "page_size"}))
        if isinstance(calls, Exception):
            raise calls
        for each in calls:
            if "start_time_after" not in filters or each.status not in NOT_STARTED:
                self.read += 1
                yield each

    def get_call(self, call_sid: str) -> Call:
        if self.fault is not None:
            raise self.fault
        if call_sid in {*self.gone, *self.canceled}:
            return call(int(call_sid[2:], 16), "canceled")
        known = [each for calls in self.lists if isinstance(calls, list) for each in calls]
        return next(each for each in [*known, call(int(call_sid[2:], 16))] if each.sid == call_sid)

    def update_call(self, call_sid: str, *, status: CallStatus) -> Call:
        assert status is CallStatus.CANCELED
        self.canceled.append(call_sid)
        return call(int(call_sid[2:], 16), "canceled")


class Record:
    """What is known of who placed which call; of others nothing is known."""

    def __init__(self, *of_alerts: int) -> None:
        self.asked: list[str] = []
        self._of_alerts = {sid(number) for number in of_alerts}

    def __call__(self, call_sid: str) -> bool:
        self.asked.append(call_sid)
        return call_sid in self._of_alerts


def cooldown(twilio: Twilio, minutes: float = 15, record: Record | None = None) -> Cooldown:
    known = {} if record is None else {"placed_by_alert": record}
    lasts = timedelta(minutes=minutes)
    return Cooldown(twilio, to=TO, from_=FROM, lasts=lasts, **known)  # type: ignore[arg-type]


def give_way(twilio: Twilio, own: Call, record: Record | None = None) -> Call | None:
    return cooldown(twilio, record=record).give_way(own, until=time.monotonic() + 5)


@pytest.fixture(autouse=True)
def the_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "now", time.time())


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storm_rule, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(storm_rule, "_PAUSE_S", 0.001)
    monkeypatch.setattr(storm_rule, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(storm_rule, "_CALM_S", 0.0)
    monkeypatch.setattr(storm_rule, "LONGEST_LAG_S", 0.05)


# The wait


def test_the_wait_is_random_and_never_longer_than_two_seconds() -> None:
    waits = [random_wait() for _ in range(2000)]
    assert min(waits) >= 0 and max(waits) <= 2
    assert len(set(waits)) > 1900


def test_of_a_crowd_few_are_ready_early() -> None:
    waits = sorted(random_wait() for _ in range(2000))
    assert sum(wait < 1 for wait in waits) < 200


# What covers an alert


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "completed"])
def test_a_call_that_is_alive_or_completed_covers(status: str) -> None:
    assert covers(call(1, status))
    assert cooldown(Twilio([call(1, status)])).covering_call() is not None


@pytest.mark.parametrize("status", ["busy", "failed", "no-answer", "canceled", "a-word-of-tomorrow"])
def test_a_call_that_reached_nobody_covers_nothing(status: str) -> None:
    assert cooldown(Twilio([call(1, status)])).covering_call() is None


def test_a_call_older_than_the_cooldown_covers_nothing() -> None:
    twilio = Twilio([call(1, "completed", age=10 * 60)])
    assert cooldown(twilio, minutes=15).covering_call() is not None
    assert cooldown(twilio, minutes=9).covering_call() is None


def test_age_is_told_by_the_clock_of_twilio() -> None:
    behind_by_an_hour = Twilio([call(1, "completed", age=3600 + 60)], clock_offset=-3600.0)
    assert cooldown(behind_by_an_hour).covering_call() is not None


def test_calls_that_no_notifier_places_cover_nothing() -> None:
    assert (
        cooldown(Twilio([call(1, direction="inbound"), call(2, date_created=None)])).covering_call() is None
    )


def test_after_a_storm_the_one_that_rings_is_found_behind_those_that_were_canceled() -> None:
    canceled = [call(number, "canceled", age=1) for number in range(2, 200)]
    twilio = Twilio([*canceled, call(1, "ringing", age=3)])
    assert cooldown(twilio).covering_call() == call(1, "ringing", age=3)
    assert twilio.read == PAGE_SIZE + 1


def test_a_list_that_cannot_be_read_is_said_so() -> None:
    with pytest.raises(TwilioUnreachableError):
        cooldown(Twilio(TwilioUnreachableError("away"))).covering_call()


# Who placed the call


def test_a_call_that_no_alert_has_placed_covers_nothing_after_a_minute() -> None:
    twilio = Twilio([call(1, "completed", age=120)])
    assert cooldown(twilio, record=Record()).covering_call() is None
    assert cooldown(twilio, record=Record(1)).covering_call() == call(1, "completed", age=120)


def test_a_young_call_covers_without_asking_who_has_placed_it() -> None:
    record = Record()
    assert cooldown(Twilio([call(1, "completed", age=50)]), record=record).covering_call() is not None
    assert record.asked == []


def test_the_youth_of_a_call_is_told_by_the_clock_of_twilio() -> None:
    behind_by_an_hour = Twilio([call(1, "completed", age=3600 + 50)], clock_offset=-3600.0)
    assert cooldown(behind_by_an_hour, record=Record()).covering_call() is not None


def test_where_nobody_can_tell_who_has_placed_it_a_call_covers() -> None:
    twilio = Twilio([call(1, "completed", age=120)])
    nobody_knows = Cooldown(
        twilio,  # type: ignore[arg-type]
        to=TO,
        from_=FROM,
        lasts=timedelta(minutes=15),
        placed_by_alert=lambda call_sid: None,
    )
    assert nobody_knows.covering_call() is not None


def test_the_call_of_an_alert_covers_behind_calls_of_others() -> None:
    twilio = Twilio([call(2, "completed", age=120), call(1, "completed", age=180)])
    covering = cooldown(twilio, record=Record(1)).covering_call()
    assert covering is not None and covering.sid == sid(1)


def test_nothing_is_asked_of_calls_that_cannot_cover() -> None:
    record = Record()
    reached_nobody = [call(number, "busy", age=120) for number in range(1, 9)]
    assert cooldown(Twilio(reached_nobody), record=record).covering_call() is None
    assert record.asked == []


def test_a_number_that_is_called_all_the_time_does_not_make_it_ask_for_ever() -> None:
    record = Record(1)
    calls = [*(call(number, "completed", age=120) for number in range(2, 100)), call(1, "completed", age=130)]
    assert cooldown(Twilio(calls), record=record).covering_call() is None
    assert len(record.asked) == 10


def test_nobody_gives_way_to_a_call_that_no_alert_has_placed_and_it_is_asked_for_once() -> None:
    record = Record()
    twilio = Twilio([call(9), call(5, "completed", age=120)])
    rule = cooldown(twilio, record=record)
    assert rule.covering_call() == call(9)
    assert rule.give_way(call(9), until=time.monotonic() + 5) == call(9)
    assert record.asked == [sid(5)]


def test_what_is_left_when_one_has_given_way_has_to_be_a_call_of_an_alert() -> None:
    twilio = Twilio([call(9), call(5, age=3)], [call(7, "completed", age=120)])
    twilio.gone = {sid(5)}
    assert give_way(twilio, call(9), Record()) is None


def test_calls_before_the_cooldown_are_those_of_the_first_page() -> None:
    calls = [call(1, age=60), *(call(number, age=1000 + number) for number in range(2, 100))]
    before = [each.sid for each in cooldown(Twilio(calls)).calls_before(3600)]
    assert before == [sid(number) for number in range(2, PAGE_SIZE + 1)]


# Giving way


def test_a_call_alone_stays() -> None:
    twilio = Twilio([call(5)])
    assert give_way(twilio, call(5)) == call(5)
    assert twilio.canceled == []


def test_a_later_call_gives_way_to_an_earlier_one() -> None:
    twilio = Twilio([call(5, age=1), call(9, age=3)])
    assert give_way(twilio, call(5, age=1)) == call(9, age=3)
    assert twilio.canceled == [sid(5)]


def test_an_earlier_call_does_not_give_way_to_a_later_one() -> None:
    twilio = Twilio([call(5, age=1), call(9, age=3)])
    assert give_way(twilio, call(9, age=3)) == call(9, age=3)
    assert twilio.canceled == []


def test_of_calls_of_one_second_the_sid_decides_and_so_one_stays() -> None:
    both = [call(5), call(9)]
    assert give_way(Twilio(both), call(9)) == call(5)
    assert give_way(Twilio(both), call(5)) == call(5)


def test_a_call_that_has_left_the_queue_comes_before_every_queued_one() -> None:
    twilio = Twilio([call(5, age=3), call(9, "ringing", age=1)])
    assert give_way(twilio, call(5, age=3)) == call(9, "ringing", age=1)
    assert twilio.canceled == [sid(5)]


def test_a_call_that_has_left_the_queue_is_let_be() -> None:
    twilio = Twilio([call(5, "ringing", age=1), call(9, "ringing", age=3)])
    assert give_way(twilio, call(5, age=1)) == call(5, "ringing", age=1)
    assert twilio.canceled == []


@pytest.mark.parametrize("status", ["busy", "failed", "no-answer", "canceled"])
def test_nobody_gives_way_to_a_call_that_reached_nobody(status: str) -> None:
    twilio = Twilio([call(9), call(5, status, age=3)])
    assert give_way(twilio, call(9)) == call(9)


def test_a_list_that_lags_is_looked_at_until_it_shows_what_is_earlier() -> None:
    twilio = Twilio([], [], [call(5, age=3)])
    assert give_way(twilio, call(9)) == call(5, age=3)


def test_between_the_first_look_and_the_last_it_asks_for_nothing_but_what_has_left_the_queue() -> None:
    twilio = Twilio([])
    assert give_way(twilio, call(9)) == call(9)
    first, *between, last = twilio.asked
    assert first == last == []
    assert {str(filters) for filters in between} == {"['start_time_after']"}


def test_there_is_a_last_look_when_lists_have_caught_up_however_long_the_others_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(storm_rule, "_PAUSE_S", 1.0)
    twilio = Twilio([], [call(5, age=3)])
    assert give_way(twilio, call(9)) == call(5, age=3)


def test_a_look_that_fails_is_tried_again_and_its_call_stays() -> None:
    away = TwilioUnreachableError("away")
    assert give_way(Twilio(away, [call(5, age=3)]), call(9)) == call(5, age=3)
    assert give_way(Twilio(away), call(9)) == call(9)


# Never none


def test_when_the_call_given_way_to_is_gone_another_that_stands_covers() -> None:
    twilio = Twilio([call(9), call(5, age=3)], [call(7, "ringing")])
    twilio.gone = {sid(5)}
    assert give_way(twilio, call(9)) == call(7, "ringing")


def test_when_nothing_stands_any_more_the_alert_is_to_be_placed_again() -> None:
    twilio = Twilio([call(9), call(5, age=3)], [call(9), call(5, "canceled", age=3)])
    twilio.gone = {sid(5)}
    assert give_way(twilio, call(9)) is None


def test_when_nobody_can_say_whether_a_queued_one_stands_the_alert_is_to_be_placed_again() -> None:
    twilio = Twilio([call(9), call(5, age=3)])
    twilio.fault = TwilioUnreachableError("away")
    rule = cooldown(twilio)
    assert rule.give_way(call(9), until=time.monotonic() + 5) is None
    assert rule.as_far_as_known(call(9)) == call(9)


def test_one_that_has_left_the_queue_covers_where_nobody_can_say_what_became_of_it() -> None:
    twilio = Twilio([call(9), call(5, "ringing", age=3)])
    twilio.fault = TwilioUnreachableError("away")
    assert give_way(twilio, call(9)) == call(5, "ringing", age=3)
    assert twilio.canceled == [sid(9)]


def test_of_two_that_ring_and_do_not_know_it_yet_only_the_later_is_canceled() -> None:
    class BothRing(Twilio):
        def get_call(self, call_sid: str) -> Call:
            return call(int(call_sid[2:], 16), "ringing", age=1 if call_sid == sid(9) else 3)

    sees_the_later, sees_the_earlier = BothRing([call(9, "ringing")]), BothRing([call(5, "ringing", age=3)])
    assert give_way(sees_the_later, call(5, age=3)) == call(5, "ringing", age=3)
    assert give_way(sees_the_earlier, call(9)) == call(5, "ringing", age=3)
    assert (sees_the_later.canceled, sees_the_earlier.canceled) == ([], [sid(9)])


def test_one_that_rings_by_the_time_it_is_to_be_canceled_is_kept_when_the_other_is_still_queued() -> None:
    class RingsMeanwhile(Twilio):
        def get_call(self, call_sid: str) -> Call:
            return call(9, "ringing")

    twilio = RingsMeanwhile([call(9), call(5, age=3)])
    assert give_way(twilio, call(9)) == call(9, "ringing")
    assert twilio.canceled == []


def test_one_that_is_over_when_it_is_to_be_canceled_is_what_covers() -> None:
    class OverMeanwhile(Twilio):
        def update_call(self, call_sid: str, *, status: CallStatus) -> Call:
            raise TwilioRejectedError("over", code=21220)

        def get_call(self, call_sid: str) -> Call:
            return call(9, "completed")

    assert give_way(OverMeanwhile([call(9), call(5, "ringing", age=3)]), call(9)) == call(9, "completed")


@pytest.mark.parametrize("order", [[5, 7, 9], [9, 7, 5], [7, 5, 9]])
def test_whoever_looks_first_one_call_is_left(order: list[int]) -> None:
    """Each sees the others as they stand when it looks."""
    twilio = Twilio([call(5), call(7), call(9)])
    for number in order:
        give_way(twilio, call(number))
        twilio.lists = [
            [call(each, "canceled" if sid(each) in twilio.canceled else "queued") for each in (5, 7, 9)]
        ]
    assert sorted(twilio.canceled) == [sid(7), sid(9)]
