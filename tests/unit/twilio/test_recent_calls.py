"""How much of Twilio's list is read to see the recent calls from one number to another, and which of them count."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pendulum
import pytest

from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.recent_calls import PAGE_SIZE, recent_calls, recent_pages
from tests.support.turned_clock import TurnedClock

NOW = 1_700_000_000.0
TO, FROM = "+15551230001", "+15005559000"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(NOW).install(monkeypatch)


class ListOfCalls:
    """As much of a client as is asked.

    :param tells_its_clock: seconds that its clock is ahead, as its first answer tells
    """

    def __init__(self, *calls: Call, tells_its_clock: float = 0.0) -> None:
        self._calls = calls
        self._tells_its_clock = tells_its_clock
        self.clock_offset: float | None = None
        self.filters: dict[str, Any] = {}
        self.read = 0

    def list_calls(self, **filters: Any) -> Iterator[Call]:
        self.filters = filters
        self.clock_offset = self._tells_its_clock
        for call in self._calls:
            self.read += 1
            yield call


def call(number: int, *, age: float, **fields: Any) -> Call:
    body = {"sid": sid(number), "status": "queued", "direction": "outbound-api"}
    return Call.model_validate(body | {"date_created": pendulum.from_timestamp(NOW - age)} | fields)


def sid(number: int) -> str:
    return f"CA{number:032x}"


def found(listed: ListOfCalls, *, seconds: float = 900) -> list[str]:
    calls = recent_calls(listed, to=TO, from_=FROM, seconds=seconds)  # type: ignore[arg-type]
    return [each.sid for each in calls]


def test_the_list_is_read_no_further_than_to_the_first_page_of_old_calls() -> None:
    listed = ListOfCalls(call(1, age=1), *(call(number, age=5000) for number in range(2, 10 * PAGE_SIZE)))
    assert found(listed) == [sid(1)]
    assert listed.read == 2 * PAGE_SIZE


def test_calls_that_are_not_in_order_are_found_all_the_same() -> None:
    listed = ListOfCalls(call(1, age=5000), call(2, age=1), call(3, age=5000), call(4, age=2))
    assert found(listed) == [sid(2), sid(4)]


def test_calls_between_the_two_are_asked_for_whatever_their_dates() -> None:
    listed = ListOfCalls()
    assert found(listed) == []
    assert listed.filters == {"to": TO, "from_": FROM, "page_size": PAGE_SIZE}


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
def test_age_is_told_by_the_clock_of_twilio_which_its_first_answer_tells(ahead: float) -> None:
    fresh, old = call(1, age=60 - ahead), call(2, age=1000 - ahead)
    assert found(ListOfCalls(fresh, old, tells_its_clock=ahead)) == [sid(1)]


@pytest.mark.parametrize("fields", [{"direction": "inbound"}, {"direction": None}, {"date_created": None}])
def test_calls_that_nobody_asked_the_api_for_and_undated_ones_are_left_out(fields: dict[str, Any]) -> None:
    assert found(ListOfCalls(call(1, age=1), call(2, age=1, **fields))) == [sid(1)]


def test_whoever_has_seen_enough_reads_no_further() -> None:
    listed = ListOfCalls(*(call(number, age=1) for number in range(1, 50)))
    pages = recent_pages(
        listed,  # type: ignore[arg-type]
        to=TO,
        from_=FROM,
        since=lambda: NOW - 900,
        page_size=5,
    )
    assert len(next(pages)) == 5
    assert listed.read == 5
