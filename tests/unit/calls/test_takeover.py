"""Taking over an earlier try's call: whose it is, what can be done about it from here, and how long that may take."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.calls.cleared_run import FRESH_FOR_S
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.placement import Placed, Placement
from airflow_provider_twiliocall.calls.takeover import Takeover
from airflow_provider_twiliocall.exceptions import TwilioCallInterruptedError, TwilioConnectionError
from airflow_provider_twiliocall.journal.call_journal import CallJournal
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.journal.store import KEY
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.ending import HowToEnd
from airflow_provider_twiliocall.twilio.errors import TwilioError, TwilioNotFoundError, TwilioRejectedError
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.task_context import StateStore
from tests.support.turned_clock import TurnedClock
from tests.unit.scripted_twilio import SID, ScriptedTwilio, call

NOW = 1_700_000_000.0
AN_HOUR_S = 3600
FIRST_RUN, CLEARED = 2, 3
ACCOUNT, ANOTHER_ACCOUNT = "AC" + "1" * 32, "AC" + "2" * 32
PARAMS = CreateCallParams(to="+15551234567", from_="+15557654321", twiml="<Response/>")
TO_ANOTHER = PARAMS.replace(to="+15551234568")
FROM_ANOTHER = PARAMS.replace(from_="+15557654322")
UNKNOWN = TwilioNotFoundError("no such call")


class AccountTwilio(ScriptedTwilio):
    """A Twilio that is asked in the name of an account."""

    def __init__(self, *answers: str | Call | TwilioError, account_sid: str = ACCOUNT) -> None:
        super().__init__(*answers)
        self.account_sid = account_sid
        self.asked_for: str | None = None

    def for_account(self, account_sid: str | None) -> AccountTwilio:
        self.asked_for = account_sid
        return self


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(NOW).install(monkeypatch)


@pytest.fixture
def store() -> StateStore:
    """What a try has left that has placed its call."""
    store = StateStore()
    earlier = CallJournal(store, FIRST_RUN)
    earlier.placing(PARAMS, account_sid=ACCOUNT)
    earlier.placed(SID)
    return store


def taking_over(
    twilio: Any,
    store: StateStore,
    params: CreateCallParams | None = PARAMS,
    *,
    max_tries: int = FIRST_RUN,
    **how: Any,
) -> Takeover:
    journal = CallJournal(store, max_tries)
    earlier = journal.read()
    assert earlier is not None
    placement = Placement(twilio, params, journal) if params else None
    return Takeover(twilio, journal, earlier, placement, None if params else "to is wrong", **how)


def unknown(taken: Takeover) -> str:
    """Why nobody can say what became of the call."""
    outcome = taken.take_over()
    assert isinstance(outcome, CallOutcome)
    assert outcome.reason is Reason.UNKNOWN
    return str(outcome.why)


# Whose call it is


@pytest.mark.parametrize("params", [PARAMS, None], ids=["same arguments", "arguments that cannot be used"])
def test_a_call_that_goes_on_is_monitored(store: StateStore, params: CreateCallParams | None) -> None:
    taken = taking_over(AccountTwilio("ringing"), store, params)
    assert taken.take_over() == Placed(SID, call("ringing"))
    assert (taken.call_sid, taken.may_ring) == (SID, False)


def test_why_the_arguments_could_not_be_compared_is_said(
    store: StateStore, caplog: pytest.LogCaptureFixture
) -> None:
    taking_over(AccountTwilio("ringing"), store, None).take_over()
    assert f"Call {SID} of an earlier try is monitored." in caplog.text
    assert "its arguments cannot be used: to is wrong" in caplog.text


@pytest.mark.parametrize("params", [TO_ANOTHER, FROM_ANOTHER], ids=["to another", "from another"])
def test_a_call_between_two_others_is_left_alone(store: StateStore, params: CreateCallParams) -> None:
    twilio = AccountTwilio("ringing")
    taken = taking_over(twilio, store, params)
    assert taken.take_over() is None
    assert (taken.may_ring, twilio.asked) == (True, [])


@pytest.mark.parametrize("params", [PARAMS, FROM_ANOTHER], ids=["same arguments", "another number of ours"])
def test_a_call_of_another_account_is_not_dialled_again(store: StateStore, params: CreateCallParams) -> None:
    twilio = AccountTwilio(UNKNOWN, account_sid=ANOTHER_ACCOUNT)
    why = unknown(taking_over(twilio, store, params))
    assert f"Call {SID} of an earlier try was placed with account {ACCOUNT}." in why
    assert f"This try speaks for account {ANOTHER_ACCOUNT}" in why
    assert twilio.asked == []


def test_where_the_account_may_be_what_is_wrong_twilio_says_whether_the_call_can_be_seen(
    store: StateStore,
) -> None:
    twilio = AccountTwilio("ringing", account_sid=ANOTHER_ACCOUNT)
    assert taking_over(twilio, store, None).take_over() == Placed(SID, call("ringing"))
    assert twilio.asked_for == ACCOUNT


def test_it_is_not_dialled_again_where_twilio_refuses(store: StateStore) -> None:
    refused = TwilioRejectedError("no", http_status=401, code=20003)
    twilio = AccountTwilio(refused, account_sid=ANOTHER_ACCOUNT)
    assert f"call {SID}, and Twilio refuses to say" in unknown(taking_over(twilio, store, None))


def test_a_call_of_another_account_is_dialled_again_where_two_rings_are_better_than_none(
    store: StateStore,
) -> None:
    twilio = AccountTwilio(UNKNOWN, account_sid=ANOTHER_ACCOUNT)
    taken = taking_over(twilio, store, delivery="at_least_once")
    assert taken.take_over() is None
    assert (taken.may_ring, twilio.asked) == (True, [])


def test_a_call_of_another_account_to_another_person_is_left_alone(store: StateStore) -> None:
    taken = taking_over(AccountTwilio(UNKNOWN, account_sid=ANOTHER_ACCOUNT), store, TO_ANOTHER)
    assert taken.take_over() is None


def test_the_account_that_a_try_names_is_the_one_that_counts(store: StateStore) -> None:
    twilio = AccountTwilio("ringing", account_sid=ANOTHER_ACCOUNT)
    named = taking_over(twilio, store, PARAMS.replace(account_sid=ACCOUNT))
    assert named.take_over() == Placed(SID, call("ringing"))


def test_what_an_earlier_version_has_written_is_monitored(store: StateStore) -> None:
    earlier = CallJournal(store, FIRST_RUN)
    earlier.placing(PARAMS)
    earlier.placed(SID)
    del store.values[KEY]["account_sid"], store.values[KEY]["callee"]
    assert taking_over(AccountTwilio("ringing"), store).take_over() == Placed(SID, call("ringing"))
    assert taking_over(AccountTwilio("ringing"), store, TO_ANOTHER).take_over() is None


# A call that an earlier try has ended


@pytest.mark.parametrize(
    ("status", "how", "deadline", "expected"),
    [
        ("canceled", "cancel", None, Reason.ENDED_BY_US),
        ("completed", "hang_up", None, Reason.ENDED_BY_US),
        ("canceled", None, QueueDeadline(NOW), Reason.QUEUE_TIMEOUT),
        ("canceled", None, QueueDeadline(NOW, Reason.WINDOW_CLOSED), Reason.WINDOW_CLOSED),
        ("canceled", "cancel", QueueDeadline(NOW), Reason.QUEUE_TIMEOUT),
        ("canceled", "cancel", QueueDeadline(NOW + 60), Reason.ENDED_BY_US),
    ],
)
def test_why_an_earlier_try_ended_its_call_is_known(
    status: str, how: HowToEnd | None, deadline: QueueDeadline | None, expected: Reason
) -> None:
    store = StateStore()
    earlier = CallJournal(store, FIRST_RUN)
    earlier.placing(PARAMS, account_sid=ACCOUNT)
    earlier.placed(SID, queue_deadline=deadline)
    if how:
        earlier.ended_by_us(how)
    ended = call(status, end_time="Tue, 14 Nov 2023 22:13:20 +0000")
    outcome = taking_over(AccountTwilio(ended), store).take_over()
    assert isinstance(outcome, CallOutcome)
    assert (outcome.reason, outcome.call) == (expected, ended)


@pytest.mark.parametrize(("status", "how"), [("completed", "cancel"), ("busy", "cancel"), ("canceled", None)])
def test_a_call_that_was_over_by_itself_is_taken_up(status: str, how: HowToEnd | None) -> None:
    store = StateStore()
    earlier = CallJournal(store, FIRST_RUN)
    earlier.placing(PARAMS, account_sid=ACCOUNT)
    earlier.placed(SID)
    if how:
        earlier.ended_by_us(how)
    assert taking_over(AccountTwilio(status), store).take_over() == Placed(SID, call(status))


# A call whose SID was not learned


def test_a_call_without_a_sid_cannot_be_looked_for_where_nobody_knows_whom_it_was_to() -> None:
    store = StateStore()
    CallJournal(store, FIRST_RUN).placing(PARAMS, account_sid=ACCOUNT)
    why = unknown(taking_over(AccountTwilio("ringing"), store, None))
    assert "cannot be looked for, because the arguments of this try cannot be used: to is wrong" in why
    assert "sent a call at 2023-11-14 22:13:20 UTC" in why


def test_a_call_without_a_sid_that_is_not_found_may_ring_though_another_one_is_to_be_dialled() -> None:
    store = StateStore()
    CallJournal(store, FIRST_RUN).placing(PARAMS, account_sid=ACCOUNT)
    journal = CallJournal(store, FIRST_RUN)
    earlier = journal.read()
    assert earlier is not None
    twilio: Any = AccountTwilio("ringing")
    placement = Placement(twilio, PARAMS, journal, delivery="at_least_once")
    taken = Takeover(twilio, journal, earlier, placement, delivery="at_least_once")
    assert taken.take_over() is None
    assert taken.may_ring


def test_it_may_ring_where_two_rings_are_better_than_none() -> None:
    store = StateStore()
    CallJournal(store, FIRST_RUN).placing(PARAMS, account_sid=ACCOUNT)
    taken = taking_over(AccountTwilio("ringing"), store, None, delivery="at_least_once")
    assert taken.take_over() is None
    assert taken.may_ring
    assert taken.subject == (
        "A call of an earlier try whose SID was not learned (sent at 2023-11-14 22:13:20 UTC)"
    )


# The connection cannot be used


def test_a_call_that_cannot_be_monitored_for_want_of_a_connection_is_left_to_a_retry(
    store: StateStore,
) -> None:
    with pytest.raises(TwilioCallInterruptedError, match=f"Call {SID} of an earlier try may still ring"):
        taking_over(NoTwilio(), store).take_over()


class NoTwilio:
    """A hook whose connection cannot be used."""

    @property
    def client(self) -> Any:
        raise TwilioConnectionError("the password is empty")


# After a clear


@pytest.mark.parametrize(
    ("answer", "may_ring"), [("canceled", False), ("in-progress", True)], ids=["ended", "somebody talks"]
)
def test_a_clear_ends_the_call_whether_or_not_the_new_arguments_can_be_used(
    store: StateStore, answer: str, may_ring: bool
) -> None:
    for params in (PARAMS, None):
        twilio = AccountTwilio(answer)
        taken = taking_over(twilio, store, params, max_tries=CLEARED)
        assert taken.take_over() is None
        assert (twilio.asked, taken.may_ring) == (["canceled"], may_ring)


def test_a_clear_leaves_a_call_that_is_to_be_left(store: StateStore) -> None:
    twilio = AccountTwilio("ringing")
    taken = taking_over(twilio, store, max_tries=CLEARED, when_killed="leave")
    assert taken.take_over() is None
    assert (twilio.asked, taken.may_ring) == ([], True)


def test_a_call_that_twilio_has_forgotten_costs_a_clear_one_second_look(
    store: StateStore, clock: TurnedClock
) -> None:
    clock.sleep(AN_HOUR_S)
    twilio = AccountTwilio(UNKNOWN)
    taken = taking_over(twilio, store, max_tries=CLEARED)
    assert taken.take_over() is None
    assert (twilio.asked, clock.slept) == (["canceled", "canceled"], [AN_HOUR_S, 1])
    assert not taken.may_ring


def test_a_fresh_call_that_twilio_does_not_know_yet_is_asked_for_until_it_does(
    store: StateStore, clock: TurnedClock
) -> None:
    twilio = AccountTwilio(UNKNOWN, UNKNOWN, UNKNOWN, "canceled")
    taking_over(twilio, store, max_tries=CLEARED).take_over()
    assert twilio.asked == ["canceled"] * 4


def test_a_call_that_stays_unknown_is_given_up_when_it_is_not_fresh_any_more(
    store: StateStore, clock: TurnedClock
) -> None:
    clock.sleep(FRESH_FOR_S - 5)
    taking_over(AccountTwilio(UNKNOWN), store, max_tries=CLEARED).take_over()
    assert sum(clock.slept[1:]) <= 10


def test_a_call_of_another_account_costs_a_clear_nothing(store: StateStore, clock: TurnedClock) -> None:
    twilio = AccountTwilio(UNKNOWN, account_sid=ANOTHER_ACCOUNT)
    taken = taking_over(twilio, store, max_tries=CLEARED)
    assert taken.take_over() is None
    assert (twilio.asked, clock.slept, taken.may_ring) == ([], [], True)
