"""TwilioCallNotifier: a phone call as the callback of a task, a DAG or a deadline."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowException, BaseNotifier

from airflow_provider_twiliocall.literals import check_choice, literal_problems, problems_of, refuse
from airflow_provider_twiliocall.notifications.callees import callees_of, shown
from airflow_provider_twiliocall.rendered import is_nothing
from airflow_provider_twiliocall.twilio.fields import CREATE_CALL_FIELDS, SPEECH_FIELDS

if TYPE_CHECKING:
    from concurrent.futures import Future

    import jinja2
    from airflow.sdk import Context

    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.notifications.alert import Alert, Alerted
    from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
    from airflow_provider_twiliocall.notifications.this_process import WaitingTime
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

DEFAULT_COOLDOWN = timedelta(minutes=15)

# For all contacts together, once the connection is there: the callbacks of a DAG hold up the DAG processor.
BUDGET_S = 10.0
# Of it, what the contacts leave for telling how it went.
_SLACK_S = 0.5

_INSTEAD_OF_A_MESSAGE = ("audio_url", "url", "twiml", "application_sid")


class TwilioCallNotificationError(AirflowException):
    """Not everybody who should be called is known to be called.

    :param failures: what went wrong, one line for each contact, phone numbers cut to their last four digits
    """

    def __init__(self, failures: Sequence[str]) -> None:
        listed = "\n".join(f"- {failure}" for failure in failures)
        super().__init__(f"Not everybody could be called:\n{listed}")
        self.failures = list(failures)


class TwilioCallNotifier(BaseNotifier):
    """Call people when a task or a DAG fails, is tried again or succeeds, or misses a deadline.

    It places the calls, and does not wait for anybody to answer. Within ten seconds, whatever Twilio does, it has
    placed them, found that an earlier call covers the alert, or raises an error that says who may not know and why.

    All arguments of Twilio's create-call request can be given, and are templated. One of ``message``,
    ``audio_url``, ``url``, ``twiml`` and ``application_sid`` may say what the callee hears; without any it is told
    which DAG and task it is about, what became of it, when, and the first line of the exception.

    The connection is fetched where the callback runs: on a worker for those of a task, in the DAG processor
    for those of a DAG, in the triggerer for an ``AsyncCallback``, on the executor for a ``SyncCallback``.

    :param to: whom to call: E.164 (``+15551234567``), ``client:name`` or ``sip:user@host``; or a list of them,
        who are called at once, each whatever becomes of the others
    :param message: words to say, put so that they can be understood when heard; a message whose template fails
        gives way to the default one
    :param audio_url: a recording to play to the callee instead, MP3 or WAV
    :param voice: who says the message, such as ``Polly.Amy``; default: the account's own
    :param language: of the message, such as ``fr-FR``; the default message is English
    :param repeat: how often the message is said or the recording played, 1 to 1000; default 1
    :param verbatim: whether the message is said exactly as it is written
    :param cooldown: how long a call to a number covers the later alerts to it, so that they do not ring: a
        timedelta, or seconds. None: every alert rings. See :mod:`airflow_provider_twiliocall.cooldown`
    :param twilio_conn_id: the connection, of type ``twilio``
    :param delivery: what to do when Twilio's answer is lost and the call cannot be found either:
        ``"at_least_once"`` dials again, once, ``"at_most_once"`` raises an error
    :param from_: the number to call from, best one for alerts alone; default: the extra ``from`` of the connection
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
    :param timeout: seconds, or a timedelta, to let it ring, 1 to 600
    :param time_limit: seconds, or a timedelta, the call may last; default: for a message the time to say it twice
        over and some two minutes, otherwise Twilio's own 14400
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
    :param machine_detection_timeout: seconds, or a timedelta
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

    template_fields: Sequence[str] = (*CREATE_CALL_FIELDS, *SPEECH_FIELDS, "twilio_conn_id")

    account_sid: str | None
    to: Any
    message: Any
    verbatim: Any
    sip_auth_password: str | None
    call_token: str | None

    def __init__(
        self,
        *,
        to: str | Collection[str],
        message: str | None = None,
        audio_url: str | None = None,
        voice: str | None = None,
        language: str | None = None,
        repeat: int | str | None = None,
        verbatim: bool | str | None = None,
        cooldown: timedelta | float | None = DEFAULT_COOLDOWN,
        twilio_conn_id: str = "twilio_default",
        delivery: Literal["at_most_once", "at_least_once"] = "at_least_once",
        from_: str | None = None,
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
        timeout: float | timedelta | str | None = None,
        time_limit: float | timedelta | str | None = None,
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
        machine_detection_timeout: float | timedelta | str | None = None,
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
        self.delivery = delivery
        refuse([*self._problems(cooldown), *self._literal_problems()])
        self.cooldown = _duration(cooldown)

    def _problems(self, cooldown: Any) -> list[str]:
        return problems_of(
            lambda: _duration(cooldown),
            lambda: check_choice("delivery", self.delivery, ("at_most_once", "at_least_once")),
        )

    def _literal_problems(self) -> list[str]:
        try:
            callees = callees_of(self.to)
        except ValueError as error:
            return [str(error), *literal_problems(self, [], has_default_message=True)]
        return literal_problems(self, callees, has_default_message=True)

    # As Airflow calls it ----------------------------------------------------------------------------------

    def __call__(self, *args: Any) -> None:
        """Call everybody; Airflow calls this with the context."""
        # On a copy, for rendering replaces the templates, and the same notifier may have several things to tell.
        super(TwilioCallNotifier, copy(self)).__call__(*args)

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render as Airflow does, but words that cannot be rendered are no reason not to call."""
        dag = context.get("dag")
        # "airflow dags test" gives its callbacks the DAG as it lies in the database, which has no environment.
        jinja_env = jinja_env or self.get_template_env(dag if hasattr(dag, "get_template_env") else None)
        said: dict[str, Any] = {}
        for name in SPEECH_FIELDS:
            try:
                said[name] = self.render_template(getattr(self, name), context, jinja_env)
            except Exception as error:
                said[name] = None
                self.log.error("%s could not be rendered, and its default stands in for it: %s", name, error)
        vars(self).update(dict.fromkeys(SPEECH_FIELDS))
        super().render_template_fields(context, jinja_env)
        vars(self).update(said)

    def notify(self, context: Context) -> None:
        """Call everybody.

        :raises TwilioCallNotificationError: names those who may not know, and why
        :raises TwilioConnectionError: the connection cannot be used, and nobody was called
        """
        contacts = callees_of(self.to)
        hook = self._hook()
        try:
            _ = hook.connection
        except Exception as error:
            self._nobody_is_called(contacts, error)
            raise
        self._call_everybody(hook, contacts, context)

    async def async_notify(self, context: Context) -> None:
        """Call everybody, as :meth:`notify` does, without holding up the event loop."""
        from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
        from airflow_provider_twiliocall.notifications.this_process import WaitingTime, this_process

        contacts = callees_of(self.to)
        submit = this_process().threads.submit
        # In a thread, for what is imported takes a third of a second, and other triggers have their polls to do.
        hook = await asyncio.wrap_future(submit(self._hook))
        try:
            await hook.fetch_connection()
        except Exception as error:
            self._nobody_is_called(contacts, error)
            raise
        failures: list[str] = []
        # Alerts wait beside one another here, and nobody waits for them.
        waiting_time = WaitingTime(math.inf)
        record = AlertRecord.for_trigger(asyncio.get_running_loop())
        prepared = submit(lambda: self._alerts(hook, contacts, context, waiting_time, record, failures))
        ringing = [(alert, submit(alert.ring)) for alert in await asyncio.wrap_future(prepared)]
        await asyncio.gather(*(asyncio.wrap_future(rung) for _, rung in ringing), return_exceptions=True)
        self._tell_all(ringing, failures)

    def _hook(self) -> TwilioCallHook:
        from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

        return TwilioCallHook(self.twilio_conn_id, account_sid=self.account_sid)

    def _nobody_is_called(self, contacts: list[Any], error: Exception) -> None:
        self.log.critical(
            "Nobody was called, for the connection %r cannot be used: %s. These do not know what has happened: %s",
            self.twilio_conn_id,
            error,
            ", ".join(shown(contact) for contact in contacts),
        )

    # Calling ----------------------------------------------------------------------------------------------

    def _call_everybody(self, hook: TwilioCallHook, contacts: list[Any], context: Context) -> None:
        from concurrent.futures import wait

        from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
        from airflow_provider_twiliocall.notifications.deadline import Deadline
        from airflow_provider_twiliocall.notifications.this_process import this_process
        from airflow_provider_twiliocall.notifications.threads import in_thread

        end = Deadline(BUDGET_S)
        failures: list[str] = []
        waiting_time = this_process().waiting_time
        record = AlertRecord.for_callback(context if isinstance(context, Mapping) else {})
        alerts = self._alerts(hook, contacts, context, waiting_time, record, failures)
        ringing = [(alert, in_thread(alert.ring)) for alert in alerts]
        for alert, _ in ringing:
            alert.is_settled.wait(end.left)
        with waiting_time.spend() as left:
            wait([rung for _, rung in ringing], timeout=min(left, end.left))
        self._tell_all(ringing, failures)

    def _alerts(
        self,
        hook: TwilioCallHook,
        contacts: list[Any],
        context: Context,
        waiting_time: WaitingTime,
        record: AlertRecord,
        failures: list[str],
    ) -> list[Alert]:
        from airflow_provider_twiliocall.arguments import mask_secrets
        from airflow_provider_twiliocall.exceptions import TwilioConnectionError
        from airflow_provider_twiliocall.notifications.alert import Alert
        from airflow_provider_twiliocall.notifications.this_process import this_process
        from airflow_provider_twiliocall.twilio.params import CallParamsError

        try:
            client = this_process().clients.client(hook)
        except Exception as error:
            self._nobody_is_called(contacts, error)
            raise
        mask_secrets(self)
        message = self._words(context)
        alerts: dict[str, Alert] = {}
        for contact in contacts:
            try:
                params = self._params(hook, contact, message)
            except CallParamsError as error:
                self._failed(shown(contact), "; ".join(error.problems), failures)
            except TwilioConnectionError as error:
                self._failed(shown(contact), str(error), failures)
            else:
                alert = Alert(
                    client,
                    params,
                    cooldown=self.cooldown,
                    delivery=self.delivery,
                    seconds=BUDGET_S - _SLACK_S,
                    waiting_time=waiting_time,
                    record=record,
                )
                alerts.setdefault(params.to, alert)
        return list(alerts.values())

    def _params(self, hook: TwilioCallHook, contact: Any, message: str | None) -> CreateCallParams:
        from airflow_provider_twiliocall.arguments import params_from_arguments

        arguments = {name: getattr(self, name) for name in CREATE_CALL_FIELDS} | {"to": contact}
        said = {name: getattr(self, name) for name in SPEECH_FIELDS} | {"message": message}
        return hook.with_caller_id(
            params_from_arguments(
                arguments, said, accept_answered_by=None, default_country=hook.settings.default_country
            )
        )

    def _words(self, context: Context) -> str | None:
        """Return what is said; None where something else says it."""
        from airflow_provider_twiliocall.notifications.default_message import default_message

        if not is_nothing(self.message):
            return str(self.message).strip()
        if not all(is_nothing(getattr(self, name)) for name in _INSTEAD_OF_A_MESSAGE):
            return None
        if any(getattr(self, name) is not None for name in ("message", *_INSTEAD_OF_A_MESSAGE)):
            self.log.error("What is to be heard was rendered to nothing, so the default message is said.")
        return default_message(context if isinstance(context, Mapping) else {})

    # Telling ----------------------------------------------------------------------------------------------

    def _tell_all(self, ringing: list[tuple[Alert, Future[Alerted]]], failures: list[str]) -> None:
        for alert, rung in ringing:
            self._tell(alert, rung, failures)
        if failures:
            raise TwilioCallNotificationError(failures)

    def _tell(self, alert: Alert, future: Future[Alerted], failures: list[str]) -> None:
        if not future.done():
            if not alert.is_settled.is_set():
                self._failed(alert.callee, f"no answer within {BUDGET_S:g} s: the phone may ring", failures)
            elif (call := alert.placed) is not None:
                self.log.info("Placed call %s to %s. The second look goes on.", call.sid, alert.callee)
            future.add_done_callback(lambda done: self._tell(alert, done, []))
            return
        if (error := future.exception()) is not None:
            self._failed(alert.callee, str(error) or type(error).__name__, failures)
            return
        alerted = future.result()
        if alerted.is_ours:
            self.log.info("Placed call %s to %s.", alerted.call.sid, alert.callee)
        else:
            self.log.warning(
                "No call of its own to %s: call %s (%s) covers this alert, within the cooldown of %s. "
                "To ring all the same, give alerts a from_ of their own or a shorter cooldown, or cooldown=None.",
                alert.callee,
                alerted.call.sid,
                alerted.call.status,
                self.cooldown,
            )

    def _failed(self, contact: str, problem: str, failures: list[str]) -> None:
        self.log.error("%s may not know what has happened: %s", contact, problem)
        failures.append(f"{contact}: {problem}")


send_twilio_call_notification = TwilioCallNotifier


def _duration(cooldown: timedelta | float | str | None) -> timedelta | None:
    given = cooldown
    if cooldown is None:
        return None
    if isinstance(cooldown, str):
        cooldown = _from_json(cooldown)
    elif isinstance(cooldown, (int, float)) and not isinstance(cooldown, bool) and math.isfinite(cooldown):
        cooldown = timedelta(seconds=cooldown)
    if not isinstance(cooldown, timedelta):
        raise ValueError(f"cooldown={given!r} is neither a timedelta nor a number of seconds")
    if cooldown <= timedelta(0):
        raise ValueError(f"cooldown={given!r} has to be more than 0; None switches it off")
    return cooldown


def _from_json(duration: str) -> timedelta | None:
    """Read what becomes of the timedelta of a SyncCallback where the executor sends its work as JSON: ``PT15M``."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(timedelta).validate_python(duration)
    except ValidationError:
        return None
