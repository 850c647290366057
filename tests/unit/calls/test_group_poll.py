"""One poll of many calls against an account in memory: how many requests, and what they tell."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_twiliocall.calls.group_poll import GroupPoll, WaitedCall
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.watch import CallWatch, LookAgain
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.errors import (
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from tests.support.turned_clock import TurnedClock

NOW = 1_800_000_000.0
AWAY = TwilioUnreachableError("away", http_status=503)
LATER = TwilioThrottledError("later", http_status=429)
REFUSED = TwilioRejectedError("no", http_status=401, code=20003)


def sid_of(number: int) -> str:
    return f"CA{number:032x}"


class Account:
    """An account whose calls are in the list as they were put there, newest first."""

    clock_offset = 0.0

    def __init__(self, *, largest_page: int = 1000) -> None:
        self._largest_page = largest_page
        self.bodies: list[dict[str, Any]] = []
        self.listed: list[Any] | None = None
        self.requests: list[str] = []
        self.list_fault: TwilioError | None = None
        self.get_faults: dict[str, TwilioError] = {}
        self.fault: TwilioError | None = None

    def has(self, number: int, status: str = "in-progress", *, age: float = 10) -> str:
        body = {"sid": sid_of(number), "status": status, "date_created": formatdate(NOW - age)}
        self.bodies.insert(0, body)
        return sid_of(number)

    def call_pages(self, page_size: int) -> Iterator[list[Any]]:
        listed = self.bodies if self.listed is None else self.listed
        page_size = min(page_size, self._largest_page)
        for start in range(0, max(1, len(listed)), page_size):
            self.requests.append("list")
            if fault := self.fault or self.list_fault:
                raise fault
            yield listed[start : start + page_size]

    def get_call(self, sid: str) -> Call:
        self.requests.append(sid)
        if fault := self.fault or self.get_faults.get(sid):
            raise fault
        for body in self.bodies:
            if body["sid"] == sid:
                return Call.model_validate(body)
        raise TwilioNotFoundError("Twilio does not know it", http_status=404, code=20404)

    def update_call(self, sid: str, *, status: str) -> Call:
        self.requests.append(f"update {sid}")
        [body] = [each for each in self.bodies if each["sid"] == sid]
        body["status"] = status
        return Call.model_validate(body)


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(NOW).install(monkeypatch)


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def waited(sid: str, **how: Any) -> WaitedCall:
    return WaitedCall(CallWatch(sid, **{"poll_interval": 5, **how}), due=NOW)


def polled(
    account: Any,
    due: list[WaitedCall],
    threads: ThreadPoolExecutor,
    *,
    waiting: list[WaitedCall] | None = None,
    reads_list: bool = True,
    are_credentials_fresh: bool = False,
) -> GroupPoll[WaitedCall]:
    poll = GroupPoll(
        account,
        due,
        due if waiting is None else waiting,
        reads_list=reads_list,
        are_credentials_fresh=are_credentials_fresh,
    )
    poll.run(threads)
    return poll


def reasons(poll: GroupPoll[WaitedCall]) -> list[Reason | None]:
    return [answer.reason if isinstance(answer, CallOutcome) else None for answer in poll.answers.values()]


def test_one_call_is_one_look(account: Account, threads: ThreadPoolExecutor) -> None:
    call = waited(account.has(1))
    poll = polled(account, [call], threads)
    assert account.requests == [sid_of(1)]
    assert poll.answers == {call: LookAgain(NOW + 5)}


def test_a_thousand_calls_are_one_page(account: Account, threads: ThreadPoolExecutor) -> None:
    calls = [waited(account.has(number, "completed" if number % 2 else "queued")) for number in range(1000)]
    poll = polled(account, calls, threads)
    assert account.requests == ["list"]
    assert reasons(poll).count(Reason.COMPLETED) == 500
    assert list(poll.answers.values()).count(LookAgain(NOW + 5)) == 500


def test_ten_thousand_calls_are_ten_pages(account: Account, threads: ThreadPoolExecutor) -> None:
    for number in range(20_000):
        account.has(number, age=20_000 - number)
    calls = [waited(sid_of(number)) for number in range(10_000, 20_000)]
    poll = polled(account, calls, threads)
    assert account.requests == ["list"] * 10
    assert len(poll.answers) == 10_000


def test_what_the_list_does_not_show_is_asked_for_singly(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number)) for number in range(5)]
    account.listed = account.bodies[2:]
    poll = polled(account, calls, threads)
    assert sorted(account.requests) == sorted([sid_of(3), sid_of(4), "list"])
    assert set(poll.answers) == set(calls)


def test_what_the_list_shows_on_the_way_is_news_of_calls_that_are_not_due(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number, "busy")) for number in range(3)]
    poll = polled(account, calls[:2], threads, waiting=calls)
    assert reasons(poll) == [Reason.BUSY] * 3


def test_a_call_that_two_wait_for_is_told_to_both(account: Account, threads: ThreadPoolExecutor) -> None:
    sid = account.has(1, "completed")
    poll = polled(account, [waited(sid), waited(sid)], threads)
    assert reasons(poll) == [Reason.COMPLETED] * 2
    assert len(account.requests) <= 2


# Lists that are of no use ------------------------------------------------------------------------------------


def test_a_list_full_of_other_calls_costs_no_more_than_looks_would(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number)) for number in range(3)]
    for number in range(10, 5_000):
        account.has(number)
    poll = polled(account, calls, threads)
    assert len(account.requests) == 3
    assert len(poll.answers) == 2
    assert poll.was_list_useless


def test_calls_that_no_request_was_left_for_come_first_the_next_time(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number)) for number in range(3)]
    account.listed = []
    left = set(calls) - set(polled(account, calls, threads).answers)
    [last] = left
    account.requests.clear()
    polled(account, calls, threads)
    assert account.requests[1] == last.watch.call_sid or account.requests[2] == last.watch.call_sid
    assert len(account.requests) == 3


def test_a_list_that_fails_by_itself_is_useless_and_the_calls_are_seen(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number, "completed")) for number in range(5)]
    account.list_fault = AWAY
    poll = polled(account, calls, threads)
    assert reasons(poll) == [Reason.COMPLETED] * 4
    assert poll.was_list_useless


def test_a_key_that_may_not_list_calls_ends_no_wait(account: Account, threads: ThreadPoolExecutor) -> None:
    calls = [waited(account.has(number)) for number in range(5)]
    account.list_fault = REFUSED
    poll = polled(account, calls, threads, are_credentials_fresh=True)
    assert list(poll.answers.values()) == [LookAgain(NOW + 5)] * 4


@pytest.mark.parametrize(
    "garbage", [None, 5, "text", {}, {"sid": None}, {"sid": ["list"]}, {"sid": sid_of(1)}]
)
def test_garbage_in_the_list_ends_no_wait(
    account: Account, threads: ThreadPoolExecutor, garbage: Any
) -> None:
    calls = [waited(account.has(number, "completed")) for number in range(1, 4)]
    account.listed = [garbage, *account.bodies[:-1], garbage]
    assert reasons(polled(account, calls, threads)) == [Reason.COMPLETED] * 3


ANY_LIST = st.lists(st.integers(0, 60), max_size=60)


@settings(max_examples=200, deadline=None)
@given(listed=ANY_LIST, wanted=st.sets(st.integers(0, 40), min_size=1, max_size=40), size=st.integers(1, 7))
def test_whatever_is_listed_never_more_requests_than_calls_and_never_another_verdict(
    threads: ThreadPoolExecutor, listed: list[int], wanted: set[int], size: int
) -> None:
    account = Account(largest_page=size)
    for number in range(61):
        account.has(number, "completed" if number % 3 else "ringing", age=number)
    account.listed = [account.bodies[number] for number in listed]
    calls = [waited(sid_of(number)) for number in wanted]
    poll = polled(account, calls, threads)
    assert len(account.requests) <= len(calls)
    assert not poll.stopped_by
    for call, answer in poll.answers.items():
        is_over = int(call.watch.call_sid[2:], 16) % 3 != 0
        assert isinstance(answer, CallOutcome) == is_over


# A list that is behind -----------------------------------------------------------------------------------------


def test_a_list_that_is_behind_cancels_nobody(account: Account, threads: ThreadPoolExecutor) -> None:
    late = QueueDeadline(NOW - 1).to_json()
    calls = [
        waited(account.has(number, "ringing"), queue_deadline=QueueDeadline.from_json(late))
        for number in (1, 2)
    ]
    account.listed = [body | {"status": "queued"} for body in account.bodies]
    polled(account, calls, threads)
    assert account.requests == ["list", sid_of(1)]


def test_a_call_that_is_queued_too_long_is_canceled_after_a_look_of_its_own(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    sid = account.has(1, "queued")
    calls = [waited(sid, queue_deadline=QueueDeadline(NOW - 1)), waited(account.has(2))]
    poll = polled(account, calls, threads)
    assert account.requests == ["list", sid, f"update {sid}"]
    assert reasons(poll).count(Reason.QUEUE_TIMEOUT) == 1


def test_a_wait_is_not_given_up_by_what_a_list_shows(account: Account, threads: ThreadPoolExecutor) -> None:
    calls = [waited(account.has(number, "completed"), deadline=NOW - 1) for number in (1, 2)]
    account.listed = [body | {"status": "in-progress"} for body in account.bodies]
    assert reasons(polled(account, calls, threads)) == [Reason.COMPLETED]


# What is about all of them -------------------------------------------------------------------------------------


@pytest.mark.parametrize("are_fresh", [True, False])
def test_a_throttled_account_is_asked_no_more_and_all_back_off(
    account: Account, threads: ThreadPoolExecutor, are_fresh: bool
) -> None:
    calls = [waited(account.has(number)) for number in range(50)]
    account.fault = LATER
    poll = polled(account, calls, threads, are_credentials_fresh=are_fresh)
    assert account.requests == ["list"]
    assert list(poll.answers.values()) == [LookAgain(NOW + 10)] * 50
    assert not poll.was_list_useless


def test_a_twilio_that_is_away_is_not_asked_for_every_call(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number)) for number in range(500)]
    account.fault = AWAY
    poll = polled(account, calls, threads)
    assert len(account.requests) < 20
    assert list(poll.answers.values()) == [LookAgain(NOW + 10)] * 500
    assert not poll.was_list_useless


def test_credentials_that_may_have_been_replaced_end_no_wait(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number)) for number in range(50)]
    account.fault = REFUSED
    poll = polled(account, calls, threads)
    assert poll.needs_credentials
    assert poll.answers == {}
    assert len(account.requests) < 10


def test_fresh_credentials_that_are_refused_end_all_waits(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number)) for number in range(50)]
    account.fault = REFUSED
    poll = polled(account, calls, threads, are_credentials_fresh=True)
    assert not poll.needs_credentials
    assert reasons(poll) == [Reason.UNKNOWN] * 50
    assert len(account.requests) < 10


def test_a_fault_about_one_call_is_no_fault_of_the_others(
    account: Account, threads: ThreadPoolExecutor
) -> None:
    calls = [waited(account.has(number, "completed")) for number in range(5)]
    account.get_faults = {sid_of(2): AWAY, sid_of(3): TwilioNotFoundError("new")}
    poll = polled(account, calls, threads, reads_list=False)
    assert reasons(poll).count(Reason.COMPLETED) == 3
    assert list(poll.answers.values()).count(LookAgain(NOW + 10)) == 2


def test_a_fault_of_ours_is_told_to_whom_it_is_about(account: Account, threads: ThreadPoolExecutor) -> None:
    odd, other = waited("no SID"), waited(account.has(1, "completed"))
    account.get_faults = {}
    account.bodies.append({"sid": "no SID", "status": "completed"})
    poll = polled(account, [odd, other], threads, reads_list=False)
    assert isinstance(poll.answers[odd], ValueError)
    assert isinstance(poll.answers[other], CallOutcome)
