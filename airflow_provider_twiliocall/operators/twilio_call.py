"""CreateCallOperator: a phone call as a step in a DAG."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_twiliocall.twilio.fields import CREATE_CALL_FIELDS, SPEECH_FIELDS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.following import CallFollower
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal import CallJournal
    from airflow_provider_twiliocall.placement import Placement
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
    :param message: words to say to the callee, put so that they can be understood when heard
    :param audio_url: a recording to play to the callee instead, MP3 or WAV
    :param voice: who says the message, such as ``Polly.Amy``; default: the account's own
    :param language: of the message, such as ``fr-FR``
    :param repeat: how often the message is said or the recording played, 1 to 1000; default 1
    :param verbatim: whether the message is said exactly as it is written
    :param twilio_conn_id: the connection, of type ``twilio``
    :param wait_for_completion: whether to wait until the call is over
    :param deferrable: whether to wait in the triggerer, without a worker slot;
        default: ``[operators] default_deferrable``
    :param poll_interval: seconds between two looks at the call
    :param accept_answered_by: who may have answered for the task to succeed, such as ``{"human", "unknown"}``.
        Turns on ``machine_detection="DetectMessageEnd"`` unless another is given. Only when waiting.
    :param queue_timeout: seconds, or a timedelta, that the call may stay in Twilio's queue before it is
        canceled; default one hour. Only when waiting.
    :param delivery: what to do when Twilio's answer is lost and the call cannot be found either:
        ``"at_most_once"`` fails for good and says how to resolve it, ``"at_least_once"`` dials again
    :param when_killed: what becomes of the call when the task is killed, evicted or out of time: ``"cancel"``
        ends it unless somebody is on the line, ``"hang_up"`` ends it in any state, ``"leave"`` does not touch it
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
    :param time_limit: seconds the call may last; default: Twilio's own 14400, but for a ``message`` the time to say
        it twice over and some two minutes. Give 14400 to have no such limit
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
        *SPEECH_FIELDS,
        "accept_answered_by",
        "twilio_conn_id",
    )
    template_fields_renderers = {"twiml": "xml"}  # noqa: RUF012 (Airflow's own way of saying it)
    ui_color = "#f7d8dc"

    account_sid: str | None

    # Of one try: the call it follows, and whether it was told to stop.
    _follower: CallFollower | None = None
    _is_stopped = False

    def __init__(
        self,
        *,
        to: str,
        from_: str | None = None,
        message: str | None = None,
        audio_url: str | None = None,
        voice: str | None = None,
        language: str | None = None,
        repeat: int | str | None = None,
        verbatim: bool | str | None = None,
        twilio_conn_id: str = "twilio_default",
        wait_for_completion: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 5,
        accept_answered_by: Collection[str] | str | None = None,
        queue_timeout: float | timedelta | None = None,
        delivery: Literal["at_most_once", "at_least_once"] = "at_most_once",
        when_killed: Literal["cancel", "hang_up", "leave"] = "cancel",
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
        for name in (*CREATE_CALL_FIELDS, *SPEECH_FIELDS):
            setattr(self, name, arguments[name])
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
        self.when_killed = when_killed
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
        if self.when_killed not in ("cancel", "hang_up", "leave"):
            raise ValueError(f"when_killed={self.when_killed!r} is none of 'cancel', 'hang_up' and 'leave'")
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
        """Place the call, or take up the one an earlier try has placed; wait for it if asked to.

        :raises TwilioCallRefusedError: before or instead of dialling, not to be retried
        """
        from airflow_provider_twiliocall.exceptions import AirflowTaskTimeout
        from airflow_provider_twiliocall.following import no_redial_of
        from airflow_provider_twiliocall.journal import CallJournal

        started = time.time()
        params = self._call_params()
        journal = CallJournal.of(context)
        placement = self._placement(context, params, journal)
        try:
            placed = placement.place()
            with no_redial_of(placed.call_sid, journal):
                follower = self._follow(context, placed.call_sid, journal)
                self._push(context, call_sid=placed.call_sid)
                if placed.call:
                    self._push(context, call=placed.call.to_dict())
                if not self.wait_for_completion:
                    self._let_go(follower)
                    return placed.call_sid
                wait = follower.first_wait(placed.call, params, timeout_at=self._timeout_at(started))
                return self._wait(follower, wait)
        except AirflowTaskTimeout:
            return self._out_of_time(context, placement.call_sid or placement.find_lost_call(), journal)

    def resume(self, context: Context, event: dict[str, Any] | None = None, **_: Any) -> str:
        """Go on after the trigger has fired."""
        from airflow_provider_twiliocall.exceptions import AirflowTaskTimeout
        from airflow_provider_twiliocall.following import no_redial_of
        from airflow_provider_twiliocall.journal import CallJournal
        from airflow_provider_twiliocall.waiting import WaitResult

        event = event or {}
        journal = CallJournal.of(context)
        with no_redial_of(event.get("call_sid", "(the trigger's event does not say which)"), journal):
            try:
                follower = self._follow(context, event["call_sid"], journal)
                wait = follower.wait(deadline=event["deadline"], timeout_at=event["timeout_at"])
                return self._wait(follower, wait, WaitResult.from_event(event))
            except AirflowTaskTimeout:
                return self._out_of_time(context, event["call_sid"], journal)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as Airflow does, but a wait that broke off is no reason to forget the call, or to dial again."""
        from airflow_provider_twiliocall.exceptions import TaskDeferralError, TaskDeferralTimeout

        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except (TaskDeferralError, TaskDeferralTimeout) as error:
            self.log.warning("The wait for the call broke off: %s", error)
            return self._wait_anew(context, out_of_time=isinstance(error, TaskDeferralTimeout))

    def _wait_anew(self, context: Context, *, out_of_time: bool) -> str:
        from airflow_provider_twiliocall.exceptions import AirflowTaskTimeout
        from airflow_provider_twiliocall.following import no_redial_of
        from airflow_provider_twiliocall.journal import CallJournal

        ti = context["ti"]
        journal = CallJournal.of(context)
        call_sid = None
        with no_redial_of("of this task", journal):
            try:
                call_sid = journal.call_sid() or ti.xcom_pull(
                    task_ids=ti.task_id, key="call_sid", map_indexes=ti.map_index
                )
                follower = self._follow(context, call_sid, journal)
                if out_of_time:
                    return follower.time_out("nobody took the trigger's event in time")
                timeout_at = self._timeout_at(time.time())
                return self._wait(
                    follower, follower.first_wait(None, self._call_params(), timeout_at=timeout_at)
                )
            except AirflowTaskTimeout:
                return self._out_of_time(context, call_sid, journal)

    def on_kill(self) -> None:
        """End the call as ``when_killed`` says; runs in a signal handler."""
        self._is_stopped = True
        if self._follower is not None:
            self._follower.on_kill()

    # Placing ----------------------------------------------------------------------------------------------

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
            said = {name: getattr(self, name) for name in SPEECH_FIELDS}
            params = params_from_arguments(arguments, said, accept_answered_by=self.accept_answered_by)
            return self.hook.with_caller_id(params)
        except CallParamsError as error:
            listed = "\n".join(f"- {problem}" for problem in error.problems)
            raise TwilioCallRefusedError(f"Nothing was dialled; mend these arguments:\n{listed}") from None

    def _placement(self, context: Context, params: CreateCallParams, journal: CallJournal) -> Placement:
        from airflow_provider_twiliocall.claims import CallClaims
        from airflow_provider_twiliocall.outcome import answerers
        from airflow_provider_twiliocall.placement import Placement

        dag = self.get_dag()
        placing = [task.task_id for task in dag.tasks if _places_calls(task)] if dag else []
        claims = CallClaims(context["ti"], placing)
        return Placement(
            self.hook,
            params,
            journal,
            delivery=self.delivery,
            when_killed=self.when_killed,
            accept_answered_by=answerers(self.accept_answered_by),
            is_judged=self.wait_for_completion,
            others=claims.of_others,
            claim=claims.claim,
            is_stopped=lambda: self._is_stopped,
        )

    # Waiting ----------------------------------------------------------------------------------------------

    def _follow(self, context: Context, call_sid: str, journal: CallJournal) -> CallFollower:
        from airflow_provider_twiliocall.following import CallFollower
        from airflow_provider_twiliocall.outcome import answerers

        self._follower = CallFollower(
            self.hook,
            call_sid,
            journal,
            when_killed=self.when_killed,
            poll_interval=self.poll_interval,
            queue_timeout=_seconds(self.queue_timeout),
            accept_answered_by=answerers(self.accept_answered_by),
            tell=lambda call: self._push(context, call=call.to_dict()),
        )
        return self._follower

    def _wait(self, follower: CallFollower, wait: CallWait, result: WaitResult | None = None) -> str:
        while True:
            # What is over at once is settled here, by a task that defers too: see TwilioCallTrigger.
            result = result or wait.look()
            if self._is_stopped:
                follower.stop()
            if result is None and self.deferrable:
                self._defer(follower, wait)
            call_sid = follower.conclude(wait, result or follower.sit_out(wait))
            if call_sid is not None:
                return call_sid
            wait = follower.wait(deadline=wait.deadline or time.time(), timeout_at=wait.timeout_at)
            result = None

    def _timeout_at(self, started: float) -> float | None:
        # Airflow minds execution_timeout itself, but for a task that is deferred.
        if self.deferrable and self.execution_timeout:
            return started + self.execution_timeout.total_seconds()
        return None

    def _out_of_time(self, context: Context, call_sid: str | None, journal: CallJournal) -> str:
        """End the call of a task whose execution_timeout has struck, which is the error being handled."""
        if call_sid is None or (self._follower and self._follower.is_out_of_time):
            raise
        follower = self._follower or self._follow(context, call_sid, journal)
        # Airflow's own on_kill comes after this, and could not write down what it does.
        self._follower = None
        return follower.time_out("the task's execution_timeout is over")

    def _let_go(self, follower: CallFollower) -> None:
        """Leave the call to others; the process lives on for a while, and a signal then is none of its business."""
        self._follower = None
        if self._is_stopped:
            follower.stop()

    def _defer(self, follower: CallFollower, wait: CallWait) -> NoReturn:
        from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger

        self._let_go(follower)
        ends = min(moment for moment in (wait.deadline, wait.timeout_at) if moment)
        self.defer(
            trigger=TwilioCallTrigger(
                self.twilio_conn_id,
                wait.call_sid,
                poll_interval=self.poll_interval,
                deadline=wait.deadline,
                when_killed=self.when_killed,
                queue_deadline=wait.queue_deadline,
                timeout_at=wait.timeout_at,
                account_sid=self.account_sid,
            ),
            method_name="resume",
            timeout=timedelta(seconds=max(0.0, ends - time.time()) + _DEFERRAL_SLACK_S),
        )

    def _push(self, context: Context, **values: Any) -> None:
        for key, value in values.items():
            try:
                context["ti"].xcom_push(key=key, value=value)
            except Exception as error:  # the call matters more than the note about it
                self.log.warning("Could not keep XCom %r: %s", key, error)


def _places_calls(task: Any) -> bool:
    # What is mapped is of a class of Airflow's.
    return issubclass(getattr(task, "operator_class", type(task)), CreateCallOperator)


def _seconds(queue_timeout: float | timedelta | None) -> float:
    if queue_timeout is None:
        return DEFAULT_QUEUE_TIMEOUT_S
    try:
        return queue_timeout.total_seconds() if isinstance(queue_timeout, timedelta) else float(queue_timeout)
    except (TypeError, ValueError):
        raise ValueError(
            f"queue_timeout={queue_timeout!r} is neither a number of seconds nor a timedelta"
        ) from None
