"""How long a worker may let time pass while calls go on."""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from airflow_provider_twiliocall.campaigns.going_on import CallsGoingOn
from tests.support.turned_clock import TurnedClock
from tests.unit.scripted_twilio import SID, ScriptedTwilio


class Slow(Executor):
    """Threads in which a poll takes its time."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return Future()


@pytest.mark.parametrize("is_held_up", [True, False])
def test_while_a_poll_is_under_way_no_other_one_is_due(
    monkeypatch: pytest.MonkeyPatch, is_held_up: bool
) -> None:
    clock = TurnedClock(1_000.0).install(monkeypatch)
    hook: Any = ScriptedTwilio("queued")
    calls = CallsGoingOn(
        hook, lambda: hook, poll_interval=5, queue_pause=0.5, queue_timeout=3600, threads=Slow()
    )
    calls.add(0, SID, call=None, params=None, rules=None)
    assert calls.next_look(is_held_up=is_held_up) <= clock.now
    calls.look(is_held_up=is_held_up)
    # The worker would ask again and again, and do nothing else.
    assert calls.next_look(is_held_up=is_held_up) == math.inf
