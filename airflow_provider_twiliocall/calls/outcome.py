"""What became of a call, as one value: made by whoever sees it end, judged here, and told to the task.

It becomes an exception once, where the task fails: see ``operators/failure.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.reason import OF_STATUS, Reason
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.errors import ADVICE, GEO_PERMISSION_CODES, TwilioError
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_numbers_in

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CallOutcome:
    """Why a call is over, or why there is none.

    :param call: as last seen, where it was seen
    :param why: for people: what happened, or what kept us from seeing it
    :param call_sid: of a call that was not seen
    :param is_for_a_person: whether a person has to fix what kept us from seeing the call's end
    :param is_hopeless: whether dialling again as it is cannot help
    """

    reason: Reason
    call: Call | None = None
    why: str | None = None
    call_sid: str | None = None
    is_for_a_person: bool = False
    is_hopeless: bool = False

    @classmethod
    def of(cls, call: Call) -> CallOutcome:
        """Return that of a call in a terminal status, before it is judged."""
        return cls(OF_STATUS[call.status.value], call)

    def to_event(self) -> dict[str, Any]:
        """Return it as JSON for a trigger event, phone numbers cut to their last four digits."""
        return {
            "reason": self.reason.value,
            "call": self.call.to_dict() if self.call else None,
            "why": self.why,
            **({"is_for_a_person": True} if self.is_for_a_person else {}),
        }

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> CallOutcome:
        """Read what :meth:`to_event` wrote."""
        call = event.get("call")
        return cls(
            Reason(event["reason"]),
            Call.model_validate(call) if call else None,
            event.get("why"),
            is_for_a_person=event.get("is_for_a_person", False),
        )

    def to_attempt(self, *, step: int, callee: str | None) -> CallAttempt:
        """Return it for the journal.

        :param callee: the whole number that the step is about, where the call was not seen; None where it is not known
        """
        if self.call is None:
            to, call_sid = callee, self.call_sid
        elif self.reason is not Reason.UNKNOWN:
            return CallAttempt.of(self.call, self.reason, step=step)
        else:
            to, call_sid = self.call.to, self.call.sid
        return CallAttempt.of_problem(self.why or "", self.reason, step=step, callee=to, call_sid=call_sid)


def judge(
    call: Call,
    *,
    accept_answered_by: Collection[str] | None = None,
    notifications: Collection[Mapping[str, Any]] = (),
) -> CallOutcome:
    """Judge a call in a terminal status.

    :param accept_answered_by: who may have answered for a completed call to count; None for anybody
    :param notifications: what Twilio noted about the call, where it failed
    """
    outcome = CallOutcome.of(call)
    match outcome.reason:
        case Reason.COMPLETED:
            return _judge_completed(outcome, call, accept_answered_by)
        case Reason.BUSY:
            return replace(outcome, why=f"Call {call.sid} was not answered: the line was busy.")
        case Reason.NO_ANSWER:
            why = f"Call {call.sid} got no answer: nobody picked up, or the callee declined."
            return replace(outcome, why=why)
        case Reason.CANCELED_ELSEWHERE:
            why = (
                f"Call {call.sid} was canceled before it was answered, and not by this task: it is not dialled "
                "again. Clear the task to place it again."
            )
            return replace(outcome, why=why, is_hopeless=True)
        case _:
            return _judge_failed(outcome, call, notifications)


def _judge_completed(
    outcome: CallOutcome, call: Call, accept_answered_by: Collection[str] | None
) -> CallOutcome:
    spoke = f"Call {call.sid} was completed after {call.duration or 0} s"
    if accept_answered_by is None:
        return replace(outcome, why=f"{spoke}.")
    if call.answered_by in accept_answered_by:
        return replace(outcome, why=f"{spoke}, answered by {call.answered_by}.")
    wanted = " or ".join(sorted(accept_answered_by))
    if call.answered_by is None:
        but = (
            f"Twilio does not say who answered, and only {wanted} counts: the callee hung up before detection ended, "
            "or the call was placed without machine_detection."
        )
    else:
        is_machine = call.answered_by.startswith("machine")
        answerer = "a voicemail or another machine" if is_machine else "something else"
        but = f"{answerer} answered ({call.answered_by}), and only {wanted} counts."
    return replace(outcome, reason=Reason.VOICEMAIL, why=f"{spoke}, but {but}")


def _judge_failed(
    outcome: CallOutcome, call: Call, notifications: Collection[Mapping[str, Any]]
) -> CallOutcome:
    reasons: list[str] = []
    is_hopeless = False
    for notification in notifications:
        said_code = str(notification.get("error_code"))
        code = int(said_code) if said_code.isdecimal() else 0
        is_hopeless = is_hopeless or code in GEO_PERMISSION_CODES
        said = redact_phone_numbers_in(str(notification.get("message_text") or "")).strip()
        reasons.append(f"{code} {said.rstrip('.')}. {ADVICE.get(code, '')}".strip())
    why = "; ".join(reasons) or "Twilio's notifications do not say why (a wrong number, often)"
    return replace(outcome, why=f"Call {call.sid} failed: {why}", is_hopeless=is_hopeless)


def judge_with_reasons(
    call: Call, hook: TwilioCallHook, *, accept_answered_by: Collection[str] | None
) -> CallOutcome:
    """Judge a call, first asking Twilio for the reason where it failed; not getting one is no error."""
    notifications: list[dict[str, Any]] = []
    if call.status is CallStatus.FAILED:
        try:
            # Of the account whose call it is: an earlier try may have placed it with another one.
            notifications = list(hook.for_account(call.account_sid).client.notifications(call.sid))
        except (TwilioError, TwilioConnectionError, TwilioConnectionNotFoundError) as error:
            logger.warning("Call %s failed, and Twilio could not be asked why: %s", call.sid, error)
    return judge(call, accept_answered_by=accept_answered_by, notifications=notifications)
