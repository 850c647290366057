"""A campaign that is stopped at whatever moment: nobody is called twice or left out, and it comes to an end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.campaigns import campaign_run, kill
from airflow_provider_twiliocall.campaigns.going_on import CallsGoingOn
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import TwilioCallInterruptedError, TwilioCallJournalError
from airflow_provider_twiliocall.triggers import killed_task
from airflow_provider_twiliocall.twilio.client import TwilioClient
from airflow_provider_twiliocall.twilio.errors import TwilioNotFoundError, TwilioRejectedError
from tests.integration.campaign_stage import CLEARED, CampaignStage, InLine, number, rows
from tests.integration.ring_task import posts
from tests.support.interruption import SUPERSEDED
from tests.support.task_context import StateStore

pytestmark = pytest.mark.usefixtures("connection", "real_pace")

STUCK_ONCE = [{"outcome": "queued"}, {"outcome": "human"}]


@pytest.fixture
def once_row_1_is_queued(stage: CampaignStage, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let something happen at the first pause after row 1 was called."""
    happened: list[bool] = []

    def arrange(happens: Callable[[], None]) -> None:
        def sleep(seconds: float) -> None:
            stage.clock.sleep(seconds)
            if stage.rings[number(1)] and not happened:
                happened.append(True)
                happens()

        monkeypatch.setattr("airflow_provider_twiliocall.clock.sleep", sleep)

    return arrange


def time_out() -> None:
    raise AirflowTaskTimeout("execution_timeout")


def test_a_time_out_right_after_a_call_was_placed_calls_nobody_twice(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, added = CallsGoingOn.add, []

    def add_and_time_out(self: CallsGoingOn, *args: Any, **kwargs: Any) -> None:
        added.append(args)
        if len(added) == 3:
            time_out()
        add(self, *args, **kwargs)

    monkeypatch.setattr(CallsGoingOn, "add", add_and_time_out)
    with pytest.raises(AirflowTaskTimeout):
        stage.run(rows(5))
    assert stage.run(rows(5))["outcomes"] == {"completed": 5}
    assert set(stage.rings.values()) == {1}


def test_what_a_task_out_of_time_cancels_is_called_by_the_next_try(
    stage: CampaignStage, once_row_1_is_queued: Any
) -> None:
    stage.simulator.script(number(1), STUCK_ONCE)
    task = stage.task(rows(3), max_queued=1)
    once_row_1_is_queued(time_out)
    with pytest.raises(AirflowTaskTimeout):
        task.execute(stage.context())
    # Airflow calls it afterwards.
    task.on_kill()
    assert stage.run(rows(3))["outcomes"] == {"completed": 3}
    assert stage.rings == {number(0): 1, number(1): 2, number(2): 1}


def test_what_a_task_that_is_cleared_while_it_runs_cancels_is_called_by_the_next_try(
    stage: CampaignStage, once_row_1_is_queued: Any
) -> None:
    assert stage.store is not None
    store = stage.store
    stage.simulator.script(number(1), STUCK_ONCE)
    task = stage.task(rows(3), max_queued=1, delivery="at_least_once")

    def clear() -> None:
        task.on_kill()
        store.fault = SUPERSEDED

    once_row_1_is_queued(clear)
    with pytest.raises(TwilioCallInterruptedError):
        task.execute(stage.context())
    stage.store = StateStore(store.values)
    assert stage.run(rows(3), max_tries=CLEARED, delivery="at_least_once")["outcomes"] == {"completed": 3}
    assert stage.rings == {number(0): 1, number(1): 2, number(2): 1}


def test_a_task_killed_while_it_is_deferred_cancels_the_queue_and_lets_ring_what_rings(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def was_killed(*_: Any) -> bool:
        return True

    monkeypatch.setattr(killed_task, "_was_killed", was_killed)
    stage.simulator.script(number(0), {"outcome": "human", "ring": 900})
    stage.simulator.script(number(1), STUCK_ONCE)
    with pytest.raises(TaskDeferred) as deferred:
        stage.task(rows(2), deferrable=True, timeout=600).execute(stage.context())
    trigger = deferred.value.trigger
    # Also one that has begun to ring since the task was deferred.
    trigger.queue_deadlines = {call_sid: {} for call_sid in trigger.call_sids}  # type: ignore[attr-defined]
    asyncio.run(trigger.on_kill())  # type: ignore[attr-defined]
    assert {call["to"]: call["status"] for call in stage.simulator.calls} == {
        number(0): "ringing",
        number(1): "canceled",
    }


def test_calls_canceled_while_the_task_was_deferred_are_called_by_the_next_try(stage: CampaignStage) -> None:
    stage.simulator.script(number(1), STUCK_ONCE)
    task = stage.task(rows(2), deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(stage.context())
    for call_sid in deferred.value.trigger.queue_deadlines:  # type: ignore[attr-defined]
        task.hook.cancel_call(call_sid)
    outcomes = stage.run(rows(2), max_tries=CLEARED, deferrable=True)["outcomes"]
    assert outcomes == {"completed": 2}


def test_a_kill_before_the_first_look_has_no_thread_for_every_call(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.run(rows(30))
    monkeypatch.setattr(kill, "_MOST_CANCELED", 5)
    canceled: list[str] = []
    monkeypatch.setattr(kill, "cancel_if_queued", lambda _, call_sid: canceled.append(call_sid))
    task = stage.task(rows(30))

    class KilledAtTheFirstPoll(InLine):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            task.on_kill()
            return super().submit(fn, *args, **kwargs)

    monkeypatch.setattr(campaign_run, "threads_for_polls", KilledAtTheFirstPoll)
    with pytest.raises(TwilioCallInterruptedError):
        task.execute(stage.context(max_tries=CLEARED))
    assert len(canceled) == 5


def test_a_block_that_cannot_be_written_leaves_a_journal_that_can(
    stage: CampaignStage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def fail_from_the_fifth(key: str, value: Any) -> None:
        written.append(key)
        if 4 < len(written) < 9:
            raise RuntimeError("the API server is away")
        StateStore.set(stage.store, key, value)  # type: ignore[arg-type]

    monkeypatch.setattr(stage.store, "set", fail_from_the_fifth)
    with pytest.raises(TwilioCallJournalError):
        stage.run(rows(60))
    assert "could not be written at the end" not in caplog.text
    assert stage.run(rows(60))["outcomes"] == {"completed": 60}
    assert set(stage.rings.values()) == {1}


# It comes to an end


def wakes_until_the_end(stage: CampaignStage, calls: Any, *, at_most: int, **arguments: Any) -> Any:
    around, event, method = stage.context(), None, None
    for _ in range(at_most):
        task = stage.task(calls, deferrable=True, **arguments)
        try:
            if method is None:
                return task.execute(around)
            return task.resume_execution(method, {"event": event}, around)
        except TaskDeferred as deferred:
            event, method = stage.fire(deferred), deferred.method_name
    raise AssertionError(f"It is still deferred after {at_most} times")


def test_a_call_that_stays_queued_is_canceled_in_time_however_often_the_task_wakes(
    stage: CampaignStage,
) -> None:
    stage.simulator.script(number(1), {"outcome": "queued"})
    summary = wakes_until_the_end(
        stage, rows(2), at_most=12, max_dials=2, redial_after=120, queue_timeout=600
    )
    assert summary["outcomes"] == {"completed": 1, "queue timeout": 1}
    assert stage.clock.time() - stage.began < 2_000


@pytest.mark.parametrize("redials", [{}, {"max_dials": 2, "redial_after": 120}], ids=["once", "redialled"])
def test_a_call_that_twilio_has_lost_is_unknown_in_the_end(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch, redials: dict[str, Any]
) -> None:
    get_call, call_pages = TwilioClient.get_call, TwilioClient.call_pages

    def lost() -> set[str]:
        called = [call["sid"] for call in stage.simulator.calls if call["to"] == number(1)]
        return set(called) if stage.pauses else set()

    def get(self: TwilioClient, sid: str) -> Any:
        if sid in lost():
            raise TwilioNotFoundError("Twilio does not know it", http_status=404, code=20404)
        return get_call(self, sid)

    def pages(self: TwilioClient, page_size: int) -> Any:
        for page in call_pages(self, page_size):
            yield [entry for entry in page if entry["sid"] not in lost()]

    monkeypatch.setattr(TwilioClient, "get_call", get)
    monkeypatch.setattr(TwilioClient, "call_pages", pages)
    monkeypatch.setattr(stage, "fire", lambda paused: fired_after(stage, paused))
    stage.simulator.script(number(1), {"outcome": "human", "ring": 5, "talk": 3_000})
    summary = wakes_until_the_end(stage, rows(2), at_most=15, **redials)
    assert summary["outcomes"] == {"completed": 1, "unknown": 1}
    assert stage.rings == {number(0): 1, number(1): 1}


def fired_after(stage: CampaignStage, paused: TaskDeferred) -> dict[str, Any]:
    """Return the event of a trigger that has looked for the lost call until its patience was over, or its time was."""
    trigger: Any = paused.trigger
    now = stage.clock.time()
    since = min(trigger.not_found_since.values(), default=now)
    until = min(since + 310, trigger.until or now + 310)
    stage.clock.sleep(until - now)
    stage.pauses.append(until)
    gone = [call["sid"] for call in stage.simulator.calls if call["to"] == number(1)]
    is_given_up = until >= since + 300
    return {
        "phase": "campaign",
        "going_on": 0,
        "given_up": gone if is_given_up else trigger.given_up,
        "not_found_since": {} if is_given_up else dict.fromkeys(gone, since),
    }


def test_a_secret_that_is_replaced_while_calls_are_placed_stops_nothing(
    stage: CampaignStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = stage.task(rows(3), pace=0.2)
    first = task.hook
    send = TwilioClient.send

    def sent(self: TwilioClient, *args: Any, **kwargs: Any) -> Any:
        is_of_first = self in (first.__dict__.get("client"), first.__dict__.get("watcher"))
        if posts(stage.simulator) >= 2 and is_of_first:
            raise TwilioRejectedError("Authenticate", http_status=401, code=20003)
        return send(self, *args, **kwargs)

    monkeypatch.setattr(TwilioClient, "send", sent)
    assert task.execute(stage.context())["outcomes"] == {"completed": 3}
