"""What Twilio is asked to tell the receiver of the calls of one try."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.answers.call_address import CallAddress
from airflow_provider_twiliocall.answers.mailbox import Mailbox
from airflow_provider_twiliocall.compat import runs_triggers_in_line
from airflow_provider_twiliocall.exceptions import TwilioCallJournalError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.hooks.webhook_settings import WebhookSettings
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.operators.call_task import CallTask
    from airflow_provider_twiliocall.operators.step import Step
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

INTERVAL_WHEN_TOLD_S = 60.0
"""Seconds between two looks at a call whose end Twilio tells the receiver: only for what is lost on the way."""


class CallCallbacks:
    """Adds the receiver's addresses to the calls that a try places."""

    def __init__(self, task: CallTask, context: Context, journal: CallJournal) -> None:
        self._task = task
        self._context = context
        self._journal = journal
        self._mailbox = Mailbox(context)
        self.token: str | None = None
        """What the receiver knows the latest step by; None where Twilio was not told of one."""

    def asked_for(self, step: Step) -> CreateCallParams:
        """Return the parameters with which Twilio tells the receiver of a step's call, as far as that is of use.

        :raises TwilioCallJournalError: what is asked cannot be left for the receiver: don't dial
        """
        params, webhook = step.params, self._task.hook.settings.webhook
        # A step that was begun keeps its token: what was answered to an earlier request for it counts.
        is_begun = self._journal.is_begun and self._journal.step == step.number
        self.token = self._journal.token if is_begun else None
        if self._task.asks and webhook:
            params = self._with_question(params, webhook)
        return self._with_status(params, webhook)

    def _with_question(self, params: CreateCallParams, webhook: WebhookSettings) -> CreateCallParams:
        address = self._address()
        question = self._task.question(params, address.token)
        try:
            self._mailbox.ask(question)
        except Exception as error:
            raise TwilioCallJournalError(
                f"The question cannot be kept by Airflow now ({error}), so nothing was dialled: nobody would "
                "know what a key means. A retry tries again"
            ) from error
        return params.replace(twiml=question.twiml(address.answer_url(webhook.receiver_url, 1)))

    def _with_status(self, params: CreateCallParams, webhook: WebhookSettings | None) -> CreateCallParams:
        # Who waits on the worker looks often, and nobody could wake a trigger that runs in this process.
        waits_deferred = self._task.wait_for_completion and self._task.deferrable
        if webhook is None or not waits_deferred or runs_triggers_in_line() or params.application_sid:
            return params
        if params.status_callback:
            self._task.log.info(
                "The task has a status_callback of its own, so its call is looked at every %g s.",
                self._task.poll_interval,
            )
            return params
        return params.replace(
            status_callback=self._address().status_url(webhook.receiver_url), status_callback_method="POST"
        )

    def _address(self) -> CallAddress:
        task_instance_id = str(self._context["ti"].id)
        self.token = self.token or secrets.token_urlsafe(16)
        return CallAddress(self._task.twilio_conn_id, task_instance_id, self.token)
