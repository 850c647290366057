"""Waiting for the calls of one try: on the worker, or deferred; and going first when the task has to."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.monitor import CallMonitor
from airflow_provider_twiliocall.calls.no_redial import no_redial_of
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.placement import Placed
from airflow_provider_twiliocall.compat import runs_triggers_in_line
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.operators.call_callbacks import INTERVAL_WHEN_TOLD_S
from airflow_provider_twiliocall.operators.deferral import defer_until_over

if TYPE_CHECKING:
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.operators.call_task import CallTask
    from airflow_provider_twiliocall.operators.call_xcoms import CallXComs
    from airflow_provider_twiliocall.operators.step import Step
    from airflow_provider_twiliocall.twilio.call import Call


class CallWait:
    """Waits for one call of a try after the other, and knows which it is about.

    :param xcoms: where people see what is known of the call
    :param judge: says what the end of a call means for the task
    """

    def __init__(
        self,
        task: CallTask,
        journal: CallJournal,
        xcoms: CallXComs,
        judge: Callable[[Call], CallOutcome],
    ) -> None:
        self._task = task
        self._journal = journal
        self._xcoms = xcoms
        self._judge = judge
        self._started = clock.time()
        self._monitor: CallMonitor | None = None
        # Whether a signal is to end the call.
        self._minds_signals = False
        self._is_prompted = False
        self.call_sid: str | None = None
        """The call that is waited for, or was last."""
        self.is_stopped = False
        """Whether the task was told to stop."""

    def wait_for(self, placed: Placed, step: Step | None) -> CallOutcome:
        """Wait for a call if asked to.

        :param step: what it is for; None where this try's arguments cannot be used for it
        """
        self.call_sid = placed.call_sid
        with no_redial_of(placed.call_sid, self._journal):
            monitor = self._monitor_of(placed.call_sid)
            self._xcoms.claim(placed.call_sid)
            if placed.call:
                self._xcoms.show(placed.call)
            return self._wait(monitor, placed, step)

    def conclude(self, event: dict[str, Any], account_sid: str | None) -> CallOutcome:
        """Say what became of the call whose trigger has fired.

        :param account_sid: whose call it is, where that is not what the arguments say
        """
        self.call_sid = event.get("call_sid")
        with no_redial_of(self.call_sid or "(the trigger's event does not say which)", self._journal):
            monitor = self._monitor_of(event["call_sid"], account_sid=account_sid)
            return monitor.conclude(CallOutcome.from_event(event))

    def wait_again(self, call_sid: str, step: Step | None, *, is_prompted: bool = False) -> CallOutcome:
        """Wait on for a call after a deferral that broke off.

        :param is_prompted: whether Twilio has said that the call is over, and will not say so again
        """
        self.call_sid = call_sid
        self._is_prompted = is_prompted
        with no_redial_of(call_sid, self._journal):
            return self._wait(self._monitor_of(call_sid), Placed(call_sid, None), step)

    def time_out(self, call_sid: str, why: str) -> CallOutcome:
        """End the call of a task that is out of time; return the outcome of one that was over by itself."""
        self.call_sid = call_sid
        monitor = self._monitor or self._monitor_of(call_sid)
        # Airflow's own on_kill comes after this, and could not write down what it does.
        self._minds_signals = False
        with no_redial_of(call_sid, self._journal):
            return monitor.time_out(why)

    @property
    def is_out_of_time(self) -> bool:
        """Whether the call was ended because the task was out of time."""
        return self._monitor is not None and self._monitor.is_out_of_time

    def on_kill(self) -> None:
        """End the call as ``when_killed`` says; runs in a signal handler."""
        self.is_stopped = True
        if self._monitor is not None and self._minds_signals:
            self._monitor.on_kill()

    def forget(self) -> None:
        """Leave a call that is over: neither a signal nor the clock has anything to do with it any more."""
        self.call_sid = self._monitor = None

    def _monitor_of(self, call_sid: str, *, account_sid: str | None = None) -> CallMonitor:
        task = self._task
        self._monitor = CallMonitor(
            # An earlier try's call may be one of another account than today's arguments say.
            task.hook.for_account(account_sid or self._journal.account_sid_of(call_sid)),
            call_sid,
            self._journal,
            when_killed=task.when_killed,
            poll_interval=task.poll_interval,
            queue_timeout=task.queue_timeout_s,
            awaits="end" if task.wait_for_completion else "ring",
            judge=self._judge,
            publish=self._xcoms.show,
        )
        self._minds_signals = True
        return self._monitor

    def _wait(self, monitor: CallMonitor, placed: Placed, step: Step | None) -> CallOutcome:
        deadline = placed.queue_deadline or self._queue_deadline(placed, step)
        if not self._task.wait_for_completion and deadline is None:
            self._detach(monitor)
            return CallOutcome(Reason.PLACED, placed.call, call_sid=placed.call_sid)
        poll = monitor.poll(deadline, step.params if step else None, timeout_at=self._timeout_at())
        # What is over at once is settled here, by a task that defers too: see TwilioCallTrigger.
        decision = poll.look()
        if self.is_stopped:
            monitor.stop()
        if isinstance(decision, CallOutcome):
            return monitor.conclude(decision)
        if self._task.deferrable and not runs_triggers_in_line():
            self._detach(monitor)
            is_told = self._journal.is_called_back(placed.call_sid) and not self._is_prompted
            defer_until_over(
                self._task,
                poll.watch,
                self._journal,
                account_sid=monitor.account_sid,
                poll_interval=max(self._task.poll_interval, INTERVAL_WHEN_TOLD_S if is_told else 0.0),
            )
        return monitor.conclude(monitor.poll_until_complete(poll))

    def _queue_deadline(self, placed: Placed, step: Step | None) -> QueueDeadline | None:
        """Return that of a call which another process has placed: what that has promised, unless we are stricter."""
        own = QueueDeadline.of(
            placed.call,
            now=clock.time(),
            queue_timeout=self._task.queue_timeout_s,
            latest_ring=step.latest_ring if step else math.inf,
            clock_offset=self._task.hook.clock_offset,
        )
        promised = self._journal.queue_deadline_of(placed.call_sid)
        if own and promised:
            return min(own, promised)
        # A try that is sure of its arguments and does not mind the queue keeps no promise of an earlier one.
        return own if own or step else promised

    def _detach(self, monitor: CallMonitor) -> None:
        """Leave the call to others; the process lives on for a while, and a signal then is none of its business."""
        self._minds_signals = False
        if self.is_stopped:
            monitor.stop()

    def _timeout_at(self) -> float | None:
        # Airflow minds execution_timeout itself, but for a task that is deferred.
        if self._task.deferrable and self._task.execution_timeout:
            return self._started + self._task.execution_timeout.total_seconds()
        return None
