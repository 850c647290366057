"""Answers that are lost on the way: within its try, a task looks for its call, and places no second one unasked."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG

from airflow_provider_twiliocall.calls.look_up import PATIENCE_S, SHORT_PATIENCE_S
from airflow_provider_twiliocall.calls.placement import MOST_REQUESTS
from airflow_provider_twiliocall.exceptions import (
    TwilioCallFateUnknownError,
    TwilioCallMaybePlacedError,
    TwilioCallNotPlacedError,
)
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from tests.integration.ring_task import (
    SOMEBODY,
    SOMEBODY_ELSE,
    on,
    operations,
    place,
    place_and_wait,
    posts,
    statuses,
    waiting,
)
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime

pytestmark = pytest.mark.usefixtures("connection", "real_pace", "clock")

JUST_BEFORE_S = 4
LONG_BEFORE_S = 3600

ACCEPTED = [
    pytest.param({"kind": "drop", "after": True}, id="dropped"),
    pytest.param({"kind": "cut"}, id="cut"),
    pytest.param({"kind": "html", "after": True}, id="html"),
    pytest.param({"kind": "html", "after": True, "status": 201}, id="html-as-if-good"),
    pytest.param({"kind": "truncated"}, id="truncated"),
    pytest.param({"kind": "status", "after": True, "status": 408}, id="408"),
    pytest.param({"kind": "status", "after": True, "status": 500}, id="500"),
    pytest.param({"kind": "status", "after": True, "status": 502}, id="502"),
    pytest.param({"kind": "status", "after": True, "status": 503, "headers": {"Retry-After": "0"}}, id="503"),
]
NEVER_ACCEPTED = [
    pytest.param({"kind": "drop"}, id="dropped"),
    pytest.param({"kind": "html"}, id="html"),
    pytest.param({"kind": "status", "status": 500}, id="500"),
    pytest.param({"kind": "status", "status": 503, "headers": {"Retry-After": "0"}}, id="503"),
]
LOST = {"kind": "drop", "after": True}


@pytest.fixture
def ti() -> RecordingTaskInstance:
    return RecordingTaskInstance()


# Found


@pytest.mark.parametrize("fault", ACCEPTED)
def test_a_call_whose_answer_is_lost_is_found_and_gone_on_with(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("create", **fault))
    sid = place_and_wait(SOMEBODY, ti)
    assert sid == twilio_simulator.calls[0]["sid"] == ti.xcoms["call_sid"]
    assert statuses(twilio_simulator) == ["completed"]
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize("delivery", ["at_most_once", "at_least_once"])
def test_a_task_that_does_not_wait_finds_its_call_too(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, delivery: str
) -> None:
    twilio_simulator.inject(on("create", **LOST))
    sid = place(SOMEBODY, ti, delivery=delivery)
    assert [call["sid"] for call in twilio_simulator.calls] == [sid]
    assert ti.xcoms["call"]["sid"] == sid
    assert posts(twilio_simulator) == 1


def test_a_call_that_lists_show_late_is_found_all_the_same(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("create", **LOST))
    twilio_simulator.inject(Fault(kind="list-lag", seconds=45, times=None))
    assert place(SOMEBODY) == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503, "times": 3},
        {"kind": "status", "status": 429, "times": 3},
        {"kind": "drop", "times": 3},
        {"kind": "html", "times": 3},
        {"kind": "truncated", "times": 3},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status')}",
)
def test_looking_goes_on_through_transient_errors(
    twilio_simulator: TwilioSimulator, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    twilio_simulator.inject(on("create", **LOST))
    twilio_simulator.inject(on("list", **fault))
    assert place(SOMEBODY) == twilio_simulator.calls[0]["sid"]
    assert caplog.text.count("Cannot look for the call for now") == 1


@pytest.mark.parametrize("ahead", [90, -90])
def test_a_worker_whose_clock_is_wrong_finds_its_call(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, ahead: float
) -> None:
    clock.ahead = ahead
    twilio_simulator.inject(on("create", **LOST))
    assert place_and_wait(SOMEBODY) == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize("skew", [90, -90])
def test_a_twilio_whose_clock_is_another_is_understood(
    twilio_simulator: TwilioSimulator, skew: float
) -> None:
    twilio_simulator.clock.skew = skew
    twilio_simulator.inject(on("create", **LOST))
    assert place_and_wait(SOMEBODY) == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize("ahead", [90, -90])
def test_a_wrong_clock_does_not_make_an_earlier_call_the_tasks_own(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, ahead: float
) -> None:
    unrelated = place(SOMEBODY)
    clock.sleep(90)
    clock.ahead = ahead
    twilio_simulator.inject(on("create", **LOST))
    sid = place(SOMEBODY)
    assert [unrelated, sid] == [call["sid"] for call in twilio_simulator.calls]


# Others' calls


@pytest.mark.parametrize("before", [JUST_BEFORE_S, LONG_BEFORE_S])
def test_an_unrelated_call_before_is_not_taken_for_the_tasks_own(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, before: float
) -> None:
    unrelated = place(SOMEBODY)
    clock.sleep(before)
    twilio_simulator.inject(on("create", **LOST))
    sid = place(SOMEBODY)
    assert [unrelated, sid] == [call["sid"] for call in twilio_simulator.calls]


def test_an_unrelated_call_before_is_not_taken_for_one_that_was_never_placed(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, ti: RecordingTaskInstance
) -> None:
    place(SOMEBODY)
    clock.sleep(JUST_BEFORE_S)
    twilio_simulator.inject(on("create", kind="drop"))
    with pytest.raises(TwilioCallFateUnknownError, match="shows none that it could be"):
        place(SOMEBODY, ti)
    assert ti.xcoms == {}


def test_a_call_to_somebody_else_is_not_taken_for_the_tasks_own(twilio_simulator: TwilioSimulator) -> None:
    place(SOMEBODY_ELSE)
    twilio_simulator.inject(on("create", kind="drop"))
    with pytest.raises(TwilioCallFateUnknownError, match="shows none that it could be"):
        place(SOMEBODY)


def test_a_call_from_another_number_is_not_taken_for_the_tasks_own(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.own("+15557654321")
    place(SOMEBODY, from_="+15557654321")
    twilio_simulator.inject(on("create", kind="drop"))
    with pytest.raises(TwilioCallFateUnknownError, match="shows none that it could be"):
        place(SOMEBODY)


def ring_in_a_dag_with_another() -> CreateCallOperator:
    """The task ``ring`` of a DAG in which ``ring_too`` calls the same person."""
    with DAG("calls", schedule=None):
        ring = waiting(SOMEBODY)
        waiting(SOMEBODY, task_id="ring_too")
    return ring


def test_a_call_that_another_task_is_known_to_have_placed_is_not_adopted(
    twilio_simulator: TwilioSimulator,
) -> None:
    others = place(SOMEBODY)
    ti = RecordingTaskInstance(others={"ring_too": {"call_sid": others}})
    twilio_simulator.inject(on("create", kind="drop"))
    with pytest.raises(TwilioCallFateUnknownError, match="shows none that it could be"):
        ring_in_a_dag_with_another().execute(context(ti))
    assert len(twilio_simulator.calls) == 1


def test_a_call_is_told_from_one_that_another_task_is_known_to_have_placed(
    twilio_simulator: TwilioSimulator,
) -> None:
    others = place(SOMEBODY)
    ti = RecordingTaskInstance(others={"ring_too": {"call_sid": others}})
    twilio_simulator.inject(on("create", **LOST))
    sid = ring_in_a_dag_with_another().execute(context(ti))
    assert [others, sid] == [call["sid"] for call in twilio_simulator.calls]
    assert posts(twilio_simulator) == 2


def test_two_tasks_that_lose_their_answers_at_once_adopt_neither_call(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    others = place(SOMEBODY)
    twilio_simulator.inject(on("create", **LOST))
    with pytest.raises(TwilioCallFateUnknownError, match="It may be any of ") as failed:
        place_and_wait(SOMEBODY, ti)
    assert isinstance(failed.value, AirflowFailException)
    assert others in str(failed.value) and twilio_simulator.calls[1]["sid"] in str(failed.value)
    assert posts(twilio_simulator) == len(twilio_simulator.calls) == 2
    assert ti.xcoms == {}


class ContendedTaskInstance(RecordingTaskInstance):
    """A task instance whose neighbour claims whatever it claims, in the same moment."""

    def xcom_push(self, key: str, value: Any) -> None:
        super().xcom_push(key, value)
        self.others = {"ring_too": dict(self.xcoms)}


def test_a_call_that_two_tasks_claim_in_the_same_moment_is_neithers(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.inject(on("create", **LOST))
    with pytest.raises(TwilioCallFateUnknownError, match="another task of this run has found it too") as end:
        ring_in_a_dag_with_another().execute(context(ContendedTaskInstance()))
    assert twilio_simulator.calls[0]["sid"] in str(end.value)
    assert posts(twilio_simulator) == 1


# Not found


@pytest.mark.parametrize("store", [None, "kept"])
@pytest.mark.parametrize("fault", NEVER_ACCEPTED)
def test_at_most_once_fails_for_good_after_a_minute_of_looking_in_vain(
    twilio_simulator: TwilioSimulator,
    ti: RecordingTaskInstance,
    clock: VirtualTime,
    fault: dict[str, Any],
    store: str | None,
) -> None:
    twilio_simulator.inject(on("create", **fault))
    began = clock.monotonic()
    with pytest.raises(TwilioCallFateUnknownError, match="Look in Twilio's call log for a call to") as failed:
        place_and_wait(SOMEBODY, ti, StateStore() if store else None)
    assert PATIENCE_S <= clock.monotonic() - began < PATIENCE_S + 10
    assert isinstance(failed.value, AirflowFailException)
    assert "if none is this task's, clear this task to dial" in str(failed.value)
    assert SOMEBODY not in str(failed.value)
    assert posts(twilio_simulator) == 1
    assert ti.xcoms == {}


@pytest.mark.parametrize("fault", NEVER_ACCEPTED)
def test_at_least_once_dials_again_within_the_try_after_ten_seconds_of_looking_in_vain(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("create", **fault))
    began = clock.monotonic()
    assert place(SOMEBODY, delivery="at_least_once") == twilio_simulator.calls[0]["sid"]
    assert SHORT_PATIENCE_S <= clock.monotonic() - began < SHORT_PATIENCE_S + 5
    assert posts(twilio_simulator) == 2


def test_at_least_once_leaves_further_dials_to_the_tasks_retry(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.inject(on("create", kind="drop", times=None))
    with pytest.raises(TwilioCallMaybePlacedError, match="a retry of this task dials again") as failed:
        place(SOMEBODY, ti, delivery="at_least_once")
    assert not isinstance(failed.value, AirflowFailException)
    assert posts(twilio_simulator) == MOST_REQUESTS
    assert ti.xcoms == {}


def test_at_least_once_dials_again_where_two_calls_may_be_it(twilio_simulator: TwilioSimulator) -> None:
    place(SOMEBODY)
    twilio_simulator.inject(on("create", **LOST))
    assert place(SOMEBODY, delivery="at_least_once") == twilio_simulator.calls[2]["sid"]
    assert len(twilio_simulator.calls) == 3


# Twilio cannot be asked


def test_without_a_journal_a_call_that_cannot_be_looked_for_is_not_dialled_again(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.inject(on("create", **LOST))
    twilio_simulator.inject(on("list", kind="drop", times=None))
    with pytest.raises(TwilioCallFateUnknownError, match=r"Twilio cannot be asked .*not dialled again"):
        place(SOMEBODY)
    assert posts(twilio_simulator) == 1


def test_with_a_journal_a_call_that_cannot_be_looked_for_is_found_by_the_retry(
    twilio_simulator: TwilioSimulator,
) -> None:
    store = StateStore()
    twilio_simulator.inject(on("create", **LOST))
    away = twilio_simulator.inject(on("list", kind="drop", times=None))
    with pytest.raises(TwilioCallMaybePlacedError, match="A retry of this task asks again before it dials"):
        place_and_wait(SOMEBODY, store=store)
    twilio_simulator.clear_faults(away)
    assert place_and_wait(SOMEBODY, store=store) == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


def test_at_least_once_dials_again_where_twilio_cannot_be_asked(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("create", **LOST))
    twilio_simulator.inject(on("list", kind="status", status=401, code=20003, times=None))
    place(SOMEBODY, delivery="at_least_once")
    assert posts(twilio_simulator) == 2


# Provably not placed: no look-up


@pytest.mark.parametrize("store", [None, "kept"])
def test_what_twilio_provably_did_not_take_is_not_looked_for(
    twilio_simulator: TwilioSimulator, store: str | None
) -> None:
    twilio_simulator.inject(
        on("create", kind="status", status=429, code=20429, headers={"Retry-After": "600"})
    )
    journal = StateStore() if store else None
    with pytest.raises(TwilioCallNotPlacedError):
        place_and_wait(SOMEBODY, store=journal)
    place_and_wait(SOMEBODY, store=journal)
    assert "list" not in operations(twilio_simulator)
    assert len(twilio_simulator.calls) == 1
