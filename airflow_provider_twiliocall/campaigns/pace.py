"""When the next call of a campaign may be placed: its pace, and the pauses that Twilio asks for."""

from __future__ import annotations

import logging

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError
from airflow_provider_twiliocall.twilio.errors import TwilioError, TwilioThrottledError

logger = logging.getLogger(__name__)

# Seconds behind its pace that are made up for, so that a slow answer costs nothing of it.
_CATCH_UP_S = 1.0

_LONGEST_GUESS_S = 60.0

# For so long Twilio may be out of reach before the task fails; less where it never was in reach.
_LONGEST_OUTAGE_S, _LONGEST_OUTAGE_AT_FIRST_S = 600.0, 60.0


class Pace:
    """So many calls a second, and none while Twilio takes none.

    :param calls_a_second: as the author wishes
    """

    def __init__(self, calls_a_second: float) -> None:
        self._interval = 1 / calls_a_second
        self._guess = 1.0
        self._fails_since: float | None = None
        self._has_reached = False
        self.next_at = clock.time()
        """Unix time before which no call is placed."""

    def count(self) -> None:
        """Take note of a request that is about to be sent."""
        self.next_at = max(self.next_at, clock.time() - _CATCH_UP_S) + self._interval

    def took_it(self) -> None:
        """Take note that Twilio has answered the request, whether it placed the call or refused it."""
        self._has_reached, self._fails_since, self._guess = True, None, 1.0

    def wait(self, error: TwilioError) -> None:
        """Take note that Twilio takes no calls for now.

        :raises TwilioCallNotPlacedError: it has been out of reach for long
        """
        now = clock.time()
        pause = self._guess
        if isinstance(error, TwilioThrottledError):
            self._has_reached, self._fails_since = True, None
            # Never less than our own guess: "Retry-After: 0" is no leave to hammer.
            pause = max(pause, error.retry_after or 0.0)
        else:
            self._fails_since = self._fails_since or now
            longest = _LONGEST_OUTAGE_S if self._has_reached else _LONGEST_OUTAGE_AT_FIRST_S
            if now - self._fails_since > longest:
                raise TwilioCallNotPlacedError(
                    f"Twilio takes no calls: {error}. A retry of this task goes on where it has come to"
                ) from None
        self._guess = min(2 * self._guess, _LONGEST_GUESS_S)
        self.next_at = now + pause
        logger.warning("Twilio takes no calls for now, next try in %.0f s: %s", pause, error)
