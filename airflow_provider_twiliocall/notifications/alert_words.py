"""The words that an alert says: its author's, or the default message where nothing else can be heard."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.arguments.templated import is_blank
from airflow_provider_twiliocall.notifications.default_message import default_message

if TYPE_CHECKING:
    from airflow_provider_twiliocall.notifications.alert_report import AlertReport

_INSTEAD_OF_A_MESSAGE = ("audio_url", "url", "twiml", "application_sid")


class AlertWords:
    """What one alert says.

    :param given: the arguments of the call by name, rendered
    :param context: as Airflow hands it to a callback
    """

    def __init__(self, given: Mapping[str, Any], context: Mapping[str, Any], report: AlertReport) -> None:
        self._given = given
        self._context = context
        self._report = report

    def message(self) -> str | None:
        """Return the message; None where something else is heard instead."""
        message = self._given.get("message")
        if not is_blank(message):
            with suppress(Exception):
                return str(message).strip()
        if not all(is_blank(self._given.get(name)) for name in _INSTEAD_OF_A_MESSAGE):
            return None
        if any(self._given.get(name) is not None for name in ("message", *_INSTEAD_OF_A_MESSAGE)):
            self._report.say(
                logging.ERROR,
                "The template of what is to be heard gave nothing. The default message is said instead.",
            )
        return self.default()

    def default(self) -> str:
        """Return the default message."""
        try:
            return default_message(self._context)
        except Exception as error:
            self._report.say(logging.ERROR, "The default message cannot be made: %s", type(error).__name__)
            return "Airflow alert. Something has happened, and the log of Airflow says what."
