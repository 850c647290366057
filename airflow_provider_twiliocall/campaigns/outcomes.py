"""What the end of a call means for its row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.outcome import CallOutcome, judge
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import OF_STATUS, Reason

if TYPE_CHECKING:
    from airflow_provider_twiliocall.campaigns.campaign_calls import CampaignCalls
    from airflow_provider_twiliocall.twilio.call import Call

_OF_STATUS = frozenset(OF_STATUS.values())


def judged(outcome: CallOutcome, calls: CampaignCalls, row: int, *, queue_timeout: float) -> CallOutcome:
    """Judge an outcome, as it was seen, by what the row asks for.

    :param queue_timeout: seconds that a call may stay in Twilio's queue
    """
    if outcome.reason in (Reason.OVERDUE, Reason.TIMED_OUT):
        return replace(outcome, reason=Reason.UNKNOWN)
    if outcome.call is None or outcome.reason not in _OF_STATUS:
        return outcome
    if outcome.reason is Reason.CANCELED_ELSEWHERE and (
        why := _why_canceled(outcome.call, calls, row, queue_timeout)
    ):
        return replace(outcome, reason=why)
    return judge(outcome.call, accept_answered_by=calls.accepted(row))


def _why_canceled(call: Call, calls: CampaignCalls, row: int, queue_timeout: float) -> Reason | None:
    """Return why an earlier process of the campaign canceled a call, by the dates; None if it did not."""
    if call.date_created is None:
        return None
    created = call.date_created.timestamp()
    deadline = QueueDeadline.of(
        call,
        now=clock.time(),
        queue_timeout=queue_timeout,
        latest_ring=calls.rules(row, call.to or "").latest_ring(created),
        clock_offset=0.0,
    )
    return deadline.reason if deadline and deadline.has_canceled(call) else None
