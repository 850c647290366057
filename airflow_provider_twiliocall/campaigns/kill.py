"""A campaign that stops: what is still in Twilio's queue is canceled, so that no phone rings any more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.calls.ender import ON_KILL_CONNECT_S, ON_KILL_READ_S, ON_KILL_S
from airflow_provider_twiliocall.twilio.ending import cancel_if_queued

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

logger = logging.getLogger(__name__)

# A process that has not looked yet takes every call for one that may be in the queue. The newest are there.
_MOST_CANCELED = 100


def cancel_queued_calls(hook: TwilioCallHook, call_sids: Sequence[str]) -> None:
    """Cancel those of the calls that are still in Twilio's queue.

    It takes three seconds at most, and asks Airflow for nothing, so that it can be done in a signal handler.

    :param call_sids: the newest last
    """

    def cancel(call_sid: str) -> None:
        try:
            client = hook.client_with(
                connect_timeout=ON_KILL_CONNECT_S, read_timeout=ON_KILL_READ_S, repeats_reads=False
            )
            logger.info("%s", cancel_if_queued(client, call_sid))
        except Exception as error:
            # One that escaped from a signal handler would surface anywhere.
            logger.error("Call %s may still ring: it could not be canceled: %s", call_sid, error)

    threads = []
    for call_sid in call_sids[-_MOST_CANCELED:]:
        thread = threading.Thread(target=cancel, args=(call_sid,), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            logger.error("Call %s may still ring: there is no thread to cancel it: %s", call_sid, error)
        else:
            threads.append(thread)
    for thread in threads:
        thread.join(ON_KILL_S / len(threads))
