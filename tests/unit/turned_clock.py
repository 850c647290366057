"""A clock that tests turn by hand, or that moves while somebody sleeps."""

from __future__ import annotations

from types import ModuleType

import pytest


class TurnedClock:
    """In the place of the module ``time``.

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

    def put_into(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> TurnedClock:
        """Let modules go by it for the length of a test."""
        for module in modules:
            monkeypatch.setattr(module, "time", self)
        return self
