"""How an alert gets its connection, also while Airflow's API server or a secrets backend is away for a moment."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
from airflow_provider_twiliocall.notifications.this_process import this_process

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.notifications.alert_report import AlertReport

# How long an alert looks again for a connection that Airflow does not find.
CONNECTION_PATIENCE_S = 4.0


def find_connection(hook: TwilioCallHook, report: AlertReport) -> None:
    """Fetch the connection, or use the one that this process has found before.

    :raises TwilioConnectionNotFoundError: there is neither, and it was not found for some seconds
    :raises TwilioConnectionError: it cannot be read
    """
    shared = this_process()
    try:
        hook.find_connection(patience=0.0)
    except TwilioConnectionNotFoundError:
        if _uses_kept_connection(hook, report):
            return
        with shared.patience.spend():
            hook.find_connection(patience=min(shared.patience.left, CONNECTION_PATIENCE_S))
    shared.connections.keep(hook)


async def fetch_connection(hook: TwilioCallHook, report: AlertReport) -> None:
    """Do what :func:`find_connection` does, without holding up the event loop."""
    try:
        await hook.fetch_connection()
    except TwilioConnectionNotFoundError:
        if _uses_kept_connection(hook, report):
            return
        await hook.fetch_connection(patience=CONNECTION_PATIENCE_S)
    this_process().connections.keep(hook)


def _uses_kept_connection(hook: TwilioCallHook, report: AlertReport) -> bool:
    is_kept = this_process().connections.give(hook)
    if is_kept:
        report.say(
            logging.WARNING,
            "Airflow does not find the connection %r now. The alert uses what Airflow has given before.",
            hook.twilio_conn_id,
        )
    return is_kept
