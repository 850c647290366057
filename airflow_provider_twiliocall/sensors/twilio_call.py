"""TwilioCallSensor: waits for a call that was placed before, and judges how it ended."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.arguments.checks import check_conn_id, check_flag, in_order
from airflow_provider_twiliocall.arguments.templated import RendersText, given, is_literal

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.calls.outcome import CallOutcome
    from airflow_provider_twiliocall.calls.poll import CallPoll
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

# Airflow's timeout is only for a triggerer that is gone: the trigger keeps the sensor's own.
_DEFERRAL_SLACK_S = 120.0

_LONGEST_SECOND_LOOK_S = 2.0


class TwilioCallSensor(RendersText, BaseSensorOperator):
    """Wait until a call is over; succeed if it completed, by the same judgement as :class:`.CreateCallOperator`.

    A call that ended otherwise fails the sensor for good, since a retry would look at the same call; with
    ``soft_fail`` the sensor is skipped, as it is when its ``timeout`` is over. What a person has to fix fails it also
    with ``soft_fail``: a bad SID, a connection that cannot be used, that Twilio refuses, or with which neither Airflow
    nor Twilio is reached until the ``timeout``. ``timeout`` works alike in all modes. Killing the sensor leaves the
    call alone.

    XCom: ``return_value`` and ``call`` are the finished call as a dict, phone numbers cut to their last four
    digits.

    :param call_sid: the call, ``CA…``; often ``"{{ ti.xcom_pull(task_ids='ring') }}"`` or ``ring.output``
    :param twilio_conn_id: the connection, of type ``twilio``
    :param deferrable: whether to wait in the triggerer, without a worker slot; ``mode`` means nothing then.
        Default: ``[operators] default_deferrable``
    :param accept_answered_by: who may have answered for the sensor to succeed, such as ``{"human", "unknown"}``;
        the call must have been placed with ``machine_detection``
    :param account_sid: the account whose call it is, where it is not the connection's
    :param poke_interval: seconds, or a timedelta, between two looks at the call. With ``mode="reschedule"`` give
        6 or more: Airflow now and then takes a task that is rescheduled for less for a dead one
    """

    template_fields: Sequence[str] = ("call_sid", "twilio_conn_id", "accept_answered_by", "account_sid")
    ui_color = "#f7d8dc"

    def __init__(
        self,
        *,
        call_sid: str,
        twilio_conn_id: str = "twilio_default",
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        accept_answered_by: Collection[str] | str | None = None,
        account_sid: str | None = None,
        poke_interval: timedelta | float = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.call_sid = call_sid
        self.twilio_conn_id = twilio_conn_id
        self.deferrable = deferrable
        self.accept_answered_by = in_order(accept_answered_by)
        self.account_sid = account_sid
        check_conn_id(twilio_conn_id)
        check_flag("deferrable", deferrable)
        # What a mapped task is given is judged when it runs.
        if not getattr(self, "_BaseOperator__from_mapped", False):
            if is_literal(call_sid):
                self._check_call_sid()
            if accept_answered_by is not None and is_literal(accept_answered_by):
                self._check_answerers()

    @cached_property
    def hook(self) -> TwilioCallHook:
        """The hook, of the connection and account given."""
        from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

        return TwilioCallHook(self.twilio_conn_id, account_sid=given(self.account_sid))

    def execute(self, context: Context) -> Any:
        """Wait: poking, rescheduled or deferred."""
        from airflow_provider_twiliocall.calls.outcome import CallOutcome
        from airflow_provider_twiliocall.compat import runs_triggers_in_line

        with self._skipped_with_a_reason():
            if not self.deferrable or runs_triggers_in_line():
                return super().execute(context)
            # What is over by now is settled here: see TwilioCallTrigger's first seconds.
            decision = self._poll.look()
            if isinstance(decision, CallOutcome):
                return self._settle(context, decision)
        return self._defer()

    def poke(self, context: Context) -> PokeReturnValue:
        """Look at the call once."""
        from airflow_provider_twiliocall.calls.watch import LookAgain

        watch = self._poll.watch
        if self.reschedule and (first_poke := context["ti"].get_first_reschedule_date(context)):
            # Each poke is another process, and none alone would see for how long a call stays unknown.
            watch.unknown_since = first_poke.timestamp()
        decision = self._poll.look()
        while isinstance(decision, LookAgain) and self.reschedule and watch.unknown_for_long(clock.time()):
            # One 404 may be a slip of Twilio's, and the next process would not know that this one had seen it.
            clock.sleep(min(decision.at - clock.time(), _LONGEST_SECOND_LOOK_S))
            decision = self._poll.look()
        if isinstance(decision, LookAgain):
            return PokeReturnValue(is_done=False)
        return PokeReturnValue(is_done=True, xcom_value=self._settle(context, decision))

    def execute_complete(
        self, context: Context, event: dict[str, Any] | None = None, **_: Any
    ) -> dict[str, Any]:
        """Go on after the trigger has fired."""
        from airflow_provider_twiliocall.calls.outcome import CallOutcome

        if event is None:
            raise ValueError("a call's sensor resumes with its trigger's event, and there is none")
        return self._settle(context, CallOutcome.from_event(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as Airflow does."""
        with self._skipped_with_a_reason():
            return super().resume_execution(next_method, next_kwargs, context)

    @contextmanager
    def _skipped_with_a_reason(self) -> Iterator[None]:
        """Skip a lenient sensor for how its call ended or how long it took, not for what a person has to fix.

        :raises AirflowSkipException: with ``soft_fail``, and with ``never_fail`` for whatever reason
        """
        try:
            yield
        except (AirflowSkipException, AirflowSensorTimeout, AirflowFailException) as end:
            # Airflow makes a skip of what is raised below, and keeps that as its cause.
            reason = end.__cause__ if isinstance(end, AirflowSkipException) and end.__cause__ else end
            reason = self._timeout_by_a_fault(reason) or reason
            is_skipped = self.never_fail or (self.soft_fail and not _is_for_a_person(reason))
            if not is_skipped:
                if reason is end:
                    raise
                raise reason from None
            leniency = "never_fail" if self.never_fail else "soft_fail"
            self.log.warning("Skipped (%s): %s", leniency, reason)
            raise AirflowSkipException(str(reason)) from reason

    def _timeout_by_a_fault(self, reason: BaseException) -> BaseException | None:
        """Return the end of a sensor that timed out by Airflow's clock and could not see its call at its last look."""
        from airflow_provider_twiliocall.exceptions import TwilioCallFateUnknownError

        poll = self.__dict__.get("_poll")
        is_timeout = isinstance(reason, (AirflowSensorTimeout, AirflowSkipException))
        if not is_timeout or poll is None or poll.watch.fault is None:
            return None
        kind = TwilioCallFateUnknownError if poll.watch.is_for_a_person else AirflowSensorTimeout
        return kind(self._not_seen_in_time(poll.watch.fault))

    def _not_seen_in_time(self, problem: object) -> str:
        return f"Call {self.call_sid} was not seen to end within {self.timeout:g} s (timeout): {problem}"

    @cached_property
    def _poll(self) -> CallPoll:
        from airflow_provider_twiliocall.calls.poll import CallPoll
        from airflow_provider_twiliocall.calls.watch import CallWatch
        from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError

        try:
            self._check_call_sid()
            self._check_answerers()
        except ValueError as error:
            raise TwilioCallRefusedError(str(error)) from None
        watch = CallWatch(self.call_sid, poll_interval=max(1.0, self.poke_interval))
        return CallPoll(watch, lambda: self.hook.watcher)

    def _check_call_sid(self) -> None:
        from airflow_provider_twiliocall.twilio.call import is_call_sid

        if not is_call_sid(self.call_sid):
            raise ValueError(
                f"call_sid={self.call_sid!r} is not the SID of a call (CA and 32 hexadecimal digits). A template "
                "that finds no XCom renders to None: look at the task that places the call"
            )

    def _check_answerers(self) -> None:
        from airflow_provider_twiliocall.twilio.call import answerers

        answerers(self.accept_answered_by)

    def _defer(self) -> None:
        from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger

        self.defer(
            trigger=TwilioCallTrigger(
                self.twilio_conn_id,
                self.call_sid,
                poll_interval=max(1.0, self.poke_interval),
                deadline=clock.time() + self.timeout,
                account_sid=given(self.account_sid),
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + _DEFERRAL_SLACK_S),
        )

    def _settle(self, context: Context, seen: CallOutcome) -> dict[str, Any]:
        from airflow_provider_twiliocall.calls.outcome import judge_with_reasons
        from airflow_provider_twiliocall.exceptions import (
            TwilioCallEndedForGoodError,
            TwilioCallFateUnknownError,
        )
        from airflow_provider_twiliocall.journal.reason import Reason
        from airflow_provider_twiliocall.journal.xcom import CALL
        from airflow_provider_twiliocall.twilio.call import answerers

        call = seen.call.to_dict() if seen.call else None
        if call:
            context["ti"].xcom_push(key=CALL, value=call)
        if seen.reason is Reason.OVERDUE:
            kind = TwilioCallFateUnknownError if seen.is_for_a_person else AirflowSensorTimeout
            raise kind(self._not_seen_in_time(seen.why))
        if seen.reason is Reason.UNKNOWN or not seen.call or not call:
            raise TwilioCallFateUnknownError(f"Call {self.call_sid} cannot be seen: {seen.why}")
        outcome = judge_with_reasons(
            seen.call, self.hook, accept_answered_by=answerers(self.accept_answered_by)
        )
        if outcome.reason is not Reason.COMPLETED:
            raise TwilioCallEndedForGoodError(outcome.why)
        self.log.info(outcome.why)
        return call


def _is_for_a_person(error: BaseException) -> bool:
    from airflow_provider_twiliocall.exceptions import (
        TwilioCallFateUnknownError,
        TwilioCallRefusedError,
        TwilioConnectionError,
    )

    return isinstance(error, (TwilioCallRefusedError, TwilioConnectionError, TwilioCallFateUnknownError))
