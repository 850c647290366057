"""Whose turn it is."""

from __future__ import annotations

import math

from airflow_provider_twiliocall.campaigns.dial_queue import DialQueue

NOW = 1_000.0


def queue_of(*rows: int) -> DialQueue:
    queue = DialQueue()
    for row in rows:
        queue.add_fresh(row)
    return queue


def test_rows_have_their_turn_in_their_order() -> None:
    queue = queue_of(0, 1, 2)
    assert queue.take(2, NOW) == [0, 1]
    assert len(queue) == 1


def test_a_row_whose_time_has_come_goes_before_those_that_were_not_dialled() -> None:
    queue = queue_of(0, 1)
    queue.add(7, NOW)
    queue.add(8, NOW + 1)
    assert queue.take(9, NOW) == [7, 0, 1]
    assert queue.next_due == NOW + 1


def test_a_queue_without_rows_is_never_due() -> None:
    queue = queue_of()
    assert queue.next_due == math.inf
    assert queue.take(1, NOW) == []
