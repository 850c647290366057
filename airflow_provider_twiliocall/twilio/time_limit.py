"""When requests to Twilio end because nobody waits for their answers any more."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from airflow_provider_twiliocall import clock

_ends_at: ContextVar[float] = ContextVar("ends_at", default=math.inf)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit the time of all requests in the block together, and in threads that copy its context."""
    token = _ends_at.set(min(clock.monotonic() + seconds, _ends_at.get()))
    try:
        yield
    finally:
        _ends_at.reset(token)


def seconds_left() -> float:
    """Return how long requests may still take; infinite without a limit, 0 when it is over."""
    return max(0.0, _ends_at.get() - clock.monotonic())
