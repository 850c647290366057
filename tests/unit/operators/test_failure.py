"""How a task fails for each outcome, and that no retry rings somebody again who was rung in vain."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException

from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallInterruptedError,
    TwilioCallMaybePlacedError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioCallUnansweredError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.call_journal import CallJournal
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.operators.failure import failure_of, without_multiplying_rings
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.task_context import StateStore

PARAMS = CreateCallParams(to="+15551234567", from_="+15557654321", twiml="<Response/>")
BUSY = CallAttempt(0, "CA" + "1" * 32, "+1*******4567", "busy", Reason.BUSY)
QUEUED = CallAttempt(0, "CA" + "2" * 32, "+1*******4567", "canceled", Reason.QUEUE_TIMEOUT)


@pytest.mark.parametrize(
    ("reason", "for_good", "expected"),
    [
        (Reason.BUSY, False, TwilioCallUnansweredError),
        (Reason.BUSY, True, TwilioCallEndedForGoodError),
        (Reason.QUEUE_TIMEOUT, False, TwilioCallUnansweredError),
        (Reason.CANCELED_ELSEWHERE, True, TwilioCallEndedForGoodError),
        (Reason.NOT_PLACED, False, TwilioCallNotPlacedError),
        (Reason.MAYBE_PLACED, False, TwilioCallMaybePlacedError),
        (Reason.REFUSED, True, TwilioCallRefusedError),
        (Reason.UNKNOWN, True, TwilioCallFateUnknownError),
    ],
)
def test_an_outcome_fails_the_task_by_its_meaning(
    reason: Reason, for_good: bool, expected: type[AirflowException]
) -> None:
    error = failure_of(CallOutcome(reason, why="what happened"), for_good=for_good)
    assert (type(error), str(error)) == (expected, "what happened")
    assert isinstance(error, AirflowFailException) is for_good


def journal(*attempts: CallAttempt, store: StateStore | None = None) -> CallJournal:
    opened = CallJournal(store, 0)
    opened.placing(PARAMS)
    for attempt in attempts:
        opened.remember(attempt)
    return opened


def test_without_a_journal_whoever_was_rung_in_vain_is_not_rung_by_a_retry() -> None:
    error = without_multiplying_rings(TwilioCallInterruptedError("told to stop"), journal(BUSY))
    assert isinstance(error, TwilioCallEndedForGoodError)
    assert str(error) == "told to stop. It was dialled before, and a retry would begin again"


@pytest.mark.parametrize(
    "opened", [journal(QUEUED), journal(), journal(BUSY, store=StateStore())], ids=["queued", "none", "kept"]
)
def test_a_retry_goes_on_where_it_rings_nobody_a_second_time(opened: CallJournal) -> None:
    error = TwilioCallInterruptedError("told to stop")
    assert without_multiplying_rings(error, opened) is error


@pytest.mark.parametrize("error", [TwilioCallRefusedError("no"), AirflowSkipException("too late")], ids=type)
def test_what_is_not_retried_stays_as_it_is(error: BaseException) -> None:
    assert without_multiplying_rings(error, journal(BUSY)) is error


def test_a_connection_that_is_not_found_is_left_to_a_retry_that_finds_the_journal() -> None:
    missing = TwilioConnectionNotFoundError("There is no connection")
    error = without_multiplying_rings(missing, journal(store=StateStore()))
    assert isinstance(error, TwilioCallInterruptedError)
    assert str(error) == "There is no connection. A retry goes on where this one has come to"
