"""What is remembered of a call that has ended."""

from __future__ import annotations

import json

import pytest

from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import Call

CALL = Call.model_validate(
    {
        "sid": "CA" + "1" * 32,
        "to": "+15551234567",
        "status": "completed",
        "answered_by": "human",
        "duration": "12",
        "end_time": "Tue, 14 Nov 2023 22:13:20 +0000",
    }
)


def test_a_dial_is_its_call_without_the_whole_number() -> None:
    assert CallAttempt.of(CALL, Reason.COMPLETED, step=2) == CallAttempt(
        step=2,
        call_sid=CALL.sid,
        to="+1*******4567",
        status="completed",
        reason=Reason.COMPLETED,
        answered_by="human",
        duration=12,
        ended=1_700_000_000.0,
    )


def test_a_dial_comes_back_from_where_it_is_kept() -> None:
    dial = CallAttempt.of(CALL, Reason.ENDED_BY_US, step=1)

    assert CallAttempt.from_json(json.loads(json.dumps(dial.to_json()))) == dial


def test_what_a_later_version_keeps_is_ignored() -> None:
    dial = CallAttempt.of(CALL, None, step=1)

    assert CallAttempt.from_json({**dial.to_json(), "mood": "good"}) == dial


@pytest.mark.parametrize("number", ["+15551230009", "(555) 123-0009", "555 123 0009", "5551230009"])
def test_what_was_meant_for_a_number_is_kept_cut(number: str) -> None:
    problem = f"to='{number}' is not E.164"
    kept = CallAttempt.of_problem(problem, Reason.REFUSED, step=0, callee="nobody").to_json()["problem"]

    assert number not in kept
    assert "0009" in kept and "is not E.164" in kept


def test_sids_dates_and_codes_in_a_problem_are_kept() -> None:
    problem = f"Call {CALL.sid} of 2026-11-23 17:05:00 failed (code 21211, HTTP 400)"

    kept = CallAttempt.of_problem(problem, Reason.UNKNOWN, step=0, callee="nobody")
    assert kept.to_json()["problem"] == problem


def test_a_call_that_was_not_answered_ended_when_twilio_last_wrote_of_it() -> None:
    call = CALL.model_copy(update={"end_time": None, "date_updated": CALL.end_time})

    assert CallAttempt.of(call, Reason.BUSY, step=0).ended == 1_700_000_000.0
