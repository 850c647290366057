"""Until when a call may stay in Twilio's queue, and whether a canceled call was canceled for it."""

from __future__ import annotations

import json
import math

import pytest

from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import Call

NOW = 1_000_000.0
AT = 1_700_000_000.0
DATE = "Tue, 14 Nov 2023 22:13:20 +0000"
NEVER = math.inf


def call(**fields: str) -> Call:
    return Call.model_validate({"sid": "CA" + "1" * 32, "status": "canceled", **fields})


@pytest.mark.parametrize(
    ("seen", "queue_timeout", "latest_ring", "expected"),
    [
        (call(date_created=DATE), 100, 4e9, QueueDeadline(AT + 100, Reason.QUEUE_TIMEOUT)),
        (call(date_created=DATE), 100, AT + 50, QueueDeadline(AT + 50, Reason.WINDOW_CLOSED)),
        (call(date_created=DATE), NEVER, AT + 50, QueueDeadline(AT + 50, Reason.WINDOW_CLOSED)),
        (call(date_created=DATE), NEVER, NEVER, None),
        (None, 100, 4e9, QueueDeadline(NOW + 7 + 100, Reason.QUEUE_TIMEOUT)),
    ],
    ids=["too long", "too late", "only too late", "for ever", "a call not seen is of just now"],
)
def test_the_first_of_timeout_and_latest_ring_counts(
    seen: Call | None, queue_timeout: float, latest_ring: float, expected: QueueDeadline | None
) -> None:
    deadline = QueueDeadline.of(
        seen, now=NOW, queue_timeout=queue_timeout, latest_ring=latest_ring, clock_offset=7
    )
    assert deadline == expected


@pytest.mark.parametrize(
    ("fields", "at", "expected"),
    [
        pytest.param({"end_time": DATE}, AT, True, id="in that second"),
        pytest.param({"end_time": DATE}, AT + 2, True, id="dates are whole seconds"),
        pytest.param({"end_time": DATE}, AT + 3, False, id="before"),
        pytest.param({"date_updated": DATE}, AT, True, id="no end is given"),
        pytest.param({}, AT, False, id="no date at all"),
        pytest.param({"end_time": DATE, "status": "completed"}, AT, False, id="not canceled"),
        pytest.param({"end_time": DATE, "start_time": DATE}, AT, False, id="it was ringing"),
    ],
)
def test_a_call_that_was_canceled_in_the_queue_when_its_time_was_up_was_canceled_for_that(
    fields: dict[str, str], at: float, expected: bool
) -> None:
    assert QueueDeadline(at).has_canceled(call(**fields)) is expected


def test_it_travels_as_json() -> None:
    deadline = QueueDeadline(AT, Reason.WINDOW_CLOSED)
    assert QueueDeadline.from_json(json.loads(json.dumps(deadline.to_json()))) == deadline
    assert QueueDeadline.from_json(None) is None
