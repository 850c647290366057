"""CreateCallOperator: a phone call as a step in a DAG."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_twiliocall.twilio.fields import CREATE_CALL_FIELDS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams
    from airflow_provider_twiliocall.waiting import CallWait, WaitResult

# A call that has not left Twilio's queue by then is canceled: it would ring at a time nobody meant.
DEFAULT_QUEUE_TIMEOUT_S = 3600.0

# Twilio itself drops what has been queued for a day.
LONGEST_QUEUE_TIMEOUT_S = 86_400.0

# Added to the trigger's own deadline: Airflow's timeout is for a triggerer that is gone, not for a slow call.
_DEFERRAL_SLACK_S = 120.0


class CreateCallOperator(BaseOperator):
    """Place a phone call with Twilio and, if asked to, wait for it and judge how it ended.

    Without ``wait_for_completion`` the task succeeds once Twilio has taken the call. With it, the task succeeds
    when the call completed, answered by somebody in ``accept_answered_by`` if that is given. A busy line, no
    answer, a failed call or a voicemail fail it so that a retry of the task dials again; a refused number, bad
    credentials, missing permissions and a call canceled elsewhere fail it for good.

    All arguments of Twilio's create-call request can be given, and are templated; they are checked before
    anything is dialled, see :class:`.CreateCallParams`. One of ``message``, ``url``, ``twiml`` and
    ``application_sid`` has to say what the callee hears.

    XCom: ``return_value`` and ``call_sid`` are the call's SID; ``call`` is the call as a dict (``status``,
    ``answered_by``, ``duration`` in seconds, ``price``, which may still be null, …), phone numbers cut to their
    last four digits.

    :param to: whom to call: E.164 (``+15551234567``), ``client:name`` or ``sip:user@host``
    :param from_: the number to call from; default: the extra ``from`` of the connection
    :param message: words to say to the callee
    :param twilio_conn_id: the connection, of type ``twilio``
    :param wait_for_completion: whether to wait until the call is over
    :param deferrable: whether to wait in the triggerer, without a worker slot;
        default: ``[operators] default_deferrable``
    :param poll_interval: seconds between two looks at the call
    :param accept_answered_by: who may have answered for the task to succeed, such as ``{"human", "unknown"}``.
        Turns on ``machine_detection="DetectMessageEnd"`` unless another is given. Only when waiting.
    :param queue_timeout: seconds, or a timedelta, that the call may stay in Twilio's queue before it is
        canceled; default one hour. Only when waiting.
    :param delivery: what to do when Twilio's answer is lost and the phone may ring or not: ``"at_most_once"``
        fails for good and says how to resolve it, ``"at_least_once"`` lets a retry of the task dial again
    :param account_sid: the account that calls, ``AC…``; default: the connection's
    :param url: where Twilio fetches the TwiML
    :param twiml: the TwiML itself, at most 4,000 characters
    :param application_sid: the TwiML application, ``AP…``
    :param method: GET or POST, for ``url``
    :param fallback_url: where Twilio turns when ``url`` fails
    :param fallback_method: GET or POST
    :param status_callback: where Twilio reports the call's progress
    :param status_callback_event: which progress: initiated, ringing, answered, completed
    :param status_callback_method: GET or POST
    :param send_digits: keys to press once connected, ``0-9 A-D # * w W``
    :param timeout: seconds to let it ring, 1 to 600
    :param time_limit: seconds the call may last
    :param record: whether to record the call
    :param recording_channels: mono or dual
    :param recording_track: inbound, outbound or both
    :param recording_status_callback: where Twilio reports the recording
    :param recording_status_callback_event: in-progress, completed, absent
    :param recording_status_callback_method: GET or POST
    :param recording_configuration_id: a stored recording configuration
    :param trim: trim-silence or do-not-trim
    :param sip_auth_username: for SIP callees
    :param sip_auth_password: for SIP callees; masked
    :param machine_detection: Enable or DetectMessageEnd
    :param machine_detection_timeout: seconds
    :param machine_detection_speech_threshold: milliseconds, 1000 to 6000
    :param machine_detection_speech_end_threshold: milliseconds, 500 to 5000
    :param machine_detection_silence_timeout: milliseconds, 2000 to 10000
    :param async_amd: whether detection runs beside the call
    :param async_amd_status_callback: where Twilio reports its result
    :param async_amd_status_callback_method: GET or POST
    :param caller_id: the number, SIP address or client that made this call; not another word for ``from_``
    :param byoc: a trunk of your own, ``BY…``
    :param call_reason: for branded calls
    :param call_token: the token of an incoming call to forward; masked
    :param client_notification_url: see Twilio's documentation
    :param passports: at most five, comma-separated
    """

    template_fields: Sequence[str] = (
        *CREATE_CALL_FIELDS,
        "message",
        "accept_answered_by",
        "twilio_conn_id",
    )
    template_fields_renderers = {"twiml": "xml"}  # noqa: RUF012 (Airflow's own way of saying it)
    ui_color = "#f7d8dc"

    account_sid: str | None

    def __init__(
        self,
        *,
        to: str,
        from_: str | None = None,
        message: str | None = None,
        twilio_conn_id: str = "twilio_default",
        wait_for_completion: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 5,
        accept_answered_by: Collection[str] | str | None = None,
        queue_timeout: float | timedelta | None = None,
        delivery: Literal["at_most_once", "at_least_once"] = "at_most_once",
        account_sid: str | None = None,
        url: str | None = None,
        twiml: str | None = None,
        application_sid: str | None = None,
        method: str | None = None,
        fallback_url: str | None = None,
        fallback_method: str | None = None,
        status_callback: str | None = None,
        status_callback_event: Sequence[str] | str | None = None,
        status_callback_method: str | None = None,
        send_digits: str | None = None,
        timeout: int | str | None = None,
        time_limit: int | str | None = None,
        record: bool | str | None = None,
        recording_channels: str | None = None,
        recording_track: str | None = None,
        recording_status_callback: str | None = None,
        recording_status_callback_event: Sequence[str] | str | None = None,
        recording_status_callback_method: str | None = None,
        recording_configuration_id: str | None = None,
        trim: str | None = None,
        sip_auth_username: str | None = None,
        sip_auth_password: str | None = None,
        machine_detection: str | None = None,
        machine_detection_timeout: int | str | None = None,
        machine_detection_speech_threshold: int | str | None = None,
        machine_detection_speech_end_threshold: int | str | None = None,
        machine_detection_silence_timeout: int | str | None = None,
        async_amd: bool | str | None = None,
        async_amd_status_callback: str | None = None,
        async_amd_status_callback_method: str | None = None,
        caller_id: str | None = None,
        byoc: str | None = None,
        call_reason: str | None = None,
        call_token: str | None = None,
        client_notification_url: str | None = None,
        passports: str | None = None,
        **kwargs: Any,
    ) -> None:
        # The signature above is the one list of a call's fields here; each becomes the attribute of its name.
        arguments = locals()
        super().__init__(**kwargs)
        for name in CREATE_CALL_FIELDS:
            setattr(self, name, arguments[name])
        self.message = message
        self.twilio_conn_id = twilio_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        # A set has no order, and a DAG must serialize alike at every parse.
        self.accept_answered_by = (
            sorted(accept_answered_by)
            if isinstance(accept_answered_by, (set, frozenset))
            else accept_answered_by
        )
        self.queue_timeout = queue_timeout
        self.delivery = delivery
        self._refuse_what_cannot_work()

    def _refuse_what_cannot_work(self) -> None:
        for name in ("accept_answered_by", "queue_timeout"):
            if getattr(self, name) is not None and not self.wait_for_completion:
                raise ValueError(
                    f"{name} has a meaning only for a task that waits for the call: add wait_for_completion=True, "
                    f"or leave {name} out (it may also come from default_args)"
                )
        if self.delivery not in ("at_most_once", "at_least_once"):
            raise ValueError(f"delivery={self.delivery!r} is neither 'at_most_once' nor 'at_least_once'")
        if isinstance(self.poll_interval, bool) or not isinstance(self.poll_interval, (int, float)):
            raise ValueError(f"poll_interval={self.poll_interval!r} is not a number of seconds")
        if not 0 < self.poll_interval < math.inf:
            raise ValueError(f"poll_interval={self.poll_interval!r} has to be more than 0 seconds")
        if not 0 < _seconds(self.queue_timeout) <= LONGEST_QUEUE_TIMEOUT_S:
            raise ValueError(
                f"queue_timeout={self.queue_timeout!r} has to be more than 0 seconds, and at most "
                f"{LONGEST_QUEUE_TIMEOUT_S:.0f}: Twilio keeps no call in its queue for longer than a day"
            )

    @cached_property
    def hook(self) -> TwilioCallHook:
        """The hook, of the connection and account given."""
        from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

        return TwilioCallHook(self.twilio_conn_id, account_sid=self.account_sid)

    def execute(self, context: Context) -> str:
        """Place the call; wait for it if asked to.

        :raises TwilioCallRefusedError: before or instead of dialling, not to be retried
        """
        from airflow_provider_twiliocall.placement import no_redial_of, place_call

        params = self._call_params()
        call = place_call(self.hook, params, delivery=self.delivery)
        with no_redial_of(call.sid):
            self._push(context, call_sid=call.sid, call=call.to_dict())
            if not self.wait_for_completion:
                return call.sid
            return self._wait(context, self._first_wait(call, params))

    def resume(self, context: Context, event: dict[str, Any] | None = None, **_: Any) -> str:
        """Go on after the trigger has fired."""
        from airflow_provider_twiliocall.placement import no_redial_of
        from airflow_provider_twiliocall.waiting import WaitResult

        event = event or {}
        with no_redial_of(event.get("call_sid", "(the trigger's event does not say which)")):
            wait = self._wait_for(event["call_sid"], deadline=event["deadline"])
            return self._settle(context, wait, WaitResult.from_event(event))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as Airflow does, but a wait that broke off is no reason to dial again."""
        from airflow_provider_twiliocall.exceptions import TaskDeferralError, TaskDeferralTimeout
        from airflow_provider_twiliocall.placement import no_redial_of

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            ti = context["ti"]
            call_sid = ti.xcom_pull(task_ids=ti.task_id, key="call_sid", map_indexes=ti.map_index)
            self.log.warning("The wait for call %s broke off (%s): looking a last time.", call_sid, error)
            with no_redial_of(call_sid):
                wait = self._wait_for(call_sid, deadline=time.time())
                return self._settle(context, wait, self._sit_out(wait))

    # Asking -----------------------------------------------------------------------------------------------

    def _call_params(self) -> CreateCallParams:
        from airflow.sdk.log import mask_secret

        from airflow_provider_twiliocall.arguments import params_from_arguments
        from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError
        from airflow_provider_twiliocall.twilio.params import CallParamsError

        arguments = {name: getattr(self, name) for name in CREATE_CALL_FIELDS}
        for name in ("sip_auth_password", "call_token"):
            if arguments[name]:
                mask_secret(str(arguments[name]))
        try:
            params = params_from_arguments(
                arguments, message=self.message, accept_answered_by=self.accept_answered_by
            )
            return self.hook.with_caller_id(params)
        except CallParamsError as error:
            listed = "\n".join(f"- {problem}" for problem in error.problems)
            raise TwilioCallRefusedError(f"Nothing was dialled; mend these arguments:\n{listed}") from None

    # Waiting ----------------------------------------------------------------------------------------------

    def _first_wait(self, call: Call, params: CreateCallParams) -> CallWait:
        from airflow_provider_twiliocall.waiting import deadline_of_call

        placed_at = time.time()
        queue_timeout = _seconds(self.queue_timeout)
        deadline = deadline_of_call(
            placed_at,
            queue_timeout=queue_timeout,
            ring_timeout=params.timeout,
            time_limit=params.time_limit,
        )
        return self._wait_for(call.sid, deadline=deadline, queue_deadline=placed_at + queue_timeout)

    def _wait_for(self, call_sid: str, *, deadline: float, queue_deadline: float | None = None) -> CallWait:
        from airflow_provider_twiliocall.waiting import CallWait

        return CallWait(
            call_sid,
            self.hook.watcher.get_call,
            poll_interval=self.poll_interval,
            deadline=deadline,
            queue_deadline=queue_deadline,
        )

    def _wait(self, context: Context, wait: CallWait) -> str:
        # What is over at once is settled here, also by a task that defers: see TwilioCallTrigger's first seconds.
        result = wait.look()
        if result is None and self.deferrable:
            self._defer(wait)
        if result is None:
            time.sleep(wait.pause())
        return self._settle(context, wait, result or self._sit_out(wait))

    @staticmethod
    def _sit_out(wait: CallWait) -> WaitResult:
        while (result := wait.look()) is None:
            time.sleep(wait.pause())
        return result

    def _defer(self, wait: CallWait) -> NoReturn:
        from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger

        deadline = wait.deadline or time.time()
        self.defer(
            trigger=TwilioCallTrigger(
                self.twilio_conn_id,
                wait.call_sid,
                poll_interval=self.poll_interval,
                deadline=deadline,
                queue_deadline=wait.queue_deadline,
                account_sid=self.account_sid,
            ),
            method_name="resume",
            timeout=timedelta(seconds=deadline - time.time() + _DEFERRAL_SLACK_S),
        )

    def _settle(self, context: Context, wait: CallWait, result: WaitResult) -> str:
        from airflow_provider_twiliocall.exceptions import (
            TwilioCallFateUnknownError,
        )
        from airflow_provider_twiliocall.waiting import WaitEnd

        if result.call:
            self._push(context, call=result.call.to_dict())
        if result.end is WaitEnd.OVER and result.call:
            return self._judge(result.call)
        if result.end is WaitEnd.QUEUED_TOO_LONG:
            return self._give_up_queued(context, wait)
        raise TwilioCallFateUnknownError(
            f"Call {wait.call_sid} was placed, but how it ended cannot be told: {result.problem}. It is not "
            "dialled again. Look it up in Twilio's call log"
        )

    def _give_up_queued(self, context: Context, wait: CallWait) -> str:
        from airflow_provider_twiliocall.exceptions import TwilioCallUnansweredError
        from airflow_provider_twiliocall.twilio.call import CallStatus

        wait_on = self._wait_for(wait.call_sid, deadline=wait.deadline or time.time())
        if not self._cancel_if_queued(wait):
            self.log.info("Call %s left the queue at the last moment: waiting for it.", wait.call_sid)
            return self._wait(context, wait_on)
        result = self._sit_out(wait_on)
        if result.call and result.call.status is CallStatus.CANCELED:
            self._push(context, call=result.call.to_dict())
            raise TwilioCallUnansweredError(
                f"Call {wait.call_sid} was still in Twilio's queue after {_seconds(self.queue_timeout):g} s "
                "(queue_timeout) and was canceled. More calls per second, or a longer queue_timeout, help"
            )
        return self._settle(context, wait_on, result)

    def _cancel_if_queued(self, wait: CallWait) -> bool:
        """Take the call out of the queue, through weather too: a retry dials while this one may still ring.

        :return: whether it was canceled here; False where it has left the queue by itself
        """
        from airflow_provider_twiliocall.exceptions import TwilioCallFateUnknownError
        from airflow_provider_twiliocall.twilio.call import CallStatus
        from airflow_provider_twiliocall.twilio.errors import (
            CALL_IS_OVER,
            TwilioAmbiguousError,
            TwilioError,
            TwilioNotFoundError,
            TwilioRejectedError,
        )
        from airflow_provider_twiliocall.waiting import LONGEST_BACKOFF_S

        pause = self.poll_interval
        # An answer that was lost may have told of a cancellation: that one was not somebody else's.
        may_be_ours = False
        while True:
            try:
                # Looked at anew: the trigger's word may be minutes old, and a ringing phone is not to be cut off.
                status = self.hook.get_call(wait.call_sid).status
                if status is not CallStatus.QUEUED:
                    return may_be_ours and status is CallStatus.CANCELED
                self.hook.update_call(wait.call_sid, status=CallStatus.CANCELED)
                return True
            except TwilioError as fault:
                if fault.code == CALL_IS_OVER:
                    return may_be_ours
                may_be_ours = may_be_ours or isinstance(fault, TwilioAmbiguousError)
                hopeless = isinstance(fault, (TwilioRejectedError, TwilioNotFoundError))
                if hopeless or time.time() >= (wait.deadline or 0):
                    raise TwilioCallFateUnknownError(
                        f"Call {wait.call_sid} stayed in Twilio's queue for too long (queue_timeout) and could "
                        f"not be canceled: {fault}. It is not dialled again. Look it up in Twilio's call log"
                    ) from None
                self.log.warning("Cannot cancel call %s for now: %s", wait.call_sid, fault)
                time.sleep(pause)
                pause = min(pause * 2, max(LONGEST_BACKOFF_S, self.poll_interval))

    def _judge(self, call: Call) -> str:
        from airflow_provider_twiliocall.exceptions import (
            TwilioCallEndedForGoodError,
            TwilioCallUnansweredError,
        )
        from airflow_provider_twiliocall.outcome import Verdict, answerers, judge_with_reasons

        outcome = judge_with_reasons(call, self.hook, accept_answered_by=answerers(self.accept_answered_by))
        if outcome.verdict is Verdict.REDIAL:
            raise TwilioCallUnansweredError(outcome.sentence)
        if outcome.verdict is Verdict.GIVE_UP:
            raise TwilioCallEndedForGoodError(outcome.sentence)
        self.log.info(outcome.sentence)
        return call.sid

    def _push(self, context: Context, **values: Any) -> None:
        for key, value in values.items():
            try:
                context["ti"].xcom_push(key=key, value=value)
            except Exception as error:  # the call matters more than the note about it
                self.log.warning("Could not keep XCom %r: %s", key, error)


def _seconds(queue_timeout: float | timedelta | None) -> float:
    if queue_timeout is None:
        return DEFAULT_QUEUE_TIMEOUT_S
    try:
        return queue_timeout.total_seconds() if isinstance(queue_timeout, timedelta) else float(queue_timeout)
    except (TypeError, ValueError):
        raise ValueError(
            f"queue_timeout={queue_timeout!r} is neither a number of seconds nor a timedelta"
        ) from None
