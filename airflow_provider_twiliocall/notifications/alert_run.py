"""One run of a notifier: from its rendered fields to calls that are placed, and to a report of what went wrong."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.arguments import call_params
from airflow_provider_twiliocall.arguments.call_arguments import CREATE_CALL_FIELDS, SPEECH_FIELDS
from airflow_provider_twiliocall.arguments.templated import callees_of, is_blank
from airflow_provider_twiliocall.exceptions import TwilioConnectionError
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.notifications.alert import Alert
from airflow_provider_twiliocall.notifications.alert_connection import fetch_connection, find_connection
from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
from airflow_provider_twiliocall.notifications.alert_report import AlertReport
from airflow_provider_twiliocall.notifications.alert_words import AlertWords
from airflow_provider_twiliocall.notifications.deadline import Deadline
from airflow_provider_twiliocall.notifications.templates import Rendered
from airflow_provider_twiliocall.notifications.this_process import WaitingTime, this_process
from airflow_provider_twiliocall.notifications.threads import in_thread
from airflow_provider_twiliocall.notifications.wanted_call import WantedCall
from airflow_provider_twiliocall.twilio.params import CallParamsError
from airflow_provider_twiliocall.twilio.phone_number import show_callee

if TYPE_CHECKING:
    from airflow_provider_twiliocall.notifications.alert import Alerted
    from airflow_provider_twiliocall.twilio.client import TwilioClient
    from airflow_provider_twiliocall.twilio.errors import TwilioError
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

    Ringing = list[tuple[Alert, Future[Alerted]]]

# For all contacts together, once the connection is there: the callbacks of a DAG hold up the DAG processor.
BUDGET_S = 10.0
# Of it, what the contacts leave for the report.
_SLACK_S = 0.5


class AlertRun:
    """Calls everybody, once.

    :param notifier: with rendered fields
    :param context: as Airflow hands it to a callback
    :param rendered: what the templates gave; None where they were not rendered
    """

    def __init__(self, notifier: Any, context: Any, rendered: Rendered | None) -> None:
        self._notifier = notifier
        self._context = context if isinstance(context, Mapping) else {}
        self._rendered = rendered or Rendered({}, {}, {})
        self._given = {name: getattr(notifier, name) for name in (*CREATE_CALL_FIELDS, *SPEECH_FIELDS)}
        self._report = AlertReport(notifier.say, notifier.cooldown)
        self._words = AlertWords(self._given, self._context, self._report)
        self._contacts = self._find_contacts()

    def ring(self) -> list[str]:
        """Call everybody.

        :return: what went wrong, one line for each contact who may not know
        :raises TwilioConnectionError: the connection cannot be used, and nobody was called
        :raises TwilioConnectionNotFoundError: it was not found for some seconds, and nobody was called
        """
        if not self._contacts:
            return self._report.failures
        with self._reporting_no_connection():
            hook = self._hook()
            find_connection(hook, self._report)
            self._mask_secrets(hook)
        waiting_time = this_process().waiting_time
        # All of it is counted, for Twilio may be slow, and so may Airflow's answers.
        with waiting_time.spend():
            end = Deadline(BUDGET_S)
            record = self._record(lambda: AlertRecord.for_callback(self._context))
            ringing = [(alert, in_thread(alert.ring)) for alert in self._alerts(hook, waiting_time, record)]
            for alert, _ in ringing:
                alert.is_settled.wait(end.left)
            wait([rung for _, rung in ringing], timeout=min(waiting_time.left, end.left))
        return self._ended(ringing)

    async def ring_on_event_loop(self) -> list[str]:
        """Do what :meth:`ring` does, without holding up the event loop."""
        if not self._contacts:
            return self._report.failures
        with self._reporting_no_connection():
            hook = self._hook()
            await fetch_connection(hook, self._report)
            # Here, and not in a thread: to mask a secret, Airflow 3.1 asks what belongs to the event loop.
            self._mask_secrets(hook)
        submit = this_process().threads.submit
        loop = asyncio.get_running_loop()
        record = self._record(lambda: AlertRecord.for_trigger(loop))
        # Alerts wait beside one another here, and nobody waits for them.
        prepared = submit(partial(self._alerts, hook, WaitingTime(math.inf), record))
        ringing = [(alert, submit(alert.ring)) for alert in await asyncio.wrap_future(prepared)]
        await asyncio.gather(*(asyncio.wrap_future(rung) for _, rung in ringing), return_exceptions=True)
        return self._ended(ringing)

    # Whom to call -----------------------------------------------------------------------------------------

    def _find_contacts(self) -> list[Any]:
        not_callable = self._rendered.not_callable
        try:
            contacts = callees_of(self._notifier.to)
        except Exception as error:
            self._report.nobody_to_call([f"{to}: {why}" for to, why in not_callable.items()] or [str(error)])
            return []
        for to, why in not_callable.items():
            self._report.failed(to, f"it could not be rendered: {why}")
        return contacts

    # The connection ---------------------------------------------------------------------------------------

    @contextmanager
    def _reporting_no_connection(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._report.no_connection(error, map(show_callee, self._contacts))
            raise

    def _hook(self) -> TwilioCallHook:
        conn_id = self._notifier.twilio_conn_id
        if is_blank(conn_id):
            why = self._rendered.problems.get("twilio_conn_id", "its template gave nothing")
            raise TwilioConnectionError(f"twilio_conn_id does not say which connection to use: {why}. Fix it")
        return TwilioCallHook(conn_id)

    def _mask_secrets(self, hook: TwilioCallHook) -> None:
        """Mask the secrets of the connection, by reading what it says, and those of the call."""
        _ = hook.settings
        try:
            call_params.mask_secrets(self._notifier)
        except Exception as error:
            self._report.say(
                logging.ERROR, "Airflow cannot mask the secrets of this call: %s", type(error).__name__
            )

    # Calling ----------------------------------------------------------------------------------------------

    def _record(self, find: Callable[[], AlertRecord]) -> AlertRecord:
        """Return the record of the calls that alerts have placed; one that knows none where it cannot be had."""
        try:
            return find()
        except Exception as error:
            self._report.say(logging.WARNING, "Cannot ask Airflow which calls alerts have placed: %r", error)
            return AlertRecord()

    def _alerts(self, hook: TwilioCallHook, waiting_time: WaitingTime, record: AlertRecord) -> list[Alert]:
        given = self._given | {"message": self._words.message()}
        alerts: dict[str, Alert] = {}
        for contact in self._contacts:
            try:
                wanted = WantedCall(contact, show_callee(contact), given, self._words.default)
                params = wanted.params(hook)
                if params.to not in alerts:
                    alerts[params.to] = self._alert(hook, wanted, params, waiting_time, record)
            except CallParamsError as error:
                self._report.failed(show_callee(contact), "; ".join(map(str, error.problems)))
            except Exception as error:
                self._report.failed(show_callee(contact), str(error))
        return list(alerts.values())

    def _alert(
        self,
        hook: TwilioCallHook,
        wanted: WantedCall,
        params: CreateCallParams,
        waiting_time: WaitingTime,
        record: AlertRecord,
    ) -> Alert:
        def after_refusal(refusal: TwilioError) -> tuple[TwilioClient, CreateCallParams] | None:
            if not wanted.leave_out_what_was_refused(refusal):
                return None
            try:
                less = wanted.params(hook)
                return _client(hook, less.account_sid), less
            except Exception as error:
                callee = show_callee(params.to)
                self._report.say(logging.ERROR, "Without it there is no call to %s: %s", callee, error)
                return None

        return Alert(
            _client(hook, params.account_sid),
            params,
            cooldown=self._notifier.cooldown,
            delivery=self._notifier.delivery,
            seconds=BUDGET_S - _SLACK_S,
            waiting_time=waiting_time,
            record=record,
            after_refusal=after_refusal,
        )

    def _ended(self, ringing: Ringing) -> list[str]:
        for alert, rung in ringing:
            self._report.ended(alert, rung, within=BUDGET_S)
        self._report.all_ended()
        # A copy, for what goes on may still fail.
        return [*self._report.failures]


def _client(hook: TwilioCallHook, account_sid: str | None) -> TwilioClient:
    """Return the client for an account of the connection, None for its own."""
    return this_process().clients.client(hook.for_account(account_sid))
