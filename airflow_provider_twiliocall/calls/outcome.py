"""What a finished call means for a task: the one judgement of operator and sensor, waiting or deferred."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.errors import ADVICE, GEO_PERMISSION_CODES, TwilioError
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook


logger = logging.getLogger(__name__)


class Verdict(Enum):
    """What to do about a finished call."""

    DONE = "done"
    REDIAL = "redial"
    """It failed, and dialling again may help."""
    GIVE_UP = "give up"
    """It failed, and dialling again cannot help or would be unwanted."""


@dataclass(frozen=True)
class Outcome:
    """A verdict, and the sentence that gives its reason."""

    verdict: Verdict
    sentence: str


def judge(
    call: Call,
    *,
    accept_answered_by: Collection[str] | None = None,
    notifications: Collection[Mapping[str, Any]] = (),
) -> Outcome:
    """Judge a call in a terminal status.

    :param accept_answered_by: who may have answered for a completed call to count; None for anybody
    :param notifications: what Twilio noted about the call, where it failed
    """
    if call.status is CallStatus.COMPLETED:
        return _judge_completed(call, accept_answered_by)
    if call.status is CallStatus.BUSY:
        return Outcome(Verdict.REDIAL, f"Call {call.sid} was not answered: the line was busy.")
    if call.status is CallStatus.NO_ANSWER:
        return Outcome(
            Verdict.REDIAL, f"Call {call.sid} got no answer: nobody picked up, or the callee declined."
        )
    if call.status is CallStatus.CANCELED:
        return Outcome(
            Verdict.GIVE_UP,
            f"Call {call.sid} was canceled before it was answered, and not by this task: it is not dialled "
            "again. Clear the task to place it again.",
        )
    return _judge_failed(call, notifications)


def _judge_completed(call: Call, accept_answered_by: Collection[str] | None) -> Outcome:
    spoke = f"Call {call.sid} was completed after {call.duration or 0} s"
    if accept_answered_by is None:
        return Outcome(Verdict.DONE, f"{spoke}.")
    if call.answered_by in accept_answered_by:
        return Outcome(Verdict.DONE, f"{spoke}, answered by {call.answered_by}.")
    wanted = " or ".join(sorted(accept_answered_by))
    if call.answered_by is None:
        return Outcome(
            Verdict.REDIAL,
            f"{spoke}, but Twilio does not say who answered, and only {wanted} counts: the callee hung up "
            "before detection ended, or the call was placed without machine_detection.",
        )
    answerer = (
        "a voicemail or another machine" if call.answered_by.startswith("machine") else "something else"
    )
    return Outcome(
        Verdict.REDIAL, f"{spoke}, but {answerer} answered ({call.answered_by}), and only {wanted} counts."
    )


def _judge_failed(call: Call, notifications: Collection[Mapping[str, Any]]) -> Outcome:
    reasons: list[str] = []
    hopeless = False
    for notification in notifications:
        said_code = str(notification.get("error_code"))
        code = int(said_code) if said_code.isdecimal() else 0
        hopeless = hopeless or code in GEO_PERMISSION_CODES
        said = redact_phone_numbers_in(str(notification.get("message_text") or "")).strip()
        reasons.append(f"{code} {said.rstrip('.')}. {ADVICE.get(code, '')}".strip())
    why = "; ".join(reasons) or "Twilio's notifications do not say why (a wrong number, often)"
    return Outcome(Verdict.GIVE_UP if hopeless else Verdict.REDIAL, f"Call {call.sid} failed: {why}")


def judge_with_reasons(
    call: Call, hook: TwilioCallHook, *, accept_answered_by: Collection[str] | None
) -> Outcome:
    """Judge a call, first asking Twilio for the reason where it failed; not getting one is no error."""
    notifications: list[dict[str, Any]] = []
    if call.status is CallStatus.FAILED:
        try:
            # Of the account whose call it is: an earlier try may have placed it with another one.
            notifications = list(hook.for_account(call.account_sid).client.notifications(call.sid))
        except (TwilioError, TwilioConnectionError, TwilioConnectionNotFoundError) as error:
            logger.warning("Call %s failed, and Twilio could not be asked why: %s", call.sid, error)
    return judge(call, accept_answered_by=accept_answered_by, notifications=notifications)
