"""Dialling the calls of one try, and taking over the one that an earlier try has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.calls.placement import Placed, Placement
from airflow_provider_twiliocall.calls.redial import named_endings
from airflow_provider_twiliocall.calls.takeover import Takeover
from airflow_provider_twiliocall.journal.claims import CallClaims

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.calls.outcome import CallOutcome
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.journal.entry import Entry
    from airflow_provider_twiliocall.operators.call_callbacks import CallCallbacks
    from airflow_provider_twiliocall.operators.call_task import CallTask
    from airflow_provider_twiliocall.operators.step import Step

_WAS_ENDED = "The call before was ended by this task, and no other is placed"


class CallDial:
    """Has one call of a try placed after the other, and knows what may ring by that.

    :param callbacks: what Twilio is asked to tell the receiver of the calls
    :param is_stopped: whether the task was told to stop
    """

    def __init__(
        self,
        task: CallTask,
        context: Context,
        journal: CallJournal,
        callbacks: CallCallbacks,
        *,
        is_stopped: Callable[[], bool],
    ) -> None:
        self._task = task
        self._context = context
        self._journal = journal
        self._callbacks = callbacks
        self._is_stopped = is_stopped
        self._takeover: Takeover | None = None
        self._placement: Placement | None = None

    def take_over(
        self, earlier: Entry, step: Step | None, problem: str | None
    ) -> Placed | CallOutcome | None:
        """Return the call that an earlier try has left, or what came of it; None where this try is to dial.

        :param step: what that call is for; None where this try's arguments cannot be used for it
        :param problem: why they cannot
        """
        self._placement = self._placement_of(step) if step else None
        self._takeover = Takeover(
            self._task.hook,
            self._journal,
            earlier,
            self._placement,
            problem,
            delivery=self._task.delivery,
            when_killed=self._task.when_killed,
        )
        return self._takeover.take_over()

    def dial(self, step: Step) -> Placed | CallOutcome:
        """Place the call of a step, or say what came of the wish."""
        # What this try has learnt of an unclear request is the next one's business too, if it is for the same.
        if self._placement is None or self._placement.step != step.number:
            self._placement = self._placement_of(step)
        # What was begun before a window closed may be dialled when it has opened.
        self._placement.latest_ring = step.latest_ring
        return self._placement.dial()

    def forget(self) -> None:
        """Leave a call that is over: what comes next is about another one."""
        self._takeover = self._placement = None

    def find_call(self) -> str | None:
        """Return the SID of the call that was taken over or placed; looks for that of an interrupted request."""
        for source in (self._takeover, self._placement):
            if source is not None and source.call_sid is not None:
                return source.call_sid
        return self._placement.find_interrupted_call() if self._placement else None

    def nothing_dialled(self) -> str:
        """Say that nothing, or nothing more, was dialled, without a word that a phone which may ring would belie."""
        if self._takeover is not None and self._takeover.may_ring:
            return f"{self._takeover.subject} is left alone and may still ring. No other was placed"
        if self._placement is not None and self._placement.is_unclear:
            return "A call may have been placed, and its phone may ring. No other was placed"
        attempts = [attempt for attempt in self._journal.attempts if not attempt.ended_by_us]
        if attempts:
            return f"Nothing more was dialled (before: {named_endings(attempts)})"
        return _WAS_ENDED if self._journal.attempts else "Nothing was dialled"

    def _placement_of(self, step: Step) -> Placement:
        task = self._task
        claims = CallClaims(self._context["ti"], task.tasks_that_place_calls())
        params = self._callbacks.asked_for(step)
        return Placement(
            task.hook,
            params,
            self._journal,
            step=step.number,
            latest_ring=step.latest_ring,
            queue_timeout=task.queue_timeout_s,
            delivery=task.delivery,
            when_killed=task.when_killed,
            others=claims.of_others,
            claim=claims.claim,
            is_stopped=self._is_stopped,
            token=self._callbacks.token,
            is_called_back=params.status_callback != step.params.status_callback,
        )
