"""Simulated time, with a clock turned by hand."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.simulator import Clock


def test_simulated_seconds_pass_faster_than_real_ones() -> None:
    clock = Clock(10, read=lambda: 1000.0)

    assert clock.after(1000.0, 20) == 1002.0
    assert clock.seconds_between(1000.0, 1002.0) == 20


def test_a_skip_lets_simulated_seconds_pass_and_can_be_undone() -> None:
    clock = Clock(10, read=lambda: 1000.0)
    clock.skip(50)
    skipped = clock.now()
    clock.go_back()

    assert (skipped, clock.now()) == (1005.0, 1000.0)


def test_a_skew_moves_dates_and_nothing_else() -> None:
    clock = Clock(skew=-60, read=lambda: 1571418000.0)

    assert clock.now() == 1571418000.0
    assert clock.stamp(clock.now()) == "Fri, 18 Oct 2019 16:59:00 +0000"


@pytest.mark.parametrize("speed", [0, -1])
def test_time_does_not_stand_still(speed: float) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        Clock(speed)
