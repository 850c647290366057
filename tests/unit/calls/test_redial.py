"""When the next dial is due, and when there is none."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.calls.redial import Redial, named_endings
from airflow_provider_twiliocall.exceptions import TwilioCallEndedForGoodError
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.reason import Reason

NOW = 1_700_000_000.0
REDIAL = Redial(max_dials=3, after_s=120, on=["busy", "no-answer"])


def dial(status: str = "busy", **how: Any) -> CallAttempt:
    reason = Reason(status)
    facts = {"step": 0, "call_sid": "CA1", "to": "+1*******0001", "status": status, "reason": reason}
    return CallAttempt(**{**facts, **how})


def due(*dials: CallAttempt, redial: Redial = REDIAL, clock_offset: float = 0.0) -> float:
    return redial.due(dials, now=NOW, clock_offset=clock_offset)


def test_the_first_dial_is_due_now() -> None:
    assert due() == NOW


def test_the_next_is_due_so_long_after_the_end_of_the_last() -> None:
    assert due(dial(ended=NOW - 300), dial(ended=NOW - 20)) == NOW + 100


def test_the_end_is_told_by_twilios_clock() -> None:
    assert due(dial(ended=NOW - 20 + 7), clock_offset=7) == NOW + 100


def test_a_time_that_is_past_is_now() -> None:
    assert due(dial(ended=NOW - 3600)) == NOW


def test_an_end_that_twilio_does_not_tell_is_taken_to_be_now() -> None:
    assert due(dial(ended=None)) == NOW + 120


def test_after_the_last_dial_there_is_none() -> None:
    with pytest.raises(
        TwilioCallEndedForGoodError, match=r"in 3 dials \(max_dials\): busy, no-answer, busy$"
    ):
        due(dial(), dial("no-answer"), dial())


def test_an_ending_that_is_not_to_be_dialled_again_is_the_last() -> None:
    with pytest.raises(
        TwilioCallEndedForGoodError, match=r"busy, failed\. .*\(redial_on is busy, no-answer\)"
    ):
        due(dial(), dial("failed"))


def test_a_task_that_dials_once_leaves_the_rest_to_its_retries() -> None:
    assert due(dial("failed"), redial=Redial(max_dials=1, after_s=120, on=["busy"])) == NOW


def test_a_call_that_completed_in_vain_was_a_voicemail() -> None:
    assert named_endings([dial("completed", reason=Reason.VOICEMAIL), dial("busy")]) == "voicemail, busy"
