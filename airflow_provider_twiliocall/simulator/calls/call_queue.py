"""Twilio's queue: which call leaves it next, and when."""

from __future__ import annotations

from collections import deque

from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall
from airflow_provider_twiliocall.twilio.call import CallStatus


class CallQueue:
    """Calls that wait to be dialed, first come first served."""

    def __init__(self) -> None:
        self._calls: deque[SimulatedCall] = deque()
        self._next_leaves_at = 0.0

    def join(self, call: SimulatedCall) -> None:
        """Queue a call."""
        self._calls.append(call)

    def next_leaves_at(self) -> float | None:
        """When the next call leaves. A call that was ended in the queue takes nobody's turn."""
        while self._calls and self._calls[0].status is not CallStatus.QUEUED:
            self._calls.popleft()
        return max(self._next_leaves_at, self._calls[0].created_at) if self._calls else None

    def leave(self, next_leaves_at: float) -> SimulatedCall:
        """Take the next call, and say when the one after it may leave at the earliest."""
        self._next_leaves_at = next_leaves_at
        return self._calls.popleft()
