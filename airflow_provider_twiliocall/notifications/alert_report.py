"""What an alert reports: in the log, and as the failures that it raises at the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_twiliocall.notifications.alert import Alert, Alerted


class AlertReport:
    """What went wrong in one run of a notifier, and its lines in the log.

    :param say: logs a message at a level; it never fails
    :param cooldown: the notifier's
    """

    def __init__(self, say: Callable[..., None], cooldown: timedelta | None) -> None:
        self.say = say
        self.failures: list[str] = []
        """One line for each contact who may not know what has happened."""
        self._cooldown = cooldown
        self._is_anybody_called = False

    def failed(self, contact: str, problem: str) -> None:
        """Report that a contact may not know what has happened."""
        self.say(logging.ERROR, "%s may not know what has happened: %s", contact, problem)
        self.failures.append(f"{contact}: {problem}")

    def nobody_to_call(self, problems: Iterable[str]) -> None:
        """Report that no entry of ``to`` can be called."""
        self.failures += problems
        self.say(
            logging.CRITICAL,
            "Nobody was called, because no entry of `to` can be called. These do not know what has happened: %s",
            "; ".join(self.failures),
        )

    def no_connection(self, error: Exception, contacts: Iterable[str]) -> None:
        """Report that there is no connection to call with, and who does not know what has happened."""
        self.say(
            logging.CRITICAL,
            "Nobody was called, because there is no connection to call with: %s. "
            "These do not know what has happened: %s",
            error,
            ", ".join(contacts),
        )

    def all_ended(self) -> None:
        """Report where no phone rings, as far as is known."""
        if self.failures and not self._is_anybody_called:
            self.say(
                logging.CRITICAL,
                "Nobody was called, as far as is known. These may not know what has happened: %s",
                "; ".join(self.failures),
            )

    def ended(self, alert: Alert, rung: Future[Alerted], *, within: float) -> None:
        """Report how an alert ended, or that it still goes on; then also its end, when it is there.

        :param within: seconds that it has had
        """
        if rung.done():
            self._result(alert, rung)
            return
        if not alert.is_settled.is_set():
            self.failed(alert.callee, f"no answer within {within:g} s: the phone may ring")
        elif (call := alert.placed) is not None:
            self._is_anybody_called = True
            self.say(logging.INFO, "Placed call %s to %s. The second look goes on.", call.sid, alert.callee)
        rung.add_done_callback(lambda done: self._result(alert, done))

    def _result(self, alert: Alert, rung: Future[Alerted]) -> None:
        if (error := rung.exception()) is not None:
            self.failed(alert.callee, str(error) or type(error).__name__)
            return
        alerted = rung.result()
        self._is_anybody_called = True
        if alerted.is_ours:
            self.say(logging.INFO, "Placed call %s to %s.", alerted.call.sid, alert.callee)
            return
        self.say(
            logging.WARNING,
            "No call of its own to %s: call %s (%s) covers this alert, within the cooldown of %s. "
            "To ring all the same, give alerts a from_ of their own or a shorter cooldown, or cooldown=None.",
            alert.callee,
            alerted.call.sid,
            alerted.call.status,
            self._cooldown,
        )
