"""What a finished call means for a task, for every way in which a call can end."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.calls.outcome import CallOutcome, judge
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import AnsweredBy, Call

SID = "CA" + "1" * 32
MACHINES = [answerer for answerer in AnsweredBy if answerer.startswith("machine")]


def judged(status: str, *, answered_by: str | None = None, **how: Any) -> CallOutcome:
    call = Call.model_validate({"sid": SID, "status": status, "answered_by": answered_by, "duration": "8"})
    return judge(call, **how)


def noted(*codes: int, message: str = "said by Twilio") -> list[dict[str, Any]]:
    return [{"error_code": str(code), "message_text": message} for code in codes]


def test_a_completed_call_is_done_whoever_answered() -> None:
    outcome = judged("completed")
    assert (outcome.reason, outcome.why) == (Reason.COMPLETED, f"Call {SID} was completed after 8 s.")


def test_a_completed_call_without_a_duration_counts_as_zero_seconds() -> None:
    call = Call.model_validate({"sid": SID, "status": "completed"})
    assert judge(call).why == f"Call {SID} was completed after 0 s."


@pytest.mark.parametrize("answered_by", list(AnsweredBy))
def test_a_completed_call_is_done_when_its_answerer_is_accepted(answered_by: AnsweredBy) -> None:
    outcome = judged("completed", answered_by=answered_by, accept_answered_by={answered_by.value})
    assert outcome.reason is Reason.COMPLETED
    assert f"answered by {answered_by}." in (outcome.why or "")


@pytest.mark.parametrize("answered_by", list(AnsweredBy))
def test_a_completed_call_is_done_without_a_wish_about_the_answerer(answered_by: AnsweredBy) -> None:
    assert judged("completed", answered_by=answered_by).reason is Reason.COMPLETED


@pytest.mark.parametrize("answered_by", MACHINES)
def test_a_voicemail_is_redialled_when_a_human_was_wanted(answered_by: AnsweredBy) -> None:
    outcome = judged("completed", answered_by=answered_by, accept_answered_by={"unknown", "human"})
    assert outcome.reason is Reason.VOICEMAIL
    assert f"a voicemail or another machine answered ({answered_by})" in (outcome.why or "")
    assert "only human or unknown counts" in (outcome.why or "")


def test_a_fax_is_redialled_when_a_human_was_wanted() -> None:
    outcome = judged("completed", answered_by="fax", accept_answered_by={"human"})
    assert outcome.reason is Reason.VOICEMAIL
    assert "something else answered (fax)" in (outcome.why or "")


def test_an_answerer_twilio_has_yet_to_invent_is_redialled_when_a_human_was_wanted() -> None:
    assert judged("completed", answered_by="robot", accept_answered_by={"human"}).reason is Reason.VOICEMAIL


def test_a_completed_call_without_an_answerer_is_redialled_when_one_was_wanted() -> None:
    outcome = judged("completed", accept_answered_by={"human"})
    assert outcome.reason is Reason.VOICEMAIL
    assert "Twilio does not say who answered" in (outcome.why or "")


@pytest.mark.parametrize("accept_answered_by", [None, {"human"}])
@pytest.mark.parametrize(
    ("status", "reason", "says"),
    [
        ("busy", Reason.BUSY, "the line was busy"),
        ("no-answer", Reason.NO_ANSWER, "got no answer"),
        ("failed", Reason.FAILED, "failed: Twilio's notifications do not say why"),
        ("canceled", Reason.CANCELED_ELSEWHERE, "was canceled before it was answered, and not by this task"),
    ],
)
def test_an_unanswered_call_fails_alike_whoever_was_wanted(
    status: str, reason: Reason, says: str, accept_answered_by: set[str] | None
) -> None:
    outcome = judged(status, accept_answered_by=accept_answered_by)
    assert outcome.reason is reason
    assert says in (outcome.why or "")


@pytest.mark.parametrize("code", [13227, 21215, 32205])
def test_a_call_failed_for_geo_permission_is_given_up_and_says_what_to_allow(code: int) -> None:
    outcome = judged("failed", notifications=noted(code))
    assert outcome.is_hopeless
    assert f"{code} said by Twilio" in (outcome.why or "")
    assert "Geo permissions" in (outcome.why or "")


def test_a_call_failed_for_another_reason_is_redialled_and_names_it() -> None:
    outcome = judged("failed", notifications=noted(13224))
    assert not outcome.is_hopeless
    assert (outcome.reason, outcome.why) == (Reason.FAILED, f"Call {SID} failed: 13224 said by Twilio.")


def test_one_hopeless_reason_among_several_is_enough_to_give_up() -> None:
    outcome = judged("failed", notifications=noted(13227, 13224))
    assert outcome.is_hopeless
    assert "13227" in (outcome.why or "") and "13224" in (outcome.why or "")


def test_a_notification_without_a_code_is_told_all_the_same() -> None:
    outcome = judged("failed", notifications=[{"error_code": None, "message_text": "odd"}])
    assert not outcome.is_hopeless
    assert "odd" in (outcome.why or "")


def test_a_notification_never_shows_a_whole_phone_number() -> None:
    outcome = judged("failed", notifications=noted(13224, message="no route to +15551234567"))
    assert "+15551234567" not in (outcome.why or "")
    assert "4567" in (outcome.why or "")
