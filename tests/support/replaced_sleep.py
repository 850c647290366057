"""Sleep on the event loop, replaced for the length of a test: in the modules of triggers, and nowhere else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_twiliocall.triggers import call_campaign, shared_poller, twilio_call


class _Asyncio:
    """The module asyncio, in which to sleep is something else.

    asyncio's own sleep is also that of a server in another thread of the test run.
    """

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float) -> None:
        self._sleep(seconds)


class _NoChance:
    def uniform(self, low: float, high: float) -> float:
        return low


def replace_sleep(monkeypatch: pytest.MonkeyPatch, sleep: Callable[[float], None]) -> None:
    """Let triggers sleep so, and no longer than they mean to."""
    for module in (call_campaign, shared_poller, twilio_call):
        monkeypatch.setattr(module, "asyncio", _Asyncio(sleep))
    monkeypatch.setattr(shared_poller, "chance", _NoChance())
