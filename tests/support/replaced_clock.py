"""The package's clock, replaced for the length of a test: in the one place that all of the package asks."""

from __future__ import annotations

from typing import Protocol

import pytest

from airflow_provider_twiliocall import clock


class Time(Protocol):
    """What stands in for the clock."""

    def time(self) -> float:
        """Unix time."""

    def monotonic(self) -> float:
        """Seconds since some moment."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


def replace_clock(monkeypatch: pytest.MonkeyPatch, time: Time) -> None:
    """Let the package go by another time."""
    for name in clock.__all__:
        monkeypatch.setattr(clock, name, getattr(time, name))
