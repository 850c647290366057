"""TwilioCallNotifier: a phone call as the callback of a task, a DAG or a deadline."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from airflow.providers.common.compat.sdk import AirflowException, BaseNotifier

from airflow_provider_twiliocall.arguments.literals import check_choice, literal_problems, problems_of, refuse
from airflow_provider_twiliocall.arguments.templated import callees_of, is_blank
from airflow_provider_twiliocall.twilio.fields import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.twilio.phone_number import show_callee

if TYPE_CHECKING:
    from concurrent.futures import Future

    import jinja2
    from airflow.sdk import Context

    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.notifications.alert import Alert, Alerted
    from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
    from airflow_provider_twiliocall.notifications.this_process import WaitingTime
    from airflow_provider_twiliocall.notifications.wanted_call import WantedCall
    from airflow_provider_twiliocall.twilio.client import TwilioClient
    from airflow_provider_twiliocall.twilio.errors import TwilioError
    from airflow_provider_twiliocall.twilio.param_problems import Problem
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

DEFAULT_COOLDOWN = timedelta(minutes=15)

# For all contacts together, once the connection is there: the callbacks of a DAG hold up the DAG processor.
BUDGET_S = 10.0
# How long an alert looks again for a connection that Airflow does not find, because its API server is away say.
CONNECTION_PATIENCE_S = 4.0
# Of it, what the contacts leave for telling how it went.
_SLACK_S = 0.5

_SECRETS = ("sip_auth_password", "call_token")
_INSTEAD_OF_A_MESSAGE = ("audio_url", "url", "twiml", "application_sid")


class TwilioCallNotificationError(AirflowException):
    """Not everybody who should be called is known to be called.

    :param failures: what went wrong, one line for each contact, phone numbers cut to their last four digits
    """

    def __init__(self, failures: Sequence[str]) -> None:
        listed = "\n".join(f"- {failure}" for failure in failures)
        super().__init__(f"Not everybody could be called:\n{listed}")
        self.failures = list(failures)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.failures,), self.__dict__.copy()


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
        timedelta, or seconds. None: every alert rings. See :mod:`airflow_provider_twiliocall.notifications.cooldown`
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
        wrong_cooldown = problems_of(lambda: _duration(cooldown))
        wrong_delivery = problems_of(
            lambda: check_choice("delivery", delivery, ("at_most_once", "at_least_once"))
        )
        self.cooldown = DEFAULT_COOLDOWN if wrong_cooldown else _duration(cooldown)
        self.delivery = "at_least_once" if wrong_delivery else delivery
        problems = [*wrong_cooldown, *wrong_delivery, *self._literal_problems()]
        if problems and kwargs.get("context") is not None:
            # Airflow makes the notifier of a deadline when the phone has to ring. That is too late to refuse.
            self._say(logging.ERROR, "Fix these arguments of the alert: %s", "; ".join(map(str, problems)))
        else:
            refuse(problems)

    def _literal_problems(self) -> list[Problem | str]:
        try:
            callees = callees_of(self.to)
        except ValueError as error:
            return [str(error), *literal_problems(self, [], has_default_message=True)]
        return [*literal_problems(self, callees, has_default_message=True)]

    # As Airflow calls it ----------------------------------------------------------------------------------

    # What of the fields could not be rendered, and why. Of whom to call: by how it is written.
    _not_rendered: Mapping[str, str] = MappingProxyType({})
    _not_callable: Mapping[str, str] = MappingProxyType({})

    def __call__(self, *args: Any) -> None:
        """Call everybody; Airflow calls this with the context."""
        # On a copy, for rendering replaces the templates, and the same notifier may have several things to tell.
        alert: TwilioCallNotifier = copy(self)
        context: Context = args[0] if args else {}
        alert.render_template_fields(context)
        alert.notify(context)

    def __await__(self) -> Generator[Any, None, None]:
        """Call everybody; Airflow awaits this in the triggerer."""
        alert = copy(self)
        # Here, and not in a thread: what Airflow's Variables are asked with belongs to the event loop.
        alert.render_template_fields(self.context)
        return alert.async_notify(self.context).__await__()

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Render each field to text by itself: one that cannot be rendered is no reason not to call."""
        from airflow_provider_twiliocall.notifications.templates import AlertTemplates, reason_of

        templates = AlertTemplates(self, context, jinja_env)
        rendered: dict[str, Any] = {}
        failed: dict[str, str] = {}
        for name in self.template_fields:
            if name == "to" or (value := getattr(self, name)) is None:
                continue
            try:
                rendered[name] = templates.render(value)
            except Exception as error:
                rendered[name] = None
                # What is secret may stand in what is wrong with it.
                failed[name] = type(error).__name__ if name in _SECRETS else reason_of(error)
        callees, self._not_callable = templates.callees(self.to)
        rendered["to"] = callees[0] if len(callees) == 1 else callees
        vars(self).update(rendered)
        self._not_rendered = failed
        for name, why in failed.items():
            self._say(
                logging.ERROR, "%s could not be rendered, so the call is placed without it: %s", name, why
            )

    def _render(self, template: Any, context: Any, dag: Any = None) -> Any:
        # Airflow would read the text as Python where the DAG says so: '+15551234567' would lose its plus.
        from airflow.sdk.definitions.context import render_template_to_string

        return render_template_to_string(template, context)

    def notify(self, context: Context) -> None:
        """Call everybody.

        :raises TwilioCallNotificationError: names those who may not know, and why
        :raises TwilioConnectionError: the connection cannot be used, and nobody was called
        :raises TwilioConnectionNotFoundError: it was not found for some seconds, and nobody was called
        """
        from airflow_provider_twiliocall.notifications.this_process import this_process

        contacts = self._contacts()
        try:
            hook = self._hook()
            self._find_connection(hook)
            _ = hook.settings
        except Exception as error:
            self._nobody_is_called(contacts, error)
            raise
        self._mask_secrets()
        # All of it, for Twilio may be slow, and so may Airflow's answers.
        with this_process().waiting_time.spend():
            self._call_everybody(hook, contacts, context)

    async def async_notify(self, context: Context) -> None:
        """Call everybody, as :meth:`notify` does, without holding up the event loop."""
        from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
        from airflow_provider_twiliocall.notifications.this_process import WaitingTime, this_process

        contacts = self._contacts()
        submit = this_process().threads.submit
        try:
            # In a thread, for what is imported takes a third of a second, and other triggers have their polls to do.
            hook = await asyncio.wrap_future(submit(self._hook))
            await self._fetch_connection(hook)
            # Here, and not in a thread: to mask a secret, Airflow 3.1 asks what belongs to the event loop.
            _ = hook.settings
        except Exception as error:
            self._nobody_is_called(contacts, error)
            raise
        self._mask_secrets()
        failures: list[str] = []
        # Alerts wait beside one another here, and nobody waits for them.
        waiting_time = WaitingTime(math.inf)
        loop = asyncio.get_running_loop()
        record = self._record(lambda: AlertRecord.for_trigger(loop))
        prepared = submit(lambda: self._alerts(hook, contacts, context, waiting_time, record, failures))
        ringing = [(alert, submit(alert.ring)) for alert in await asyncio.wrap_future(prepared)]
        await asyncio.gather(*(asyncio.wrap_future(rung) for _, rung in ringing), return_exceptions=True)
        self._tell_all(ringing, failures)

    def _contacts(self) -> list[Any]:
        """Return whom to call.

        :raises TwilioCallNotificationError: nobody, and the log says at CRITICAL how they were written
        """
        try:
            return callees_of(self.to)
        except Exception as error:
            failures = [f"{to}: {why}" for to, why in self._not_callable.items()] or [str(error)]
            self._say(
                logging.CRITICAL,
                "Nobody was called, for nobody knows whom to call. These do not know what has happened: %s",
                "; ".join(failures),
            )
            raise TwilioCallNotificationError(failures) from None

    def _hook(self) -> TwilioCallHook:
        from airflow_provider_twiliocall.exceptions import TwilioConnectionError
        from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

        if is_blank(self.twilio_conn_id):
            why = self._not_rendered.get("twilio_conn_id", "it was rendered to nothing")
            raise TwilioConnectionError(f"twilio_conn_id does not say which connection to use: {why}. Fix it")
        return TwilioCallHook(self.twilio_conn_id)

    def _find_connection(self, hook: TwilioCallHook) -> None:
        from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
        from airflow_provider_twiliocall.notifications.this_process import this_process

        shared = this_process()
        try:
            hook.find_connection(patience=0.0)
        except TwilioConnectionNotFoundError:
            if self._has_kept_connection(hook):
                return
            with shared.patience.spend() as left:
                hook.find_connection(patience=min(left, CONNECTION_PATIENCE_S))
        shared.connections.keep(hook)

    async def _fetch_connection(self, hook: TwilioCallHook) -> None:
        from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
        from airflow_provider_twiliocall.notifications.this_process import this_process

        try:
            await hook.fetch_connection()
        except TwilioConnectionNotFoundError:
            if self._has_kept_connection(hook):
                return
            await hook.fetch_connection(patience=CONNECTION_PATIENCE_S)
        this_process().connections.keep(hook)

    def _has_kept_connection(self, hook: TwilioCallHook) -> bool:
        from airflow_provider_twiliocall.notifications.this_process import this_process

        is_kept = this_process().connections.give(hook)
        if is_kept:
            self._say(
                logging.WARNING,
                "Airflow does not find the connection %r now. The alert uses what Airflow has given before.",
                self.twilio_conn_id,
            )
        return is_kept

    def _client(self, hook: TwilioCallHook, account_sid: str | None) -> TwilioClient:
        """Return the client for an account of the connection, None for its own."""
        from airflow_provider_twiliocall.notifications.this_process import this_process

        for_account = type(hook)(self.twilio_conn_id, account_sid=account_sid)
        for_account.connection, for_account.settings = hook.connection, hook.settings
        return this_process().clients.client(for_account)

    def _nobody_is_called(self, contacts: list[Any], error: Exception) -> None:
        self._say(
            logging.CRITICAL,
            "Nobody was called, for the connection %r cannot be used: %s. These do not know what has happened: %s",
            self.twilio_conn_id,
            error,
            ", ".join(show_callee(contact) for contact in contacts),
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
        known = context if isinstance(context, Mapping) else {}
        record = self._record(lambda: AlertRecord.for_callback(known))
        alerts = self._alerts(hook, contacts, context, waiting_time, record, failures)
        ringing = [(alert, in_thread(alert.ring)) for alert in alerts]
        for alert, _ in ringing:
            alert.is_settled.wait(end.left)
        with waiting_time.spend() as left:
            wait([rung for _, rung in ringing], timeout=min(left, end.left))
        self._tell_all(ringing, failures)

    def _record(self, find: Callable[[], AlertRecord]) -> AlertRecord:
        """Return the record of the calls that alerts have placed; one that knows none where it cannot be had."""
        from airflow_provider_twiliocall.notifications.alert_record import AlertRecord

        try:
            return find()
        except Exception as error:
            self._say(logging.WARNING, "Cannot ask Airflow which calls alerts have placed: %r", error)
            return AlertRecord()

    def _alerts(
        self,
        hook: TwilioCallHook,
        contacts: list[Any],
        context: Context,
        waiting_time: WaitingTime,
        record: AlertRecord,
        failures: list[str],
    ) -> list[Alert]:
        from airflow_provider_twiliocall.twilio.params import CallParamsError

        for to, why in self._not_callable.items():
            self._failed(to, f"it could not be rendered: {why}", failures)
        message = self._words(context)
        alerts: dict[str, Alert] = {}
        for contact in contacts:
            try:
                wanted = self._wanted(contact, message, context)
                params = wanted.params(hook)
                if params.to not in alerts:
                    alerts[params.to] = self._alert(hook, wanted, params, waiting_time, record)
            except CallParamsError as error:
                self._failed(show_callee(contact), "; ".join(map(str, error.problems)), failures)
            except Exception as error:
                self._failed(show_callee(contact), str(error), failures)
        return list(alerts.values())

    def _alert(
        self,
        hook: TwilioCallHook,
        wanted: WantedCall,
        params: CreateCallParams,
        waiting_time: WaitingTime,
        record: AlertRecord,
    ) -> Alert:
        from airflow_provider_twiliocall.notifications.alert import Alert

        def after_refusal(refusal: TwilioError) -> tuple[TwilioClient, CreateCallParams] | None:
            if not wanted.leave_out_what_was_refused(refusal):
                return None
            try:
                less = wanted.params(hook)
                return self._client(hook, less.account_sid), less
            except Exception as error:
                self._say(
                    logging.ERROR, "Without it there is no call to %s: %s", show_callee(params.to), error
                )
                return None

        return Alert(
            self._client(hook, params.account_sid),
            params,
            cooldown=self.cooldown,
            delivery=self.delivery,
            seconds=BUDGET_S - _SLACK_S,
            waiting_time=waiting_time,
            record=record,
            after_refusal=after_refusal,
        )

    def _wanted(self, contact: Any, message: str | None, context: Context) -> WantedCall:
        from airflow_provider_twiliocall.notifications.wanted_call import WantedCall

        given = {name: getattr(self, name) for name in (*CREATE_CALL_FIELDS, *SPEECH_FIELDS)}
        return WantedCall(
            contact, show_callee(contact), given | {"message": message}, lambda: self._default_words(context)
        )

    def _mask_secrets(self) -> None:
        from airflow_provider_twiliocall.arguments.call_params import mask_secrets

        try:
            mask_secrets(self)
        except Exception as error:
            self._say(logging.ERROR, "Airflow cannot mask the secrets of this call: %s", type(error).__name__)

    def _words(self, context: Context) -> str | None:
        """Return what is said; None where something else says it."""
        if not is_blank(self.message):
            with suppress(Exception):
                return str(self.message).strip()
        if not all(is_blank(getattr(self, name)) for name in _INSTEAD_OF_A_MESSAGE):
            return None
        if any(getattr(self, name) is not None for name in ("message", *_INSTEAD_OF_A_MESSAGE)):
            self._say(
                logging.ERROR, "What is to be heard was rendered to nothing, so the default message is said."
            )
        return self._default_words(context)

    def _default_words(self, context: Context) -> str:
        from airflow_provider_twiliocall.notifications.default_message import default_message

        try:
            return default_message(context if isinstance(context, Mapping) else {})
        except Exception as error:
            self._say(logging.ERROR, "What has happened cannot be put into words: %s", type(error).__name__)
            return "Airflow alert. Something has happened, and the log of Airflow says what."

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
                self._say(
                    logging.INFO, "Placed call %s to %s. The second look goes on.", call.sid, alert.callee
                )
            future.add_done_callback(lambda done: self._tell(alert, done, []))
            return
        if (error := future.exception()) is not None:
            self._failed(alert.callee, str(error) or type(error).__name__, failures)
            return
        alerted = future.result()
        if alerted.is_ours:
            self._say(logging.INFO, "Placed call %s to %s.", alerted.call.sid, alert.callee)
        else:
            self._say(
                logging.WARNING,
                "No call of its own to %s: call %s (%s) covers this alert, within the cooldown of %s. "
                "To ring all the same, give alerts a from_ of their own or a shorter cooldown, or cooldown=None.",
                alert.callee,
                alerted.call.sid,
                alerted.call.status,
                self.cooldown,
            )

    def _failed(self, contact: str, problem: str, failures: list[str]) -> None:
        self._say(logging.ERROR, "%s may not know what has happened: %s", contact, problem)
        failures.append(f"{contact}: {problem}")

    def _say(self, level: int, message: str, *args: Any) -> None:
        """Log it; a log that cannot be written to is no reason not to call."""
        with suppress(Exception):
            self.log.log(level, message, *args)


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
