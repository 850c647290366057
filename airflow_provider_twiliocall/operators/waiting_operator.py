"""What an operator does about a call that it has placed: wait or defer, be killed or run out of time, and judge."""

from __future__ import annotations

import math
from abc import abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.arguments.checks import read_seconds
from airflow_provider_twiliocall.arguments.templated import RendersText, given

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.calls.monitor import CallMonitor
    from airflow_provider_twiliocall.calls.outcome import Outcome
    from airflow_provider_twiliocall.calls.poll import CallPoll
    from airflow_provider_twiliocall.calls.watch import CallWatch
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.twilio.call import Call

# A call that has not left Twilio's queue by then is canceled: it would ring at a time nobody meant.
DEFAULT_QUEUE_TIMEOUT_S = 3600.0

# Added to the trigger's own deadline: Airflow's timeout is for a triggerer that is gone, not for a slow call.
DEFERRAL_SLACK_S = 120.0


class WaitingOperator(RendersText, BaseOperator):
    """A task that waits for a call of its own."""

    twilio_conn_id: str
    account_sid: str | None
    wait_for_completion: bool
    deferrable: bool
    poll_interval: float
    queue_timeout: float | timedelta | None
    when_killed: Literal["cancel", "hang_up", "leave"]

    # Of one try: since when, the call it is about and who monitors it, and whether it was told to stop.
    _started = 0.0
    _call_sid: str | None = None
    _last_published: Call | None = None
    _monitor: CallMonitor | None = None
    _is_stopped = False

    def __init__(self, **kwargs: Any) -> None:
        # A class without one of its own has BaseOperator's wrapped by Airflow where a mixin comes first. Mapped tasks
        # then take None for each default of BaseOperator's, such as `inlets`, and fail before they begin.
        super().__init__(**kwargs)

    @cached_property
    def hook(self) -> TwilioCallHook:
        """The hook, of the connection and account given."""
        from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

        return TwilioCallHook(self.twilio_conn_id, account_sid=given(self.account_sid))

    @property
    def queue_timeout_s(self) -> float:
        """How long a call may stay in Twilio's queue, in seconds."""
        if not self.wait_for_completion:
            return math.inf
        if self.queue_timeout is None:
            return DEFAULT_QUEUE_TIMEOUT_S
        return read_seconds("queue_timeout", self.queue_timeout)

    @abstractmethod
    def judge(self, call: Call) -> Outcome:
        """Say what the end of a call means for the task."""

    def on_kill(self) -> None:
        """End the call as ``when_killed`` says; runs in a signal handler."""
        self._is_stopped = True
        if self._monitor is not None:
            self._monitor.on_kill()

    def _monitor_of(
        self, context: Context, call_sid: str, journal: CallJournal, *, account_sid: str | None = None
    ) -> CallMonitor:
        from airflow_provider_twiliocall.calls.monitor import CallMonitor

        def publish(call: Call) -> None:
            self._last_published = call
            self._push(context, call=call.to_dict())

        self._monitor = CallMonitor(
            # An earlier try's call may be one of another account than today's arguments say.
            self.hook.for_account(account_sid or journal.account_sid_of(call_sid)),
            call_sid,
            journal,
            when_killed=self.when_killed,
            poll_interval=self.poll_interval,
            queue_timeout=self.queue_timeout_s,
            awaits="end" if self.wait_for_completion else "ring",
            judge=self.judge,
            publish=publish,
        )
        return self._monitor

    def _wait(self, monitor: CallMonitor, poll: CallPoll, journal: CallJournal) -> str:
        from airflow_provider_twiliocall.calls.watch import WaitResult
        from airflow_provider_twiliocall.compat import runs_triggers_in_line

        # What is over at once is settled here, by a task that defers too: see TwilioCallTrigger.
        decision = poll.look()
        if self._is_stopped:
            monitor.stop()
        if isinstance(decision, WaitResult):
            return monitor.conclude(decision)
        if self.deferrable and not runs_triggers_in_line():
            self._defer(monitor, poll.watch, journal)
        return monitor.conclude(monitor.poll_until_complete(poll))

    def _timeout_at(self) -> float | None:
        # Airflow minds execution_timeout itself, but for a task that is deferred.
        if self.deferrable and self.execution_timeout:
            return self._started + self.execution_timeout.total_seconds()
        return None

    def _out_of_time(self, context: Context, journal: CallJournal, call_sid: str | None) -> str:
        """End the call of a task whose execution_timeout has struck, which is the error being handled."""
        if call_sid is None or (self._monitor and self._monitor.is_out_of_time):
            raise
        monitor = self._monitor or self._monitor_of(context, call_sid, journal)
        # Airflow's own on_kill comes after this, and could not write down what it does.
        self._monitor = None
        return monitor.time_out("the task's execution_timeout is over")

    def _detach(self, monitor: CallMonitor) -> None:
        """Leave the call to others; the process lives on for a while, and a signal then is none of its business."""
        self._monitor = None
        if self._is_stopped:
            monitor.stop()

    def _defer(self, monitor: CallMonitor, watch: CallWatch, journal: CallJournal) -> NoReturn:
        from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger

        self._detach(monitor)
        ends = min(moment for moment in (watch.deadline, watch.timeout_at) if moment)
        account_sid = monitor.account_sid
        kept = {
            "journal": journal.to_carry(),
            "account_sid": None if account_sid == given(self.account_sid) else account_sid,
        }
        self.defer(
            trigger=TwilioCallTrigger(
                self.twilio_conn_id,
                watch.call_sid,
                poll_interval=self.poll_interval,
                deadline=watch.deadline,
                when_killed=self.when_killed,
                queue_deadline=watch.queue_deadline,
                timeout_at=watch.timeout_at,
                awaits=watch.awaits,
                account_sid=account_sid,
            ),
            method_name="execute_complete",
            kwargs={name: value for name, value in kept.items() if value} or None,
            timeout=timedelta(seconds=max(0.0, ends - clock.time()) + DEFERRAL_SLACK_S),
        )

    def _push(self, context: Context, **values: Any) -> None:
        for key, value in values.items():
            try:
                context["ti"].xcom_push(key=key, value=value)
            except Exception as error:  # the call matters more than the note about it
                self.log.warning("Could not keep XCom %r: %s", key, error)
