"""Placing a call for a task: one ring at the most, and a failure that says whether a retry may dial."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import pendulum
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.exceptions import (
    TwilioCallFateUnknownError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioCallUnansweredError,
)
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

Delivery = Literal["at_most_once", "at_least_once"]

# A short pause of Twilio's is sat out here; a longer one is left to the task's own retry, which holds no slot.
LONGEST_THROTTLE_S = 60.0
_THROTTLED = 429


def place_call(
    hook: TwilioCallHook, params: CreateCallParams, *, delivery: Delivery = "at_most_once"
) -> Call:
    """Place one call, and return it as Twilio took it.

    :param params: complete, with the number to call from
    :param delivery: what to do when nobody can say whether the phone rings: ``at_most_once`` fails for good,
        ``at_least_once`` lets a retry of the task dial again
    :raises TwilioCallRefusedError: Twilio will not place this call
    :raises TwilioCallNotPlacedError: Twilio did not place it, for now
    :raises TwilioCallFateUnknownError: it may have been placed, and ``delivery`` forbids a second one
    """
    callee = redact_phone_number(params.to)
    sent = pendulum.now("UTC")
    try:
        call = _send(hook, params)
    except TwilioAmbiguousError as error:
        if delivery == "at_least_once":
            raise TwilioCallNotPlacedError(
                f"The call to {callee} may have been placed or not ({error}). With delivery='at_least_once' a "
                "retry of this task dials again"
            ) from None
        raise TwilioCallFateUnknownError(
            f"Nobody can say whether the call to {callee} was placed ({error}). It is not dialled again, because "
            f"that could ring twice. Look in Twilio's call log for a call to {callee} created at "
            f"{sent.to_datetime_string()} UTC or shortly after: if there is none, clear this task to dial"
        ) from None
    except (TwilioThrottledError, TwilioUnreachableError) as error:
        raise TwilioCallNotPlacedError(f"The call to {callee} was not placed: {error}") from None
    except TwilioError as error:
        raise TwilioCallRefusedError(f"The call to {callee} was not placed: {error}") from None
    logger.info("Placed call %s to %s.", call.sid, callee)
    return call


@contextmanager
def no_redial_of(call_sid: str | None) -> Iterator[None]:
    """Let no error of another kind, an API server that is away say, pass as a reason to dial again.

    :raises TwilioCallFateUnknownError: in place of any error that is not a judgement of the call
    """
    try:
        yield
    except (TwilioCallUnansweredError, AirflowFailException):
        raise
    except Exception as error:
        raise TwilioCallFateUnknownError(
            f"Call {call_sid} was placed, but what became of it could not be seen to the end "
            f"({type(error).__name__}: {error}). It is not dialled again. Look it up in Twilio's call log"
        ) from error


def _send(hook: TwilioCallHook, params: CreateCallParams) -> Call:
    """Send the one POST, again after each short pause that Twilio asks for with a 429."""
    give_up = time.monotonic() + LONGEST_THROTTLE_S
    guess = 1.0
    while True:
        try:
            return hook.create_call(params)
        except TwilioThrottledError as error:
            # Never less than our own guess: "Retry-After: 0" is no leave to hammer.
            pause = max(error.retry_after or 0.0, guess * random.uniform(1.0, 1.5))
            # A full queue or too many calls at once take longer than a worker should be held for.
            if error.http_status != _THROTTLED or error.code in (10004, 22005):
                raise
            if time.monotonic() + pause > give_up:
                raise
            logger.warning("Twilio takes no more requests for now, next try in %.1f s: %s", pause, error)
            time.sleep(pause)
            guess *= 2
