"""How long requests to Twilio may still take."""

from __future__ import annotations

import contextvars
import math

import pytest

from airflow_provider_twiliocall.twilio.time_limit import seconds_left, time_limit
from tests.support.turned_clock import TurnedClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(1000.0).install(monkeypatch)


def test_without_a_limit_there_is_no_end(clock: TurnedClock) -> None:
    assert seconds_left() == math.inf


def test_the_time_of_all_requests_in_a_block_counts(clock: TurnedClock) -> None:
    with time_limit(5.0):
        clock.sleep(2.0)
        assert seconds_left() == 3.0
        clock.sleep(60.0)
        assert seconds_left() == 0.0
    assert seconds_left() == math.inf


def test_a_limit_within_another_does_not_lengthen_it(clock: TurnedClock) -> None:
    with time_limit(5.0), time_limit(60.0):
        assert seconds_left() == 5.0


def test_what_copies_the_context_keeps_the_limit_after_the_block(clock: TurnedClock) -> None:
    with time_limit(5.0):
        context = contextvars.copy_context()
    assert context.run(seconds_left) == 5.0
