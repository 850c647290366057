"""A clock that tests turn by hand, or that moves while somebody sleeps."""

from __future__ import annotations

import pytest

from tests.support.replaced_clock import replace_clock


class TurnedClock:
    """In the place of the package's clock.

    :param now: Unix time, and the monotonic clock's
    """

    def __init__(self, now: float = 0.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def install(self, monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
        """Let the package go by it for the length of a test."""
        replace_clock(monkeypatch, self)
        return self
