"""A campaign whose task is killed: what is still in Twilio's queue is canceled, so that no phone rings any more."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_twiliocall.calls.ender import ON_KILL_CONNECT_S, ON_KILL_READ_S, ON_KILL_S
from airflow_provider_twiliocall.twilio.ending import cancel_queued_call

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook

logger = logging.getLogger(__name__)


def cancel_queued_calls(hook: TwilioCallHook, call_sids: Sequence[str]) -> list[str]:
    """Cancel those of the calls that are still in Twilio's queue; return those that are canceled now.

    It takes three seconds at most, and asks Airflow for nothing, so that it can be done in a signal handler.
    """
    canceled: list[str] = []

    def cancel(call_sid: str) -> None:
        try:
            client = hook.client_with(
                connect_timeout=ON_KILL_CONNECT_S, read_timeout=ON_KILL_READ_S, repeats_reads=False
            )
            if cancel_queued_call(client, client.get_call(call_sid)).by_us:
                canceled.append(call_sid)
        except Exception as error:
            # One that escaped from a signal handler would surface anywhere.
            logger.error("Call %s may still ring: it could not be canceled: %s", call_sid, error)

    threads = [threading.Thread(target=cancel, args=(call_sid,), daemon=True) for call_sid in call_sids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ON_KILL_S / len(threads))
    if call_sids:
        logger.info("Of %d calls in Twilio's queue, %d were canceled.", len(call_sids), len(canceled))
    return list(canceled)
