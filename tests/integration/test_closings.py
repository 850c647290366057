"""What becomes of a call that is still in Twilio's queue when its window closes or its time is over."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred

from airflow_provider_twiliocall.callees.call_window import CallWindow
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.exceptions import TwilioCallRefusedError, TwilioCallUnansweredError
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.twilio.call import Call
from tests.integration.pauses import PausingRun
from tests.integration.ring_task import SOMEBODY, STAYS_QUEUED, on, statuses, waiting
from tests.support.interruption import DeadlyStore, Killed
from tests.support.virtual_time import VirtualTime

pytestmark = pytest.mark.usefixtures("connection")

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def _seconds_from_now(run: PausingRun, seconds: int) -> str:
    moment = datetime.fromtimestamp(run.clock.time() + seconds, timezone.utc)
    return f"{moment:%H:%M:%S}"


def remind(to: str = SOMEBODY, **arguments: Any) -> Any:
    return waiting(to, **{"poll_interval": 10, **arguments})


def test_a_call_that_would_leave_the_queue_after_the_closing_is_canceled_while_queued(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    given = run.window(-HOUR, 3 * MINUTE)

    with pytest.raises(
        AirflowSkipException, match=r"outside the call window.* call before was ended by this"
    ):
        run.try_once(remind(STAYS_QUEUED, call_window=given, on_outside_window="skip"))

    assert statuses(twilio_simulator) == ["canceled"]


def test_a_task_that_fails_outside_its_window_says_that_its_call_was_ended(run: PausingRun) -> None:
    given = run.window(-HOUR, 3 * MINUTE)

    with pytest.raises(TwilioCallRefusedError, match=r"^The call before was ended by this task"):
        run.try_once(remind(STAYS_QUEUED, call_window=given, on_outside_window="fail"))


def test_a_call_that_was_canceled_while_queued_at_the_closing_rings_when_the_window_opens_again(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, [{"outcome": "queued"}, "human"])

    run.try_once(remind(call_window=run.window(-HOUR, 3 * MINUTE)))

    assert statuses(twilio_simulator) == ["canceled", "completed"]
    assert len(run.pauses) == 1 and run.pauses[0] > 3600


def test_a_queue_that_is_too_long_inside_the_window_is_left_to_a_retry(run: PausingRun) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"after 60 s \(queue_timeout\)"):
        run.try_once(remind(STAYS_QUEUED, call_window=run.window(-HOUR, HOUR), queue_timeout=60))


def test_a_task_that_does_not_wait_for_the_end_waits_until_the_phone_rings(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "busy", "ring": 30})
    given = run.window(-HOUR, HOUR)

    sid = run.try_once(remind(call_window=given, wait_for_completion=False, poll_interval=2))

    assert sid == run.ti.xcoms["call_sid"]
    assert statuses(twilio_simulator) == ["ringing"]
    assert run.ti.xcoms["call"]["status"] == "ringing"


def test_a_task_that_does_not_wait_for_the_end_cancels_while_queued_what_would_ring_after_the_closing(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, [{"outcome": "queued"}, "human"])
    given = run.window(-HOUR, 3 * MINUTE)

    run.try_once(remind(call_window=given, wait_for_completion=False))

    assert statuses(twilio_simulator)[0] == "canceled"
    assert len(run.pauses) == 1 and run.pauses[0] > 3600
    assert len(statuses(twilio_simulator)) == 2


def test_a_task_that_does_not_wait_for_the_end_lets_no_call_ring_that_has_expired(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    run.run_after = run.clock.time()

    with pytest.raises(AirflowSkipException, match="too late for this call"):
        run.try_once(remind(STAYS_QUEUED, expires_after=120, wait_for_completion=False))

    assert statuses(twilio_simulator) == ["canceled"]


def test_a_deferrable_one_waits_for_the_ringing_in_the_triggerer(run: PausingRun) -> None:
    given = run.window(-HOUR, HOUR)

    with pytest.raises(TaskDeferred) as deferred:
        remind(STAYS_QUEUED, call_window=given, wait_for_completion=False, deferrable=True).execute(
            run.context()
        )

    trigger = deferred.value.trigger
    closes = CallWindow.from_value(given).closes_after(datetime.fromtimestamp(run.clock.time(), timezone.utc))
    assert trigger.awaits == "ring"
    assert trigger.queue_deadline == {"at": closes.timestamp(), "reason": "window closed"}


@pytest.mark.parametrize("status", ["ringing", "busy"])
def test_it_succeeds_once_the_call_has_left_the_queue_whatever_comes_of_it(
    run: PausingRun, status: str
) -> None:
    task = remind(
        STAYS_QUEUED, call_window=run.window(-HOUR, HOUR), wait_for_completion=False, deferrable=True
    )
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(run.context())
    call_sid = run.ti.xcoms["call_sid"]
    left = CallOutcome(Reason.LEFT_QUEUE, Call.model_validate({"sid": call_sid, "status": status}))
    resumed = {**(deferred.value.kwargs or {}), "event": {"call_sid": call_sid, **left.to_event()}}

    assert task.resume_execution("execute_complete", resumed, run.context()) == call_sid
    assert run.ti.xcoms["call"]["status"] == status


def test_a_call_that_a_trigger_has_canceled_while_queued_rings_though_its_task_resumes_once_the_window_is_open_again(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, [{"outcome": "queued"}, "human"])
    task = remind(call_window=run.window(-HOUR, 3 * MINUTE), deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(run.context())
    run.clock.sleep(240)
    canceled_while_queued = CallOutcome(
        Reason.WINDOW_CLOSED, Call.model_validate(twilio_simulator.end(run.ti.xcoms["call_sid"]))
    )
    event = {"call_sid": run.ti.xcoms["call_sid"], **canceled_while_queued.to_event()}

    run.clock.sleep(timedelta(hours=23, minutes=30).total_seconds())
    with pytest.raises(TaskDeferred):
        task.resume_execution(
            "execute_complete", {**(deferred.value.kwargs or {}), "event": event}, run.context()
        )

    assert statuses(twilio_simulator)[0] == "canceled"
    assert len(twilio_simulator.calls) == 2
    assert run.pauses == []


def test_a_call_that_was_canceled_while_queued_by_a_process_that_died_was_canceled_while_queued_all_the_same(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    store = DeadlyStore(after="placed")
    run = PausingRun(clock, store=store)
    twilio_simulator.script(SOMEBODY, [{"outcome": "queued"}, "human"])
    given = run.window(-HOUR, 3 * MINUTE)
    with pytest.raises(Killed):
        run.try_once(remind(call_window=given))
    clock.sleep(240)
    # A trigger did so, and its event was lost.
    twilio_simulator.end(twilio_simulator.calls[0]["sid"])

    run.store = store.survivor()
    run.try_once(remind(call_window=given))

    assert statuses(twilio_simulator) == ["canceled", "completed"]
    assert len(run.pauses) == 1 and run.pauses[0] > 3600


def test_a_conversation_may_go_on_after_the_closing(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "talk": 600})

    run.try_once(remind(call_window=run.window(-HOUR, 3 * MINUTE), time_limit=14_400))

    assert statuses(twilio_simulator) == ["completed"]


def test_a_call_that_twilio_takes_only_after_the_closing_is_not_placed(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    given = {**run.window(-HOUR, MINUTE), "end": _seconds_from_now(run, 5)}
    twilio_simulator.inject(on("create", kind="status", status=429, times=4))

    with pytest.raises(AirflowSkipException, match="outside the call window"):
        run.try_once(remind(call_window=given, on_outside_window="skip"))

    assert twilio_simulator.calls == []
