"""Dialling again within one task: how often, how long after, after what; and what a crash between two dials leaves."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallInterruptedError,
    TwilioCallNotPlacedError,
    TwilioCallUnansweredError,
    TwilioConnectionError,
)
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.pauses import PausingRun
from tests.integration.ring_task import (
    SOMEBODY,
    STAYS_QUEUED,
    VARIABLE,
    changed,
    fire,
    on,
    operations,
    posts,
    waiting,
)
from tests.integration.tries import CLEARED, sids
from tests.support.interruption import DeadlyStore, Killed
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime

REDIAL_AFTER_S = 120

pytestmark = pytest.mark.usefixtures("clock", "connection")


def redialling(to: str = SOMEBODY, **arguments: Any) -> Any:
    return waiting(to, **{"max_dials": 3, "redial_after": REDIAL_AFTER_S, "poll_interval": 2, **arguments})


def paused_until_the_next_dial(run: PausingRun) -> TaskDeferred:
    """Let the first dial be in vain, and the pause after it pass."""
    with pytest.raises(TaskDeferred) as paused:
        redialling().execute(run.context())
    run.clock.sleep(REDIAL_AFTER_S)
    return paused.value


def test_a_busy_line_is_dialled_again_until_somebody_answers(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "no-answer", "human"])

    sid = run.try_once(redialling())

    assert sid == sids(twilio_simulator)[-1]
    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "no-answer", "completed"]
    assert [dial["call_sid"] for dial in run.ti.xcoms["dials"]] == sids(twilio_simulator)
    assert run.ti.xcoms["call"]["sid"] == sid


def test_the_next_dial_comes_so_long_after_the_end_of_the_last_call(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])

    run.try_once(redialling())

    first, second = twilio_simulator.calls
    assert len(run.pauses) == 1
    # Dates are whole seconds, and the next poll has seen the end.
    assert REDIAL_AFTER_S - 5 < run.pauses[0] <= REDIAL_AFTER_S
    assert first["sid"] != second["sid"]


def test_nobody_reached_fails_for_good_so_that_retries_do_not_multiply_the_rings(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, "busy")

    with pytest.raises(TwilioCallEndedForGoodError, match=r"in 3 dials \(max_dials\): busy, busy, busy"):
        run.try_once(redialling())

    assert posts(twilio_simulator) == 3
    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "busy", "busy"]


def test_an_ending_that_is_not_to_be_dialled_again_fails_for_good(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "failed", "human"])

    with pytest.raises(TwilioCallEndedForGoodError, match=r"busy, failed.*redial_on is busy, no-answer"):
        run.try_once(redialling())

    assert posts(twilio_simulator) == 2


def test_a_voicemail_is_dialled_again_where_the_author_says_so(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["voicemail", "human"])

    run.try_once(redialling(accept_answered_by={"human"}, redial_on={"voicemail"}))

    assert [dial["answered_by"] for dial in run.ti.xcoms["dials"]] == ["machine_end_beep", "human"]


def test_without_a_pause_the_next_dial_follows_at_once(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])

    run.try_once(redialling(redial_after=0))

    assert run.pauses == []
    assert posts(twilio_simulator) == 2


def test_no_more_than_the_last_digits_of_a_number_are_kept(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])

    with pytest.raises(TaskDeferred) as paused:
        redialling().execute(run.context())

    kept = f"{paused.value.kwargs} {run.ti.xcoms} {run.store}"
    assert SOMEBODY not in kept and twilio_simulator.from_number not in kept
    assert run.ti.xcoms["dials"][0]["to"] == "+1*******0001"


def test_a_call_that_twilio_kept_queued_too_long_has_rung_nobody_and_is_left_to_a_retry(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"\(queue_timeout\) and was canceled"):
        run.try_once(redialling(STAYS_QUEUED, queue_timeout=60))

    assert posts(twilio_simulator) == 1
    assert [(dial["status"], dial["ended_by_us"]) for dial in run.ti.xcoms["dials"]] == [("canceled", True)]


@pytest.mark.usefixtures("clock")
def test_one_dial_leaves_redialling_to_the_tasks_retries(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.script(SOMEBODY, "busy")

    with pytest.raises(TwilioCallUnansweredError, match="the line was busy"):
        waiting(SOMEBODY, poll_interval=2).execute(context(store=StateStore()))


def test_a_task_that_waits_deferred_dials_again_too(
    twilio_simulator: TwilioSimulator, run: PausingRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_twiliocall.triggers.twilio_call.SHORTEST_DEFERRAL_S", 0.0)
    twilio_simulator.script(SOMEBODY, [{"outcome": "busy", "ring": 50}, {"outcome": "human", "ring": 0}])
    task = redialling(deferrable=True, poll_interval=0.02, redial_after=0)
    with pytest.raises(TaskDeferred) as first:
        task.execute(run.context())

    with pytest.raises(TaskDeferred) as second:
        task.resume_execution(
            first.value.method_name,
            {**(first.value.kwargs or {}), "event": fire(first.value.trigger)},
            run.context(),
        )
    task.resume_execution(
        second.value.method_name,
        {**(second.value.kwargs or {}), "event": fire(second.value.trigger)},
        run.context(),
    )

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "completed"]


# Crashes


def test_a_crash_in_the_pause_keeps_its_place_and_its_time(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "busy", "human"])
    run = PausingRun(clock)
    with pytest.raises(TaskDeferred):
        redialling().execute(run.context())
    clock.sleep(REDIAL_AFTER_S / 2)

    run.try_once(redialling())

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "busy", "completed"]
    assert run.pauses[0] <= REDIAL_AFTER_S / 2
    assert posts(twilio_simulator) == 3


@pytest.mark.parametrize("moment", [{"before": "placed"}, {"after": "placed"}])
def test_a_crash_while_dialling_again_dials_nobody_twice(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, moment: dict[str, str]
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    run = PausingRun(clock)
    paused = paused_until_the_next_dial(run)
    assert run.store is not None
    deadly = DeadlyStore(run.store.values, **moment)
    run.store = deadly
    with pytest.raises(Killed):
        run.resume(redialling(), paused)
    run.store = deadly.survivor()

    run.try_once(redialling())

    assert posts(twilio_simulator) == 2
    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "completed"]


def test_a_crash_after_the_last_dial_does_not_dial_once_more(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, "busy")
    run = PausingRun(clock)
    with pytest.raises(TwilioCallEndedForGoodError):
        run.try_once(redialling(max_dials=2))

    with pytest.raises(TwilioCallEndedForGoodError, match="in 2 dials"):
        run.try_once(redialling(max_dials=2))

    assert posts(twilio_simulator) == 2


def test_a_dial_that_a_kill_has_ended_does_not_count(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, [{"outcome": "human", "ring": 600}, "busy", "human"])
    run = PausingRun(clock)
    killed = redialling(max_dials=2, deferrable=True)
    with pytest.raises(TaskDeferred):
        killed.execute(run.context())
    with pytest.raises(AirflowTaskTimeout):
        killed.resume_execution("__fail__", {"error": "Trigger timeout"}, run.context())

    run.try_once(redialling(max_dials=2))

    statuses = [(dial["status"], dial["ended_by_us"]) for dial in run.ti.xcoms["dials"]]
    assert statuses == [("canceled", True), ("busy", False), ("completed", False)]


def test_a_clear_begins_to_count_from_zero(twilio_simulator: TwilioSimulator, clock: VirtualTime) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "busy", "busy", "human"])
    run = PausingRun(clock)
    with pytest.raises(TwilioCallEndedForGoodError):
        run.try_once(redialling(max_dials=2))
    cleared = PausingRun(clock, store=run.store, ti=RecordingTaskInstance(max_tries=CLEARED))

    cleared.try_once(redialling(max_dials=2))

    assert [dial["status"] for dial in cleared.ti.xcoms["dials"]] == ["busy", "completed"]


def test_a_pause_that_broke_off_is_begun_again(twilio_simulator: TwilioSimulator, clock: VirtualTime) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    run = PausingRun(clock)
    with pytest.raises(TaskDeferred):
        redialling().execute(run.context())

    with pytest.raises(TaskDeferred) as again:
        redialling().resume_execution("__fail__", {"error": "the triggerer is gone"}, run.context())

    assert again.value.method_name == "execute_next_call"
    assert posts(twilio_simulator) == 1


def test_a_twilio_that_is_away_for_the_second_dial_is_left_to_a_retry_that_goes_on_there(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    run = PausingRun(clock)
    paused = paused_until_the_next_dial(run)
    twilio_simulator.inject(on("create", kind="status", status=429, code=10004, times=1))
    with pytest.raises(TwilioCallNotPlacedError):
        run.resume(redialling(), paused)

    run.try_once(redialling())

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "completed"]


def test_without_a_journal_no_error_leads_to_a_retry_that_begins_again(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    run = PausingRun(clock, store=None)
    paused = paused_until_the_next_dial(run)
    twilio_simulator.inject(on("create", kind="status", status=429, code=10004, times=1))

    with pytest.raises(
        TwilioCallEndedForGoodError, match="It was dialled before, and a retry would begin again"
    ):
        run.resume(redialling(), paused)


def test_a_connection_that_cannot_be_had_between_two_dials_is_left_to_a_retry(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    run = PausingRun(clock)
    paused = paused_until_the_next_dial(run)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(TwilioCallInterruptedError, match="A retry goes on where this one has come to"):
        run.resume(redialling(), paused)
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)

    run.try_once(redialling())

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "completed"]


def test_a_connection_that_cannot_be_used_between_two_dials_fails_for_good(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, "busy")
    run = PausingRun(clock)
    paused = paused_until_the_next_dial(run)
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, password=""))
    with pytest.raises(TwilioConnectionError, match="password is empty"):
        run.resume(redialling(), paused)

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy"]


def test_without_a_journal_a_connection_that_cannot_be_had_between_two_dials_is_not_retried(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, "busy")
    run = PausingRun(clock, store=None)
    paused = paused_until_the_next_dial(run)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(
        TwilioCallEndedForGoodError, match=r"There is no connection.*a retry would begin again"
    ):
        run.resume(redialling(), paused)


def test_a_last_call_that_somebody_else_canceled_is_told_too(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "canceled"])

    with pytest.raises(TwilioCallEndedForGoodError, match="not by this task"):
        run.try_once(redialling())

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "canceled"]


def test_a_pause_is_over_though_twilio_cannot_say_any_more_how_the_last_call_ended(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    run = PausingRun(clock)
    paused = paused_until_the_next_dial(run)
    before = operations(twilio_simulator).count("get")
    twilio_simulator.inject(on("get", kind="status", status=503, times=1))

    run.resume(redialling(), paused)

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "completed"]
    assert operations(twilio_simulator)[before:].count("create") >= 1


def test_a_triggerer_that_is_gone_does_not_end_the_pause_for_ever(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    run = PausingRun(clock)
    with pytest.raises(TaskDeferred) as paused:
        redialling().execute(run.context())
    assert paused.value.timeout is not None
    clock.sleep(paused.value.timeout.total_seconds())

    redialling().resume_execution("__fail__", {"error": "Trigger timeout"}, run.context())

    assert [dial["status"] for dial in run.ti.xcoms["dials"]] == ["busy", "completed"]
