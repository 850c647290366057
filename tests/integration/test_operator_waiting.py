"""The operator's wait against the simulator: Twilio's queue, transient errors, and faults that nobody thought of."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.exceptions import TwilioCallFateUnknownError, TwilioCallUnansweredError
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.ring_task import (
    ANSWERS,
    BUSY,
    SOMEBODY,
    STAYS_QUEUED,
    TALKS_LONG,
    on,
    operations,
    place_and_wait,
    posts,
)
from tests.support.task_context import RecordingTaskInstance
from tests.support.virtual_time import VirtualTime

pytestmark = pytest.mark.usefixtures("connection")

# Twilio's dates are whole seconds: less could be over, by them, before the phone is picked up.
QUEUE_TIMEOUT_S, STALE_S = 2, 3


@pytest.fixture
def ti() -> RecordingTaskInstance:
    return RecordingTaskInstance()


@pytest.fixture
def virtual_time(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    VirtualTime(twilio_simulator).install(monkeypatch)


# Waiting: Twilio's queue


@pytest.mark.parametrize("queue_timeout", [0.1, timedelta(milliseconds=100)])
def test_a_call_queued_for_too_long_is_canceled_and_a_retry_may_dial_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, queue_timeout: float | timedelta
) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"still in Twilio's queue .* and was canceled"):
        place_and_wait(STAYS_QUEUED, ti, queue_timeout=queue_timeout)
    assert twilio_simulator.calls[0]["status"] == "canceled"
    assert ti.xcoms["call"]["status"] == "canceled"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503, "times": 3},
        {"kind": "status", "status": 429, "times": 2},
        {"kind": "drop", "times": 2},
        {"kind": "html", "times": 2},
        {"kind": "truncated", "times": 1},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_canceling_goes_on_through_transient_errors(
    twilio_simulator: TwilioSimulator, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("update", **fault))
    with pytest.raises(TwilioCallUnansweredError, match="was canceled"):
        place_and_wait(STAYS_QUEUED, queue_timeout=0.05)
    assert twilio_simulator.calls[0]["status"] == "canceled"
    assert twilio_simulator.faults[0]["spent"]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "drop", "after": True}, {"kind": "cut"}, {"kind": "status", "after": True, "status": 500}],
    ids=lambda fault: str(fault["kind"]),
)
def test_a_cancellation_whose_answer_is_lost_is_the_tasks_own(
    twilio_simulator: TwilioSimulator, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("update", **fault))
    with pytest.raises(TwilioCallUnansweredError, match=r"\(queue_timeout\) and was canceled"):
        place_and_wait(STAYS_QUEUED, queue_timeout=0.05)
    assert twilio_simulator.calls[0]["status"] == "canceled"


def test_a_call_that_may_not_be_canceled_is_not_dialled_again(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("update", kind="status", status=401, code=20003, times=None))
    with pytest.raises(TwilioCallFateUnknownError, match=r"could not be canceled: .*code 20003"):
        place_and_wait(STAYS_QUEUED, queue_timeout=0.05)
    assert twilio_simulator.calls[0]["status"] == "queued"


@pytest.mark.usefixtures("virtual_time")
def test_a_call_that_left_the_queue_at_the_last_moment_is_waited_for(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "talk": 100})
    twilio_simulator.inject(on("get", kind="stale", seconds=STALE_S, times=None))
    sid = place_and_wait(SOMEBODY, queue_timeout=QUEUE_TIMEOUT_S)
    assert "update" in operations(twilio_simulator)
    assert twilio_simulator.calls[0]["sid"] == sid
    assert twilio_simulator.calls[0]["status"] == "completed"


@pytest.mark.usefixtures("virtual_time")
def test_a_call_that_is_over_when_it_is_to_be_canceled_is_judged(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("get", kind="stale", seconds=STALE_S, times=None))
    with pytest.raises(TwilioCallUnansweredError, match="the line was busy"):
        place_and_wait(BUSY, queue_timeout=QUEUE_TIMEOUT_S)
    assert "update" in operations(twilio_simulator)


# Waiting: transient errors


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "not-found", "times": 2}, id="404 for a fresh SID"),
        pytest.param({"kind": "stale", "seconds": 0.1, "times": 10}, id="stale"),
        pytest.param({"kind": "drop"}, id="dropped"),
        pytest.param({"kind": "cut"}, id="cut"),
        pytest.param({"kind": "html"}, id="html"),
        pytest.param({"kind": "html", "status": 200, "times": 2}, id="html-as-if-good"),
        pytest.param({"kind": "truncated", "times": 2}, id="truncated"),
        pytest.param({"kind": "status", "status": 429, "code": 20429}, id="429"),
        pytest.param({"kind": "status", "status": 503}, id="503"),
        pytest.param({"kind": "status", "status": 408, "times": 3}, id="408"),
    ],
)
def test_a_wait_survives_transient_errors_and_ends_right(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("get", **fault))
    place_and_wait(ANSWERS, ti)
    assert ti.xcoms["call"]["status"] == "completed"
    assert twilio_simulator.faults[0]["struck"] > 0
    assert posts(twilio_simulator) == 1


def test_credentials_revoked_in_mid_wait_do_not_dial_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.inject(on("get", kind="status", status=401, code=20003, skip=1, times=None))
    with pytest.raises(TwilioCallFateUnknownError, match=r"how it ended cannot be told: .*code 20003") as end:
        place_and_wait(TALKS_LONG, ti)
    assert isinstance(end.value, AirflowFailException)
    assert ti.xcoms["call_sid"] in str(end.value)
    assert posts(twilio_simulator) == 1


def test_a_fault_nobody_thought_of_does_not_dial_again(
    ti: RecordingTaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airflow_provider_twiliocall.calls.watch.CallWatch.observe",
        lambda *_, **__: {}["nobody thought of this"],
    )
    with pytest.raises(TwilioCallFateUnknownError, match="nobody thought of this") as failed:
        place_and_wait(TALKS_LONG, ti)
    assert ti.xcoms["call_sid"] in str(failed.value)
