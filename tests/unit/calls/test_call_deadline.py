"""When a call is over whatever happens."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.calls.call_deadline import deadline_of_call
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline

START = 1_000_000.0


def test_a_call_is_over_after_queue_ringing_and_talking_with_some_margin() -> None:
    deadline = deadline_of_call(QueueDeadline(START + 107), clock_offset=7, ring_timeout=30, time_limit=600)
    assert deadline == START + 100 + 30 + 5 + 600 + 60


@pytest.mark.parametrize("time_limit", [None, 14_400, 10**17])
def test_no_call_is_waited_for_beyond_twilios_own_limit(time_limit: int | None) -> None:
    deadline = deadline_of_call(
        QueueDeadline(START + 107), clock_offset=7, ring_timeout=None, time_limit=time_limit
    )
    assert deadline == START + 100 + 60 + 5 + 14_400 + 60
