"""One look at a call: fetch it, feed the watch, and cancel it where it has been in Twilio's queue for too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.watch import CallWatch, CancelInQueue, LookAgain
from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
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
        try:
            client = self._client()
            call = client.get_call(self.watch.call_sid)
        except (TwilioError, TwilioConnectionNotFoundError) as fault:
            decision = self.watch.observe(fault, clock.time())
        else:
            decision = self.watch.observe(call, clock.time(), clock_offset=client.clock_offset or 0.0)
        if not isinstance(decision, CancelInQueue):
            return decision
        try:
            ending = cancel_queued_call(client, decision.call)
        except TwilioError as fault:
            return self.watch.observe_cancellation(fault, clock.time())
        return self.watch.observe_cancellation(ending, clock.time())
