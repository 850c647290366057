"""Doing things by a deadline, in threads that hold nobody up: neither the caller nor a process that ends."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TypeVar

Result = TypeVar("Result")


class OutOfTimeError(Exception):
    """It took too long, and may still be done."""


class Deadline:
    """A moment that does not move.

    :param seconds: from now
    """

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 when it is over."""
        return max(0.0, self.at - time.monotonic())

    def bound(self, work: Callable[[], Result], *, most: float) -> Result:
        """Do something in a thread, and do not wait for it longer than that, nor than the deadline.

        A socket's own timeouts do not do this: they start again with every byte, and know nothing of a name server.

        :param most: seconds
        :raises OutOfTimeError: when it was not done by then
        """
        seconds = min(most, self.left)
        try:
            return in_thread(work).result(timeout=seconds)
        except FutureTimeoutError:
            raise OutOfTimeError(f"no answer within {seconds:.1f} s") from None


def in_thread(work: Callable[[], Result]) -> Future[Result]:
    """Do something in a daemon thread of its own; those of an executor are waited for when Python exits."""
    future: Future[Result] = Future()
    # From here on nobody can cancel it, and its result always has where to go.
    future.set_running_or_notify_cancel()
    # The triggerer finds the log that a line belongs to by the context.
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result = context.run(work)
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    try:
        threading.Thread(target=run, name="twilio-alert", daemon=True).start()
    except RuntimeError as error:  # the system has no more of them
        future.set_exception(error)
    return future
