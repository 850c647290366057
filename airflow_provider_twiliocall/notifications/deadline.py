"""A deadline, and work that is done by it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.notifications.threads import in_thread
from airflow_provider_twiliocall.twilio.time_limit import time_limit

Result = TypeVar("Result")


class OutOfTimeError(Exception):
    """It took too long, and may still be done."""


class Deadline:
    """A moment that does not move.

    :param seconds: from now
    """

    def __init__(self, seconds: float) -> None:
        self.at = clock.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it is over."""
        return max(0.0, self.at - clock.monotonic())

    def bound(self, work: Callable[[], Result], *, most: float) -> Result:
        """Do work in a thread, and wait for it no longer than ``most`` seconds or the deadline.

        Its requests to Twilio end then too. That alone is not enough: a socket's timeout starts again with every byte,
        and does not count the look-up of a name.

        :param most: seconds
        :raises OutOfTimeError: when it was not done by then
        """
        seconds = min(most, self.left)
        with time_limit(seconds):
            done = in_thread(work)
        try:
            return done.result(timeout=seconds)
        except FutureTimeoutError:
            raise OutOfTimeError(f"no answer within {seconds:.1f} s") from None
