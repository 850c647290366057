"""A retry whose arguments render wrongly, or whose connection has changed: the earlier try's call comes first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallAbandonedError,
    TwilioCallFateUnknownError,
    TwilioCallInterruptedError,
    TwilioCallRefusedError,
    TwilioCallUnansweredError,
)
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.pauses import PausingRun
from tests.integration.ring_task import (
    FAILS,
    SOMEBODY,
    STAYS_QUEUED,
    VARIABLE,
    changed,
    defer,
    on,
    operations,
    posts,
    resume,
    statuses,
    waiting,
)
from tests.integration.tries import CLEARED, FIRST_RUN, dial_and_vanish, die, run, sids
from tests.support.interruption import DeadlyStore
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime

pytestmark = pytest.mark.usefixtures("connection", "real_pace", "clock")

LONG_ENOUGH_S = 120
A_WINDOW = {"start": "00:00", "end": "23:59", "timezone": "UTC"}
WRONG: list[dict[str, Any]] = [
    {"to": "nobody"},
    {"message": ""},
    {"timeout": 3600},
    {"from_": "MyCompany"},
    {"call_window": {**A_WINDOW, "timezone": "Mars/Base"}},
    {"account_sid": "AC123"},
]
TO_NOBODY = {"to": "nobody"}
RINGS = {"outcome": "human", "ring": 50}
RINGS_IN_VAIN = {"outcome": "busy", "ring": 50}


@pytest.fixture
def store() -> StateStore:
    return StateStore()


def rendering(to: str = SOMEBODY, *, rendered: dict[str, Any], **arguments: Any) -> CreateCallOperator:
    """The task, some of whose templates have rendered to this."""
    task = waiting(to, **{"poll_interval": 2, **arguments})
    for name, value in rendered.items():
        setattr(task, name, value)
    return task


def retry(
    store: StateStore, rendered: dict[str, Any], *, max_tries: int = FIRST_RUN, **arguments: Any
) -> str:
    """One more try of the task."""
    ti = RecordingTaskInstance(max_tries=max_tries)
    return rendering(rendered=rendered, **arguments).execute(context(ti, store))


def names(wrong: dict[str, Any]) -> str:
    return str(next(iter(wrong)))


# Arguments that cannot be used


@pytest.mark.parametrize("wrong", WRONG, ids=names)
def test_a_phone_that_rings_is_followed_whatever_the_arguments_have_become(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    caplog: pytest.LogCaptureFixture,
    wrong: dict[str, Any],
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(store)
    assert retry(store, wrong) == sid
    assert posts(twilio_simulator) == 1
    assert f"Call {sid} of an earlier try is monitored." in caplog.text
    assert "its arguments cannot be used" in caplog.text


@pytest.mark.parametrize("wrong", WRONG, ids=names)
def test_a_call_that_was_answered_meanwhile_is_returned_whatever_the_arguments_have_become(
    twilio_simulator: TwilioSimulator, store: StateStore, wrong: dict[str, Any]
) -> None:
    sid = dial_and_vanish(store)
    twilio_simulator.skip(LONG_ENOUGH_S)
    assert retry(store, wrong) == sid


def test_what_is_dialled_next_is_checked_and_refused_with_how_the_call_before_ended(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS_IN_VAIN)
    sid = dial_and_vanish(store)
    with pytest.raises(TwilioCallUnansweredError, match=f"Call {sid} was not answered: the line was busy"):
        retry(store, TO_NOBODY)
    with pytest.raises(TwilioCallRefusedError) as refused:
        retry(store, TO_NOBODY)
    assert str(refused.value).startswith("Nothing more was dialled (before: busy); fix these arguments:\n- ")
    assert posts(twilio_simulator) == 1


def test_who_answered_cannot_be_judged_where_it_is_not_known_any_more_who_should(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, "voicemail")
    sid = dial_and_vanish(store, accept_answered_by={"human"})
    with pytest.raises(TwilioCallFateUnknownError, match="Whether that is who was wanted cannot be told"):
        retry(store, {"accept_answered_by": "nobody at all"})
    assert sids(twilio_simulator) == [sid]


def test_a_busy_line_is_a_busy_line_whoever_should_answer(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS_IN_VAIN)
    dial_and_vanish(store, accept_answered_by={"human"})
    with pytest.raises(TwilioCallUnansweredError, match="the line was busy"):
        retry(store, {"accept_answered_by": "nobody at all"})


def test_a_call_without_a_sid_may_ring_and_the_refusal_says_so(twilio_simulator: TwilioSimulator) -> None:
    left = die(DeadlyStore(before="placed"))
    with pytest.raises(TwilioCallFateUnknownError, match=r"did not learn its SID\. It cannot be looked for"):
        retry(left, TO_NOBODY)
    with pytest.raises(TwilioCallRefusedError) as refused:
        retry(left, TO_NOBODY, delivery="at_least_once")
    assert "is left alone and may still ring. No other was placed; fix these" in str(refused.value)
    assert posts(twilio_simulator) == 1


def test_a_task_that_does_not_wait_keeps_what_was_promised_of_a_window_that_is_not_known_any_more(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    task = PausingRun(clock)
    opens_and_closes = task.window(timedelta(minutes=-1), timedelta(minutes=2))
    ring = {"wait_for_completion": False, "deferrable": True, "poll_interval": 2}
    with pytest.raises(TaskDeferred):
        waiting(STAYS_QUEUED, **ring, call_window=opens_and_closes).execute(task.context())
    wrong = {**opens_and_closes, "timezone": "Mars/Base"}
    with pytest.raises(
        TwilioCallRefusedError, match=r"ended by this task, and no other is placed: .*Mars/Base"
    ):
        rendering(
            STAYS_QUEUED,
            rendered={"call_window": wrong},
            **{**ring, "deferrable": False},
            call_window=opens_and_closes,
        ).execute(task.context())
    assert statuses(twilio_simulator) == ["canceled"]


# After a clear


@pytest.mark.parametrize(
    ("when_killed", "status", "said"),
    [
        ("cancel", "canceled", "Nothing was dialled; fix these"),
        ("hang_up", "canceled", "Nothing was dialled; fix these"),
        (
            "leave",
            "queued",
            r"Call \w+ of the run before is left alone and may still ring\. No other was placed",
        ),
    ],
)
def test_a_clear_ends_the_call_before_also_where_the_new_arguments_are_refused(
    twilio_simulator: TwilioSimulator, store: StateStore, when_killed: str, status: str, said: str
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    with pytest.raises(TwilioCallRefusedError, match=said):
        retry(store, TO_NOBODY, max_tries=CLEARED, when_killed=when_killed)
    assert statuses(twilio_simulator) == [status]


@pytest.mark.parametrize("wrong", WRONG, ids=names)
def test_a_clear_ends_the_call_before_whatever_the_arguments_have_become(
    twilio_simulator: TwilioSimulator, store: StateStore, wrong: dict[str, Any]
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    with pytest.raises(TwilioCallRefusedError, match="Nothing was dialled"):
        retry(store, wrong, max_tries=CLEARED)
    assert statuses(twilio_simulator) == ["canceled"]


# Within one try


@pytest.mark.parametrize("wrong", WRONG, ids=names)
def test_a_deferred_retry_watches_and_ends_the_call_of_its_own_account(
    twilio_simulator: TwilioSimulator, store: StateStore, wrong: dict[str, Any]
) -> None:
    dial_and_vanish(store, STAYS_QUEUED, queue_timeout=3600)
    ti = RecordingTaskInstance(max_tries=FIRST_RUN)
    task = rendering(STAYS_QUEUED, rendered=wrong, deferrable=True)
    deferred = defer(task, ti, store)
    twilio_simulator.skip(LONG_ENOUGH_S)
    event = {"call_sid": deferred.trigger.call_sid, "reason": "timed out", "call": None, "why": "queued"}
    assert deferred.trigger.account_sid in (None, twilio_simulator.account_sid)
    with pytest.raises(AirflowTaskTimeout, match="was ended by this task, and is canceled"):
        resume(rendering(STAYS_QUEUED, rendered=wrong, deferrable=True), deferred, event, ti, store)
    assert statuses(twilio_simulator) == ["canceled"]


@pytest.mark.parametrize("wrong", WRONG, ids=names)
def test_why_a_call_failed_is_asked_of_its_own_account(
    twilio_simulator: TwilioSimulator, store: StateStore, wrong: dict[str, Any]
) -> None:
    dial_and_vanish(store, FAILS)
    with pytest.raises(AirflowException, match=r"failed: [1-9]\d+ "):
        retry(store, wrong)


def test_a_deferred_call_is_followed_though_its_trigger_failed_and_the_arguments_are_wrong(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(store)
    assert go_on_after_a_lost_trigger(sid, store) == sid


def test_without_a_journal_too(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(None)  # type: ignore[arg-type]
    assert go_on_after_a_lost_trigger(sid, None) == sid


def go_on_after_a_lost_trigger(sid: str, store: StateStore | None) -> str:
    ti = RecordingTaskInstance(max_tries=FIRST_RUN, xcoms={"call_sid": sid})
    task = rendering(rendered=TO_NOBODY)
    return task.resume_execution("__fail__", {"error": "Trigger failure"}, context(ti, store))


def test_arguments_that_go_wrong_between_two_dials_are_refused_with_what_was_dialled(
    twilio_simulator: TwilioSimulator, run: PausingRun
) -> None:
    twilio_simulator.script(SOMEBODY, "busy")
    redialling = {"max_dials": 3, "redial_after": 60, "poll_interval": 2}
    with pytest.raises(TaskDeferred) as paused:
        waiting(SOMEBODY, **redialling).execute(run.context())
    run.clock.sleep(60)
    with pytest.raises(TwilioCallRefusedError, match=r"^Nothing more was dialled \(before: busy\); fix"):
        run.resume(rendering(rendered=TO_NOBODY, **redialling), paused.value)


# A connection that has changed


def test_a_connection_that_lost_its_caller_id_follows_the_call(
    twilio_simulator: TwilioSimulator, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(store)
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, extra={}))
    assert run(store) == sid


@pytest.mark.parametrize("trouble", ["not found", "unusable"])
def test_a_call_is_left_to_a_retry_where_the_connection_cannot_be_had(
    twilio_simulator: TwilioSimulator, store: StateStore, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(store)
    spoil_the_connection(twilio_simulator, monkeypatch, trouble)
    with pytest.raises(
        TwilioCallInterruptedError, match=f"Call {sid} of an earlier try may still ring"
    ) as no:
        run(store)
    assert "othing was dialled" not in str(no.value)
    assert not isinstance(no.value, AirflowFailException)

    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    assert run(store) == sid


@pytest.mark.parametrize("trouble", ["not found", "unusable"])
def test_a_deferred_call_too(
    twilio_simulator: TwilioSimulator, store: StateStore, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(store)
    spoil_the_connection(twilio_simulator, monkeypatch, trouble)
    with pytest.raises(TwilioCallInterruptedError, match=f"Call {sid} may still ring"):
        go_on_after_a_lost_trigger(sid, store)


@pytest.mark.parametrize("trouble", ["not found", "unusable"])
def test_without_a_journal_nobody_is_dialled_again_for_want_of_a_connection(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(None)  # type: ignore[arg-type]
    spoil_the_connection(twilio_simulator, monkeypatch, trouble)
    with pytest.raises(TwilioCallAbandonedError, match=f"Call {sid} was placed"):
        go_on_after_a_lost_trigger(sid, None)


@pytest.mark.parametrize("trouble", ["not found", "unusable"])
def test_a_clear_dials_nobody_while_the_call_before_cannot_be_ended(
    twilio_simulator: TwilioSimulator, store: StateStore, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    sid = dial_and_vanish(store, STAYS_QUEUED)
    spoil_the_connection(twilio_simulator, monkeypatch, trouble)
    with pytest.raises(TwilioCallInterruptedError, match=f"Call {sid} of the run before may still ring"):
        run(store, STAYS_QUEUED, max_tries=CLEARED)


def spoil_the_connection(simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    if trouble == "not found":
        monkeypatch.delenv(VARIABLE)
    else:
        monkeypatch.setenv(VARIABLE, changed(simulator, password=""))


ANOTHER_ACCOUNT = "AC" + "5" * 32


def switch_accounts(simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the connection name another account, with another number; the simulator refuses to call from there."""
    extra = {"from": "+15557654329", "account_sid": ANOTHER_ACCOUNT}
    monkeypatch.setenv(VARIABLE, changed(simulator, extra=extra))


def test_a_connection_switched_to_another_account_does_not_ring_twice(
    twilio_simulator: TwilioSimulator, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(store)
    asked = operations(twilio_simulator)
    switch_accounts(twilio_simulator, monkeypatch)
    with pytest.raises(TwilioCallFateUnknownError, match=f"Call {sid} of an earlier try was placed with"):
        run(store)
    assert operations(twilio_simulator) == asked


def test_nor_where_the_arguments_cannot_be_used_and_twilio_refuses_to_show_the_call(
    twilio_simulator: TwilioSimulator, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(SOMEBODY, RINGS)
    sid = dial_and_vanish(store)
    switch_accounts(twilio_simulator, monkeypatch)
    twilio_simulator.inject(on("get", kind="status", status=401, code=20003, times=None))
    with pytest.raises(TwilioCallFateUnknownError, match=f"call {sid}, and Twilio refuses to say"):
        retry(store, TO_NOBODY)
    assert twilio_simulator.account_sid in twilio_simulator.requests[-1].path


@pytest.mark.parametrize(("status", "code"), [(401, 20003), (404, 20404)])
def test_a_clear_says_that_a_call_may_ring_where_twilio_refuses_to_show_it(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    monkeypatch: pytest.MonkeyPatch,
    clock: VirtualTime,
    status: int,
    code: int,
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    clock.sleep(3600)
    switch_accounts(twilio_simulator, monkeypatch)
    twilio_simulator.inject(on("update", kind="status", status=status, code=code, times=None))
    with pytest.raises(TwilioCallRefusedError, match="is left alone and may still ring"):
        retry(store, TO_NOBODY, max_tries=CLEARED)


def test_it_does_where_two_rings_are_better_than_none(
    twilio_simulator: TwilioSimulator, store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    switch_accounts(twilio_simulator, monkeypatch)
    with pytest.raises(TwilioCallRefusedError):
        run(store, STAYS_QUEUED, delivery="at_least_once")
    assert ANOTHER_ACCOUNT in twilio_simulator.requests[-1].path
    assert posts(twilio_simulator) == 2


def test_a_clear_dials_with_the_new_account_at_once(
    twilio_simulator: TwilioSimulator,
    store: StateStore,
    monkeypatch: pytest.MonkeyPatch,
    clock: VirtualTime,
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    switch_accounts(twilio_simulator, monkeypatch)
    began = clock.monotonic()
    with pytest.raises(TwilioCallRefusedError):
        run(store, STAYS_QUEUED, max_tries=CLEARED)
    assert clock.monotonic() - began < 1
    assert operations(twilio_simulator)[-1] == "create"


def test_a_call_that_twilio_has_forgotten_does_not_hold_up_a_clear(
    twilio_simulator: TwilioSimulator, store: StateStore, clock: VirtualTime
) -> None:
    sid = dial_and_vanish(store)
    clock.sleep(3600)
    twilio_simulator.inject(on("update", kind="status", status=404, code=20404, times=None, sid=sid))
    began = clock.monotonic()
    run(store, max_tries=CLEARED, wait_for_completion=False)
    assert clock.monotonic() - began < 5
    assert posts(twilio_simulator) == 2
