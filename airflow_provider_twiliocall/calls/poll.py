"""One look at a call: fetch it, feed the watch, and cancel it where it has been in Twilio's queue for too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.watch import CallWatch, CancelInQueue, Fault, LookAgain
from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.ending import cancel_queued_call
from airflow_provider_twiliocall.twilio.errors import TwilioError

if TYPE_CHECKING:
    from airflow_provider_twiliocall.twilio.client import TwilioClient


class CallPoll:
    """Looks at the call of a watch.

    :param client: gives the client to look with, at the first look
    """

    def __init__(self, watch: CallWatch, client: Callable[[], TwilioClient]) -> None:
        self.watch = watch
        self._client = client

    def look(self) -> LookAgain | CallOutcome:
        """Look at the call once, and cancel it where it is queued too long; return when to look again, or the end."""
        return self.take(self.ask())

    def ask(self) -> Call | Fault:
        """Ask for the call; return what kept it from being seen where something did."""
        try:
            return self._client().get_call(self.watch.call_sid)
        except (TwilioError, TwilioConnectionNotFoundError) as fault:
            return fault

    def take(self, news: Call | Fault) -> LookAgain | CallOutcome:
        """Feed the watch with what was seen just now, and cancel the call where it is queued too long."""
        if not isinstance(news, Call):
            return self.watch.missed(news, clock.time())
        client = self._client()
        decision = self.watch.observe(news, clock.time(), clock_offset=client.clock_offset or 0.0)
        if not isinstance(decision, CancelInQueue):
            return decision
        try:
            ending = cancel_queued_call(client, decision.call)
        except TwilioError as fault:
            return self.watch.observe_cancellation(fault, clock.time())
        return self.watch.observe_cancellation(ending, clock.time())
